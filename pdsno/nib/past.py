"""Pictures of the past, for every backend: the present, with the history since taken back."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from typing import TypeVar

from pdsno.domain.entities import Device, Link, LinkStatus
from pdsno.domain.errors import InputError
from pdsno.domain.history import Change, HistoryEntry, HistoryKind, device_at, link_at
from pdsno.domain.ports import EVERY_DEVICE, DeviceFilter, NIBReader, Page
from pdsno.nib.codec import utc
from pdsno.nib.criteria import PAGE, check_limit, criteria

T = TypeVar("T")
_AT_ONCE = 200
_MOST_AT_ONCE = 1000


class PastReader:
    """The part of a reader that shows the past; it asks the other parts."""

    def device_as_of(self: NIBReader, device_id: str, at: datetime) -> Device | None:
        at = _checked(self, at)
        since = self.history_of(HistoryKind.DEVICE, [device_id], at)
        current = self.device(device_id)
        if current is not None and current.device_id != device_id:
            # An alias now: was it a device of its own then?
            if since:
                return device_at(None, device_id, _changes(since), at)
            device_id = current.device_id
            since = self.history_of(HistoryKind.DEVICE, [device_id], at)
        return device_at(current, device_id, _changes(since), at)

    def devices_as_of(
        self: NIBReader,
        at: datetime,
        where: DeviceFilter = EVERY_DEVICE,
        *,
        limit: int = PAGE,
        after: str | None = None,
    ) -> Page[Device]:
        at = _checked(self, at)
        wanted = criteria(where)
        changed = self.changed_since(HistoryKind.DEVICE, at)

        def now(place: str | None, size: int) -> Page[Device]:
            return self.devices(where, limit=size, after=place)

        def then(ids: Sequence[str]) -> Iterator[Device]:
            since = _by_entity(self.history_of(HistoryKind.DEVICE, ids, at))
            for device_id in ids:
                current = self.device(device_id)
                if current is not None and current.device_id != device_id:
                    current = None
                device = device_at(current, device_id, since[device_id], at)
                if device is not None and wanted.match(device):
                    yield device

        untouched = (
            past
            for device in _unchanged(now, _device_id, set(changed), after, limit)
            if (past := device_at(device, device.device_id, (), at))
        )
        was = _in_batches(then, (key for key in changed if after is None or key > after))
        return _page(merge(untouched, was, key=_device_id), _device_id, limit)

    def links_as_of(
        self: NIBReader,
        at: datetime,
        *,
        device_id: str | None = None,
        status: LinkStatus | None = None,
        region: str | None = None,
        limit: int = PAGE,
        after: str | None = None,
    ) -> Page[Link]:
        at = _checked(self, at)
        changed = self.changed_since(HistoryKind.LINK, at)
        current = _all_links(self) if changed else {}

        def now(place: str | None, size: int) -> Page[Link]:
            return self.links(
                device_id=device_id, status=status, region=region, limit=size, after=place
            )

        def then(ids: Sequence[str]) -> Iterator[Link]:
            since = _by_entity(self.history_of(HistoryKind.LINK, ids, at))
            for key in ids:
                link = link_at(current.get(key), since[key], at)
                if link is not None and _fits(self, link, at, device_id, status, region):
                    yield link

        untouched = (
            past
            for link in _unchanged(now, _link_id, set(changed), after, limit)
            if (past := link_at(link, (), at))
        )
        was = _in_batches(then, (key for key in changed if after is None or key > after))
        return _page(merge(untouched, was, key=_link_id), _link_id, limit)


def _checked(reader: NIBReader, at: datetime) -> datetime:
    at = utc(at)
    kept_from = reader.history_from()
    if at < kept_from:
        raise InputError(
            f"the history here begins at {kept_from:%Y-%m-%dT%H:%M:%S.%fZ}: nothing is known of "
            f"{at:%Y-%m-%dT%H:%M:%SZ}; ask for a later time, or another controller"
        )
    if at > datetime.now(UTC):
        raise InputError(f"{at:%Y-%m-%dT%H:%M:%SZ} is yet to come: ask for a time in the past")
    return at


def _device_id(device: Device) -> str:
    return device.device_id


def _link_id(link: Link) -> str:
    return link.link_id


def _changes(entries: Iterable[HistoryEntry]) -> list[Change]:
    return [entry.change for entry in entries]


def _by_entity(entries: Iterable[HistoryEntry]) -> defaultdict[str, list[Change]]:
    found: defaultdict[str, list[Change]] = defaultdict(list)
    for entry in entries:
        found[entry.change.entity_id].append(entry.change)
    return found


def _unchanged(
    page_of: Callable[[str | None, int], Page[T]],
    key: Callable[[T], str],
    changed: set[str],
    after: str | None,
    limit: int,
) -> Iterator[T]:
    """Yield what is now and did not change, page by page, as far as somebody asks."""
    place: str | None = after
    while True:
        page = page_of(place, min(limit + 1, _MOST_AT_ONCE))
        yield from (item for item in page.items if key(item) not in changed)
        if page.next_after is None:
            return
        place = page.next_after


def _in_batches(then: Callable[[Sequence[str]], Iterator[T]], ids: Iterable[str]) -> Iterator[T]:
    rest = iter(ids)
    while batch := list(islice(rest, _AT_ONCE)):
        yield from then(batch)


def _page(found: Iterator[T], key: Callable[[T], str], limit: int) -> Page[T]:
    limit = check_limit(limit)
    items = tuple(islice(found, limit + 1))
    shown = items[:limit]
    return Page(items=shown, next_after=key(shown[-1]) if len(items) > limit else None)


def _all_links(reader: NIBReader) -> dict[str, Link]:
    found: dict[str, Link] = {}
    place: str | None = None
    while True:
        page = reader.links(limit=_MOST_AT_ONCE, after=place)
        found |= {link.link_id: link for link in page.items}
        if page.next_after is None:
            return found
        place = page.next_after


def _fits(
    reader: NIBReader,
    link: Link,
    at: datetime,
    device_id: str | None,
    status: LinkStatus | None,
    region: str | None,
) -> bool:
    """Tell whether a link of then is one that is asked for, by what its ends were then."""
    ends = [end.device_id for end in (link.a, link.b) if end.device_id]
    if status is not None and link.status is not status:
        return False
    if device_id is not None and device_id not in ends:
        return False
    if region is None:
        return True
    then = (reader.device_as_of(end, at) for end in ends)
    return any(device is not None and device.region == region for device in then)
