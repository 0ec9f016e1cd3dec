"""What `pdsno doctor` finds out of the machine: rights, network, programs, clock."""

import ctypes
import importlib.util
import os
import shutil
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pdsno.cli.doctor_report import Finding, failed, ok, skipped, warning

_CAP_NET_RAW = 13
_PATHS = os.pathsep.join((os.defpath, "/usr/sbin", "/usr/local/sbin", "/sbin"))
_LIBRARIES = ("scapy", "netmiko", "nornir", "gufo.snmp", "pysnmp", "ntc_templates")
_UNSYNCHRONISED = 0x40  # STA_UNSYNC of linux/timex.h
_TIME_ERROR = 5
_SIOCGIFADDR, _SIOCGIFFLAGS = 0x8915, 0x8913
_IFF_UP, _IFF_LOOPBACK = 0x1, 0x8


# --- rights ----------------------------------------------------------------------------------


def capabilities(status: str) -> int:
    """Return the effective capabilities that /proc/PID/status tells."""
    told = (line.partition(":")[2] for line in status.splitlines() if line.startswith("CapEff:"))
    return int(next(told, "0"), 16)


def judge_rights(*, is_root: bool, effective: int, sweeps: bool) -> Finding:
    """Tell whether sweeps may send raw frames."""
    if not sweeps:
        return skipped("rights to sweep", "only a local controller sweeps")
    if effective >> _CAP_NET_RAW & 1:
        return ok("rights to sweep", "CAP_NET_RAW" + (", by root" if is_root else ""))
    return warning(
        "rights to sweep",
        "no CAP_NET_RAW: sweeps find fewer hosts and see fewer MACs",
        "run it as root, or give the service AmbientCapabilities=CAP_NET_RAW",
    )


def rights(*, sweeps: bool) -> Finding:
    """Look at this process's rights, which are those of whoever runs the command."""
    effective = capabilities(Path("/proc/self/status").read_text())
    return judge_rights(is_root=os.geteuid() == 0, effective=effective, sweeps=sweeps)


# --- network ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Interface:
    """An interface of this machine; `address` is its first IPv4 address."""

    name: str
    is_up: bool
    is_loopback: bool
    address: str | None


def judge_interfaces(found: Sequence[Interface], *, is_needed: bool) -> Finding:
    """Tell whether there is a network to look at."""
    judge = failed if is_needed else warning
    real = [item for item in found if not item.is_loopback]
    usable = [item for item in real if item.is_up and item.address]
    if usable:
        named = ", ".join(f"{item.name} {item.address}" for item in usable)
        return ok("interfaces", named)
    if any(item.is_up for item in real):
        return judge(
            "interfaces",
            "no interface that is up has an IPv4 address",
            "ip address shows them; ask the DHCP client, or set one: ip address add",
        )
    return judge(
        "interfaces",
        "no interface but loopback is up",
        "ip link shows them: plug in the cable, or ip link set dev NAME up",
    )


def judge_route(table: str) -> Finding:
    """Tell whether there is a default route, by /proc/net/route."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[1] == fields[7] == "00000000":  # noqa: PLR2004 - destination, mask
            gateway = socket.inet_ntoa(struct.pack("<I", int(fields[2], 16)))
            return ok("default route", f"by {gateway} on {fields[0]}")
    return warning(
        "default route",
        "there is none: only networks to which this machine is connected can be reached",
        "if others are to be, ip route add default via ROUTER",
    )


def interfaces() -> list[Interface]:
    """Return this machine's interfaces."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            flags = _ifreq(asked, _SIOCGIFFLAGS, name)
            bits = struct.unpack("H", flags[:2])[0] if flags else 0
            address = _ifreq(asked, _SIOCGIFADDR, name)
            found.append(
                Interface(
                    name=name,
                    is_up=bool(bits & _IFF_UP),
                    is_loopback=bool(bits & _IFF_LOOPBACK),
                    address=socket.inet_ntoa(address[4:8]) if address else None,
                )
            )
    return found


def _ifreq(asked: socket.socket, request: int, name: str) -> bytes | None:
    """Return what netdevice(7) says behind the name; None if it has no answer."""
    import fcntl

    try:
        return fcntl.ioctl(asked, request, struct.pack("16s24x", name.encode()))[16:]
    except OSError:
        return None


def network(*, is_needed: bool) -> list[Finding]:
    """Look at interfaces and the routing table."""
    table = Path("/proc/net/route").read_text()
    return [judge_interfaces(interfaces(), is_needed=is_needed), judge_route(table)]


# --- programs --------------------------------------------------------------------------------


def judge_programs(
    *, needs_broker: bool, broker: str | None, needs_local: bool, missing: Sequence[str]
) -> list[Finding]:
    """Tell whether what is started or imported is there."""
    if not needs_broker:
        found = [skipped("mosquitto", "no broker runs here")]
    elif broker:
        found = [ok("mosquitto", broker)]
    else:
        detail = "not installed: reports go over REST"
        found = [warning("mosquitto", detail, "apt install mosquitto")]
    if not needs_local:
        return [*found, skipped("libraries", "only a local controller asks devices")]
    if missing:
        detail = f"not installed: {', '.join(missing)}"
        return [*found, failed("libraries", detail, "pip install 'pdsno[local]'")]
    return [*found, ok("libraries", "all that a local controller needs")]


def programs(*, needs_broker: bool, needs_local: bool) -> list[Finding]:
    """Look for mosquitto and the libraries of a local controller."""
    return judge_programs(
        needs_broker=needs_broker,
        broker=shutil.which("mosquitto") or shutil.which("mosquitto", path=_PATHS),
        needs_local=needs_local,
        missing=[name for name in _LIBRARIES if not _is_there(name)] if needs_local else [],
    )


def _is_there(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except ModuleNotFoundError:
        return False


# --- clock -----------------------------------------------------------------------------------


def judge_sync(state: int, status: int) -> Finding:
    """Tell whether the kernel's clock follows a source of time, by adjtimex(2)."""
    if state != _TIME_ERROR and not status & _UNSYNCHRONISED:
        return ok("clock", "synchronised")
    return warning(
        "clock",
        "not synchronised: controllers refuse messages of clocks that differ by more than 30 s",
        "run an NTP client (timedatectl set-ntp true, or apt install chrony)",
    )


def clock() -> Finding:
    """Ask the kernel; nothing is adjusted."""
    buffer = ctypes.create_string_buffer(512)  # struct timex, with modes 0; larger than it is
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return skipped("clock", "the C library has no adjtimex")
    state = int(adjtimex(buffer))
    if state < 0:
        return skipped("clock", f"the kernel does not say: {os.strerror(ctypes.get_errno())}")
    # modes (int, padded), offset, freq, maxerror, esterror (long), then status (int).
    offset = 5 * struct.calcsize("l")
    return judge_sync(state, struct.unpack_from("i", buffer.raw, offset)[0])
