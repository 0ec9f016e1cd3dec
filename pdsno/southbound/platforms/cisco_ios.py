"""Cisco IOS and IOS XE: switches and routers. Needs no enable: all of this is level 1."""

from functools import partial

from pdsno.southbound.platforms.network_os import Reads, network_os
from pdsno.southbound.platforms.rows import arp, interfaces, mac_table, modules, neighbors, vlans
from pdsno.southbound.platforms.systems import system
from pdsno.southbound.platforms.templates import table

_cdp = partial(neighbors, protocol="cdp")

_SENDS = {
    "show version": table("cisco_ios_show_version", system),
    "show inventory": table("cisco_ios_show_inventory", modules),
    "show interfaces": table("cisco_ios_show_interfaces", interfaces),
    "show ip interface": table("cisco_ios_show_ip_interface", interfaces),
    "show ipv6 interface brief": table("cisco_ios_show_ipv6_interface_brief", interfaces),
    "show lldp neighbors detail": table("cisco_ios_show_lldp_neighbors_detail", neighbors),
    "show cdp neighbors detail": table("cisco_ios_show_cdp_neighbors_detail", _cdp),
    "show ip arp": table("cisco_ios_show_ip_arp", arp),
    "show ipv6 neighbors": table("cisco_ios_show_ipv6_neighbors", arp),
    "show mac address-table": table("cisco_ios_show_mac-address-table", mac_table),
    "show vlan": table("cisco_ios_show_vlan", vlans),
}

_RECORDINGS = {
    "show arp": table("cisco_ios_show_arp", arp),
    "show cdp neighbors": table("cisco_ios_show_cdp_neighbors", _cdp),
    "show interfaces description": table("cisco_ios_show_interfaces_description", interfaces),
    "show interfaces status": table("cisco_ios_show_interfaces_status", interfaces),
    "show ip interface brief": table("cisco_ios_show_ip_interface_brief", interfaces),
    "show lldp neighbors": table("cisco_ios_show_lldp_neighbors", neighbors),
    "show mac-address-table": table("cisco_ios_show_mac-address-table", mac_table),
    "show module": table("cisco_ios_show_module", modules),
    "show running-config interface": table("cisco_ios_show_running-config_interface", interfaces),
    "show vlan brief": table("cisco_ios_show_vlan", vlans),
    "show vlans": table("cisco_ios_show_vlans", vlans),
}

PLATFORM = network_os(
    name="cisco_ios",
    summary="Cisco IOS and IOS XE",
    netmiko_type="cisco_ios",
    reads=Reads(vendor="Cisco"),
    sends=_SENDS,
    recordings=_RECORDINGS,
    session_commands=("terminal width 511", "terminal length 0"),
    recognised_by=r"Cisco IOS Software|Cisco Internetwork Operating System|IOS-XE Software",
)
