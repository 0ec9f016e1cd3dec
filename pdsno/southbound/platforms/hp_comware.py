"""HPE and H3C Comware. Asked `show version`, it says that it does not know the command."""

from collections.abc import Sequence

from pdsno.southbound.platforms.network_os import Reads, network_os
from pdsno.southbound.platforms.readings import Reading
from pdsno.southbound.platforms.rows import (
    Row,
    arp,
    interfaces,
    mac_table,
    modules,
    neighbors,
    value,
    vlans,
)
from pdsno.southbound.platforms.systems import matched
from pdsno.southbound.platforms.templates import table

_STYLE = "comware"


def _manuinfo(rows: Sequence[Row], style: str) -> Reading:
    """The first board with a serial is the device; the others are its parts or stack members."""
    told = modules(rows, style)
    first = next((row for row in rows if value(row, "device_serial_number")), {})
    return Reading(
        modules=told.modules,
        vendor=value(first, "vendor_name"),
        model=value(first, "device_name"),
        serial=value(first, "device_serial_number"),
    )


_SENDS = {
    "display version": matched(
        r"Comware .*?Software, Version (?P<os_version>[\w. ,]+?)\s*$",
        r"^(?:HPE?|H3C) (?P<model>.+?) uptime is (?P<uptime>.+)$",
    ),
    "display device manuinfo": table("hp_comware_display_device_manuinfo", _manuinfo, _STYLE),
    "display interface": table("hp_comware_display_interface", interfaces, _STYLE),
    "display ip interface": table("hp_comware_display_ip_interface", interfaces, _STYLE),
    "display lldp neighbor-information verbose": table(
        "hp_comware_display_lldp_neighbor-information_verbose", neighbors, _STYLE
    ),
    "display lldp neighbor-information list": table(
        "hp_comware_display_lldp_neighbor-information_list", neighbors, _STYLE
    ),
    "display arp": table("hp_comware_display_arp", arp, _STYLE),
    "display mac-address": table("hp_comware_display_mac-address", mac_table, _STYLE),
    "display vlan all": table("hp_comware_display_vlan_all", vlans, _STYLE),
}

_RECORDINGS = {
    "display interface brief": table("hp_comware_display_interface_brief", interfaces, _STYLE),
    "display vlan brief": table("hp_comware_display_vlan_brief", vlans, _STYLE),
}

PLATFORM = network_os(
    name="hp_comware",
    summary="HPE and H3C Comware",
    netmiko_type="hp_comware",
    reads=Reads(vendor="HPE"),
    sends=_SENDS,
    recordings=_RECORDINGS,
    session_commands=("screen-length disable",),
    announced_by=r"SSH-2.0-Comware|Comware",
    recognised_by=r"Comware|% Unrecognized command found at",
)
