"""ArubaOS: wireless controllers and gateways."""

from collections.abc import Sequence

from pdsno.southbound.platforms.network_os import Reads, network_os
from pdsno.southbound.platforms.readings import Reading
from pdsno.southbound.platforms.rows import Row, arp, first_rows, interfaces, value, vlans
from pdsno.southbound.platforms.systems import matched, name_only, system
from pdsno.southbound.platforms.templates import table


def _inventory(rows: Sequence[Row], style: str) -> Reading:
    told = system(rows, style)
    return Reading(
        model=value(first_rows(rows), "sc_model"), serial=told.serial, chassis_id=told.chassis_id
    )


_SENDS = {
    "show version": matched(
        r"^(?:Aruba|ArubaOS).*?\(MODEL: (?P<model>[^)]+)\), Version (?P<os_version>\S+)",
        r"uptime is (?P<uptime>.+)$",
        r"^\s*(?P<os_version>[A-Z]{2}\.\d\d\.\d\d\.\d{4}\w*)\s*$",
    ),
    "show hostname": table("aruba_os_show_hostname", name_only("hostname"), "aruba"),
    "show inventory": table("aruba_os_show_inventory", _inventory, "aruba"),
    "show ip interface brief": table("aruba_os_show_ip_interface_brief", interfaces, "aruba"),
    "show ipv6 interface brief": table("aruba_os_show_ipv6_interface_brief", interfaces, "aruba"),
    "show arp": table("aruba_os_show_arp", arp, "aruba"),
    "show vlan": table("aruba_os_show_vlan", vlans, "aruba"),
}

PLATFORM = network_os(
    name="aruba_os",
    summary="ArubaOS wireless controllers",
    netmiko_type="aruba_os",
    reads=Reads(vendor="Aruba"),
    sends=_SENDS,
    recordings={},
    session_commands=("no paging",),
    recognised_by=r"Aruba Operating System Software|ArubaOS \(MODEL",
)
