"""Cisco IOS XR: routers. The inventory is asked first: its product ID is the full model."""

from functools import partial

from pdsno.domain.entities import DeviceType
from pdsno.southbound.platforms.network_os import Reads, network_os
from pdsno.southbound.platforms.rows import arp, interfaces, modules, neighbors
from pdsno.southbound.platforms.systems import name_only, system
from pdsno.southbound.platforms.templates import table

_STYLE = "xr"
_cdp = partial(neighbors, protocol="cdp")

_SENDS = {
    "admin show inventory": table("cisco_xr_admin_show_inventory", modules, _STYLE),
    "show inventory": table("cisco_xr_admin_show_inventory", modules, _STYLE),
    "show version": table("cisco_xr_show_version", system, _STYLE),
    "show running-config hostname": table(
        "cisco_xr_show_running-config_hostname", name_only("hostname"), _STYLE
    ),
    "show interfaces": table("cisco_xr_show_interfaces", interfaces, _STYLE),
    "show ipv4 vrf all interface": table("cisco_xr_show_ipv4_interface", interfaces, _STYLE),
    "show lldp neighbors detail": table("cisco_xr_show_lldp_neighbors_detail", neighbors, _STYLE),
    "show cdp neighbors detail": table("cisco_xr_show_cdp_neighbors_detail", _cdp, _STYLE),
    "show arp": table("cisco_xr_show_arp", arp, _STYLE),
    "show ipv6 neighbors": table("cisco_xr_show_ipv6_neighbors", arp, _STYLE),
}

_RECORDINGS = {
    "show interface brief": table("cisco_xr_show_interface_brief", interfaces, _STYLE),
    "show interfaces description": table(
        "cisco_xr_show_interfaces_description", interfaces, _STYLE
    ),
    "show ip interface brief": table("cisco_xr_show_ip_interface_brief", interfaces, _STYLE),
    "show ipv4 interface": table("cisco_xr_show_ipv4_interface", interfaces, _STYLE),
    "show ipv4 vrf all interface brief": table(
        "cisco_xr_show_ipv4_vrf_all_interface_brief", interfaces, _STYLE
    ),
    "show lldp neighbors": table("cisco_xr_show_lldp_neighbors", neighbors, _STYLE),
    "show running-config interface": table(
        "cisco_xr_show_running-config_interface", interfaces, _STYLE
    ),
    "show version brief": table("cisco_xr_show_version_brief", system, _STYLE),
}

PLATFORM = network_os(
    name="cisco_xr",
    summary="Cisco IOS XR",
    netmiko_type="cisco_xr",
    reads=Reads(vendor="Cisco", device_type=DeviceType.ROUTER),
    sends=_SENDS,
    recordings=_RECORDINGS,
    session_commands=("terminal width 511", "terminal length 0"),
    recognised_by=r"IOS XR",
)
