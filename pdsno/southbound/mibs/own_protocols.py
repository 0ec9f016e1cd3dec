"""Neighbours by protocols of single makers: FDP (Foundry, Brocade, Ruckus) and EDP (Extreme)."""

import ipaddress

from pdsno.domain.entities import Neighbor
from pdsno.southbound.mibs.varbinds import Value, Varbinds, column, mac, number, text

_ENTERPRISES = "1.3.6.1.4.1."
# FOUNDRY-SN-SWITCH-GROUP-MIB snFdpCacheTable, index ifIndex, device index
_FDP = f"{_ENTERPRISES}1991.1.1.3.20.1.2.1.1"
_FDP_ID, _FDP_ADDRESS, _FDP_PORT = f"{_FDP}.3", f"{_FDP}.5", f"{_FDP}.7"
# EXTREME-EDP-MIB extremeEdpTable, index ifIndex, two octets and a MAC
_EDP = f"{_ENTERPRISES}1916.1.13.2.1"
_EDP_NAME, _EDP_SLOT, _EDP_PORT = f"{_EDP}.3", f"{_EDP}.5", f"{_EDP}.6"
_COLUMNS = {
    f"{_ENTERPRISES}1991.": (_FDP_ID, _FDP_ADDRESS, _FDP_PORT),
    f"{_ENTERPRISES}1916.": (_EDP_NAME, _EDP_SLOT, _EDP_PORT),
}
_FDP_ARCS, _EDP_ARCS = 2, 9
_V4_BYTES = 4


def columns_of(object_id: str) -> tuple[str, ...]:
    """Return what to walk on a device with this sysObjectID; nothing on most."""
    return next((own for prefix, own in _COLUMNS.items() if object_id.startswith(prefix)), ())


def parse_neighbors(varbinds: Varbinds, names: dict[int, str]) -> tuple[Neighbor, ...]:
    """Return what the device hears, ordered by local interface. `names` are by ifIndex."""
    found = {*_fdp(varbinds, names), *_edp(varbinds, names)}
    return tuple(sorted(found, key=lambda n: (n.local_interface, n.remote_name or "")))


def _fdp(varbinds: Varbinds, names: dict[int, str]) -> set[Neighbor]:
    addresses, ports = dict(column(varbinds, _FDP_ADDRESS)), dict(column(varbinds, _FDP_PORT))
    return {
        Neighbor(
            local_interface=names.get(index[0]) or f"port {index[0]}",
            remote_name=text(name),
            remote_interface=text(ports.get(index)),
            remote_management_ip=_v4(addresses.get(index)),
            protocol="fdp",
        )
        for index, name in column(varbinds, _FDP_ID)
        if len(index) == _FDP_ARCS and text(name)
    }


def _edp(varbinds: Varbinds, names: dict[int, str]) -> set[Neighbor]:
    slots, ports = dict(column(varbinds, _EDP_SLOT)), dict(column(varbinds, _EDP_PORT))
    return {
        Neighbor(
            local_interface=names.get(index[0]) or f"port {index[0]}",
            remote_name=text(name),
            remote_interface=_port(number(slots.get(index)), number(ports.get(index))),
            remote_chassis_id=mac(bytes(index[3:])),
            protocol="edp",
        )
        for index, name in column(varbinds, _EDP_NAME)
        if len(index) == _EDP_ARCS and all(octet < 1 << 8 for octet in index[1:])
    }


def _port(slot: int | None, port: int | None) -> str | None:
    """Return `slot:port`, as EXOS writes it; a switch without slots has slot 0."""
    if port is None:
        return None
    return f"{slot}:{port}" if slot else str(port)


def _v4(packed: Value) -> str | None:
    if not isinstance(packed, bytes) or len(packed) != _V4_BYTES or not any(packed):
        return None
    return str(ipaddress.IPv4Address(packed))
