"""An event as one line for people: when, what, about whom, and what changed. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pdsno.cli.output import cell_text

Row = Mapping[str, Any]

_TYPE_WIDTH = 22
_MOST_PARTS = 8
_MOST_TEXT = 80
_NAMES = ("name", "management_ip")
_LINK = ("a", "b", "status", "was")


def is_wanted(event: Row, patterns: Sequence[str]) -> bool:
    """Tell whether an event's type matches one of the patterns (`*` and `?`); none: every event."""
    kind = str(event["event_type"])
    return not patterns or any(fnmatchcase(kind, pattern.upper()) for pattern in patterns)


def line_of(event: Row) -> str:
    """Return an event as one printable line."""
    data = event["data"]
    words = [
        f"{str(event['at']).partition('.')[0].removesuffix('Z')}Z",
        f"{event['event_type']:<{_TYPE_WIDTH}}",
        _who(event, data),
        "; ".join(_parts(event["event_type"], data)),
    ]
    return "  ".join(cell_text(word) for word in words if word).rstrip()


def _who(event: Row, data: Row) -> str:
    """Return the subject as people call it; its ID stays, to ask with."""
    if "a" in data and "b" in data:
        return f"{_end(_now(data['a']))} -- {_end(_now(data['b']))}"
    name, address = (data.get(key) for key in _NAMES)
    called = [str(value) for value in (name, address) if value]
    return f"{' '.join(called)} ({event['subject']})" if called else str(event["subject"])


def _parts(kind: str, data: Row) -> Iterator[str]:
    if "a" in data and "b" in data:
        yield from _link_parts(data)
        return
    for name, change in data.get("changes", {}).items():
        yield from _change(name, change)
    if kind == "DEVICE_MOVED":
        old, new = data.get("from", {}), data.get("to", {})
        for name in dict.fromkeys([*old, *new]):
            yield f"{name} {_value(old.get(name))} -> {_value(new.get(name))}"
    told = {*_NAMES, "changes", "from", "to"} if kind.startswith("DEVICE_") else set()
    for name, value in data.items():
        if name not in told and value not in (None, "", [], {}):
            yield f"{name} {_value(value)}"


def _link_parts(data: Row) -> Iterator[str]:
    status = data.get("status")
    yield " -> ".join(status) if isinstance(status, list) else str(status)
    for side in ("a", "b"):
        if isinstance(data[side], list):
            yield f"was {_end(data[side][0])}"
    for name, value in data.items():
        if name not in _LINK:
            yield f"{name} {_value(value)}"


def _change(name: str, change: object) -> Iterator[str]:
    """Say what became of a field: old and new, what went and came, or each interface."""
    if isinstance(change, dict):
        for number, (key, inner) in enumerate(change.items()):
            if number == _MOST_PARTS:
                yield f"and {len(change) - number} more {name}"
                return
            yield f"{key} {_inner(inner)}"
    elif isinstance(change, list) and len(change) == 2:  # noqa: PLR2004 - old and new
        old, new = change
        if isinstance(old, list) and isinstance(new, list):
            signs = [f"-{_value(old)}" if old else "", f"+{_value(new)}" if new else ""]
            yield f"{name} {' '.join(filter(None, signs))}"
        else:
            yield f"{name} {_value(old)} -> {_value(new)}"
    else:
        yield f"{name} {_value(change)}"


def _inner(change: object) -> str:
    if not isinstance(change, dict):
        return _value(change)
    for word in ("added", "removed"):
        if word in change:
            return word
    told = (part for name, inner in change.items() for part in _change(name, inner))
    return ", ".join(told)


def _value(value: object) -> str:
    if value is None:
        return "none"
    text = cell_text(value)
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"


def _now(end: object) -> object:
    return end[1] if isinstance(end, list) else end


def _end(end: object) -> str:
    if not isinstance(end, dict):
        return "?"
    device = end.get("device") or end.get("device_id") or "?"
    return f"{device} {end.get('interface') or '?'}"
