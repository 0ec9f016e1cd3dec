"""Which of the things that a neighbour says about its port is the port's name. Pure."""

import re

from pdsno.domain.interface_names import canonical_interface
from pdsno.southbound.platforms.base import clean_mac

_PORT = re.compile(
    r"[A-Za-z][A-Za-z-]{0,24} ?\d[\w/.:-]*"  # ge-0/0/1, Gi1/0/1, eth0, swp1, Ethernet1/1
    r"|\d{1,3}(?:/\d{1,3}){1,3}"  # 1/1/3
    r"|(?:mgmt|lan|wan|port|ether|sfp)[\w/.-]*",
    re.IGNORECASE,
)


def looks_like_a_port(text: str) -> bool:
    """Tell whether a text is formed like an interface's name, unlike a person's remark."""
    return clean_mac(text) is None and _PORT.fullmatch(text) is not None


def port_told(*told: str | None) -> str | None:
    """Return the port's name out of its LLDP port ID and description, the ID first.

    The ID may be a MAC, or a number that only the neighbour understands (IEEE 802.1AB 8.5.3,
    subtypes 3 and 7); then a description that looks like a name is the name. Else the ID counts.
    """
    said = [text for text in told if text]
    name = next((text for text in said if looks_like_a_port(text)), None)
    if name is None:
        name = next((text for text in said if clean_mac(text) is None), None)
    if name is None:
        name = said[0] if said else None
        return clean_mac(name) if name else None
    return canonical_interface(name, "ios")
