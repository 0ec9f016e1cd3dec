"""What became of links between two derivations, as events.

A link that was found again under another ID (its unknown neighbour was found, a port was renamed,
a cable was moved at one end) has changed: it has not gone and appeared.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeAlias

from pdsno.domain.entities import Link, LinkEnd, NewEvent
from pdsno.domain.identifiers import same_name
from pdsno.domain.interface_names import spellings
from pdsno.domain.jsonable import jsonable
from pdsno.domain.link_directory import bare_name
from pdsno.domain.profiles import is_mac_text

RegionOf: TypeAlias = Callable[[str], str | None]
"""Returns the region of one of our devices, by its ID; None for one that is not here."""


def link_events(
    before: Iterable[Link],
    after: Iterable[Link],
    *,
    actor: str,
    now: datetime,
    region_of: RegionOf,
) -> tuple[NewEvent, ...]:
    """Return LINK_APPEARED, LINK_CHANGED and LINK_GONE, ordered by link ID in each.

    `data` has both ends and the status; of a change, `[old, new]` of what differs (`status`, `a`,
    `b`) and, under `was`, the ID that the link had.
    """
    old = {link.link_id: link for link in before}
    new = {link.link_id: link for link in after}
    gone = [old[key] for key in sorted(old.keys() - new.keys())]
    came = [new[key] for key in sorted(new.keys() - old.keys())]
    became = _became(gone, came)
    was = {link.link_id: before_it for before_it, link in became}
    kept = {link.link_id for link, _ in became}

    def event(kind: str, link: Link, data: dict[str, object]) -> NewEvent:
        ids = (end.device_id for end in (link.a, link.b) if end.device_id)
        region = next((found for key in ids if (found := region_of(key))), None)
        return NewEvent(
            event_type=kind,
            subject=link.link_id,
            actor=actor,
            at=now,
            region=region,
            data=jsonable(data),
        )

    events = [event("LINK_APPEARED", k, _told(k)) for k in came if k.link_id not in was]
    for key in sorted(new):
        previous = was.get(key) or old.get(key)
        if previous is not None and (changes := _changes(previous, new[key])):
            events.append(event("LINK_CHANGED", new[key], changes))
    events += [event("LINK_GONE", k, _told(k)) for k in gone if k.link_id not in kept]
    return tuple(events)


def _told(link: Link) -> dict[str, object]:
    return {"a": link.a, "b": link.b, "status": link.status}


def _changes(old: Link, new: Link) -> dict[str, object]:
    """Return what to tell; empty if nobody would call it a change (a device was renamed)."""
    if old.link_id == new.link_id and old.status is new.status:
        return {}
    data = _told(new)
    if old.status is not new.status:
        data["status"] = [old.status, new.status]
    if old.link_id != new.link_id:
        data["was"] = old.link_id
        # In the order of the new one: its ends may sort the other way.
        old_a, old_b = (old.a, old.b) if _shares(old, new) else (old.b, old.a)
        if _place(old_a) != _place(new.a):
            data["a"] = [old_a, new.a]
        if _place(old_b) != _place(new.b):
            data["b"] = [old_b, new.b]
    return data


def _shares(old: Link, new: Link) -> bool:
    return _place(old.a) == _place(new.a) or _place(old.b) == _place(new.b)


_Place: TypeAlias = tuple[str | None, str | None]


def _place(end: LinkEnd) -> _Place:
    return (end.device_id, end.interface)


def _became(gone: Sequence[Link], came: Sequence[Link]) -> list[tuple[Link, Link]]:
    """Return which of the old links are which of the new ones, where only one can be.

    They share one end, and the other ends are one device, or somebody unknown who was found.
    """
    pairs = {(old.link_id, new.link_id): (old, new) for old, new in _alike(gone, came)}
    times = Counter(link_id for ids in pairs for link_id in ids)
    return [pair for ids, pair in pairs.items() if all(times[link_id] == 1 for link_id in ids)]


def _alike(gone: Sequence[Link], came: Sequence[Link]) -> Iterator[tuple[Link, Link]]:
    by_place: dict[_Place, list[tuple[Link, LinkEnd]]] = defaultdict(list)
    for new in came:
        by_place[_place(new.a)].append((new, new.b))
        by_place[_place(new.b)].append((new, new.a))
    for old in gone:
        for here, there in ((old.a, old.b), (old.b, old.a)):
            if here.device_id is None:
                continue
            for new, far in by_place.get(_place(here), ()):
                if _is_same_neighbour(there, far):
                    yield old, new


def _is_same_neighbour(old: LinkEnd, new: LinkEnd) -> bool:
    if old.device_id and new.device_id:
        return old.device_id == new.device_id
    one, other = bare_name(old.device), bare_name(new.device)
    if not one or not other or is_mac_text(one) or is_mac_text(other):
        # Who is known by hardware alone cannot be compared by name; its port can.
        ports = (old.interface, new.interface)
        return None in ports or bool(spellings(ports[0] or "") & spellings(ports[1] or ""))
    return same_name(one, other)
