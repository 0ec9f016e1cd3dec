"""This machine's own interfaces and addresses."""

import ipaddress
import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from pdsno.domain.errors import InputError, OperationError

_TIMEOUT_S = 10
_NO_ARP = frozenset({"NOARP", "LOOPBACK"})


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalAddress:
    """One of our IPv4 addresses, with the interface that has it. `can_arp`: it is on a LAN."""

    interface: str
    mac: str
    address: str
    network: ipaddress.IPv4Network
    can_arp: bool


def local_addresses() -> tuple[LocalAddress, ...]:
    """Return our IPv4 addresses on interfaces that are up, secondary ones included.

    Raises OperationError if iproute2 cannot tell.
    """
    try:
        done = subprocess.run(
            ["ip", "-j", "-4", "addr", "show", "up"],
            capture_output=True,
            check=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
        rows = json.loads(done.stdout or "[]")
        links = json.loads(_run_ip_link() or "[]")
    except FileNotFoundError as error:
        raise OperationError("'ip' is not installed: install the package iproute2") from error
    except (subprocess.SubprocessError, ValueError) as error:
        raise OperationError("cannot read this machine's addresses from 'ip'") from error
    macs = {row.get("ifname"): str(row.get("address", "")) for row in links}
    return tuple(
        LocalAddress(
            interface=row["ifname"],
            mac=macs.get(row["ifname"], ""),
            address=entry["local"],
            network=ipaddress.IPv4Network(
                f"{entry.get('address', entry['local'])}/{entry['prefixlen']}", strict=False
            ),
            can_arp=not _NO_ARP & set(row.get("flags", ())),
        )
        for row in rows
        for entry in row.get("addr_info", ())
        if "local" in entry
    )


def _run_ip_link() -> str:
    return subprocess.run(
        ["ip", "-j", "link", "show", "up"],
        capture_output=True,
        check=True,
        text=True,
        timeout=_TIMEOUT_S,
    ).stdout


def on_interface(addresses: Iterable[LocalAddress], name: str) -> tuple[LocalAddress, ...]:
    """Return the addresses of one interface. Raises InputError if it has none."""
    known = list(addresses)
    found = tuple(item for item in known if item.interface == name)
    if not found:
        names = ", ".join(sorted({item.interface for item in known})) or "none"
        raise InputError(f"interface {name!r} is not up with an IPv4 address (those are: {names})")
    return found
