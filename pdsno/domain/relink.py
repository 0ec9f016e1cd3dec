"""The links of a NIB follow from its devices: derived at every tier, by one rule.

From all devices (`relink`), or from those alone that a report touched and their neighbours
(`relink_touched`), with the same outcome.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pdsno.domain.entities import Device, Link, LinkEnd, LinkStatus
from pdsno.domain.link_events import RegionOf, link_events
from pdsno.domain.link_marks import heard_marks, own_marks
from pdsno.domain.links import derive_links
from pdsno.domain.paging import PAGE, every
from pdsno.domain.ports import NIBTransaction


def relink(tx: NIBTransaction, devices: Sequence[Device], *, actor: str, now: datetime) -> None:
    """Make the links those that all devices of the NIB show, and tell what became of them."""
    before = tuple(every(lambda after: tx.links(limit=PAGE, after=after)))
    links = derive_links(devices)
    if before == links:
        return
    known = {device.device_id: device for device in devices}
    tx.replace_links(links)
    _tell(tx, before, links, known, actor=actor, now=now)


@dataclass(slots=True)
class Touched:
    """Devices whose links may be others now."""

    was: dict[str, Device | None] = field(default_factory=dict)
    """Those that changed, came or went, as they were before."""
    answered: dict[str, datetime] = field(default_factory=dict)
    """Those of which nothing changed but when they were seen last."""

    def changes(self, device_id: str, before: Device | None) -> None:
        """Take note of a device that changes; `before` is None if it is new."""
        self.was.setdefault(device_id, before)

    def answers(self, device_ids: Iterable[str], at: datetime) -> None:
        """Take note of devices that are as they were."""
        for key in device_ids:
            self.answered[key] = max(at, self.answered.get(key, at))


def relink_touched(tx: NIBTransaction, touched: Touched, *, actor: str, now: datetime) -> None:
    """Do what `relink` does, given that the links were those of all devices before.

    A link follows from what its two ends hear, and from whom their entries mean. So it is derived
    anew if one of its ends changed, or may hear one that did, and no other needs to be.
    """
    seen = _of(tx, touched.answered.keys() - touched.was.keys())
    unclear = _with_two_ends_and_one_teller(seen.values())
    changed = _told_anew(tx, touched.was, unclear) if touched.was or unclear else _Derived()
    later = {
        key: replace(link, last_seen=max(link.last_seen, *_times(link, touched.answered)))
        for key, link in seen.items()
        if key not in changed.before and key not in changed.after
    }
    moved = [link for key, link in later.items() if link != seen[key]]
    came = [link for key, link in changed.after.items() if changed.before.get(key) != link]
    gone = changed.before.keys() - changed.after.keys()
    if not moved and not came and not gone:
        return
    tx.change_links(gone, [*came, *moved])
    _tell(tx, changed.before.values(), changed.after.values(), changed.known, actor=actor, now=now)


@dataclass(frozen=True, slots=True)
class _Derived:
    """Some links as they were and as they are, and the devices that were looked at."""

    before: Mapping[str, Link] = field(default_factory=dict)
    after: Mapping[str, Link] = field(default_factory=dict)
    known: Mapping[str, Device] = field(default_factory=dict)


def _told_anew(
    tx: NIBTransaction, was: Mapping[str, Device | None], also: Iterable[str]
) -> _Derived:
    """Derive the links of devices that changed, of those who may hear them, and of `also`."""
    now = tx.devices_by_id(was)
    both = filter(None, (*was.values(), *now.values()))
    marks = {mark for device in both for mark in own_marks(device)}
    near = {*was, *also, *tx.devices_hearing(marks)}
    before = _of(tx, near)
    ends = {end.device_id for link in before.values() for end in (link.a, link.b)}
    tellers = dict(tx.devices_by_id({*near, *filter(None, ends)}))
    tellers |= _meant_by(tx, (tellers[key] for key in near if key in tellers))
    known = {**tellers, **_meant_by(tx, tellers.values())}
    after = {
        link.link_id: link
        for link in derive_links(known.values(), tellers=tellers.keys())
        if not near.isdisjoint((link.a.device_id, link.b.device_id))
    }
    return _Derived(before, after, known)


def _meant_by(tx: NIBTransaction, devices: Iterable[Device]) -> Mapping[str, Device]:
    return tx.devices_marked({mark for device in devices for mark in heard_marks(device)})


def _of(tx: NIBTransaction, device_ids: Iterable[str]) -> dict[str, Link]:
    return {link.link_id: link for link in tx.links_of(device_ids)}


def _with_two_ends_and_one_teller(links: Iterable[Link]) -> set[str]:
    """Return the ends of links of which the row does not say who tells of them."""
    return {
        end.device_id
        for link in links
        if link.status is not LinkStatus.CONFIRMED and link.a.device_id and link.b.device_id
        for end in (link.a, link.b)
        if end.device_id
    }


def _times(link: Link, answered: Mapping[str, datetime]) -> list[datetime]:
    ends = (end.device_id or "" for end in (link.a, link.b))
    return [answered[key] for key in ends if key in answered]


def _tell(
    tx: NIBTransaction,
    before: Iterable[Link],
    after: Iterable[Link],
    known: Mapping[str, Device],
    *,
    actor: str,
    now: datetime,
) -> None:
    """Append the events of what became of links."""
    was = [replace(k, a=_now_called(tx, known, k.a), b=_now_called(tx, known, k.b)) for k in before]
    for event in link_events(was, after, actor=actor, now=now, region_of=_regions(tx, known)):
        tx.append_event(event)


def _regions(tx: NIBTransaction, known: Mapping[str, Device]) -> RegionOf:
    def region_of(device_id: str) -> str | None:
        device = known.get(device_id) or tx.device(device_id)
        return device.region if device else None

    return region_of


def _now_called(tx: NIBTransaction, known: Mapping[str, Device], end: LinkEnd) -> LinkEnd:
    """Return an end under the ID that its device has since it was merged."""
    if end.device_id is None or end.device_id in known:
        return end
    merged = tx.device(end.device_id)
    return replace(end, device_id=merged.device_id) if merged else end
