"""ENTITY-MIB (RFC 6933): the chassis, and parts with a model or serial of their own."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pdsno.domain.observations import Module
from pdsno.southbound.mibs.makes import real
from pdsno.southbound.mibs.varbinds import Varbinds, cells, number, text

_ENTITY = "1.3.6.1.2.1.47.1.1.1.1"
_DESCR, _CONTAINED, _CLASS = f"{_ENTITY}.2", f"{_ENTITY}.4", f"{_ENTITY}.5"
_NAME, _FIRMWARE, _SOFTWARE = f"{_ENTITY}.7", f"{_ENTITY}.9", f"{_ENTITY}.10"
_SERIAL, _MAKER, _MODEL = f"{_ENTITY}.11", f"{_ENTITY}.12", f"{_ENTITY}.13"
_TEXTS = (_DESCR, _NAME, _FIRMWARE, _SOFTWARE, _SERIAL, _MAKER, _MODEL)
COLUMNS = (*_TEXTS[:1], _CONTAINED, _CLASS, *_TEXTS[1:])

_CHASSIS, _BACKPLANE, _CONTAINER, _MODULE, _STACK = 3, 4, 5, 9, 11
_PIECES = (6, 7, 8, 9, 10, 12)  # power supply, fan, sensor, module, port, CPU
# Board and assembly numbers, which some vendors put where the model belongs.
_PART_NUMBER = re.compile(r"\d{2,3}-\d{6,7}(?:-\d+)?|3HE\d{5}\w+|AL\d{4}\w+-E\w*")
_MODEL_WORD = re.compile(r"(?=[^\s,]*\d)(?=[^\s,]*[A-Z])[A-Za-z0-9][\w/+.-]{2,}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """The device as a physical thing, and its parts."""

    vendor: str | None = None
    model: str | None = None
    hint: str | None = None
    serial: str | None = None
    software: str | None = None
    modules: tuple[Module, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    index: int
    kind: int | None
    parent: int | None
    texts: Mapping[str, str | None]

    @property
    def tells(self) -> int:
        """How much this part says of the device: its serial weighs more than its model."""
        return 2 * bool(self.texts[_SERIAL]) + bool(self.texts[_MODEL])


def parse_entity(varbinds: Varbinds) -> Entity:
    """Return the chassis (of a stack: its first member that tells a serial) and the parts."""
    parts = _parts(varbinds)
    main = _main(parts)
    if main is None:
        return Entity(serial=_only_board_serial(parts), modules=tuple(_modules(parts, None)))
    below = [part for part in parts if part.parent == main.index and part.kind != _CHASSIS]
    return Entity(
        vendor=main.texts[_MAKER],
        model=_model(main.texts[_MODEL]),
        hint=_hint(main),
        serial=main.texts[_SERIAL] or _only_board_serial(below),
        software=main.texts[_SOFTWARE] or _first(p.texts[_SOFTWARE] for p in below),
        modules=tuple(_modules(parts, main)),
    )


def _parts(varbinds: Varbinds) -> list[_Part]:
    kinds, parents = cells(varbinds, _CLASS), cells(varbinds, _CONTAINED)
    table = {oid: cells(varbinds, oid) for oid in _TEXTS}
    indexes = sorted({*kinds, *parents, *(i for column in table.values() for i in column)})
    return [
        _Part(
            index=index,
            kind=number(kinds.get(index)),
            parent=number(parents.get(index)),
            texts={oid: real(text(column.get(index))) for oid, column in table.items()},
        )
        for index in indexes
    ]


def _main(parts: list[_Part]) -> _Part | None:
    """Return the part that stands for the device: chassis, else stack, else what holds the rest.

    Agents that class nothing, or class the device as "other", are known by what is in nothing.
    """
    stacks = [part for part in parts if part.kind == _STACK]
    telling = [part for part in parts if part.tells]
    for group in (
        [part for part in parts if part.kind == _CHASSIS],
        [part for part in stacks if part.tells],
        [part for part in telling if part.kind in (_CONTAINER, _BACKPLANE)],
        [part for part in telling if part.kind == _MODULE and _is_only_module(telling)],
        stacks,
        [part for part in telling if part.kind not in _PIECES and not part.parent],
    ):
        if group:
            most = max(part.tells for part in group)
            return next(part for part in group if part.tells == most)
    return None


def _is_only_module(telling: list[_Part]) -> bool:
    return sum(part.kind == _MODULE for part in telling) == 1


def _only_board_serial(parts: Iterable[_Part]) -> str | None:
    """Return the one serial there is on a board; of several, none speaks for the device."""
    serials = {
        part.texts[_SERIAL]
        for part in parts
        if part.kind in (_MODULE, _BACKPLANE, _CONTAINER) and part.texts[_SERIAL]
    }
    return serials.pop() if len(serials) == 1 else None


def _model(value: str | None) -> str | None:
    return None if value is None or _PART_NUMBER.fullmatch(value) else value


def _hint(main: _Part) -> str | None:
    """Return a word of name or description that looks like a model: `ME60-X8 frame`."""
    for value in (main.texts[_NAME], main.texts[_DESCR]):
        found = _MODEL_WORD.search(value or "")
        if found and not _PART_NUMBER.fullmatch(found[0]):
            return found[0]
    return None


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value), None)


def _modules(parts: Iterable[_Part], skip: _Part | None) -> Iterator[Module]:
    """Yield the parts that have a serial of their own, no two under one name."""
    taken: set[str] = set()
    for part in parts:
        if part is skip or part.kind == _STACK or not part.texts[_SERIAL]:
            continue
        name = part.texts[_NAME] or part.texts[_DESCR] or f"entity {part.index}"
        name = f"{name} (entity {part.index})" if name in taken else name
        taken.add(name)
        yield Module(name=name, model=part.texts[_MODEL], serial=part.texts[_SERIAL])
