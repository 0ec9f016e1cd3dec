"""Names and numbers that identify things: roles, regions, controllers, devices, MACs."""

import ipaddress
import os
import re
import time
import uuid
from enum import StrEnum
from functools import lru_cache

from pdsno.domain.errors import InputError

_REGION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?", re.ASCII)
_RESERVED_REGIONS = frozenset({"global", "system"})
_MAC = re.compile(r"[0-9a-f]{12}", re.ASCII)
_REMEMBERED = 131_072
"""So many MACs and addresses are not parsed again: each is looked at many times in a cycle."""
_CONTROLLER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,94}", re.ASCII)


class Role(StrEnum):
    """What a controller is. Rights come from the role in the NIB, never from parsing an ID."""

    GLOBAL = "global"
    REGIONAL = "regional"
    LOCAL = "local"
    BROKER = "broker"


def check_region(name: str) -> str:
    """Return `name` if it may name a region, else raise InputError.

    Regions are unique casefolded; that is the NIB's and the policy's to check.
    """
    if not _REGION.fullmatch(name) or name.casefold() in _RESERVED_REGIONS:
        msg = (
            f"{name!r} cannot name a region: 1-32 letters, digits or inner hyphens, "
            "and neither 'global' nor 'system'"
        )
        raise InputError(msg)
    return name


def check_controller_id(value: str) -> str:
    """Return `value` if it is safe as a controller ID (in topics, file names, URLs)."""
    if not _CONTROLLER_ID.fullmatch(value):
        msg = f"{value!r} cannot be a controller ID: letters, digits, '_' and '-', at most 95"
        raise InputError(msg)
    return value


def controller_id(role: Role, region: str | None, number: int) -> str:
    """Return the assigned ID: `global_cntl_1`, `regional_cntl_zone-A_1`, `local_cntl_zone-A_1`."""
    if role is Role.GLOBAL:
        return f"global_cntl_{number}"
    if role is Role.BROKER and region is None:
        return f"broker_cntl_global_{number}"
    return f"{role.value}_cntl_{check_region(region or '')}_{number}"


def uuid7() -> uuid.UUID:
    """Return a time-ordered UUID (RFC 9562 section 5.7): 48 bits of Unix ms, then random."""
    millis = time.time_ns() // 1_000_000
    value = (millis & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def new_device_id() -> str:
    """Return a fresh device ID; every tier mints its own and never rewrites another's."""
    return f"dev_{uuid7()}"


def new_message_id() -> str:
    """Return a fresh message ID."""
    return str(uuid7())


def normalise_mac(value: str) -> str:
    """Return a MAC as `aa:bb:cc:dd:ee:ff` from any usual notation, else raise InputError."""
    digits = re.sub(r"[.:\-\s]", "", value.strip().lower())
    if not _MAC.fullmatch(digits):
        msg = f"{value!r} is not a MAC address"
        raise InputError(msg)
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


class MacKind(StrEnum):
    """How much a MAC says about who has it."""

    BURNT_IN = "burnt in"
    VIRTUAL = "virtual"
    """Made by a hypervisor, or locally administered (IEEE 802 bit 2): copied with its machine."""
    SHARED = "shared"
    """Several devices have it by design; it says nothing."""


_SHARED_MACS = frozenset(
    {
        "00:00:00:00:00:00",
        "02:00:00:00:00:00",  # what phones show instead of their own
        "00:05:9a:3c:7a:00",  # Cisco VPN client
        "02:00:4c:4f:4f:50",  # Microsoft loopback adapter
        "20:41:53:59:4e:ff",  # Microsoft RAS
        "50:50:54:50:30:30",  # Microsoft PPTP
        "00:1c:73:00:00:99",  # Arista VARP, as its documentation proposes
        "00:22:bd:f8:19:ff",  # Cisco ACI, on every gateway
        "02:50:56:56:44:52",  # VMware NSX distributed router, on every host
        "ee:ee:ee:ee:ee:ee",  # Calico, on every workload's interface
        "fe:ff:ff:ff:ff:ff",  # Xen back ends
    }
)
_SHARED_PREFIXES = (
    "00:00:5e:00:01:",  # VRRP and CARP, IPv4 (RFC 9568 section 7.3)
    "00:00:5e:00:02:",  # VRRP, IPv6
    "00:00:0c:07:ac:",  # HSRP version 1
    "00:00:0c:9f:f",  # HSRP version 2
    "00:05:73:a0:0",  # HSRP, IPv6
    "00:07:b4:",  # GLBP
    "00:09:0f:09:",  # FortiGate HA clusters
    "00:10:db:ff:",  # NetScreen and Juniper clusters
    "00:1b:17:00:",  # Palo Alto HA pairs
    "02:e0:52:",  # Brocade VRRP-E
    "44:39:39:ff:",  # Cumulus MLAG and VRR
    "02:bf:",  # Microsoft network load balancing
)
_HYPERVISORS = (
    "00:05:69:",
    "00:0c:29:",
    "00:1c:14:",
    "00:50:56:",  # VMware
    "00:15:5d:",  # Hyper-V
    "00:16:3e:",  # Xen
    "00:1c:42:",  # Parallels
    "08:00:27:",  # VirtualBox
)


@lru_cache(maxsize=_REMEMBERED)
def mac_kind(mac: str) -> MacKind:
    """Return what a normalised MAC is worth as evidence; group addresses are shared."""
    first_octet = int(mac[:2], 16)
    if first_octet & 0x01 or mac in _SHARED_MACS or mac.startswith(_SHARED_PREFIXES):
        return MacKind.SHARED
    if first_octet & 0x02 or mac.startswith(_HYPERVISORS):
        return MacKind.VIRTUAL
    return MacKind.BURNT_IN


def is_identifying_mac(mac: str) -> bool:
    """Tell whether a normalised MAC may stand for one device.

    Not so: all-zero, group addresses, placeholders, and the MACs of virtual routers and clusters
    that several devices share.
    """
    return mac_kind(mac) is not MacKind.SHARED


_VIRTUAL_INTERFACE = re.compile(
    r"docker|veth(?!ernet)|virbr|vnet|cni|flannel|cali|lxc|lxdbr|incusbr|podman|br-[0-9a-f]{12}"
    r"|tunl|ip6tnl|sit0|gre0|gretap0|erspan0|ifb|tap|qbr|qvb|qvo|ovs-system|genev_sys|vxlan\.calico"
    r"|cilium|kube-|nodelocaldns|weave|fwbr|fwln|fwpr"  # Kubernetes, Proxmox
    r"|vmnet\d|virtualbox|vethernet \((default|wsl|nat)|utun|awdl|llw\d|zt[0-9a-z]{8}",  # PCs
    re.ASCII,
)


def is_software_interface(name: str) -> bool:
    """Tell whether an interface is plumbing of containers or guests: its MAC names no device."""
    return _VIRTUAL_INTERFACE.match(name.lower()) is not None


_JUNK_SERIALS = frozenset(
    {
        "invalid", "none", "null", "na", "unknown", "notspecified", "notapplicable",
        "default", "defaultstring", "systemserialnumber", "chassisserialnumber", "serialnumber",
        "tobefilledbyoem", "oem", "empty", "notavailable", "notsettable",
        "notpresent", "baseboardserialnumber", "test", "serial", "unavailable",
        "noserial", "novalue", "emptystring", "unspecified", "novalid", "standard",
        "nonespecified", "undefined", "notdefined", "unknownserialnumber", "nil", "void",
        "serialno", "system", "chassis", "tbd", "nosn", "systemserial", "mbserialnumber",
        "sn", "sernum", "eval", "demo", "vmwarevirtualplatform", "bss0123456789",
        "03000200040005000006000700080009",  # a UUID that boards are born with
    }
)  # fmt: skip
_MIN_SERIAL = 2
_COUNTED = ("0123456789012345678901234567890", "0123456789abcdef", "abcdefghijklmnopqrstuvwxyz")


def identifying_serial(text: str | None) -> str | None:
    """Return a serial in the form to compare, or None for what makers put when there is none."""
    if text is None:
        return None
    folded = text.strip().casefold()
    bare = re.sub(r"[^0-9a-z]", "", folded).removeprefix("0x")
    is_counted = any(bare in run for run in _COUNTED)
    is_filler = len(bare) < _MIN_SERIAL or len(set(bare)) == 1 or is_counted
    return None if is_filler or bare in _JUNK_SERIALS else folded


_GENERIC_NAMES = frozenset(
    {
        "switch", "router", "localhost", "localhost.localdomain", "firewall", "gateway", "host",
        "sw", "rt", "ap", "accesspoint", "unknown", "none", "noname", "default", "hostname",
        "mikrotik", "openwrt", "ubuntu", "debian", "raspberrypi", "server", "linux", "vyos",
        "cisco", "juniper", "arista", "hp", "procurve", "ubnt", "fortigate", "pfsense", "opnsense",
        "printer", "alpine", "centos", "rocky", "fedora", "kali", "(none)", "amnesiac", "system",
    }
)  # fmt: skip


def identifying_name(text: str | None) -> str | None:
    """Return a host name in the form to compare, or None for names that devices are born with."""
    folded = (text or "").strip().rstrip(".").casefold()
    if not folded or folded in _GENERIC_NAMES or folded.partition(".")[0] in _GENERIC_NAMES:
        return None
    return folded


_ENGINE_HEAD = 10
"""Hexadecimal digits of an engine ID for its maker, and for how the rest was made."""
_HEXADECIMAL = re.compile(r"(?:[0-9a-f]{2})+", re.ASCII)
_TEXT_FORMAT = "04"


def identifying_engine(engine_id: str | None) -> str | None:
    """Return an SNMP engine ID to compare, or None for one that many agents are born with.

    RFC 3411 (SnmpEngineID): four octets for the maker, one for the format, then an address, a
    MAC, text or octets. It identifies nobody where that is no host's address, a MAC of several
    devices, a name that devices are born with, or one character all the way.
    """
    text = (engine_id or "").strip().lower().removeprefix("0x")
    rest = text[_ENGINE_HEAD:]
    if len(set(rest)) < _MIN_SERIAL:
        return None
    if not _HEXADECIMAL.fullmatch(text):
        return text
    made_of = engine_made_of(text)
    if made_of is not None:
        is_mac = made_of.count(":") == _MAC_COLONS and len(made_of) == _MAC_LENGTH
        says = is_identifying_mac(made_of) if is_mac else is_identifying_ip(made_of)
        return text if says else None
    if text[8:_ENGINE_HEAD] == _TEXT_FORMAT and int(text[0], 16) & 8:
        name = bytes.fromhex(rest).decode("ascii", "replace").strip(" \0")
        return text if identifying_serial(name) and identifying_name(name) else None
    return text


_MAC_COLONS = 5
_MAC_LENGTH = 17
_EMBEDDED = {("01", 8): "ipv4", ("02", 32): "ipv6", ("03", 12): "mac"}
"""What follows the head, by format octet and by the number of hexadecimal digits."""


def engine_made_of(engine_id: str) -> str | None:
    """Return the MAC or the address that an SNMP engine ID is made of, normalised, or None."""
    if not _HEXADECIMAL.fullmatch(engine_id) or not int(engine_id[0], 16) & 8:
        return None
    rest = engine_id[_ENGINE_HEAD:]
    kind = _EMBEDDED.get((engine_id[8:_ENGINE_HEAD], len(rest)))
    if kind is None:
        # Some makers pad a MAC with two octets of zeros.
        is_padded = engine_id[8:_ENGINE_HEAD] == "03" and rest[12:] == "0000"
        return normalise_mac(rest[:12]) if is_padded else None
    return normalise_mac(rest) if kind == "mac" else str(ipaddress.ip_address(bytes.fromhex(rest)))


def same_name(one: str, other: str) -> bool:
    """Tell whether two compared names are one: equal, or one is the other without its domain."""
    (a, _, a_domain), (b, _, b_domain) = one.partition("."), other.partition(".")
    return a == b and (not a_domain or not b_domain or a_domain == b_domain)


@lru_cache(maxsize=_REMEMBERED)
def is_address(text: str) -> bool:
    """Tell whether a text is an IP address, bare."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_identifying_ip(ip: str) -> bool:
    """Tell whether an address may stand for one device inside a namespace.

    Not so: loopback, link-local, multicast and unspecified addresses, which every host has.
    """
    address = ipaddress.ip_address(ip)
    return not (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
    )


@lru_cache(maxsize=_REMEMBERED)
def lan_of(ip: str) -> str:
    """Return the prefix that an address probably shares with its LAN: a /24, or a /64 (RFC 7421).

    A guess for want of the real prefix length, good only to be careful with.
    """
    address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv4Address):
        return f"{ip.rpartition('.')[0]}.0/24"
    return f"{ipaddress.IPv6Address(int(address) >> 64 << 64)}/64"
