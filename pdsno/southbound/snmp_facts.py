"""From one agent's varbinds to normalised facts; pure."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime

from pdsno.domain.entities import DeviceType, Interface, Neighbor
from pdsno.domain.observations import Announcement, ArpEntry, Facts
from pdsno.southbound.mibs import (
    addresses,
    bridge,
    cdp,
    entity,
    interfaces,
    lldp,
    own_protocols,
    vrfs,
)
from pdsno.southbound.mibs.interfaces import IfRow
from pdsno.southbound.mibs.makes import kind_in
from pdsno.southbound.mibs.product import product_of
from pdsno.southbound.mibs.system import System, make_of, parse_system
from pdsno.southbound.mibs.varbinds import Varbinds
from pdsno.southbound.mibs.vendor import parse_vendor

INTERFACES, LLDP, LLDP_2, CDP = "interfaces", "lldp", "lldp 2", "cdp"
VRFS, OWN_PROTOCOLS = "vrfs", "neighbours by its own protocol"
WALKS: Mapping[str, tuple[str, ...]] = {
    INTERFACES: interfaces.COLUMNS,
    "addresses": addresses.ADDRESS_COLUMNS,
    "entity": entity.COLUMNS,
    LLDP: lldp.V1.columns,
    LLDP_2: lldp.V2.columns,
    CDP: cdp.COLUMNS,
    "arp": (*addresses.ARP_COLUMNS, *addresses.OLD_ARP_COLUMNS),
    "bridge": bridge.COLUMNS,
}
"""Table names, as people read them in a probe's detail, and the columns to walk, in order."""
OPTIONAL = frozenset({CDP, LLDP_2})
"""Tables of which nothing more is asked once their first column is empty."""

_LAYER_2, _LAYER_3 = 0x02, 0x04
_LINUX_BRIDGE = re.compile(r"(br|bridge)\d*", re.ASCII)
_BRIDGE_TYPE = 209  # IANAifType bridge
_LOOPBACK_TYPE = 24
_ROUTER_LEGS = 2


def build_facts(
    address: str,
    varbinds: Varbinds,
    at: datetime,
    *,
    told: Collection[str],
    contexts: Mapping[int, Varbinds] | None = None,
) -> Facts:
    """Return what the agent at `address` told. `told` names the tables that were read.

    `contexts` are the forwarding tables of single VLANs, where the device keeps them so.
    """
    system = parse_system(varbinds)
    rows = interfaces.parse_interfaces(varbinds)
    ips = addresses.parse_addresses(varbinds)
    names = {row.index: row.name for row in rows.values()}
    vrf_of = vrfs.parse_vrfs(varbinds)
    table = tuple(
        _interface(row, ips.get(row.index, ()), vrf_of.get(row.index)) for row in rows.values()
    )
    parts = entity.parse_entity(varbinds)
    product = product_of(system, parts, parse_vendor(system.object_id or "", varbinds))
    return Facts(
        source="snmp",
        address=address,
        at=at,
        name=system.name or lldp.parse_name(varbinds),
        vendor=product.vendor,
        model=product.model,
        platform=product.platform,
        os_version=product.os_version,
        serial=product.serial,
        device_type=product.kind or device_type(system, rows, ips),
        chassis_id=lldp.parse_chassis(varbinds),
        interfaces=table,
        neighbors=_neighbors(varbinds, rows, told),
        announcements=_announcements(varbinds, told),
        arp=tuple(
            ArpEntry(ip=ip, mac=mac, interface=names.get(index), vrf=vrf_of.get(index))
            for index, ip, mac in addresses.parse_arp(varbinds)
        ),
        mac_table=bridge.parse_fdb(varbinds, names, contexts),
        vlans=bridge.parse_vlans(varbinds),
        modules=parts.modules,
        uptime_s=system.uptime_s,
        engine_id=system.engine_id,
    )


def _interface(row: IfRow, ips: tuple[str, ...], vrf: str | None) -> Interface:
    return Interface(
        name=row.name,
        mac=row.mac,
        ips=ips,
        oper_status=row.oper_status,
        admin_status=row.admin_status,
        mtu=row.mtu,
        speed_mbps=row.speed_mbps,
        description=row.description,
        vrf=vrf,
    )


def _neighbors(
    varbinds: Varbinds, rows: Mapping[int, IfRow], told: Collection[str]
) -> tuple[Neighbor, ...] | None:
    """Return what LLDP, CDP and its maker's own protocol hear; None where none was told.

    Whom two protocols hear on one interface is listed once, as LLDP has it, else CDP.
    """
    names = {row.index: row.name for row in rows.values()}
    by_mac: dict[str, str] = {}
    shared: set[str] = set()
    for row in rows.values():
        if row.mac:
            shared.update({row.mac} & set(by_mac))
            by_mac[row.mac] = row.name
    unique = {mac: name for mac, name in by_mac.items() if mac not in shared}
    heard: list[Neighbor] = []
    for table, layout in ((LLDP, lldp.V1), (LLDP_2, lldp.V2)):
        if table in told:
            ports = lldp.parse_local_ports(varbinds, layout)
            heard += lldp.parse_neighbors(varbinds, ports, names, unique, layout)
    speaks_lldp = LLDP in told and lldp.parse_chassis(varbinds) is not None
    others = [
        *(cdp.parse_neighbors(varbinds, names) if CDP in told else ()),
        *own_protocols.parse_neighbors(varbinds, names),
    ]
    for entry in others:
        known = (_identities(other) for other in heard if other.protocol != entry.protocol)
        if not any(keys & _identities(entry) for keys in known):
            heard.append(entry)
    if heard or speaks_lldp or (CDP in told and cdp.is_told(varbinds)):
        return tuple(dict.fromkeys(heard))
    return None


def _announcements(varbinds: Varbinds, told: Collection[str]) -> tuple[Announcement, ...]:
    """Return what neighbours say that they are, each address once, LLDP's words before CDP's."""
    heard = [
        *(lldp.parse_announcements(varbinds, lldp.V1) if LLDP in told else ()),
        *(lldp.parse_announcements(varbinds, lldp.V2) if LLDP_2 in told else ()),
        *(cdp.parse_announcements(varbinds) if CDP in told else ()),
    ]
    return tuple({one.address: one for one in reversed(heard)}.values())


def _identities(entry: Neighbor) -> set[tuple[str, str]]:
    """Return by what one protocol's entry is known to be another's, on the same interface."""
    host = (entry.remote_name or "").partition(".")[0].casefold()
    return {(entry.local_interface, key) for key in (host, entry.remote_chassis_id) if key}


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
    is_linux = make_of(system).platform in ("linux", "frr")
    services = 0 if is_linux or system.services is None else system.services
    if services & _LAYER_2 and not services & _LAYER_3:
        return DeviceType.SWITCH
    if is_linux and legs:
        return DeviceType.SERVER
    return kind_in(system.descr or "") or DeviceType.UNKNOWN
