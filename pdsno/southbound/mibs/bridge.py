"""BRIDGE-MIB and Q-BRIDGE-MIB (RFC 4188, 4363): which MAC is behind which port."""

from collections.abc import Iterator, Mapping

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

CONTEXT_COLUMNS = (_PORT_IFINDEX, _FDB_PORT, _FDB_STATUS)
"""What to walk in the context of one VLAN, where a bridge keeps a table for each."""
# CISCO-VTP-MIB, indexed by management domain and VLAN
_VTP_STATE, _VTP_TYPE = "1.3.6.1.4.1.9.9.46.1.3.1.1.2", "1.3.6.1.4.1.9.9.46.1.3.1.1.3"
_VTP_NAME = "1.3.6.1.4.1.9.9.46.1.3.1.1.4"
VTP_COLUMNS = (_VTP_STATE, _VTP_TYPE, _VTP_NAME)
_OPERATIONAL, _ETHERNET = 1, 1
_MAX_VLAN = 4094

_SELF, _INVALID = 4, 2
_MAC_ARCS = 6


def parse_fdb(
    varbinds: Varbinds, names: dict[int, str], contexts: Mapping[int, Varbinds] | None = None
) -> tuple[MacTableEntry, ...]:
    """Return learned addresses, sorted. `names` are interfaces by ifIndex.

    `contexts` are the plain tables of single VLANs. Where a table by VLAN has a MAC, the plain
    table's entry of it adds nothing.
    """
    ports = {p: number(i) for p, i in cells(varbinds, _PORT_IFINDEX).items()}
    vlans = {number(fdb): index[-1] for index, fdb in column(varbinds, _VLAN_FDB)}
    found: dict[tuple[str, int | None], MacTableEntry] = {}
    for fdb, address, port in _rows(varbinds, _Q_FDB_PORT, _Q_FDB_STATUS):
        vlan = vlans.get(fdb, fdb)
        name = names.get(ports.get(port) or -1)
        found[address, vlan] = MacTableEntry(mac=address, vlan=vlan, interface=name)
    for vlan, own in (contexts or {}).items():
        own_ports = {p: number(i) for p, i in cells(own, _PORT_IFINDEX).items()}
        for _, address, port in _rows(own, _FDB_PORT, _FDB_STATUS):
            name = names.get(own_ports.get(port) or ports.get(port) or -1)
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
    named = {vlan: text(name) for vlan, name in cells(varbinds, _VLAN_NAME).items()}
    for vlan, name in _vtp_vlans(varbinds).items():
        named[vlan] = named.get(vlan) or name
    return tuple(Vlan(id=vlan, name=named[vlan]) for vlan in sorted(named) if _is_vlan(vlan))


def vlans_with_contexts(varbinds: Varbinds) -> tuple[int, ...]:
    """Return the VLANs to ask one by one: VTP knows them, and no table by VLAN was told."""
    if any(True for _ in column(varbinds, _Q_FDB_PORT)):
        return ()
    return tuple(sorted(vlan for vlan in _vtp_vlans(varbinds) if _is_vlan(vlan)))


def _vtp_vlans(varbinds: Varbinds) -> dict[int, str | None]:
    kinds, names = dict(column(varbinds, _VTP_TYPE)), dict(column(varbinds, _VTP_NAME))
    return {
        index[-1]: text(names.get(index))
        for index, state in column(varbinds, _VTP_STATE)
        if number(state) == _OPERATIONAL and number(kinds.get(index)) in (_ETHERNET, None)
    }


def _is_vlan(number_: int) -> bool:
    return 0 < number_ <= _MAX_VLAN
