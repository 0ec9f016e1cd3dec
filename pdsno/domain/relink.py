"""The links of a NIB follow from its devices: derived anew at every tier, by one rule."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pdsno.domain.entities import Device, LinkEnd
from pdsno.domain.link_events import link_events
from pdsno.domain.links import derive_links
from pdsno.domain.paging import PAGE, every
from pdsno.domain.ports import NIBTransaction


def relink(tx: NIBTransaction, devices: Sequence[Device], *, actor: str, now: datetime) -> None:
    """Make the links those that all devices of the NIB show, and tell what became of them."""
    before = tuple(every(lambda after: tx.links(limit=PAGE, after=after)))
    links = derive_links(devices)
    if before == links:
        return
    tx.replace_links(links)
    regions = {device.device_id: device.region for device in devices}

    def now_called(end: LinkEnd) -> LinkEnd:
        """Return an end under the ID that its device has since it was merged."""
        if end.device_id is None or end.device_id in regions:
            return end
        merged = tx.device(end.device_id)
        return replace(end, device_id=merged.device_id) if merged else end

    was = [replace(link, a=now_called(link.a), b=now_called(link.b)) for link in before]
    for event in link_events(was, links, actor=actor, now=now, region_of=regions.get):
        tx.append_event(event)
