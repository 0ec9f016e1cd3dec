"""IF-MIB and its ifXTable (RFC 2863)."""

from collections.abc import Mapping
from dataclasses import dataclass

from pdsno.southbound.mibs.varbinds import Varbinds, cells, mac, number, text

_IF = "1.3.6.1.2.1.2.2.1"
_IFX = "1.3.6.1.2.1.31.1.1.1"
_DESCR, _TYPE, _MTU, _SPEED = f"{_IF}.2", f"{_IF}.3", f"{_IF}.4", f"{_IF}.5"
_MAC, _ADMIN, _OPER = f"{_IF}.6", f"{_IF}.7", f"{_IF}.8"
_NAME, _HIGH_SPEED, _ALIAS = f"{_IFX}.1", f"{_IFX}.15", f"{_IFX}.18"
COLUMNS = (_DESCR, _TYPE, _MTU, _SPEED, _MAC, _ADMIN, _OPER, _NAME, _HIGH_SPEED, _ALIAS)

_STATUS: Mapping[int | None, str] = {
    1: "up",
    2: "down",
    3: "testing",
    4: "unknown",
    5: "dormant",
    6: "not-present",
    7: "lower-layer-down",
}
_GAUGE_MAX = 2**32 - 1
"""ifSpeed of anything faster than 4.3 Gbit/s: ifHighSpeed has the truth."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IfRow:
    """One row of the interface table."""

    index: int
    name: str
    kind: int | None
    mac: str | None
    mtu: int | None
    speed_mbps: int | None
    admin_status: str | None
    oper_status: str | None
    description: str | None


def parse_interfaces(varbinds: Varbinds) -> dict[int, IfRow]:
    """Return rows by ifIndex. The name is ifName, else ifDescr; two rows never share one.

    A row exists as soon as any column has it: agents leave out what they do not know.
    """
    names = {index: text(value) for index, value in cells(varbinds, _NAME).items()}
    descrs = {index: text(value) for index, value in cells(varbinds, _DESCR).items()}
    table = {column: cells(varbinds, column) for column in COLUMNS}
    rows: dict[int, IfRow] = {}
    taken: set[str] = set()
    for index in sorted({index for column in table.values() for index in column}):
        name = names.get(index) or descrs.get(index) or f"ifIndex {index}"
        name = f"{name} (ifIndex {index})" if name in taken else name
        taken.add(name)
        rows[index] = IfRow(
            index=index,
            name=name,
            kind=number(table[_TYPE].get(index)),
            mac=mac(table[_MAC].get(index)),
            mtu=number(table[_MTU].get(index)) or None,
            speed_mbps=_speed(
                number(table[_HIGH_SPEED].get(index)), number(table[_SPEED].get(index))
            ),
            admin_status=_STATUS.get(number(table[_ADMIN].get(index))),
            oper_status=_STATUS.get(number(table[_OPER].get(index))),
            description=text(table[_ALIAS].get(index)),
        )
    return rows


def _speed(high_mbps: int | None, bits_per_s: int | None) -> int | None:
    if high_mbps:
        return high_mbps
    if bits_per_s and bits_per_s < _GAUGE_MAX:
        return bits_per_s // 1_000_000 or None
    return None
