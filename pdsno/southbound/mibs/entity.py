"""ENTITY-MIB (RFC 6933): the chassis, and parts with a model or serial of their own."""

from dataclasses import dataclass

from pdsno.domain.observations import Module
from pdsno.southbound.mibs.varbinds import Varbinds, cells, number, text

_ENTITY = "1.3.6.1.2.1.47.1.1.1.1"
_DESCR, _CONTAINED, _CLASS = f"{_ENTITY}.2", f"{_ENTITY}.4", f"{_ENTITY}.5"
_NAME, _SOFTWARE = f"{_ENTITY}.7", f"{_ENTITY}.10"
_SERIAL, _MODEL = f"{_ENTITY}.11", f"{_ENTITY}.13"
COLUMNS = (_DESCR, _CONTAINED, _CLASS, _NAME, _SOFTWARE, _SERIAL, _MODEL)

_CHASSIS, _STACK = 3, 11


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """The device as a physical thing, and its parts."""

    model: str | None = None
    serial: str | None = None
    software: str | None = None
    modules: tuple[Module, ...] = ()


def parse_entity(varbinds: Varbinds) -> Entity:
    """Return the first chassis (of a stack: its first member) and everything with a serial."""
    classes = {index: number(value) for index, value in cells(varbinds, _CLASS).items()}
    table = {
        item: {index: text(value) for index, value in cells(varbinds, item).items()}
        for item in (_DESCR, _NAME, _SOFTWARE, _SERIAL, _MODEL)
    }
    chassis = [index for index in sorted(classes) if classes[index] == _CHASSIS]
    main = chassis[0] if chassis else None
    modules = tuple(
        Module(
            name=table[_NAME].get(index) or table[_DESCR].get(index) or f"entity {index}",
            model=table[_MODEL].get(index),
            serial=table[_SERIAL].get(index),
        )
        for index in sorted(classes)
        if index != main and classes[index] != _STACK and table[_SERIAL].get(index)
    )
    if main is None:
        return Entity(modules=modules)
    return Entity(
        model=table[_MODEL].get(main),
        serial=table[_SERIAL].get(main),
        software=table[_SOFTWARE].get(main),
        modules=modules,
    )
