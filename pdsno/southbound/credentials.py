"""Operators' credentials: what opens devices for queries, tried in the order of the file.

```yaml
snmp:
  - {name: read-only, version: 2c, community: s3cret}
  - {name: v3, version: 3, user: pdsno, auth_protocol: SHA, auth_password: …,
     priv_protocol: AES, priv_password: …}
ssh:
  - {name: operators, username: ops, password: …, subnets: [192.0.2.0/24]}
  - {name: key, username: ops, key_file: /etc/pdsno/id_ed25519, port: 2222}
ssh_config: /etc/pdsno/ssh_config
ansible: {inventory: /etc/ansible/hosts.yml, vault_password_file: /etc/pdsno/vault-password}
nornir: {inventory: /etc/nornir/hosts.yaml}
```

A secret may stand elsewhere: `{env: NAME}` or `{file: PATH}` in its place. Each may say where it
may be sent: `namespaces`, `subnets`, and for SSH `platforms`.
"""

from dataclasses import replace
from pathlib import Path

import structlog

from pdsno.domain.errors import InputError
from pdsno.southbound.ansible_credentials import from_ansible
from pdsno.southbound.credential_entries import (
    Credentials,
    SnmpCredential,
    SnmpV2cCredential,
    SnmpV3Credential,
    SshCredential,
    parse_entries,
    path_at,
    refuse_repeated_names,
)
from pdsno.southbound.inventory_logins import FromInventory
from pdsno.southbound.nornir_credentials import from_nornir
from pdsno.strict_yaml import StrictYamlError, load_strict

__all__ = [
    "Credentials",
    "SnmpCredential",
    "SnmpV2cCredential",
    "SnmpV3Credential",
    "SshCredential",
    "load_credentials",
    "parse_credentials",
]

log = structlog.get_logger()

_WORLD_READABLE = 0o004
_INVENTORIES = {"ansible": ("inventory", "vault_password_file"), "nornir": ("inventory",)}
"""Keys that name another tool's inventory, and what each may say."""


def load_credentials(path: str | Path) -> Credentials:
    """Read a credentials file. Raises InputError naming file, entry and remedy.

    A file that everybody may read is used all the same, with a warning in the log.
    """
    path = Path(path)
    try:
        text = path.read_text()
        state = path.stat()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"{path}: cannot read the credentials file: {reason}") from error
    if state.st_mode & _WORLD_READABLE:
        log.warning("credentials_world_readable", path=str(path), remedy=f"chmod 600 {path}")
    try:
        document, _ = load_strict(text)
    except StrictYamlError as error:
        place = f", line {error.line}" if error.line else ""
        # The reader's own text quotes the file: it may quote a password.
        raise InputError(f"{path}{place}: not YAML, or a key stands twice") from error
    try:
        found = parse_credentials(document)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return replace(found, changed_at=max(state.st_mtime, found.changed_at or 0.0))


def parse_credentials(document: object) -> Credentials:
    """Turn a parsed file into credentials. Raises InputError; values are never quoted.

    What inventories tell comes after what the file itself says; what Ansible's says counts first.
    """
    if not isinstance(document, dict):
        return parse_entries(document)
    found = parse_entries({key: own for key, own in document.items() if key not in _INVENTORIES})
    for kind in (kind for kind in _INVENTORIES if kind in document):
        told = _from_inventory(kind, document[kind])
        found = replace(
            found,
            snmp=(*found.snmp, *told.snmp),
            ssh=(*found.ssh, *told.ssh),
            platforms={**told.platforms, **found.platforms},
            changed_at=max(told.changed_at, found.changed_at or 0.0),
        )
    refuse_repeated_names(list(found.names))
    return found


def _from_inventory(kind: str, source: object) -> FromInventory:
    known = _INVENTORIES[kind]
    if not isinstance(source, dict):
        raise InputError(f"{kind}: expected a mapping with 'inventory'")
    unknown = sorted(str(key) for key in source if key not in known)
    if unknown:
        names = " and ".join(map(repr, known))
        raise InputError(f"{kind}: unknown field {unknown[0]!r}: only {names} {_are(known)} known")
    if "inventory" not in source:
        raise InputError(f"{kind}: 'inventory' is missing")
    try:
        inventory = path_at(source, "inventory") or Path()
        if kind == "nornir":
            return from_nornir(inventory)
        return from_ansible(inventory, path_at(source, "vault_password_file"))
    except InputError as error:
        raise InputError(f"{kind}: {error}") from error


def _are(names: tuple[str, ...]) -> str:
    return "are" if len(names) > 1 else "is"
