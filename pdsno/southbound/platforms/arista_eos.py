"""Arista EOS."""

from pdsno.domain.entities import DeviceType
from pdsno.southbound.platforms.eos_text import lldp_neighbors_detail
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
from pdsno.southbound.platforms.systems import name_only, system
from pdsno.southbound.platforms.templates import table

_STYLE = "eos"

_SENDS = {
    "show version": table("arista_eos_show_version", system, _STYLE),
    "show hostname": table("arista_eos_show_hostname", name_only("hostname"), _STYLE),
    "show inventory": table("arista_eos_show_inventory", modules, _STYLE),
    "show interfaces": table("arista_eos_show_interfaces", interfaces, _STYLE),
    "show lldp neighbors detail": lldp_neighbors_detail,
    "show vrf": table("arista_eos_show_vrf", vrf_members, _STYLE),
    "show ip arp vrf all": table("arista_eos_show_ip_arp", arp, _STYLE),
    "show mac address-table": table("arista_eos_show_mac_address-table", mac_table, _STYLE),
    "show vlan": table("arista_eos_show_vlan", vlans, _STYLE),
}

_RECORDINGS = {
    "show interfaces description": table(
        "arista_eos_show_interfaces_description", interfaces, _STYLE
    ),
    "show interfaces status": table("arista_eos_show_interfaces_status", interfaces, _STYLE),
    "show ip arp": table("arista_eos_show_ip_arp", arp, _STYLE),
    "show ip interface brief": table("arista_eos_show_ip_interface_brief", interfaces, _STYLE),
    "show lldp neighbors": table("arista_eos_show_lldp_neighbors", neighbors, _STYLE),
    "show module": table("arista_eos_show_module", modules, _STYLE),
}

PLATFORM = network_os(
    name="arista_eos",
    summary="Arista EOS",
    netmiko_type="arista_eos",
    reads=Reads(vendor="Arista", device_type=DeviceType.SWITCH),
    sends=_SENDS,
    recordings=_RECORDINGS,
    session_commands=("terminal width 511", "terminal length 0"),
    recognised_by=r"\AArista|Arista (?:DCS|vEOS|Networks)|vEOS",
)
