"""A reader of EOS text: the template for LLDP leaves out neighbours that give no name. Pure."""

import re

from pdsno.domain.entities import Neighbor
from pdsno.domain.interface_names import canonical_interface
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
    found = []
    for local, block in zip(parts[1::2], parts[2::2], strict=True):
        for entry in _NEIGHBOUR.split(block)[1:]:
            neighbor = _neighbor(local, entry)
            if neighbor is not None:
                found.append(neighbor)
    return Reading(neighbors=tuple(found))


def _neighbor(local: str, block: str) -> Neighbor | None:
    told: dict[str, list[str]] = {}
    for match in _FIELD.finditer(block):
        value = said(match["value"])
        if value is not None:
            told.setdefault(match["key"].lower(), []).append(value)
    first = {key: values[0] for key, values in told.items()}
    name, chassis = first.get("system name"), first.get("chassis id")
    if name is None and chassis is None:
        return None
    return Neighbor(
        local_interface=canonical_interface(local, "eos"),
        remote_name=name,
        remote_interface=port_told(first.get("port id"), first.get("port description")),
        remote_chassis_id=clean_mac(chassis) or chassis,
        remote_management_ip=ip_bare(told.get("management address", ())),
    )
