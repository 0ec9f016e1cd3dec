"""VyOS (and Vyatta): asked in operational mode."""

from collections.abc import Sequence

from pdsno.domain.entities import DeviceType, Neighbor
from pdsno.southbound.platforms.columns import has_heading, rows_under
from pdsno.southbound.platforms.network_os import Reads, network_os
from pdsno.southbound.platforms.ports_told import port_told
from pdsno.southbound.platforms.readings import Reading
from pdsno.southbound.platforms.rows import Row, arp, interfaces
from pdsno.southbound.platforms.systems import matched
from pdsno.southbound.platforms.templates import table
from pdsno.southbound.platforms.words import said


def _interfaces(rows: Sequence[Row], style: str) -> Reading:
    """States stand as S/L: u up, D down, A administratively down."""
    words = {"u": "up", "D": "down", "A": "admin down"}
    told = []
    for row in rows:
        admin, _, link = str(row.get("status") or "").partition("/")
        told.append({**row, "status": words.get(link), "admin_state": words.get(admin)})
    return interfaces(told, style)


def _lldp_neighbors(text: str) -> Reading:
    """Headings differ between 1.3 and 1.4."""
    if not has_heading(text, "Device"):
        return Reading(problem="has no table of neighbours")
    found = []
    for row in rows_under(text, "Device"):
        told = {key.split(" ")[0]: said(cell) for key, cell in row.items()}
        name, local = told.get("device"), told.get("local")
        if name and local:
            found.append(
                Neighbor(
                    local_interface=local,
                    remote_name=name,
                    remote_interface=port_told(told.get("port"), told.get("remote")),
                    protocol=(told.get("proto") or told.get("protocol") or "lldp").lower(),
                )
            )
    return Reading(neighbors=tuple(found))


_SENDS = {
    "show version": matched(
        r"^Version:[ \t]+(?:VyOS |Vyatta )?(?P<os_version>\S.*?)\s*$",
        r"^Hardware model:[ \t]+(?P<model>.+)$",
        r"^HW model:[ \t]+(?P<model>.+)$",
        r"^(?:Hardware S/N|HW S/N|S/N):[ \t]+(?P<serial>.+)$",
        r"^Uptime:[ \t]+(?:.*\bup )?(?P<uptime>\d.+?)(?:, +\d+ users?.*)?$",
    ),
    "show host name": matched(r"\A\s*(?P<name>[\w.-]+)\s*\Z"),
    "show interfaces": table("vyatta_vyos_show_interfaces", _interfaces, "vyos"),
    "show lldp neighbors": _lldp_neighbors,
    "show arp": table("vyatta_vyos_show_arp", arp, "vyos"),
}

PLATFORM = network_os(
    name="vyos",
    summary="VyOS, Vyatta",
    netmiko_type="vyos",
    reads=Reads(vendor="VyOS", device_type=DeviceType.ROUTER),
    sends=_SENDS,
    recordings={},
    session_commands=("set terminal width 512", "set terminal length 0"),
    recognised_by=r"VyOS|Vyatta",
)
