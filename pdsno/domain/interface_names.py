"""One name for one interface: `Gi0/1`, `Gig 0/1` and `GigabitEthernet0/1` are the same port.

The long form is the name, since that is what a device's own list of interfaces says. Names that
are not abbreviations (`ge-0/0/1`, `eth0`, `1/1/3`, `mgmt0`) stay as they are. Pure.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

_PARTS = re.compile(r"(?P<word>[A-Za-z][A-Za-z-]*?) ?(?P<number>\d[\w/.:]*)")
_XR_PARTS = 4  # rack/slot/module/port

_CISCO = {
    "et": "Ethernet",
    "eth": "Ethernet",
    "fa": "FastEthernet",
    "fas": "FastEthernet",
    "gi": "GigabitEthernet",
    "gig": "GigabitEthernet",
    "ge": "GigabitEthernet",
    "tw": "TwoGigabitEthernet",
    "two": "TwoGigabitEthernet",
    "fi": "FiveGigabitEthernet",
    "fiv": "FiveGigabitEthernet",
    "te": "TenGigabitEthernet",  # codespell:ignore
    "ten": "TenGigabitEthernet",
    "twe": "TwentyFiveGigE",
    "fo": "FortyGigabitEthernet",  # codespell:ignore
    "for": "FortyGigabitEthernet",
    "fif": "FiftyGigE",
    "hu": "HundredGigE",
    "hun": "HundredGigE",
    "fou": "FourHundredGigE",
    "ap": "AppGigabitEthernet",
    "po": "Port-channel",
    "por": "Port-channel",
    "lo": "Loopback",
    "vl": "Vlan",
    "tu": "Tunnel",
    "tun": "Tunnel",
    "se": "Serial",
    "ser": "Serial",  # codespell:ignore
    "nu": "Null",
    "di": "Dialer",
    "bd": "BDI",
    "wl": "Wlan-GigabitEthernet",
    "ce": "Cellular",
    "mu": "Multilink",
    "vi": "Virtual-Access",
    "vt": "Virtual-Template",
    "nv": "nve",
}
_NXOS = _CISCO | {"po": "port-channel", "por": "port-channel", "lo": "loopback"}
_EOS = _CISCO | {
    "po": "Port-Channel",
    "por": "Port-Channel",
    "ma": "Management",
    "vx": "Vxlan",
    "re": "Recirc-Channel",
}
_XR_SPEEDS = {
    "te": "TenGigE",  # codespell:ignore
    "ten": "TenGigE",
    "tf": "TwentyFiveGigE",
    "fo": "FortyGigE",  # codespell:ignore
    "for": "FortyGigE",
    "fi": "FiftyGigE",
    "th": "TwoHundredGigE",
    "fh": "FourHundredGigE",
}
_XR = (
    _CISCO
    | _XR_SPEEDS
    | {
        "be": "Bundle-Ether",
        "mg": "MgmtEth",
        "mgmt": "MgmtEth",
        "bv": "BVI",
        "tt": "tunnel-te",
        "ti": "tunnel-ip",
        "bp": "Bundle-POS",
    }
)
_COMWARE = {
    "eth": "Ethernet",
    "fe": "FastEthernet",
    "ge": "GigabitEthernet",
    "xge": "Ten-GigabitEthernet",
    "fge": "FortyGigE",
    "hge": "HundredGigE",  # codespell:ignore
    "wge": "TwentyFiveGigE",
    "mge": "M-GigabitEthernet",
    "bagg": "Bridge-Aggregation",
    "ragg": "Route-Aggregation",
    "vlan": "Vlan-interface",
    "loop": "LoopBack",
    "tun": "Tunnel",
}
_VRP = {
    "eth": "Ethernet",
    "fe": "FastEthernet",
    "ge": "GigabitEthernet",
    "gi": "GigabitEthernet",
    "xge": "XGigabitEthernet",
    "vlan": "Vlanif",
    "loop": "LoopBack",
}
_STYLES: Mapping[str, Mapping[str, str]] = {
    "ios": _CISCO,
    "nxos": _NXOS,
    "eos": _EOS,
    "xr": _XR,
    "comware": _COMWARE,
    "vrp": _VRP,
}


def canonical_interface(name: str, style: str = "ios") -> str:
    """Return the long form of an interface's name; names that we do not know unchanged.

    `style` says whose abbreviations they are: ios, nxos, eos, xr, comware, vrp. Idempotent.
    """
    short = _STYLES.get(style)
    text = " ".join(name.split()).strip("'\"")
    found = _PARTS.fullmatch(text)
    if short is None or found is None or not text[0].isupper():
        return text
    word, number = found["word"], found["number"]
    full = _expanded(word.lower(), number, short)
    # "Gig 0/1" is one name; "Port 1" is none that we know.
    return f"{full}{number}" if full is not None else text


def _expanded(word: str, number: str, short: Mapping[str, str]) -> str | None:
    if short is _CISCO and word in _XR_SPEEDS and number.count("/") == _XR_PARTS - 1:
        return _XR_SPEEDS[word]
    if word in short:
        return short[word]
    full = {long.lower(): long for long in short.values()}
    return full.get(word)


@lru_cache(maxsize=65_536)
def spellings(name: str) -> frozenset[str]:
    """Return what a port's name may be short for, in lower case, whatever the make of the device.

    Two names with a spelling in common may be one port; that has to be unique on its device.
    """
    text = " ".join(name.split()).strip("'\"")
    return frozenset(
        {text.lower()} | {canonical_interface(text, style).lower() for style in _STYLES}
    )


def parent_interface(name: str) -> str | None:
    """Return the port of a sub-interface (`eth0.100`, `ge-0/0/0.0`, `Gi0/1.20`), or None."""
    parent, dot, unit = name.rpartition(".")
    return parent if dot and parent and unit.isdigit() else None
