"""Credentials and platforms out of an Ansible inventory; hosts of one login share an entry."""

import ipaddress
import re
import socket
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from pdsno.domain.errors import InputError
from pdsno.southbound.ansible_inventory import read_inventory
from pdsno.southbound.ansible_vault import unsealer
from pdsno.southbound.credential_entries import (
    SNMP_PORT,
    SSH_PORT,
    CredentialScope,
    SnmpV2cCredential,
    SshCredential,
)

log = structlog.get_logger()

_USER = ("ansible_user", "ansible_ssh_user")
_PASSWORD = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")
_KEY_FILE = ("ansible_ssh_private_key_file", "ansible_private_key_file")
_PORT = ("ansible_port", "ansible_ssh_port")
_COMMUNITY = ("pdsno_snmp_community",)
_REFERENCE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_MAX_REFERENCES = 8
_OTHER_NAMES = {"ce": "huawei_vrp", "aoscx": "aruba_aoscx", "aos_cx": "aruba_aoscx"}

_Login = tuple[str, str | None, str | None, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class FromAnsible:
    """What an inventory tells. `changed_at` is when the newest of its files was written."""

    snmp: tuple[SnmpV2cCredential, ...] = ()
    ssh: tuple[SshCredential, ...] = ()
    platforms: Mapping[str, str] = field(default_factory=dict)
    changed_at: float = 0.0


def from_ansible(inventory: Path, vault_password_file: Path | None = None) -> FromAnsible:
    """Read an inventory. Raises InputError, naming file or host; never quotes a value.

    A host's credential may be sent to that host's address alone. A host whose name does not
    resolve is passed over, with a warning in the log.
    """
    found = read_inventory(inventory, unsealer(vault_password_file))
    logins: dict[_Login, list[tuple[str, str]]] = defaultdict(list)
    communities: dict[str, list[tuple[str, str]]] = defaultdict(list)
    platforms: dict[str, str] = {}
    for host, variables in found.hosts.items():
        told = _Variables(host, variables)
        address = _address(host, told)
        if address is None:
            continue
        login = _login(told)
        if login is not None:
            logins[login].append((host, address))
        community = told.text(*_COMMUNITY)
        if community is not None:
            communities[community].append((host, address))
        platform = _platform(told.text("ansible_network_os"))
        if platform is not None:
            platforms[address] = platform
    return FromAnsible(
        snmp=tuple(_snmp(community, hosts) for community, hosts in communities.items()),
        ssh=tuple(_ssh(login, hosts) for login, hosts in logins.items()),
        platforms=platforms,
        changed_at=found.changed_at,
    )


class _Variables:
    """One host's variables; a value may name another one as `{{ name }}`, and nothing more."""

    def __init__(self, host: str, variables: Mapping[str, Any]) -> None:
        self._host = host
        self._variables = variables

    def text(self, *names: str) -> str | None:
        """Return the first of these variables that is set."""
        for name in names:
            value = self._variables.get(name)
            if value is not None and not isinstance(value, dict | list):
                return self._resolved(name, str(value))
        return None

    def _resolved(self, name: str, text: str) -> str:
        for _ in range(_MAX_REFERENCES):
            found = _REFERENCE.fullmatch(text.strip())
            value = None if found is None else self._variables.get(found[1])
            if value is None:
                break
            text = str(value)
        if "{{" in text or "{%" in text:
            raise InputError(
                f"host {self._host}: {name!r} is a template: only the name of another variable of "
                "this host is understood"
            )
        return text


def _login(told: _Variables) -> _Login | None:
    user, password, key = told.text(*_USER), told.text(*_PASSWORD), told.text(*_KEY_FILE)
    if (
        user is None
        or (password is None and key is None)
        or told.text("ansible_connection") == "local"
    ):
        return None
    port = told.text(*_PORT) or str(SSH_PORT)
    if not port.isdigit() or not 0 < int(port) < 1 << 16:
        port = str(SSH_PORT)
    return user, None if key else password, key, int(port)


def _address(host: str, told: _Variables) -> str | None:
    name = told.text("ansible_host", "ansible_ssh_host") or host
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        log.warning("inventory_host_not_resolved", host=host)
        return None
    found.sort(key=lambda item: item[0] != socket.AF_INET)
    return str(found[0][4][0])


def _platform(network_os: str | None) -> str | None:
    """Return our platform for `cisco.ios.ios`, `eos` and the like; None if we have none."""
    from pdsno.southbound.platforms import platform_named  # noqa: PLC0415 - loads every template

    if network_os is None:
        return None
    name = network_os.rpartition(".")[2].lower()
    try:
        return platform_named(_OTHER_NAMES.get(name, name)).name
    except InputError:
        return None


def _scope(hosts: list[tuple[str, str]]) -> CredentialScope:
    networks = (ipaddress.ip_network(address) for _, address in hosts)
    return CredentialScope(subnets=tuple(str(n) for n in sorted(networks, key=str)))


def _ssh(login: _Login, hosts: list[tuple[str, str]]) -> SshCredential:
    user, password, key_file, port = login
    return SshCredential(
        name=f"ansible {user} at {hosts[0][0]}",
        username=user,
        password=password,
        key_file=key_file,
        port=port,
        scope=_scope(hosts),
    )


def _snmp(community: str, hosts: list[tuple[str, str]]) -> SnmpV2cCredential:
    return SnmpV2cCredential(
        name=f"ansible community at {hosts[0][0]}",
        community=community,
        port=SNMP_PORT,
        scope=_scope(hosts),
    )
