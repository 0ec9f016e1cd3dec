"""A reader of EOS text: the template for LLDP leaves out neighbours that give no name. Pure."""

import re
from collections.abc import Mapping, Sequence

from pdsno.domain.entities import Neighbor
from pdsno.domain.interface_names import canonical_interface
from pdsno.domain.observations import Announcement
from pdsno.southbound.platforms.base import clean_mac
from pdsno.southbound.platforms.ports_told import port_told
from pdsno.southbound.platforms.readings import Reading
from pdsno.southbound.platforms.words import ip_bare, said

_INTERFACE = re.compile(r"^Interface (\S+) detected \d+ LLDP neighbors?", re.MULTILINE)
_NEIGHBOUR = re.compile(r"^\s+Neighbor (?=\S.*, age \d)", re.MULTILINE)
_FIELD = re.compile(r"^\s+(?:- )?(?P<key>[A-Z][\w ]*?)\s*: +\"?(?P<value>.*?)\"?\s*$", re.MULTILINE)


def lldp_neighbors_detail(text: str) -> Reading:
    """Read `show lldp neighbors detail`."""
    parts = _INTERFACE.split(text)
    if len(parts) == 1:
        return Reading(problem="names no interface")
    found, announced = [], []
    for local, block in zip(parts[1::2], parts[2::2], strict=True):
        for entry in _NEIGHBOUR.split(block)[1:]:
            told = _fields(entry)
            address = ip_bare(told.get("management address", ()))
            neighbor = _neighbor(local, told, address)
            if neighbor is not None:
                found.append(neighbor)
            if address and "system description" in told:
                text = told["system description"][0]
                announced.append(Announcement(address=address, text=text))
    return Reading(neighbors=tuple(found), announcements=tuple(announced))


def _fields(block: str) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for match in _FIELD.finditer(block):
        value = said(match["value"])
        if value is not None:
            told.setdefault(match["key"].lower(), []).append(value)
    return told


def _neighbor(
    local: str, told: Mapping[str, Sequence[str]], address: str | None
) -> Neighbor | None:
    first = {key: values[0] for key, values in told.items()}
    name, chassis = first.get("system name"), first.get("chassis id")
    if name is None and chassis is None:
        return None
    return Neighbor(
        local_interface=canonical_interface(local, "eos"),
        remote_name=name,
        remote_interface=port_told(first.get("port id"), first.get("port description")),
        remote_chassis_id=clean_mac(chassis) or chassis,
        remote_management_ip=address,
    )
