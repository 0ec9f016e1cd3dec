"""Operators' credentials: what opens devices for queries, tried in the order of the file.

```yaml
snmp:
  - {name: read-only, version: 2c, community: s3cret}
  - {name: v3, version: 3, user: pdsno, auth_protocol: SHA, auth_password: …,
     priv_protocol: AES, priv_password: …}
ssh:
  - {name: operators, username: ops, password: …}
  - {name: key, username: ops, key_file: /etc/pdsno/id_ed25519, port: 2222}
```
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import structlog

from pdsno.domain.errors import InputError
from pdsno.strict_yaml import StrictYamlError, load_strict

log = structlog.get_logger()

SNMP_PORT = 161
SSH_PORT = 22
AUTH_PROTOCOLS = ("MD5", "SHA", "SHA224", "SHA256", "SHA384", "SHA512")
PRIV_PROTOCOLS = ("DES", "AES", "AES192", "AES256")
MIN_V3_PASSWORD = 8
"""RFC 3414 section 11.2."""

_WORLD_READABLE = 0o004


@dataclass(frozen=True, kw_only=True, slots=True)
class SnmpV2cCredential:
    """A community. `name` is what records and logs show."""

    name: str
    community: str = field(repr=False)
    port: int = SNMP_PORT


@dataclass(frozen=True, kw_only=True, slots=True)
class SnmpV3Credential:
    """A user of the User-based Security Model (RFC 3414).

    Without `auth_protocol` neither authentication nor privacy; privacy needs authentication.
    """

    name: str
    user: str
    auth_protocol: str | None = None
    auth_password: str | None = field(default=None, repr=False)
    priv_protocol: str | None = None
    priv_password: str | None = field(default=None, repr=False)
    port: int = SNMP_PORT


SnmpCredential = SnmpV2cCredential | SnmpV3Credential


@dataclass(frozen=True, kw_only=True, slots=True)
class SshCredential:
    """A login, by password or by private key file."""

    name: str
    username: str
    password: str | None = field(default=None, repr=False)
    key_file: str | None = None
    port: int = SSH_PORT


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """Everything we may try, in order. Empty: nothing is queried."""

    snmp: tuple[SnmpCredential, ...] = ()
    ssh: tuple[SshCredential, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.snmp or self.ssh)


def load_credentials(path: str | Path) -> Credentials:
    """Read a credentials file. Raises InputError naming file, entry and remedy.

    A file that everybody may read is used all the same, with a warning in the log.
    """
    path = Path(path)
    try:
        text = path.read_text()
        is_open = path.stat().st_mode & _WORLD_READABLE
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"{path}: cannot read the credentials file: {reason}") from error
    if is_open:
        log.warning("credentials_world_readable", path=str(path), remedy=f"chmod 600 {path}")
    try:
        document, _ = load_strict(text)
    except StrictYamlError as error:
        place = f", line {error.line}" if error.line else ""
        # The reader's own text quotes the file: it may quote a password.
        raise InputError(f"{path}{place}: not YAML, or a key stands twice") from error
    try:
        return parse_credentials(document)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def parse_credentials(document: object) -> Credentials:
    """Turn a parsed file into credentials. Raises InputError; values are never quoted."""
    if document is None:
        return Credentials()
    if not isinstance(document, dict):
        raise InputError("expected a mapping with the lists 'snmp' and 'ssh'")
    unknown = sorted(str(key) for key in document if key not in {"snmp", "ssh"})
    if unknown:
        raise InputError(f"unknown key {unknown[0]!r}: only 'snmp' and 'ssh' are known")
    snmp = [_snmp(entry, place) for entry, place in _entries(document, "snmp")]
    ssh = [_ssh(entry, place) for entry, place in _entries(document, "ssh")]
    names = [item.name for item in (*snmp, *ssh)]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"the name {name!r} is used twice")
    return Credentials(snmp=tuple(snmp), ssh=tuple(ssh))


def _entries(document: Mapping[object, object], kind: str) -> list[tuple[dict[str, Any], str]]:
    entries = document.get(kind)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise InputError(f"{kind}: expected a list")
    found = []
    for number, entry in enumerate(entries, start=1):
        place = f"{kind}, entry {number}"
        if not isinstance(entry, dict):
            raise InputError(f"{place}: expected a mapping")
        found.append(({str(key): value for key, value in entry.items()}, place))
    return found


_Credential = TypeVar("_Credential", SnmpV2cCredential, SnmpV3Credential, SshCredential)


def _build(kind: type[_Credential], entry: Mapping[str, Any], place: str) -> _Credential:
    known = {item.name for item in fields(kind)}
    required = {"name", "community", "user", "username"} & known
    for key in sorted(set(entry) - known):
        raise InputError(f"{place}: unknown field {key!r}")
    for key in sorted(required - set(entry)):
        raise InputError(f"{place}: {key!r} is missing")
    for key, value in entry.items():
        if key == "port":
            _check_port(value, place)
        elif not isinstance(value, str) or not value:
            raise InputError(f"{place}: {key!r} must be text; put it in quotes")
    return kind(**entry)


def _check_port(value: object, place: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 16:
        raise InputError(f"{place}: 'port' must be a number from 1 to 65535")


def _snmp(entry: dict[str, Any], place: str) -> SnmpCredential:
    version = str(entry.pop("version", ""))
    if version == "2c":
        return _build(SnmpV2cCredential, entry, place)
    if version != "3":
        raise InputError(f"{place}: 'version' must be 2c or 3")
    credential = _build(SnmpV3Credential, entry, place)
    _check_protocol("auth", credential.auth_protocol, credential.auth_password, place)
    _check_protocol("priv", credential.priv_protocol, credential.priv_password, place)
    if credential.priv_protocol and not credential.auth_protocol:
        raise InputError(f"{place}: 'priv_protocol' needs 'auth_protocol' as well")
    return credential


def _check_protocol(kind: str, protocol: str | None, password: str | None, place: str) -> None:
    known = AUTH_PROTOCOLS if kind == "auth" else PRIV_PROTOCOLS
    if (protocol is None) != (password is None):
        raise InputError(f"{place}: '{kind}_protocol' and '{kind}_password' belong together")
    if protocol is not None and protocol not in known:
        raise InputError(f"{place}: '{kind}_protocol' must be one of {', '.join(known)}")
    if password is not None and len(password) < MIN_V3_PASSWORD:
        raise InputError(f"{place}: '{kind}_password' needs at least 8 characters (RFC 3414)")


def _ssh(entry: dict[str, Any], place: str) -> SshCredential:
    credential = _build(SshCredential, entry, place)
    if (credential.password is None) == (credential.key_file is None):
        raise InputError(f"{place}: give either 'password' or 'key_file'")
    return credential
