"""HP ProCurve and Aruba switches with ArubaOS-Switch. Works at operator level, without enable.

`no page` needs manager level; without it the pager is answered line by line.
"""

from collections.abc import Sequence
from functools import partial

from pdsno.domain.entities import DeviceType
from pdsno.southbound.platforms.network_os import Reads, network_os
from pdsno.southbound.platforms.readings import Reading
from pdsno.southbound.platforms.rows import (
    Row,
    arp,
    first_rows,
    interfaces,
    mac_table,
    neighbors,
    value,
    vlans,
)
from pdsno.southbound.platforms.systems import system
from pdsno.southbound.platforms.templates import table

_STYLE = "procurve"


def _system(rows: Sequence[Row], style: str) -> Reading:
    """`show system` calls the host name plainly `name`."""
    return system([{**row, "hostname": row.get("name"), "hardware": None} for row in rows], style)


def _local_device(rows: Sequence[Row], style: str) -> Reading:
    """`show lldp info local-device`: the only operator-level command that names the model."""
    del style
    row = first_rows(rows)
    told = system([{**row, "platform": None}], "procurve")
    return Reading(name=told.name, model=value(row, "pid"), chassis_id=told.chassis_id)


_SENDS = {
    "show system": table("hp_procurve_show_system", _system, _STYLE),
    "show version": table("hp_procurve_show_version", system, _STYLE),
    "show lldp info local-device": table(
        "hp_procurve_show_lldp_info_local-device", _local_device, _STYLE
    ),
    "show interfaces status": table("hp_procurve_show_interfaces_status", interfaces, _STYLE),
    "show interfaces brief": table("hp_procurve_show_interfaces_brief", interfaces, _STYLE),
    "show lldp info remote-device detail": table(
        "hp_procurve_show_lldp_info_remote-device_detail", neighbors, _STYLE
    ),
    "show cdp neighbors detail": table(
        "hp_procurve_show_cdp_neighbors_detail", partial(neighbors, protocol="cdp"), _STYLE
    ),
    "show arp": table("hp_procurve_show_arp", arp, _STYLE),
    "show mac-address": table("hp_procurve_show_mac-address", mac_table, _STYLE),
    "show vlans": table("hp_procurve_show_vlans", vlans, _STYLE),
}

_RECORDINGS = {
    "show lldp info remote-device": table(
        "hp_procurve_show_lldp_info_remote-device", neighbors, _STYLE
    ),
}

PLATFORM = network_os(
    name="hp_procurve",
    summary="HP ProCurve, Aruba with ArubaOS-Switch",
    netmiko_type="hp_procurve",
    reads=Reads(vendor="HPE", device_type=DeviceType.SWITCH),
    sends=_SENDS,
    recordings=_RECORDINGS,
    session_commands=("terminal width 511", "no page"),
    recognised_by=r"Image stamp:\s|Boot Image:\s+(?:Primary|Secondary)|ProCurve",
)
