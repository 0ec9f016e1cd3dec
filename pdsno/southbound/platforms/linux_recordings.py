"""Readers of Linux commands that we do not send, as recordings hold them: text, not JSON."""

from collections.abc import Mapping, Sequence

from pdsno.domain.entities import Interface
from pdsno.southbound.platforms.base import clean_mac
from pdsno.southbound.platforms.readings import Reading
from pdsno.southbound.platforms.rows import Row, addresses, arp, value
from pdsno.southbound.platforms.systems import system
from pdsno.southbound.platforms.templates import Reader, table
from pdsno.southbound.platforms.words import number


def _links(rows: Sequence[Row], style: str) -> Reading:
    del style
    found = []
    for row in rows:
        name = value(row, "interface")
        if name is None:
            continue
        flags = set(str(row.get("flags") or "").split(","))
        oper = str(row.get("state") or "").lower()
        if oper == "unknown":
            oper = "up" if "LOWER_UP" in flags else "down"
        found.append(
            Interface(
                name=name.partition("@")[0],
                mac=clean_mac(row.get("mac_address")),
                ips=addresses(row),
                oper_status={"lowerlayerdown": "lower-layer-down"}.get(oper, oper) or None,
                admin_status="up" if "UP" in flags else "down",
                mtu=number(row.get("mtu")),
                description=value(row, "alias"),
            )
        )
    return Reading(interfaces=tuple(found))


def _dmi(rows: Sequence[Row], style: str) -> Reading:
    told = [
        {
            "hardware": row.get("system_product_name"),
            "serial": row.get("system_serial_number"),
        }
        for row in rows
    ]
    return system(told, style)


RECORDINGS: Mapping[str, Reader] = {
    "ip address show": table("linux_ip_address_show", _links, "linux"),
    "ip link show": table("linux_ip_link_show", _links, "linux"),
    "arp -a": table("linux_arp_-a", arp, "linux"),
    "dmidecode -t system": table("linux_dmidecode_-t_system", _dmi, "linux"),
}
