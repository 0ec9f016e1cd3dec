"""Cisco NX-OS: Nexus switches. The inventory is asked first: its product ID is the full model."""

import re
from functools import partial

from pdsno.domain.entities import DeviceType
from pdsno.southbound.platforms.network_os import Reads, network_os
from pdsno.southbound.platforms.rows import arp, interfaces, mac_table, modules, neighbors, vlans
from pdsno.southbound.platforms.systems import name_only, system
from pdsno.southbound.platforms.templates import join_long_names, table

_STYLE = "nxos"
_ADMIN_STATE = re.compile(r"^(admin state is \w+)[ \t]*$", re.MULTILINE)


def _whole_admin_states(text: str) -> str:
    """Put the comma behind an admin state without remarks: else the template reads one letter."""
    return _ADMIN_STATE.sub(r"\1,", text)


_cdp = partial(neighbors, protocol="cdp")

_SENDS = {
    "show inventory": table("cisco_nxos_show_inventory", modules, _STYLE),
    "show version": table("cisco_nxos_show_version", system, _STYLE),
    "show hostname": table("cisco_nxos_show_hostname", name_only("hostname"), _STYLE),
    "show interface": table("cisco_nxos_show_interface", interfaces, _STYLE, _whole_admin_states),
    "show ip interface vrf all": table("cisco_nxos_show_ip_interface_vrf_all", interfaces, _STYLE),
    "show ipv6 interface brief": table("cisco_nxos_show_ipv6_interface_brief", interfaces, _STYLE),
    "show lldp neighbors detail": table("cisco_nxos_show_lldp_neighbors_detail", neighbors, _STYLE),
    "show cdp neighbors detail": table("cisco_nxos_show_cdp_neighbors_detail", _cdp, _STYLE),
    "show ip arp detail vrf all": table("cisco_nxos_show_ip_arp_detail_vrf_all", arp, _STYLE),
    "show mac address-table": table("cisco_nxos_show_mac_address-table", mac_table, _STYLE),
    "show vlan": table("cisco_nxos_show_vlan", vlans, _STYLE),
}

_RECORDINGS = {
    "show cdp neighbors": table("cisco_nxos_show_cdp_neighbors", _cdp, _STYLE),
    "show interface brief": table("cisco_nxos_show_interface_brief", interfaces, _STYLE),
    "show interface description": table(
        "cisco_nxos_show_interface_description", interfaces, _STYLE
    ),
    "show interface status": table("cisco_nxos_show_interface_status", interfaces, _STYLE),
    "show ip arp": table("cisco_nxos_show_ip_arp", arp, _STYLE),
    "show ip arp detail": table("cisco_nxos_show_ip_arp_detail", arp, _STYLE),
    "show ip interface": table("cisco_nxos_show_ip_interface", interfaces, _STYLE),
    "show ip interface brief": table("cisco_nxos_show_ip_interface_brief", interfaces, _STYLE),
    "show lldp neighbors": table(
        "cisco_nxos_show_lldp_neighbors", neighbors, _STYLE, join_long_names
    ),
    "show module": table("cisco_nxos_show_module", modules, _STYLE),
}

PLATFORM = network_os(
    name="cisco_nxos",
    summary="Cisco NX-OS (Nexus)",
    netmiko_type="cisco_nxos",
    reads=Reads(vendor="Cisco", device_type=DeviceType.SWITCH),
    sends=_SENDS,
    recordings=_RECORDINGS,
    session_commands=("terminal width 511", "terminal length 0"),
    recognised_by=r"Cisco Nexus Operating System|NX-OS",
)
