"""From the rows of a TextFSM template to what they tell: one function per kind of table. Pure.

ntc-templates names its columns much alike across platforms; each function lists the names that
mean the same, the better one first. Rows that lack what makes an entry are passed over: a
template's last row is often empty.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pdsno.domain.entities import Interface, Neighbor
from pdsno.domain.interface_names import canonical_interface
from pdsno.domain.observations import Announcement, ArpEntry, MacTableEntry, Module, Vlan
from pdsno.southbound.platforms.base import clean_mac
from pdsno.southbound.platforms.ports_told import port_told
from pdsno.southbound.platforms.readings import Reading, union_of_ips
from pdsno.southbound.platforms.words import (
    ip_bare,
    ip_with_length,
    is_admin_down,
    is_up,
    number,
    said,
    speed_mbps,
    state,
    vlan_id,
)
from pdsno.southbound.vrf_names import vrf_named

Row = Mapping[str, object]

_NAME = ("interface", "port", "name")
_LINK = ("link", "link_status", "line_status", "link_state", "phy", "intf_state", "status", "state")
_PROTOCOL = ("protocol_status", "linep_state", "proto", "protocol")
_ADMIN = ("admin_state", "link_admin", "admin_status", "admin", "enabled")
_MAC = ("mac_address", "hw_address", "hardware_address", "destination_address")
_IP = ("ip_address", "primary_ip_address", "secondary_ip_address", "sec_ip_address", "main_ip")
_IP6 = ("ipv6_address", "ipv6_addresses", "ipv4_address", "ip_addresses", "ip", "local")
_LENGTHS = {
    "ip_address": ("prefix_length", "netmask", "subnet", "ip_mask"),
    "primary_ip_address": ("primary_ip_subnet",),
    "secondary_ip_address": ("secondary_ip_subnet",),
    "sec_ip_address": ("sec_prefix_length",),
    "ipv4_address": ("ipv4_prefix_length",),
    "ipv6_address": ("ipv6_prefix_length", "prefixv6_length"),
    "ip_addresses": ("ip_masks", "netmasks"),
    "ipv6_addresses": ("ipv6_masks", "ipv6_prefix_lengths"),
    "ip": ("subnet", "mask"),
    "local": ("destination",),
}
_VRF = ("vrf", "vrf_name", "vpn_instance")
_DESCRIPTION = ("description", "interface_description", "interface_desc", "comment", "alias")


def values(row: Row, *names: str) -> Iterator[str]:
    """Yield what a row says under these names, in their order; lists item by item."""
    for name in names:
        value = row.get(name)
        for item in value if isinstance(value, list) else [value]:
            text = said(item)
            if text is not None:
                yield text


def value(row: Row, *names: str) -> str | None:
    """Return the first that a row says under these names."""
    return next(values(row, *names), None)


# --- interfaces ------------------------------------------------------------------------------


def interfaces(rows: Iterable[Row], style: str) -> Reading:
    """Read a list of interfaces, whatever of them it tells."""
    return Reading(interfaces=tuple(i for row in rows if (i := interface(row, style))))


def interface(row: Row, style: str) -> Interface | None:
    """Read one row; None if it names no interface."""
    name = value(row, *_NAME)
    if name is None:
        return None
    oper, admin = _states(row, style)
    is_name_a_text = "name" in row and ("port" in row or "interface" in row)
    texts = (*_DESCRIPTION, "name") if is_name_a_text else _DESCRIPTION
    macs = (mac for text in values(row, *_MAC) if (mac := clean_mac(text)))
    return Interface(
        name=canonical_interface(name, style),
        mac=next(macs, None),
        ips=addresses(row),
        oper_status=oper,
        admin_status=admin,
        mtu=number(value(row, "actual_mtu", "mtu")),
        speed_mbps=_speed(row, style),
        description=value(row, *texts),
        vrf=vrf_named(value(row, *_VRF)),
    )


def vrf_members(rows: Iterable[Row], style: str) -> Reading:
    """Read a list of routing instances, each with the interfaces that are in it."""
    found = []
    for row in rows:
        vrf = vrf_named(value(row, *_VRF, "name"))
        if vrf is not None:
            told = values(row, "interfaces", "interface_list")
            names = [name for text in told for name in text.replace(",", " ").split()]
            found += [Interface(name=canonical_interface(n, style), vrf=vrf) for n in names]
    return Reading(interfaces=tuple(found))


def _speed(row: Row, style: str) -> int | None:
    """Return the speed. EOS tells it in the bandwidth; elsewhere anybody may set that."""
    told = value(row, "speed", "mode") or (value(row, "bandwidth") if style == "eos" else None)
    return speed_mbps(told)


def addresses(row: Row) -> tuple[str, ...]:
    """Return a row's IP addresses with their lengths, which may stand in columns of their own."""
    found = []
    for name in (*_IP, *_IP6):
        told = list(values(row, name))
        lengths = list(values(row, *_LENGTHS.get(name, ())))
        for index, text in enumerate(told):
            # One length for one address; else they pair up, or belong to another column.
            length = lengths[index] if index < len(lengths) else None
            ip = ip_with_length(text, length)
            if ip is not None:
                found.append(ip)
    return union_of_ips(found)


_LINK_ALONE = frozenset({"vrp", "comware"})
"""There the line protocol is IP's: a port without an address is up all the same."""


def _states(row: Row, style: str) -> tuple[str | None, str | None]:
    """Return (oper, admin). Where both are told, a link without its protocol is not up."""
    link, admin = value(row, *_LINK), value(row, *_ADMIN)
    protocol = None if style in _LINK_ALONE else value(row, *_PROTOCOL)
    is_shut = any(is_admin_down(text) for text in (link, protocol, admin, _reason(row)))
    is_protocol_up = is_up(protocol)
    is_link_up = is_up(link)
    oper = is_link_up if is_protocol_up is None else is_protocol_up and is_link_up is not False
    if is_shut:
        return state(False if oper is None else oper), "down"
    if admin is not None:
        return state(oper), state(is_up(admin))
    # These systems say so when an interface was shut.
    return state(oper), None if link is None and protocol is None else "up"


def _reason(row: Row) -> str | None:
    return value(row, "reason", "link_state_info")


# --- neighbours ------------------------------------------------------------------------------

_REMOTE = ("neighbor_name", "neighbor", "identity", "chassis_id")
_REMOTE_ADDRESS = (
    "mgmt_address",
    "management_ip",
    "management_ipv6",
    "neighbor_ip",
    "interface_ip",
)


def neighbors(rows: Iterable[Row], style: str, protocol: str = "lldp") -> Reading:
    """Read a list of LLDP or CDP neighbours; an empty list means that none is heard.

    Some old systems do not say on which port they hear whom: that is no empty list.
    """
    told = list(rows)
    found = tuple(n for row in told if (n := neighbor(row, style, protocol)) is not None)
    said = tuple(a for row in told if (a := _announcement(row)) is not None)
    nowhere = [r for r in told if value(r, "local_interface") is None and value(r, *_REMOTE)]
    if not nowhere:
        return Reading(neighbors=found, announcements=said)
    problem = f"does not say at which port it hears {len(nowhere)} of its neighbours"
    return Reading(neighbors=found or None, announcements=said, problem=problem)


def _announcement(row: Row) -> Announcement | None:
    address = ip_bare(values(row, *_REMOTE_ADDRESS))
    text = value(row, "system_description", "neighbor_description", "platform")
    return Announcement(address=address, text=text) if address and text else None


def neighbor(row: Row, style: str, protocol: str) -> Neighbor | None:
    """Read one row; None if it names no neighbour."""
    local = value(row, "local_interface")
    name = value(row, "neighbor_name", "neighbor", "identity")
    chassis = value(row, "chassis_id")
    if chassis == "::":  # some phones send an address that is none
        chassis = None
    if protocol == "cdp" and clean_mac(chassis) is None:
        # A CDP device ID is a name, but on some devices a MAC.
        name, chassis = name or chassis, None
    chassis = chassis or value(row, "mac_address")
    if local is None or (name is None and chassis is None):
        return None
    if protocol == "cdp" and name is not None:
        name = name.partition("(")[0] or name  # NX-OS: name(serial)
    return Neighbor(
        local_interface=canonical_interface(local, style),
        remote_name=name,
        remote_interface=port_told(
            value(row, "neighbor_port_id"),
            value(row, "neighbor_interface"),
            value(row, "neighbor_interface_description", "neighbor_port_description"),
        ),
        remote_chassis_id=clean_mac(chassis) or chassis,
        remote_management_ip=ip_bare(values(row, *_REMOTE_ADDRESS)),
        protocol=protocol,
    )


# --- tables ----------------------------------------------------------------------------------


def arp(rows: Iterable[Row], style: str) -> Reading:
    """Read an ARP or ND table; entries without a MAC (incomplete) tell nothing."""
    found = []
    for row in rows:
        mac = next(filter(None, map(clean_mac, values(row, *_MAC))), None)
        ip = ip_bare(values(row, "ip_address", "address", "ipv6_address", "ip"))
        if mac and ip:
            port = value(row, "interface", "port_id", "port")
            found.append(
                ArpEntry(
                    ip=ip,
                    mac=mac,
                    interface=canonical_interface(port, style) if port else None,
                    vrf=vrf_named(value(row, *_VRF)),
                )
            )
    return Reading(arp=tuple(found))


def mac_table(rows: Iterable[Row], style: str) -> Reading:
    """Read a forwarding table; an entry of several ports is several entries."""
    names = ("destination_port", "ports", "port", "on_interface", "interface", "logical_interface")
    found = []
    for row in rows:
        mac = next(filter(None, map(clean_mac, values(row, *_MAC))), None)
        if mac is None:
            continue
        told = next((list(values(row, n)) for n in names if value(row, n)), [])
        ports = [p.strip() for text in told for p in text.split(",") if p.strip()]
        vlan = vlan_id(value(row, "vlan_id", "vlan", "tag"))
        for port in ports or [""]:
            name = canonical_interface(port, style) if port else None
            found.append(MacTableEntry(mac=mac, vlan=vlan, interface=name))
    return Reading(mac_table=tuple(found))


def vlans(rows: Iterable[Row], style: str) -> Reading:
    """Read a list of VLANs."""
    del style
    found = []
    for row in rows:
        number_ = vlan_id(value(row, "vlan_id", "tag"))
        if number_ is not None:
            name = value(row, "vlan_name", "name", "vlan_description")
            found.append(Vlan(id=number_, name=name))
    return Reading(vlans=tuple(found))


# --- parts -----------------------------------------------------------------------------------

_PART_NAME = ("name", "module", "slot", "slot_id", "switch", "port", "member_id")
_PART_MODEL = ("pid", "model", "hardware", "device_name", "product")
_PART_SERIAL = ("sn", "serial", "serial_num", "serial_number", "device_serial_number")
_PART_TEXT = ("descr", "cardtype", "type", "slot_type")


def modules(rows: Iterable[Row], style: str) -> Reading:
    """Read a list of parts; the chassis, where one is named, is the device's model and serial."""
    del style
    told = list(rows)
    parts = [part for row in told if (part := module(row)) is not None]
    named = next((row for row in told if is_chassis(row)), None)
    chassis = module(named) if named is not None else None
    if chassis is None:
        return Reading(modules=tuple(parts))
    return Reading(modules=tuple(parts), model=chassis.model, serial=chassis.serial)


def module(row: Row) -> Module | None:
    """Read one part; None for a slot that says neither model nor serial."""
    model, serial = value(row, *_PART_MODEL), value(row, *_PART_SERIAL)
    name, text = value(row, *_PART_NAME), value(row, *_PART_TEXT)
    if model is None and serial is None:
        return None
    if name is None or name.isdigit():
        name = " ".join(word for word in (text or model, name) if word) or "part"
    return Module(name=name, model=model, serial=serial)


_CHASSIS = re.compile(r"chassis|rack \d+$|switch system| stack$|(?:switch ?)?1$", re.IGNORECASE)
_PART_OF_IT = re.compile(r"power|\bps\b|fan|tray|module|slot|sensor|fabric|rp\d", re.IGNORECASE)


def is_chassis(row: Row) -> bool:
    """Tell whether a part is the device itself: by its name, or being what has no place in one."""
    name, text = value(row, "name") or "", value(row, "descr") or ""
    if name:
        is_named = _CHASSIS.search(name) is not None
        return (is_named or "chassis" in text.lower()) and not _PART_OF_IT.search(name)
    return "port" in row and value(row, "port") is None


def first_rows(rows: Sequence[Row]) -> Row:
    """Return the first row, or an empty one."""
    return rows[0] if rows else {}
