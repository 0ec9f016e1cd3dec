"""Aruba AOS-CX switches."""

from collections.abc import Sequence

from pdsno.domain.entities import DeviceType
from pdsno.southbound.platforms.network_os import Reads, network_os
from pdsno.southbound.platforms.readings import Reading
from pdsno.southbound.platforms.rows import (
    Row,
    arp,
    interfaces,
    mac_table,
    modules,
    neighbors,
    vlans,
)
from pdsno.southbound.platforms.systems import matched, system
from pdsno.southbound.platforms.templates import table

_STYLE = "aoscx"


def _management(rows: Sequence[Row], style: str) -> Reading:
    """`show interface mgmt` does not name the one interface that it shows."""
    return interfaces([{**row, "interface": "mgmt"} for row in rows], style)


_SENDS = {
    "show system": table("aruba_aoscx_show_system", system, _STYLE),
    "show version": matched(r"^Version\s*: (?P<os_version>\S+)"),
    "show module": table("aruba_aoscx_show_module", modules, _STYLE),
    "show interface": table("aruba_aoscx_show_interface", interfaces, _STYLE),
    "show interface mgmt": table("aruba_aoscx_show_interface_mgmt", _management, _STYLE),
    "show lldp neighbors-info detail": table(
        "aruba_aoscx_show_lldp_neighbors-info_detail", neighbors, _STYLE
    ),
    "show arp all-vrfs": table("aruba_aoscx_show_arp_all-vrfs", arp, _STYLE),
    "show mac-address-table": table("aruba_aoscx_show_mac-address-table", mac_table, _STYLE),
    "show vlan": table("aruba_aoscx_show_vlan", vlans, _STYLE),
}

PLATFORM = network_os(
    name="aruba_aoscx",
    summary="Aruba AOS-CX",
    netmiko_type="aruba_aoscx",
    reads=Reads(vendor="Aruba", device_type=DeviceType.SWITCH),
    sends=_SENDS,
    recordings={},
    session_commands=("no page",),
    recognised_by=r"ArubaOS-CX|AOS-CX",
)
