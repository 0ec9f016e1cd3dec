"""What an inventory tells of log-ins and platforms; hosts of one login share an entry."""

import ipaddress
import socket
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from pdsno.domain.errors import InputError
from pdsno.southbound.credential_entries import (
    SNMP_PORT,
    SSH_PORT,
    CredentialScope,
    SnmpV2cCredential,
    SshCredential,
)

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """A user, with a password or a key file."""

    username: str
    password: str | None = field(default=None, repr=False)
    key_file: str | None = None
    port: int = SSH_PORT


@dataclass(frozen=True, kw_only=True, slots=True)
class HostLogins:
    """What an inventory says of one host. `hostname` is an address, or a name that resolves."""

    name: str
    hostname: str
    login: Login | None = None
    community: str | None = field(default=None, repr=False)
    platform: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FromInventory:
    """What an inventory tells. `changed_at` is when the newest of its files was written."""

    snmp: tuple[SnmpV2cCredential, ...] = ()
    ssh: tuple[SshCredential, ...] = ()
    platforms: Mapping[str, str] = field(default_factory=dict)
    changed_at: float = 0.0


def gathered(kind: str, hosts: Iterable[HostLogins], *, changed_at: float) -> FromInventory:
    """Return the credentials of hosts, each for its own address alone.

    `kind` names the inventory in records. A host whose name does not resolve is passed over, with
    a warning in the log.
    """
    logins: dict[Login, list[tuple[str, str]]] = defaultdict(list)
    communities: dict[str, list[tuple[str, str]]] = defaultdict(list)
    platforms: dict[str, str] = {}
    for host in hosts:
        address = _address(host)
        if address is None:
            continue
        if host.login is not None:
            logins[host.login].append((host.name, address))
        if host.community is not None:
            communities[host.community].append((host.name, address))
        if host.platform is not None:
            platforms[address] = host.platform
    return FromInventory(
        snmp=tuple(_snmp(kind, community, of) for community, of in communities.items()),
        ssh=tuple(_ssh(kind, login, of) for login, of in logins.items()),
        platforms=platforms,
        changed_at=changed_at,
    )


def port_of(told: object) -> int:
    """Return the port that an inventory names, the usual one if that is none."""
    text = str(told)
    return int(text) if text.isdigit() and 0 < int(text) < 1 << 16 else SSH_PORT


def platform_called(name: str | None, others: Mapping[str, str]) -> str | None:
    """Return our platform for a name of another tool's; None if we have none."""
    from pdsno.southbound.platforms import platform_named  # noqa: PLC0415 - loads every template

    if name is None:
        return None
    try:
        return platform_named(others.get(name.lower(), name)).name
    except InputError:
        return None


def _address(host: HostLogins) -> str | None:
    try:
        return str(ipaddress.ip_address(host.hostname))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host.hostname, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        log.warning("inventory_host_not_resolved", host=host.name)
        return None
    found.sort(key=lambda item: item[0] != socket.AF_INET)
    return str(found[0][4][0])


def _scope(hosts: list[tuple[str, str]]) -> CredentialScope:
    networks = (ipaddress.ip_network(address) for _, address in hosts)
    return CredentialScope(subnets=tuple(str(n) for n in sorted(networks, key=str)))


def _ssh(kind: str, login: Login, hosts: list[tuple[str, str]]) -> SshCredential:
    return SshCredential(
        name=f"{kind} {login.username} at {hosts[0][0]}",
        username=login.username,
        password=login.password,
        key_file=login.key_file,
        port=login.port,
        scope=_scope(hosts),
    )


def _snmp(kind: str, community: str, hosts: list[tuple[str, str]]) -> SnmpV2cCredential:
    return SnmpV2cCredential(
        name=f"{kind} community at {hosts[0][0]}",
        community=community,
        port=SNMP_PORT,
        scope=_scope(hosts),
    )
