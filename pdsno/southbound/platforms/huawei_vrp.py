"""Huawei VRP. Asked `show version`, it says that it does not know the command."""

from pdsno.southbound.platforms.network_os import Reads, network_os
from pdsno.southbound.platforms.rows import (
    arp,
    interfaces,
    mac_table,
    modules,
    neighbors,
    vlans,
    vrf_members,
)
from pdsno.southbound.platforms.systems import matched
from pdsno.southbound.platforms.templates import table

_STYLE = "vrp"

_SENDS = {
    "display version": matched(
        r"VRP \(R\) software, Version (?P<os_version>.+?)\s*$",
        r"^(?:HUAWEI|Huawei|Quidway) (?P<model>.+?)"
        r"(?: (?:(?:Terabit|Routing|Ethernet|Core) )*(?:Switch|Router|Gateway))?"
        r" uptime is (?P<uptime>.+)$",
    ),
    "display device": table("huawei_vrp_display_device", modules, _STYLE),
    "display interface": table("huawei_vrp_display_interface", interfaces, _STYLE),
    "display ip vpn-instance interface": table(
        "huawei_vrp_display_ip_vpn-instance_interface", vrf_members, _STYLE
    ),
    "display lldp neighbor": table("huawei_vrp_display_lldp_neighbor", neighbors, _STYLE),
    "display arp all": table("huawei_vrp_display_arp_all", arp, _STYLE),
    "display ipv6 neighbors": table("huawei_vrp_display_ipv6_neighbors", arp, _STYLE),
    "display mac-address": table("huawei_vrp_display_mac-address", mac_table, _STYLE),
    "display vlan": table("huawei_vrp_display_vlan", vlans, _STYLE),
}

_RECORDINGS = {
    "display arp brief": table("huawei_vrp_display_arp_brief", arp, _STYLE),
    "display interface brief": table("huawei_vrp_display_interface_brief", interfaces, _STYLE),
    "display interface description": table(
        "huawei_vrp_display_interface_description", interfaces, _STYLE
    ),
    "display vlan brief": table("huawei_vrp_display_vlan_brief", vlans, _STYLE),
}

PLATFORM = network_os(
    name="huawei_vrp",
    summary="Huawei VRP",
    netmiko_type="huawei",
    reads=Reads(vendor="Huawei"),
    sends=_SENDS,
    recordings=_RECORDINGS,
    session_commands=("screen-length 0 temporary",),
    recognised_by=r"Huawei Versatile Routing Platform|VRP \(R\)|Error: ?Unrecognized command",
    announced_by=r"SSH-2.0-HUAWEI|Huawei Versatile Routing Platform",
)
