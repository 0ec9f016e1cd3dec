"""BRIDGE-MIB and Q-BRIDGE-MIB (RFC 4188, 4363): which MAC is behind which port."""

from collections.abc import Iterator

from pdsno.domain.observations import MacTableEntry, Vlan
from pdsno.southbound.mibs.varbinds import Varbinds, cells, column, mac, number, text

_PORT_IFINDEX = "1.3.6.1.2.1.17.1.4.1.2"
_FDB_PORT, _FDB_STATUS = "1.3.6.1.2.1.17.4.3.1.2", "1.3.6.1.2.1.17.4.3.1.3"
_Q_FDB_PORT, _Q_FDB_STATUS = "1.3.6.1.2.1.17.7.1.2.2.1.2", "1.3.6.1.2.1.17.7.1.2.2.1.3"
_VLAN_FDB = "1.3.6.1.2.1.17.7.1.4.2.1.3"  # dot1qVlanFdbId, index timeMark.vlan
_VLAN_NAME = "1.3.6.1.2.1.17.7.1.4.3.1.1"
COLUMNS = (
    _PORT_IFINDEX,
    _FDB_PORT,
    _FDB_STATUS,
    _Q_FDB_PORT,
    _Q_FDB_STATUS,
    _VLAN_FDB,
    _VLAN_NAME,
)

_SELF, _INVALID = 4, 2
_MAC_ARCS = 6


def parse_fdb(varbinds: Varbinds, names: dict[int, str]) -> tuple[MacTableEntry, ...]:
    """Return learned addresses, sorted. `names` are interfaces by ifIndex.

    Where the table by VLAN has a MAC, the plain table's entry of it adds nothing.
    """
    ports = {p: number(i) for p, i in cells(varbinds, _PORT_IFINDEX).items()}
    vlans = {number(fdb): index[-1] for index, fdb in column(varbinds, _VLAN_FDB)}
    found: dict[tuple[str, int | None], MacTableEntry] = {}
    for fdb, address, port in _rows(varbinds, _Q_FDB_PORT, _Q_FDB_STATUS):
        vlan = vlans.get(fdb, fdb)
        name = names.get(ports.get(port) or -1)
        found[address, vlan] = MacTableEntry(mac=address, vlan=vlan, interface=name)
    by_vlan = {address for address, _ in found}
    for _, address, port in _rows(varbinds, _FDB_PORT, _FDB_STATUS):
        if address not in by_vlan:
            name = names.get(ports.get(port) or -1)
            found[address, None] = MacTableEntry(mac=address, vlan=None, interface=name)
    return tuple(sorted(found.values(), key=lambda e: (e.mac, e.vlan or 0)))


def _rows(varbinds: Varbinds, port: str, status: str) -> Iterator[tuple[int | None, str, int]]:
    states = dict(column(varbinds, status))
    for index, value in column(varbinds, port):
        octets = index[-_MAC_ARCS:]
        if len(octets) < _MAC_ARCS or any(octet > 255 for octet in octets):  # noqa: PLR2004 - a byte
            continue
        address, number_ = mac(bytes(octets)), number(value)
        if address and number_ and states.get(index) not in (_SELF, _INVALID):
            yield (index[0] if len(index) > _MAC_ARCS else None), address, number_


def parse_vlans(varbinds: Varbinds) -> tuple[Vlan, ...]:
    """Return the VLANs by number."""
    named = cells(varbinds, _VLAN_NAME)
    return tuple(Vlan(id=vlan, name=text(named[vlan])) for vlan in sorted(named))
