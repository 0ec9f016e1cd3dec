"""Which routing instance an interface is in, as far as a device tells.

MPLS-L3VPN-STD-MIB (RFC 4382; Juniper, Huawei, Nokia, IOS) and the draft before it,
CISCO-VRF-MIB (IOS-XE, IOS-XR), ARISTA-VRF-MIB.
"""

from collections.abc import Iterator

from pdsno.southbound.mibs.varbinds import Varbinds, cells, column, text
from pdsno.southbound.vrf_names import vrf_named

_L3VPN = "1.3.6.1.2.1.10.166.11.1.2.1.1.5"  # mplsL3VpnIfConfRowStatus
_L3VPN_TYPE = "1.3.6.1.2.1.10.166.11.1.2.1.1.2"  # mplsL3VpnIfVpnClassification
_DRAFT = "1.3.6.1.3.118.1.2.1.1.2"  # mplsVpnInterfaceLabelEdgeType
COLUMNS = (_L3VPN, _L3VPN_TYPE, _DRAFT)
"""All three have the index VRF name (with its length in front), ifIndex."""

_CISCO_NAME = "1.3.6.1.4.1.9.9.711.1.1.1.1.2"  # cvVrfName, index cvVrfIndex
_CISCO_TYPE = "1.3.6.1.4.1.9.9.711.1.2.1.1.2"  # cvVrfInterfaceType, index cvVrfIndex, ifIndex
_CISCO_STATUS = "1.3.6.1.4.1.9.9.711.1.2.1.1.5"  # cvVrfInterfaceRowStatus
_ARISTA = "1.3.6.1.4.1.30065.3.18.1.2.1.1"  # aristaVrfIfMembership, index ifIndex
_VENDORS = {
    "1.3.6.1.4.1.9.": (_CISCO_NAME, _CISCO_TYPE, _CISCO_STATUS),
    "1.3.6.1.4.1.30065.": (_ARISTA,),
}
_PAIR = 2


def columns_of(object_id: str) -> tuple[str, ...]:
    """Return what to walk on a device with this sysObjectID."""
    own = (columns for prefix, columns in _VENDORS.items() if object_id.startswith(prefix))
    return (*COLUMNS, *next(own, ()))


def parse_vrfs(varbinds: Varbinds) -> dict[int, str]:
    """Return the routing instance by ifIndex; interfaces of the default one are missing."""
    found: dict[int, str] = {}
    for index, name in (*_standard(varbinds), *_cisco(varbinds), *_arista(varbinds)):
        vrf = vrf_named(name)
        if vrf is not None:
            found.setdefault(index, vrf)
    return found


def _standard(varbinds: Varbinds) -> Iterator[tuple[int, str | None]]:
    for oid in COLUMNS:
        for index, _ in column(varbinds, oid):
            length = index[0]
            octets = index[1 : length + 1]
            if len(index) == length + 2 and all(octet < 1 << 8 for octet in octets):
                yield index[-1], text(bytes(octets))


def _cisco(varbinds: Varbinds) -> Iterator[tuple[int, str | None]]:
    names = cells(varbinds, _CISCO_NAME)
    for oid in (_CISCO_TYPE, _CISCO_STATUS):
        for index, _ in column(varbinds, oid):
            if len(index) == _PAIR:
                yield index[1], text(names.get(index[0]))


def _arista(varbinds: Varbinds) -> Iterator[tuple[int, str | None]]:
    for index, name in cells(varbinds, _ARISTA).items():
        yield index, text(name)
