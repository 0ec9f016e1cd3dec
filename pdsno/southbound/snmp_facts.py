"""From one agent's varbinds to normalised facts; pure."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime

from pdsno.domain.entities import DeviceType, Interface, Neighbor
from pdsno.domain.observations import ArpEntry, Facts
from pdsno.southbound.mibs import addresses, bridge, entity, interfaces, lldp
from pdsno.southbound.mibs.interfaces import IfRow
from pdsno.southbound.mibs.system import System, make_of, parse_system
from pdsno.southbound.mibs.varbinds import Varbinds

WALKS: Mapping[str, tuple[str, ...]] = {
    "interfaces": interfaces.COLUMNS,
    "addresses": addresses.ADDRESS_COLUMNS,
    "lldp": (*lldp.LOCAL_COLUMNS, *lldp.REMOTE_COLUMNS),
    "arp": (*addresses.ARP_COLUMNS, *addresses.OLD_ARP_COLUMNS),
    "bridge": bridge.COLUMNS,
    "entity": entity.COLUMNS,
}
"""Table names, as people read them in a probe's detail, and the columns to walk, in order."""

_LAYER_2, _LAYER_3 = 0x02, 0x04
_LINUX_BRIDGE = re.compile(r"(br|bridge)\d*", re.ASCII)
_BRIDGE_TYPE = 209  # IANAifType bridge
_LOOPBACK_TYPE = 24
_ROUTER_LEGS = 2


def build_facts(address: str, varbinds: Varbinds, at: datetime, *, told: Collection[str]) -> Facts:
    """Return what the agent at `address` told. `told` names the tables that were read."""
    system = parse_system(varbinds)
    make = make_of(system)
    rows = interfaces.parse_interfaces(varbinds)
    ips = addresses.parse_addresses(varbinds)
    names = {row.index: row.name for row in rows.values()}
    table = tuple(_interface(row, ips.get(row.index, ())) for row in rows.values())
    parts = entity.parse_entity(varbinds)
    chassis = lldp.chassis_id(
        varbinds.get(lldp.LOCAL_CHASSIS_SUBTYPE), varbinds.get(lldp.LOCAL_CHASSIS)
    )
    return Facts(
        source="snmp",
        address=address,
        at=at,
        name=system.name,
        vendor=make.vendor,
        model=parts.model,
        platform=make.platform,
        os_version=make.os_version or parts.software,
        serial=parts.serial,
        device_type=device_type(system, rows, ips),
        chassis_id=chassis,
        interfaces=table,
        neighbors=_neighbors(varbinds, rows) if chassis and "lldp" in told else None,
        arp=tuple(
            ArpEntry(ip=ip, mac=mac, interface=names.get(index))
            for index, ip, mac in addresses.parse_arp(varbinds)
        ),
        mac_table=bridge.parse_fdb(varbinds, names),
        vlans=bridge.parse_vlans(varbinds),
        modules=parts.modules,
        uptime_s=system.uptime_s,
    )


def _interface(row: IfRow, ips: tuple[str, ...]) -> Interface:
    return Interface(
        name=row.name,
        mac=row.mac,
        ips=ips,
        oper_status=row.oper_status,
        admin_status=row.admin_status,
        mtu=row.mtu,
        speed_mbps=row.speed_mbps,
        description=row.description,
    )


def _neighbors(varbinds: Varbinds, rows: Mapping[int, IfRow]) -> tuple[Neighbor, ...]:
    names = {row.index: row.name for row in rows.values()}
    by_mac: dict[str, str] = {}
    shared: set[str] = set()
    for row in rows.values():
        if row.mac:
            shared.update({row.mac} & set(by_mac))
            by_mac[row.mac] = row.name
    unique = {mac: name for mac, name in by_mac.items() if mac not in shared}
    return lldp.parse_neighbors(varbinds, lldp.parse_local_ports(varbinds), names, unique)


def device_type(
    system: System, rows: Mapping[int, IfRow], ips: Mapping[int, tuple[str, ...]]
) -> DeviceType:
    """Return what the device is for, as far as SNMP tells.

    A router forwards IP between at least two interfaces with addresses, a switch has bridge
    ports; a routing switch is told by which of both it has more of. Linux agents have no
    BRIDGE-MIB, and their sysServices is a constant: there a bridge interface tells.
    """
    has_linux_bridge = any(
        row.kind == _BRIDGE_TYPE or _LINUX_BRIDGE.fullmatch(row.name) for row in rows.values()
    )
    legs = sum(1 for index in ips if index in rows and rows[index].kind != _LOOPBACK_TYPE)
    routes = system.is_forwarding and legs >= _ROUTER_LEGS
    switches = system.bridge_ports > 0 or has_linux_bridge
    if switches and (not routes or has_linux_bridge or system.bridge_ports > legs):
        return DeviceType.SWITCH
    if routes:
        return DeviceType.ROUTER
    is_linux = make_of(system).platform == "linux"
    services = 0 if is_linux or system.services is None else system.services
    if services & _LAYER_2 and not services & _LAYER_3:
        return DeviceType.SWITCH
    return DeviceType.SERVER if is_linux and legs else DeviceType.UNKNOWN
