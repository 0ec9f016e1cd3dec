"""Juniper Junos OS."""

from pdsno.southbound.platforms import junos_text
from pdsno.southbound.platforms.network_os import Reads, network_os
from pdsno.southbound.platforms.rows import vlans
from pdsno.southbound.platforms.systems import matched
from pdsno.southbound.platforms.templates import table

_SENDS = {
    "show version": matched(
        r"^Hostname: (?P<name>\S+)",
        r"^Model: (?P<model>\S+)",
        r"^Junos: (?P<os_version>\S+)",
        r"^JUNOS (?:Base OS boot|Software Release|.*Software Suite|OS Kernel.*?) "
        r"\[(?P<os_version>[^\]]+)\]",
    ),
    "show chassis hardware": junos_text.chassis_hardware,
    "show interfaces": junos_text.interfaces,
    "show lldp neighbors": junos_text.lldp_neighbors,
    "show arp no-resolve": junos_text.arp,
    "show ethernet-switching table": junos_text.mac_table,
    "show vlans": table("juniper_junos_show_vlans", vlans, "junos"),
    "show system uptime": junos_text.uptime,
}

PLATFORM = network_os(
    name="juniper_junos",
    summary="Juniper Junos OS",
    netmiko_type="juniper_junos",
    reads=Reads(vendor="Juniper"),
    sends=_SENDS,
    recordings={},
    session_commands=("set cli screen-width 511", "set cli screen-length 0"),
    recognised_by=r"(?i)JUNOS",
)
