"""LLDP-MIB (IEEE 802.1AB-2005): what the device announces, and what it hears."""

from dataclasses import dataclass

from pdsno.domain.entities import Neighbor
from pdsno.southbound.mibs.varbinds import (
    Value,
    Varbinds,
    address,
    cells,
    column,
    counted,
    mac,
    number,
    text,
)

_LLDP = "1.0.8802.1.1.2.1"
LOCAL_CHASSIS_SUBTYPE = f"{_LLDP}.3.1.0"
LOCAL_CHASSIS = f"{_LLDP}.3.2.0"
_LOCAL_PORT_SUBTYPE = f"{_LLDP}.3.7.1.2"
_LOCAL_PORT_ID = f"{_LLDP}.3.7.1.3"
_LOCAL_PORT_DESCR = f"{_LLDP}.3.7.1.4"
_CHASSIS_SUBTYPE, _CHASSIS = f"{_LLDP}.4.1.1.4", f"{_LLDP}.4.1.1.5"
_PORT_SUBTYPE, _PORT, _PORT_DESCR = (f"{_LLDP}.4.1.1.{n}" for n in (6, 7, 8))
_SYS_NAME = f"{_LLDP}.4.1.1.9"
_MANAGEMENT = f"{_LLDP}.4.2.1.3"

LOCAL_COLUMNS = (_LOCAL_PORT_SUBTYPE, _LOCAL_PORT_ID, _LOCAL_PORT_DESCR)
REMOTE_COLUMNS = (
    _CHASSIS_SUBTYPE,
    _CHASSIS,
    _PORT_SUBTYPE,
    _PORT,
    _PORT_DESCR,
    _SYS_NAME,
    _MANAGEMENT,
)

# LldpChassisIdSubtype and LldpPortIdSubtype number the same kinds differently.
_CHASSIS_MAC, _CHASSIS_ADDRESS = 4, 5
_PORT_ALIAS, _PORT_MAC, _PORT_ADDRESS, _PORT_IFNAME, _PORT_LOCAL = 1, 3, 4, 5, 7
_REMOTE_INDEX = 3


def chassis_id(subtype: Value, value: Value) -> str | None:
    """Return a chassis ID: a normalised MAC where it is one, an address, else text."""
    return _identifier(
        value, is_mac=subtype == _CHASSIS_MAC, is_address=subtype == _CHASSIS_ADDRESS
    )


def port_id(subtype: Value, value: Value) -> str | None:
    """Return a port ID, decoded by its subtype."""
    return _identifier(value, is_mac=subtype == _PORT_MAC, is_address=subtype == _PORT_ADDRESS)


def _identifier(value: Value, *, is_mac: bool, is_address: bool) -> str | None:
    if is_mac and (found := mac(value)):
        return found
    if is_address and isinstance(value, bytes) and value:
        # networkAddress: one octet of IANA address family, then the address.
        found = address(value[0], value[1:])
        return found or value.hex(":")
    return text(value)


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalPort:
    """How the device names its own LLDP port."""

    number: int
    subtype: int | None
    id: str | None
    description: str | None


def parse_local_ports(varbinds: Varbinds) -> dict[int, LocalPort]:
    """Return the local ports by lldpLocPortNum."""
    subtypes, ids, descriptions = (cells(varbinds, item) for item in LOCAL_COLUMNS)
    return {
        index: LocalPort(
            number=index,
            subtype=number(subtypes.get(index)),
            id=port_id(subtypes.get(index), value),
            description=text(descriptions.get(index)),
        )
        for index, value in ids.items()
    }


def interface_of(
    port: int,
    local_ports: dict[int, LocalPort],
    names: dict[int, str],
    names_by_mac: dict[str, str],
) -> str:
    """Return the interface behind a local port number.

    By the port's ID if that is an interface's name or MAC, then by its description; then the
    number may be the ifIndex (most agents), else it is all that we know.
    """
    known = set(names.values())
    entry = local_ports.get(port)
    if entry is not None:
        for candidate in (entry.id, entry.description):
            if candidate in known:
                return str(candidate)
        if entry.subtype == _PORT_MAC and entry.id in names_by_mac:
            return names_by_mac[entry.id]
        if entry.subtype == _PORT_LOCAL and entry.id and entry.id.isdigit():
            named = names.get(int(entry.id))
            if named:
                return named
    if port in names:
        return names[port]
    return (entry.id or entry.description if entry else None) or f"port {port}"


def parse_neighbors(
    varbinds: Varbinds,
    local_ports: dict[int, LocalPort],
    names: dict[int, str],
    names_by_mac: dict[str, str],
) -> tuple[Neighbor, ...]:
    """Return what the device hears, ordered by local interface. `names` are by ifIndex."""
    rows = {item: dict(column(varbinds, item)) for item in REMOTE_COLUMNS[:-1]}
    management = _management_addresses(varbinds)
    found = []
    for index in sorted({key for row in rows.values() for key in row}):
        if len(index) != _REMOTE_INDEX:  # timeMark, localPortNum, index
            continue
        subtype = number(rows[_PORT_SUBTYPE].get(index))
        entry = Neighbor(
            local_interface=interface_of(index[1], local_ports, names, names_by_mac),
            remote_name=text(rows[_SYS_NAME].get(index)),
            remote_interface=_remote_interface(
                subtype,
                port_id(subtype, rows[_PORT].get(index)),
                text(rows[_PORT_DESCR].get(index)),
            ),
            remote_chassis_id=chassis_id(
                number(rows[_CHASSIS_SUBTYPE].get(index)), rows[_CHASSIS].get(index)
            ),
            remote_management_ip=management.get(index),
        )
        if entry.remote_name or entry.remote_chassis_id:
            found.append(entry)
    return tuple(sorted(set(found), key=_order))


def _order(entry: Neighbor) -> tuple[str, str, str]:
    return entry.local_interface, entry.remote_chassis_id or "", entry.remote_interface or ""


def _remote_interface(subtype: int | None, told: str | None, description: str | None) -> str | None:
    """Return the name of the far port: its ID if that is a name, else the description."""
    if subtype in (_PORT_IFNAME, _PORT_ALIAS) and told:
        return told
    if subtype in (_PORT_MAC, _PORT_LOCAL, _PORT_ADDRESS) and description:
        return description
    return told or description


def _management_addresses(varbinds: Varbinds) -> dict[tuple[int, ...], str]:
    """Return the first management address (IPv4 before IPv6) of each remote."""
    found: dict[tuple[int, ...], list[str]] = {}
    for index, _ in column(varbinds, _MANAGEMENT):
        kind, packed = counted(index[_REMOTE_INDEX:])
        ip = address(kind, packed)
        if ip:
            found.setdefault(index[:_REMOTE_INDEX], []).append(ip)
    return {key: min(ips, key=lambda ip: (":" in ip, ip)) for key, ips in found.items()}
