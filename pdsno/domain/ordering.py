"""In which order a list is read, and where in it a page begins: the same for all stores."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pdsno.domain.errors import InputError
from pdsno.domain.ports import Page

T = TypeVar("T")

DEVICE_ORDERS = (
    "device_id",
    "name",
    "status",
    "device_type",
    "vendor",
    "platform",
    "serial",
    "region",
    "namespace",
    "local_controller",
)
_TIMES = frozenset({"last_seen", "opened_at", "created_at"})
ENDPOINT_ORDERS = ("endpoint_id", "mac", "vendor", "local_controller", "last_seen")
ANOMALY_ORDERS = (
    "anomaly_id",
    "kind",
    "status",
    "region",
    "subject",
    "found_by",
    "opened_at",
    "last_seen",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """By which field, and which way."""

    field: str
    is_descending: bool = False


def ordering(asked: str | None, known: tuple[str, ...]) -> Order:
    """Return the order of a text as `name` or `-name`, by default of the first that is known."""
    if asked is None:
        return Order(field=known[0])
    field = asked.removeprefix("-")
    if field not in known:
        raise InputError(f"a list cannot be sorted by {field[:50]!r}, only by {', '.join(known)}")
    return Order(field=field, is_descending=asked.startswith("-"))


@dataclass(frozen=True, slots=True)
class Keyset:
    """Where a page of an order begins: behind a value, and behind a key among those that have it.

    `after` is what `place` gave out: the bare key if the list is sorted by it.
    """

    order: Order
    key: str
    after: str | None

    @property
    def is_by_key(self) -> bool:
        """Whether the list is sorted by the key itself."""
        return self.order.field == self.key

    def start(self) -> tuple[Any, str] | None:
        """Return (value, key) behind which to begin, None for the beginning.

        Raises InputError if it was not given out for a list that is sorted by another field.
        """
        if self.after is None:
            return None
        if self.is_by_key:
            return self.after, self.after
        try:
            value, key = json.loads(self.after)
        except (ValueError, TypeError) as error:
            raise InputError("after was given out for another order") from error
        if not isinstance(key, str) or not isinstance(value, str | None):
            raise InputError("after was given out for another order")
        return self._value(value), key

    def _value(self, told: str | None) -> datetime | str | None:
        if told is None or self.order.field not in _TIMES:
            return told
        try:
            return datetime.fromisoformat(told)
        except ValueError as error:
            raise InputError("after was given out for another order") from error

    def place(self, value: object, key: str) -> str:
        """Return the place behind an item."""
        if self.is_by_key:
            return key
        told = value.isoformat() if isinstance(value, datetime) else value
        return json.dumps([told, key], separators=(",", ":"), ensure_ascii=False)

    def page(self, found: Iterable[T], limit: int) -> Page[T]:
        """Return one page of what was found, in whatever order."""
        start = self.start()
        ranked = sorted(
            ((self._rank(item), item) for item in found),
            key=lambda pair: pair[0],
            reverse=self.order.is_descending,
        )
        if start is not None:
            bound = _rank_of(*start)
            down = self.order.is_descending
            ranked = [p for p in ranked if (p[0] < bound if down else p[0] > bound)]
        items = tuple(item for _, item in ranked[:limit])
        if len(ranked) <= limit:
            return Page(items=items)
        last = items[-1]
        value = getattr(last, self.order.field)
        return Page(items=items, next_after=self.place(value, getattr(last, self.key)))

    def _rank(self, item: object) -> tuple[bool, str, str]:
        return _rank_of(getattr(item, self.order.field), getattr(item, self.key))


def _rank_of(value: object, key: str) -> tuple[bool, str, str]:
    """Return what sorts as the databases do: nothing first, then text by code point."""
    if isinstance(value, datetime):
        value = value.isoformat(timespec="microseconds")
    return value is not None, "" if value is None else str(value), key
