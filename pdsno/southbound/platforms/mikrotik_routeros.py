"""MikroTik RouterOS. Asked `show version`, it says `bad command name`."""

from collections.abc import Sequence

from pdsno.southbound.platforms.network_os import Reads, network_os
from pdsno.southbound.platforms.readings import Reading
from pdsno.southbound.platforms.rows import (
    Row,
    arp,
    interfaces,
    mac_table,
    neighbors,
    value,
    vlans,
)
from pdsno.southbound.platforms.systems import name_only, system
from pdsno.southbound.platforms.templates import Mapper, Reader, table

_STYLE = "routeros"


def _flagged(rows: Sequence[Row], style: str) -> Reading:
    """States are flags: R runs, X is disabled, S (slave, a member port) says neither."""
    told = []
    for row in rows:
        flags = str(row.get("status") or "")
        state = "up" if "R" in flags else "down"
        admin = "down" if "X" in flags else "up"
        told.append({**row, "status": state, "admin_state": admin, "type": None})
    return interfaces(told, style)


def _addresses(rows: Sequence[Row], style: str) -> Reading:
    """The flags here are the address's, not the interface's: X means that it is not in use."""
    used = [{**row, "ip": None} if "X" in str(row.get("flags") or "") else row for row in rows]
    return interfaces(used, style)


def _neighbors(rows: Sequence[Row], style: str) -> Reading:
    """`interface` names the port and the bridge around it; `interface-name` is the far one."""
    told = []
    for row in rows:
        local = (value(row, "interface") or "").partition(",")[0]
        known = ("ip_address", "ipv4_address", "ipv6_address")
        management = [text for name in known if (text := value(row, name))]
        told.append(
            {
                **row,
                "local_interface": local,
                "neighbor_interface": value(row, "interface_name"),
                "mgmt_address": management,
            }
        )
    return neighbors(told, style, "mndp")


def _vlan_interfaces(rows: Sequence[Row], style: str) -> Reading:
    """VLAN interfaces are VLANs that the router has a leg in, and interfaces."""
    found = _flagged(rows, style)
    return Reading(interfaces=found.interfaces, vlans=vlans(rows, style).vlans)


def _board(rows: Sequence[Row], style: str) -> Reading:
    """A board's firmware is not the version of its system."""
    return system([{**row, "version": None} for row in rows], style)


def _resource(rows: Sequence[Row], style: str) -> Reading:
    """`platform` is always MikroTik; `board-name` is the product."""
    return system(
        [{**row, "platform": None, "product": row.get("board_name")} for row in rows], style
    )


def _table(command: str, mapper: Mapper) -> Reader:
    name = command.replace(" ", "_")
    return table(f"mikrotik_routeros_{name}", mapper, _STYLE)


_BRIDGE_HOSTS = "interface bridge host print terse without-paging"
_SENDS = {
    "/system identity print": _table("system identity print", name_only("name")),
    "/system routerboard print": _table("system routerboard print", _board),
    "/system resource print": _table("system resource print", _resource),
    "/interface print detail without-paging": _table("interface print detail", _flagged),
    "/ip address print without-paging": _table("ip address print", _addresses),
    "/interface vlan print detail without-paging": _table(
        "interface vlan print detail", _vlan_interfaces
    ),
    "/ip neighbor print detail without-paging": _table("ip neighbor print detail", _neighbors),
    "/ip arp print without-paging": _table("ip arp print without-paging", arp),
    "/ipv6 neighbor print without-paging": _table("ipv6 neighbor print without-paging", arp),
    f"/{_BRIDGE_HOSTS}": _table(_BRIDGE_HOSTS, mac_table),
}

_RECORDINGS = {
    "/interface print detail": _table("interface print detail", _flagged),
    "/interface print brief": _table("interface print brief", _flagged),
    "/interface print terse without-paging": _table(
        "interface print terse without-paging", _flagged
    ),
    "/interface ethernet print": _table("interface ethernet print", _flagged),
    "/interface vlan print detail": _table("interface vlan print detail", _vlan_interfaces),
    "/interface bonding print detail": _table("interface bonding print detail", _flagged),
    "/ip address print": _table("ip address print", _addresses),
    "/ip arp print": _table("ip arp print", arp),
    "/ip arp print terse without-paging": _table("ip arp print terse without-paging", arp),
    "/ip neighbor print detail": _table("ip neighbor print detail", _neighbors),
}

PLATFORM = network_os(
    name="mikrotik_routeros",
    summary="MikroTik RouterOS",
    netmiko_type="mikrotik_routeros",
    reads=Reads(vendor="MikroTik"),
    sends=_SENDS,
    recordings=_RECORDINGS,
    session_commands=(),
    # Neither colours nor terminal detection, 511 columns, 4098 lines.
    username_suffix="+ct511w4098h",
    recognised_by=r"MikroTik|bad command name",
    announced_by=r"SSH-2.0-ROSSSH|RouterOS ",
)
