"""Linux by its shell: servers, Linux bridges, and routers that run FRRouting beneath."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pdsno.domain.entities import DeviceType, Interface, Neighbor
from pdsno.domain.observations import Announcement, ArpEntry, Facts, MacTableEntry
from pdsno.southbound.platforms.base import Outputs, Platform, clean, clean_mac, listed, whole
from pdsno.southbound.platforms.linux_recordings import RECORDINGS

# By path where /sbin is not in the PATH of ordinary users.
_HOSTNAME = "hostname"
_RELEASE = "cat /etc/os-release"
_KERNEL = "uname -r"
_UPTIME = "cat /proc/uptime"
_FORWARDING = "cat /proc/sys/net/ipv4/ip_forward"
_ADDRESSES = "ip -j -d addr show"
_NEIGHBOURS = "ip -j neigh show"
_FDB = "/sbin/bridge -j fdb show"
_CHASSIS = "/usr/sbin/lldpcli -f json0 show chassis"
_LLDP = "/usr/sbin/lldpcli -f json0 show neighbors"
_FRR = "vtysh -c 'show version'"

_HOST_BRIDGE = re.compile(r"docker\d+|br-[0-9a-f]{12}|virbr\d+|lxcbr\d+|cni\d+|podman\d+")
_FRR_VERSION = re.compile(r"FRRouting (\S+)")
_RELEASE_FIELD = re.compile(r"^(\w+)=\"?([^\"\n]*)\"?$", re.MULTILINE)
_UPTIME_S = re.compile(r"\A(\d+)")
_STALE_STATES = frozenset({"FAILED", "INCOMPLETE", "NOARP", "NONE"})
_ROUTER_LEGS = 2
_BRIDGE_PORTS = 2


def parse(outputs: Outputs, address: str, at: datetime) -> Facts:
    """Read the outputs of one session."""
    rows = [row for row in _rows(outputs, _ADDRESSES) if clean(row.get("ifname"))]
    frr_version = _FRR_VERSION.search(outputs.text(_FRR) or "")
    uptime = _UPTIME_S.match(outputs.text(_UPTIME) or "")
    is_forwarding = outputs.text(_FORWARDING) == "1"
    vrfs = frozenset(str(row.get("ifname")) for row in rows if _kind(row) == "vrf")
    heard = _heard(outputs)
    return Facts(
        source="ssh",
        address=address,
        at=at,
        name=_hostname(outputs),
        vendor="FRRouting" if frr_version else None,
        platform="frr" if frr_version else "linux",
        os_version=frr_version[1] if frr_version else _os_version(outputs),
        device_type=_device_type(
            rows, is_forwarding=is_forwarding, has_frr=frr_version is not None
        ),
        chassis_id=_chassis_id(outputs),
        interfaces=tuple(sorted((_interface(r, vrfs) for r in rows), key=lambda i: i.name)),
        neighbors=None if heard is None else _lldp_neighbors(heard),
        announcements=_announcements(heard or ()),
        arp=_arp(outputs, rows, vrfs),
        mac_table=_mac_table(outputs, _vlans_of_bridges(rows)),
        uptime_s=int(uptime[1]) if uptime else None,
    )


def _rows(outputs: Outputs, command: str) -> list[dict[str, Any]]:
    """Return the objects of a command's JSON list; iproute2 prints nothing for an empty one."""
    if outputs.text(command) == "":
        return []
    return listed(outputs.json(command))


def _hostname(outputs: Outputs) -> str | None:
    name = clean(outputs.text(_HOSTNAME))
    if name is None or " " in name:
        outputs.problem(_HOSTNAME, "not a host name")
        return None
    return name


def _os_version(outputs: Outputs) -> str | None:
    release = dict(_RELEASE_FIELD.findall(outputs.text(_RELEASE) or ""))
    return clean(release.get("PRETTY_NAME")) or clean(outputs.text(_KERNEL))


# --- interfaces ------------------------------------------------------------------------------


def _interface(row: Mapping[str, Any], vrfs: Collection[str]) -> Interface:
    flags = row.get("flags") or ()
    ips = {
        f"{entry['local']}/{entry['prefixlen']}"
        for entry in listed(row.get("addr_info"))
        if "local" in entry and "prefixlen" in entry
    }
    return Interface(
        name=str(clean(row.get("ifname"))),
        mac=clean_mac(row.get("address")),
        ips=tuple(sorted(ips)),
        oper_status=_oper_status(str(row.get("operstate", "")), flags),
        admin_status="up" if "UP" in flags else "down",
        mtu=whole(row.get("mtu")),
        description=clean(row.get("ifalias")),
        vrf=_vrf_of(row, vrfs),
    )


def _vrf_of(row: Mapping[str, Any], vrfs: Collection[str]) -> str | None:
    """Return the VRF device that an interface is enslaved to; a VRF device is in itself."""
    name, master = clean(row.get("ifname")), clean(row.get("master"))
    return next((vrf for vrf in (master, name) if vrf in vrfs), None)


def _vlans_of_bridges(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Return the VLAN of each bridge that a VLAN sub-interface is a port of.

    Bridges that filter VLANs tell them in the forwarding table itself.
    """
    found: dict[str, int] = {}
    for row in rows:
        info = row.get("linkinfo")
        data = info.get("info_data") if isinstance(info, dict) and _kind(row) == "vlan" else None
        vlan = whole(data.get("id")) if isinstance(data, dict) else None
        if vlan is not None and row.get("master"):
            found[str(row["master"])] = vlan
    return found


def _oper_status(state: str, flags: object) -> str | None:
    """Return the state; drivers that report UNKNOWN (loopback, tunnels) are judged by carrier."""
    if state == "UNKNOWN" and isinstance(flags, list):
        return "up" if "LOWER_UP" in flags else "down"
    names = {"LOWERLAYERDOWN": "lower-layer-down", "NOTPRESENT": "not-present"}
    return names.get(state, state.lower()) or None


def _device_type(rows: list[dict[str, Any]], *, is_forwarding: bool, has_frr: bool) -> DeviceType:
    if has_frr:
        return DeviceType.ROUTER
    masters = [str(row["master"]) for row in rows if row.get("master")]
    bridges = {str(row.get("ifname")) for row in rows if _kind(row) == "bridge"} - {
        str(row.get("ifname")) for row in rows if _HOST_BRIDGE.fullmatch(str(row.get("ifname")))
    }
    if any(masters.count(name) >= _BRIDGE_PORTS for name in bridges):
        return DeviceType.SWITCH
    legs = [row for row in rows if "LOOPBACK" not in (row.get("flags") or ()) and _has_ip(row)]
    if is_forwarding and len(legs) >= _ROUTER_LEGS and not _runs_containers(rows):
        return DeviceType.ROUTER
    return DeviceType.SERVER


def _kind(row: Mapping[str, Any]) -> str | None:
    info = row.get("linkinfo")
    return clean(info.get("info_kind")) if isinstance(info, dict) else None


def _has_ip(row: Mapping[str, Any]) -> bool:
    return any(e.get("scope") == "global" for e in listed(row.get("addr_info")))


def _runs_containers(rows: list[dict[str, Any]]) -> bool:
    """Tell whether forwarding is on for containers or guests: that makes no router."""
    return any(_HOST_BRIDGE.fullmatch(str(row.get("ifname"))) for row in rows)


# --- tables ----------------------------------------------------------------------------------


def _arp(
    outputs: Outputs, rows: list[dict[str, Any]], vrfs: Collection[str]
) -> tuple[ArpEntry, ...]:
    vrf_of = {str(row.get("ifname")): _vrf_of(row, vrfs) for row in rows}
    found = set()
    for row in _rows(outputs, _NEIGHBOURS):
        mac, ip = clean_mac(row.get("lladdr")), clean(row.get("dst"))
        if mac and ip and not _STALE_STATES & set(row.get("state") or ()):
            port = clean(row.get("dev"))
            found.add(ArpEntry(ip=ip, mac=mac, interface=port, vrf=vrf_of.get(port or "")))
    return tuple(sorted(found, key=lambda e: (e.ip, e.mac, e.interface or "")))


def _mac_table(outputs: Outputs, vlans: Mapping[str, int]) -> tuple[MacTableEntry, ...]:
    """Return what a bridge learned: entries of a port with a master, no permanent ones."""
    found = set()
    for row in _rows(outputs, _FDB):
        mac = clean_mac(row.get("mac"))
        if mac and row.get("master") and row.get("state") not in ("permanent", "static"):
            vlan = whole(row.get("vlan")) or vlans.get(str(row["master"]))
            entry = MacTableEntry(mac=mac, vlan=vlan, interface=clean(row.get("ifname")))
            found.add(entry)
    return tuple(sorted(found, key=lambda e: (e.mac, e.vlan or 0, e.interface or "")))


# --- LLDP (lldpcli -f json0: every element is a list) ----------------------------------------


def _lldp_items(outputs: Outputs, command: str, root: str) -> Iterator[dict[str, Any]] | None:
    document = outputs.json(command)
    if not isinstance(document, dict):
        return None
    return iter(listed(document.get(root)))


def _value(element: Mapping[str, Any], name: str) -> str | None:
    items = listed(element.get(name))
    return clean(items[0].get("value")) if items else None


def _identifier(element: Mapping[str, Any]) -> str | None:
    items = listed(element.get("id"))
    if not items:
        return None
    value = items[0].get("value")
    return (clean_mac(value) if items[0].get("type") == "mac" else None) or clean(value)


def _chassis_id(outputs: Outputs) -> str | None:
    for local in _lldp_items(outputs, _CHASSIS, "local-chassis") or ():
        for chassis in listed(local.get("chassis")):
            return _identifier(chassis)
    return None


def _heard(outputs: Outputs) -> list[Mapping[str, Any]] | None:
    """Return what is heard, by interface; None if there is no lldpd to tell."""
    items = _lldp_items(outputs, _LLDP, "lldp")
    return None if items is None else [r for i in items for r in listed(i.get("interface"))]


def _announcements(heard: Iterable[Mapping[str, Any]]) -> tuple[Announcement, ...]:
    told = {
        ip: text
        for row in heard
        for chassis in listed(row.get("chassis"))
        if (ip := _management_ip(chassis)) and (text := _value(chassis, "descr"))
    }
    return tuple(Announcement(address=ip, text=told[ip]) for ip in sorted(told))


def _lldp_neighbors(heard: Iterable[Mapping[str, Any]]) -> tuple[Neighbor, ...]:
    found = {entry for row in heard if (entry := _neighbor(row)) is not None}
    return tuple(sorted(found, key=lambda n: (n.local_interface, n.remote_chassis_id or "")))


def _neighbor(row: Mapping[str, Any]) -> Neighbor | None:
    name = clean(row.get("name"))
    protocol = str(row.get("via", "LLDP")).lower()
    chassis = next(iter(listed(row.get("chassis"))), {})
    port = next(iter(listed(row.get("port"))), {})
    if name is None or (not _identifier(chassis) and not _value(chassis, "name")):
        return None
    return Neighbor(
        local_interface=name,
        remote_name=_value(chassis, "name"),
        remote_interface=_port_name(port),
        remote_chassis_id=_identifier(chassis),
        remote_management_ip=_management_ip(chassis),
        protocol="cdp" if protocol.startswith("cdp") else protocol,
    )


def _management_ip(chassis: Mapping[str, Any]) -> str | None:
    told = [ip for item in listed(chassis.get("mgmt-ip")) if (ip := clean(item.get("value")))]
    return min(told, key=lambda ip: (":" in ip, ip), default=None)


def _port_name(port: Mapping[str, Any]) -> str | None:
    """Return the far port's name: its ID if that is a name, else its description."""
    items = listed(port.get("id"))
    kind = items[0].get("type") if items else None
    description = _value(port, "descr")
    if kind in ("mac", "local", "ip") and description:
        return description
    return _identifier(port) or description


PLATFORM = Platform(
    name="linux",
    summary="Linux by a POSIX shell",
    netmiko_type="linux",
    commands=(
        _HOSTNAME,
        _RELEASE,
        _KERNEL,
        _UPTIME,
        _FORWARDING,
        _ADDRESSES,
        _NEIGHBOURS,
        _FDB,
        _CHASSIS,
        _LLDP,
        _FRR,
    ),
    recognised_by=re.compile(r"(?:command )?not found"),
    unknown=re.compile(
        r"(?:command )?not found\s*\Z|No such file or directory|\A(?:.*: )?Permission denied"
        r"|unable to (?:connect|get)|failed to connect|\AExiting: ",
        re.IGNORECASE,
    ),
    parse=parse,
    readers=RECORDINGS,
)
