"""What a credentials file may say, read strictly; no value is ever quoted in an error."""

import functools
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from pdsno.domain.errors import InputError

SNMP_PORT = 161
SSH_PORT = 22
AUTH_PROTOCOLS = ("MD5", "SHA", "SHA224", "SHA256", "SHA384", "SHA512")
PRIV_PROTOCOLS = ("DES", "AES", "AES192", "AES256")
MIN_V3_PASSWORD = 8
"""RFC 3414 section 11.2."""

_KEYS = frozenset({"snmp", "ssh", "ssh_config"})
_SECRETS = frozenset(
    {"community", "password", "key_passphrase", "enable_password", "auth_password", "priv_password"}
)
_SCOPE = ("namespaces", "subnets", "platforms")


@dataclass(frozen=True, kw_only=True, slots=True)
class CredentialScope:
    """Where a credential may be sent; an empty field is no limit.

    A credential for certain platforms is kept back where nobody knows the platform yet.
    """

    namespaces: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()

    def covers(self, address: str, namespace: str, platform: str | None = None) -> bool:
        """Tell whether it may be sent to this address."""
        if self.namespaces and namespace not in self.namespaces:
            return False
        if self.platforms and platform not in self.platforms:
            return False
        return not self.subnets or _lies_in(address, self.subnets)


EVERYWHERE = CredentialScope()


def _lies_in(address: str, subnets: tuple[str, ...]) -> bool:
    hosts, networks = _compiled(subnets)
    ip = ipaddress.ip_address(address.partition("%")[0])
    return ip in hosts or any(ip in network for network in networks)


@functools.lru_cache(maxsize=1024)
def _compiled(
    subnets: tuple[str, ...],
) -> tuple[
    frozenset[ipaddress.IPv4Address | ipaddress.IPv6Address],
    tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...],
]:
    """Split subnets into single hosts, of which an inventory names thousands, and real ones."""
    networks = [ipaddress.ip_network(text) for text in subnets]
    hosts = frozenset(n.network_address for n in networks if n.num_addresses == 1)
    return hosts, tuple(n for n in networks if n.num_addresses > 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class SnmpV2cCredential:
    """A community. `name` is what records and logs show."""

    name: str
    community: str = field(repr=False)
    port: int = SNMP_PORT
    scope: CredentialScope = EVERYWHERE


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
    scope: CredentialScope = EVERYWHERE


SnmpCredential = SnmpV2cCredential | SnmpV3Credential


@dataclass(frozen=True, kw_only=True, slots=True)
class SshCredential:
    """A login, by password or by private key file.

    Discovery works without enable: `enable_password` is kept for who changes devices.
    """

    name: str
    username: str
    password: str | None = field(default=None, repr=False)
    key_file: str | None = None
    key_passphrase: str | None = field(default=None, repr=False)
    enable_password: str | None = field(default=None, repr=False)
    port: int = SSH_PORT
    scope: CredentialScope = EVERYWHERE


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """Everything we may try, in order. Empty: nothing is queried.

    `platforms` are those that an inventory names, by address. `ssh_config` leads to jump hosts.
    `changed_at` (seconds since 1970) is when the file was last written: what was refused before
    may be tried again.
    """

    snmp: tuple[SnmpCredential, ...] = ()
    ssh: tuple[SshCredential, ...] = ()
    ssh_config: Path | None = None
    platforms: Mapping[str, str] = field(default_factory=dict)
    changed_at: float | None = field(default=None, compare=False)

    def __bool__(self) -> bool:
        return bool(self.snmp or self.ssh)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all credentials, in order: for records."""
        return tuple(item.name for item in (*self.snmp, *self.ssh))


def parse_entries(document: object) -> Credentials:
    """Turn a parsed file into credentials. Raises InputError; values are never quoted."""
    if document is None:
        return Credentials()
    if not isinstance(document, dict):
        raise InputError("expected a mapping with the lists 'snmp' and 'ssh'")
    unknown = sorted(str(key) for key in document if key not in _KEYS)
    if unknown:
        known = "only 'snmp', 'ssh', 'ssh_config', 'ansible' and 'nornir' are known"
        raise InputError(f"unknown key {unknown[0]!r}: {known}")
    snmp = [_snmp(entry, place) for entry, place in _entries(document, "snmp")]
    ssh = [_ssh(entry, place) for entry, place in _entries(document, "ssh")]
    refuse_repeated_names([item.name for item in (*snmp, *ssh)])
    return Credentials(
        snmp=tuple(snmp),
        ssh=tuple(ssh),
        ssh_config=path_at(document, "ssh_config"),
    )


def refuse_repeated_names(names: list[str]) -> None:
    """Raise InputError if a name stands twice: records would not tell which one was meant."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"the name {name!r} is used twice")
        seen.add(name)


def path_at(document: Mapping[object, object], key: str) -> Path | None:
    """Return a path that a key names, None if it is left out. Raises InputError."""
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise InputError(f"{key}: expected the path of a file")
    return Path(value).expanduser()


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


def _build(kind: type[_Credential], entry: dict[str, Any], place: str) -> _Credential:
    scope = _scope(entry, place)
    known = {item.name for item in fields(kind)} - {"scope"}
    required = {"name", "community", "user", "username"} & known
    for key in sorted(set(entry) - known):
        raise InputError(f"{place}: unknown field {key!r}")
    for key in sorted(required - set(entry)):
        raise InputError(f"{place}: {key!r} is missing")
    for key, value in entry.items():
        if key == "port":
            check_port(value, place)
            continue
        if key in _SECRETS and isinstance(value, dict):
            entry[key] = _from_elsewhere(value, f"{place}: {key!r}")
        elif not isinstance(value, str) or not value:
            raise InputError(f"{place}: {key!r} must be text; put it in quotes")
    return kind(scope=scope, **entry)


def _from_elsewhere(value: Mapping[object, object], place: str) -> str:
    """Return a secret that stands in the environment or in a file of its own."""
    ((how, name),) = value.items() if len(value) == 1 else [("", "")]
    if how not in ("env", "file") or not isinstance(name, str) or not name:
        raise InputError(f"{place} must be text, {{env: NAME}} or {{file: PATH}}")
    if how == "env":
        found = os.environ.get(name, "")
        if not found:
            raise InputError(f"{place}: the environment has no {name}")
        return found
    try:
        found = Path(name).expanduser().read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"{place}: {name}: {why}") from error
    if not found:
        raise InputError(f"{place}: {name} is empty")
    return found


def check_port(value: object, place: str) -> None:
    """Raise InputError unless this is a port's number."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 16:
        raise InputError(f"{place}: 'port' must be a number from 1 to 65535")


def _scope(entry: dict[str, Any], place: str) -> CredentialScope:
    told: dict[str, tuple[str, ...]] = {}
    for key in _SCOPE:
        values = entry.pop(key, None)
        if values is None:
            continue
        if not isinstance(values, list) or not all(v and isinstance(v, str) for v in values):
            raise InputError(f"{place}: {key!r} must be a list of texts")
        if not values:
            raise InputError(f"{place}: {key!r} is empty: leave it out for everywhere")
        told[key] = tuple(values)
    if "subnets" in told:
        told["subnets"] = tuple(_subnet(text, place) for text in told["subnets"])
    if "platforms" in told:
        told["platforms"] = tuple(_platform(text, place) for text in told["platforms"])
    return CredentialScope(**told)


def _subnet(text: str, place: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise InputError(f"{place}: 'subnets' holds no prefix: {text!r} ({error})") from error


def _platform(text: str, place: str) -> str:
    from pdsno.southbound.platforms import platform_named  # noqa: PLC0415 - loads every template

    try:
        return platform_named(text).name
    except InputError as error:
        raise InputError(f"{place}: 'platforms': {error}") from error


def _snmp(entry: dict[str, Any], place: str) -> SnmpCredential:
    if "platforms" in entry:
        raise InputError(f"{place}: 'platforms' is for SSH: it is SNMP that tells the platform")
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
    if credential.key_passphrase is not None and credential.key_file is None:
        raise InputError(f"{place}: 'key_passphrase' needs 'key_file' as well")
    return credential
