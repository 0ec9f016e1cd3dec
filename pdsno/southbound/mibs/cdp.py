"""CISCO-CDP-MIB: what a device hears by CDP."""

from collections.abc import Mapping

from pdsno.domain.entities import Neighbor
from pdsno.domain.observations import Announcement
from pdsno.southbound.mibs.varbinds import (
    Value,
    Varbinds,
    address,
    cells,
    column,
    mac,
    number,
    text,
)

_CDP = "1.3.6.1.4.1.9.9.23.1"
GLOBAL_RUN = f"{_CDP}.3.1.0"
_INTERFACE_NAME = f"{_CDP}.1.1.1.6"
_CACHE = f"{_CDP}.2.1.1"
_ADDRESS_TYPE, _ADDRESS = f"{_CACHE}.3", f"{_CACHE}.4"
_VERSION = f"{_CACHE}.5"
_DEVICE_ID, _DEVICE_PORT = f"{_CACHE}.6", f"{_CACHE}.7"
_SYS_NAME = f"{_CACHE}.17"
_MANAGEMENT_TYPE, _MANAGEMENT = f"{_CACHE}.19", f"{_CACHE}.20"
_ADDRESSES = (_ADDRESS_TYPE, _ADDRESS, _MANAGEMENT_TYPE, _MANAGEMENT)
_NEIGHBOR = (_DEVICE_ID, *_ADDRESSES[:2], _DEVICE_PORT, _SYS_NAME, *_ADDRESSES[2:])
COLUMNS = (*_NEIGHBOR, _VERSION, _INTERFACE_NAME)

_RUNNING = 1
# CiscoNetworkProtocol, and InetAddressType of the same family
_FAMILIES = {1: 1, 20: 2}
_ARCS = 2  # ifIndex, device index


def is_told(varbinds: Varbinds) -> bool:
    """Tell whether the device runs CDP, so that an empty cache means "nobody there"."""
    return number(varbinds.get(GLOBAL_RUN)) == _RUNNING


def parse_neighbors(varbinds: Varbinds, names: dict[int, str]) -> tuple[Neighbor, ...]:
    """Return the cache, ordered by local interface. `names` are interfaces by ifIndex."""
    table = {item: dict(column(varbinds, item)) for item in _NEIGHBOR}
    own_names = {index: text(value) for index, value in cells(varbinds, _INTERFACE_NAME).items()}
    found = set()
    for index in {key for rows in table.values() for key in rows}:
        raw = table[_DEVICE_ID].get(index)
        chassis = _mac_id(raw)
        name = text(table[_SYS_NAME].get(index))
        if name is None and chassis is None:
            name = _without_serial(text(raw))
        if len(index) != _ARCS or not (name or chassis):
            continue
        local = names.get(index[0]) or own_names.get(index[0]) or f"port {index[0]}"
        found.add(
            Neighbor(
                local_interface=local,
                remote_name=name,
                remote_chassis_id=chassis,
                remote_interface=text(table[_DEVICE_PORT].get(index)),
                remote_management_ip=_management_ip(table, index),
                protocol="cdp",
            )
        )
    return tuple(sorted(found, key=_order))


def parse_announcements(varbinds: Varbinds) -> tuple[Announcement, ...]:
    """Return the versions of neighbours with an address, ordered by address."""
    table = {item: dict(column(varbinds, item)) for item in _ADDRESSES}
    told = {
        ip: words
        for index, value in column(varbinds, _VERSION)
        if (ip := _management_ip(table, index)) and (words := text(value))
    }
    return tuple(Announcement(address=ip, text=told[ip]) for ip in sorted(told))


def _management_ip(
    table: Mapping[str, Mapping[tuple[int, ...], Value]], index: tuple[int, ...]
) -> str | None:
    return _ip(table[_MANAGEMENT_TYPE].get(index), table[_MANAGEMENT].get(index)) or _ip(
        table[_ADDRESS_TYPE].get(index), table[_ADDRESS].get(index)
    )


def _order(entry: Neighbor) -> tuple[str, str, str]:
    return entry.local_interface, entry.remote_name or "", entry.remote_interface or ""


def _ip(kind: Value, packed: Value) -> str | None:
    family = _FAMILIES.get(number(kind) or 0)
    if family is None or not isinstance(packed, bytes):
        return None
    ip = address(family, packed)
    return None if ip in ("0.0.0.0", "::") else ip  # noqa: S104 - an address, nothing bound


def _mac_id(device: Value) -> str | None:
    """Return the MAC that some agents (HP) give for a device ID, as six raw octets."""
    is_text = (
        isinstance(device, bytes) and device.isascii() and device.decode("ascii").isprintable()
    )
    return None if is_text or not isinstance(device, bytes) else mac(device)


def _without_serial(device: str | None) -> str | None:
    """Return the name of `switch1(FOC1234X0AB)`, as NX-OS and CatOS announce themselves."""
    if device is None:
        return None
    name, bracket, _ = device.partition("(")
    return name if bracket and name else device
