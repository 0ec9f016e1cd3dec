"""The machine's side of a lab: `ip` commands, the management bridge, foreign routes."""

import json
import subprocess
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any
from zlib import crc32

from pdsno.domain.errors import OperationError

NETNS_DIR = Path("/run/netns")
# Marks the bridges that we made: only these are removed. A MAC is given in the same request that
# makes the bridge, as an alias is not; whoever is killed between two commands leaves no doubt.
_OUR_MAC_PREFIX = "02:70:64:73:6e:"
_TIMEOUT_S = 120.0


def run(argv: Sequence[str], *, stdin: str | None = None) -> str:
    """Run a command of the machine and return what it printed.

    Raises OperationError with the command and its last line of error output.
    """
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except FileNotFoundError as error:
        raise OperationError(f"'{argv[0]}' is not installed on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise OperationError(f"'{' '.join(argv)}' did not end in {_TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise OperationError(f"'{' '.join(argv)}' failed: {' '.join(lines[:2])}")
    return done.stdout


def batch(commands: Sequence[str]) -> None:
    """Run many `ip` commands in one process; stops at the first that fails."""
    if not commands:
        return
    try:
        run(["ip", "-batch", "-"], stdin="\n".join(commands) + "\n")
    except OperationError as error:
        text = str(error)
        number = text.rpartition("Command failed -:")[2].strip()
        culprit = f" (ip {commands[int(number) - 1]})" if number.isdigit() else ""
        raise OperationError(f"{text}{culprit}") from error


def ip_json(*words: str) -> list[dict[str, Any]]:
    """Run `ip -j` and return what it lists."""
    listed: list[dict[str, Any]] = json.loads(run(["ip", "-j", *words]) or "[]")
    return [item for item in listed if item]


def has_interface(name: str) -> bool:
    """Tell whether the machine has a network interface of this name."""
    return Path("/sys/class/net", name).exists()


def has_namespace(name: str) -> bool:
    """Tell whether a named network namespace exists."""
    return (NETNS_DIR / name).exists()


def foreign_route(subnet: IPv4Network, bridge: str) -> str | None:
    """Find a route of the machine, not our bridge's, that overlaps the subnet."""
    for route in ip_json("-4", "route", "show", "table", "all"):
        destination = route.get("dst", "default")
        if destination == "default" or route.get("dev") in {bridge, None}:
            continue
        if route.get("type") in {"broadcast", "multicast"}:
            continue
        if IPv4Network(destination, strict=False).overlaps(subnet):
            return f"{destination} on {route['dev']}"
    return None


def ensure_bridge(name: str, gateway: IPv4Address, prefix_length: int, mtu: int) -> None:
    """Make the management bridge with the machine's own address; one that exists is used.

    What an interrupted run left half-made is finished. Raises OperationError if the existing
    bridge carries another subnet.
    """
    wanted = f"{gateway}/{prefix_length}"
    if not has_interface(name):
        address = f"{_OUR_MAC_PREFIX}{crc32(name.encode()) % 256:02x}"
        kind = "type bridge forward_delay 0 mcast_snooping 0"
        run(["ip", "link", "add", "name", name, "address", address, "mtu", f"{mtu}", *kind.split()])
    found = [
        f"{address['local']}/{address['prefixlen']}"
        for interface in ip_json("-4", "addr", "show", "dev", name)
        for address in interface.get("addr_info", [])
    ]
    if wanted in found:
        return
    if found or not _is_ours(name):
        raise OperationError(
            f"bridge {name} exists with address {', '.join(found) or 'none'}, and this lab "
            f"wants {wanted}: name another network in 'mgmt.network', or the same subnet"
        )
    batch([f"link set dev {name} up", f"addr add {wanted} dev {name}"])


def _is_ours(bridge: str) -> bool:
    """Tell whether we made a bridge."""
    address = Path("/sys/class/net", bridge, "address").read_text()
    return address.startswith(_OUR_MAC_PREFIX)


def remove_bridge_if_unused(name: str) -> None:
    """Remove the management bridge if we made it and no lab uses it any more."""
    ports = Path("/sys/class/net", name, "brif")
    if ports.is_dir() and not any(ports.iterdir()) and _is_ours(name):
        run(["ip", "link", "del", name])


def delete_namespaces(names: Iterable[str]) -> None:
    """Remove named network namespaces; those already gone are passed over."""
    batch([f"netns del {name}" for name in names if has_namespace(name)])


def delete_interfaces(names: Iterable[str]) -> None:
    """Remove interfaces of the machine; those already gone are passed over."""
    for name in names:
        if has_interface(name):
            # The kernel removes it by itself when the peer's namespace goes.
            subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)
