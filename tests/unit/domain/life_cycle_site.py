"""A local controller's NIB of devices and links that lives through cycles, and what it tells."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

from pdsno.domain.coverage import coverage_of
from pdsno.domain.diff import Delta, Scope, diff
from pdsno.domain.entities import Device, Interface, Link, Neighbor, NewEvent
from pdsno.domain.links import derive_links, link_events
from pdsno.domain.observations import Facts, Sighting
from tests.unit.domain.builders import NOW, facts, interface, mac, neighbor, observe

BEAT = timedelta(minutes=5)


class LifeSite:
    """Runs cycles, one each five minutes; keeps devices, links and all events."""

    def __init__(self, *, covered: Sequence[str] = ("10.0.0.0/24",), **scope: Any) -> None:  # noqa: ANN401 - fields of Scope
        self.devices: dict[str, Device] = {}
        self.links: tuple[Link, ...] = ()
        self.events: list[NewEvent] = []
        self.delta: Delta | None = None
        self.now = NOW
        self._covered = covered
        self._scope = {"miss_limit": 3, "vendor_of": lambda _: None, **scope}
        self._ids = count(1)

    def cycle(
        self,
        *findings: Sighting | Facts,
        covered: Sequence[str] | None = None,
        after: timedelta = BEAT,
        **scope: Any,  # noqa: ANN401 - fields of Scope
    ) -> list[str]:
        """Live through one cycle and return the kinds of events in it, sorted."""
        self.now += after
        found = observe(*(replace(item, at=self.now) for item in findings))
        rules: dict[str, Any] = {
            "region": "zone-A",
            "local_controller": "lc",
            "coverage": coverage_of("zone-A", self._covered if covered is None else covered),
            "now": self.now,
            "mint": lambda: f"dev_{next(self._ids):03}",
            **self._scope,
            **scope,
        }
        self.delta = delta = diff(list(self.devices.values()), found, Scope(**rules))
        for gone in (*(merged.device_id for merged in delta.absorbed), *delta.retired):
            del self.devices[gone]
        for item in (*delta.changed, *delta.missed):
            self.devices[item.device_id] = replace(item, version=item.version + 1)
        for seen in delta.seen:
            self.devices[seen] = replace(self.devices[seen], last_seen=self.now, missed=0)
        links = derive_links(self.devices.values())
        told = link_events(
            self.links, links, actor="lc", now=self.now, region_of=lambda _: "zone-A"
        )
        self.links = links
        events = [*delta.events, *told]
        self.events += events
        return sorted(event.event_type for event in events)

    def last(self, kind: str) -> NewEvent:
        """Return the latest event of a kind."""
        return next(event for event in reversed(self.events) if event.event_type == kind)

    def named(self, name: str) -> Device:
        """Return the one device of that name that is not inactive."""
        (found,) = (d for d in self.devices.values() if d.name == name and d.status == "active")
        return found

    @property
    def only(self) -> Device:
        """The one device that there is."""
        (found,) = self.devices.values()
        return found


def gear(number: int, *neighbors: Neighbor, **values: object) -> Facts:
    """What switch or router `number` tells: `r1` at 10.0.0.1, two ports, all of its own."""
    ports: tuple[Interface, ...] = values.pop("ports", None) or (  # type: ignore[assignment]
        interface("eth1", mac(10 * number + 1), f"10.0.0.{number}/24"),
        interface("eth2", mac(10 * number + 2)),
    )
    known: dict[str, object] = {
        "name": f"r{number}",
        "serial": f"SN{number}",
        "chassis_id": mac(10 * number),
        "engine_id": f"80000009{number:04}",
        "neighbors": neighbors,
    }
    return facts(f"10.0.0.{number}", *ports, **{**known, **values})  # type: ignore[arg-type]


def hears(local: str, number: int, port: str) -> Neighbor:
    """LLDP on port `local` shows `port` of gear `number`."""
    return neighbor(local, f"r{number}", port, remote_chassis_id=mac(10 * number))
