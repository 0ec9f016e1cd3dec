"""Short ways to write findings and devices in tests of the rules."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from pdsno.domain.coverage import Coverage, coverage_of
from pdsno.domain.diff import Delta, Scope, diff
from pdsno.domain.entities import Device, Interface, Neighbor
from pdsno.domain.observations import Facts, Method, ObservedDevice, Sighting
from pdsno.domain.resolve import resolve

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def later(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


def sighting(address: str, mac: str | None = None, *, at: datetime = NOW) -> Sighting:
    method = Method.ARP if mac else Method.ICMP
    return Sighting(address=address, mac=mac, method=method, at=at)


def interface(name: str, mac: str | None = None, *ips: str) -> Interface:
    return Interface(name=name, mac=mac, ips=ips)


def facts(address: str, *interfaces: Interface, source: str = "snmp", **values: object) -> Facts:
    return Facts(source=source, address=address, at=NOW, interfaces=interfaces, **values)  # type: ignore[arg-type]


def mac(number: int) -> str:
    return f"00:11:22:33:{number >> 8:02x}:{number & 255:02x}"


def device(device_id: str = "dev_1", **values: object) -> Device:
    return Device(**{"device_id": device_id, "first_seen": NOW, "last_seen": NOW, **values})  # type: ignore[arg-type]


def neighbor(local: str, remote: str | None, port: str | None = None, **values: object) -> Neighbor:
    return Neighbor(local_interface=local, remote_name=remote, remote_interface=port, **values)  # type: ignore[arg-type]


def observe(
    *findings: Sighting | Facts, namespace: str = "zone-A", known: Sequence[Device] = ()
) -> tuple[ObservedDevice, ...]:
    return resolve(
        namespace,
        [f for f in findings if isinstance(f, Sighting)],
        [f for f in findings if isinstance(f, Facts)],
        known,
    )


class Site:
    """A NIB of devices that lives through cycles, the way a local controller does it."""

    def __init__(self, *, covered: Sequence[str] = ("10.0.0.0/24",), miss_limit: int = 3) -> None:
        self.devices: dict[str, Device] = {}
        self.covered = covered
        self.miss_limit = miss_limit
        self._ids = count(1)

    def cycle(
        self, *findings: Sighting | Facts, at: datetime = NOW, covered: Sequence[str] | None = None
    ) -> Delta:
        known = list(self.devices.values())
        coverage: Coverage = coverage_of("zone-A", self.covered if covered is None else covered)
        scope = Scope(
            region="zone-A",
            local_controller="lc",
            coverage=coverage,
            now=at,
            miss_limit=self.miss_limit,
            mint=lambda: f"dev_{next(self._ids)}",
            vendor_of=lambda _: None,
        )
        delta = diff(known, observe(*findings, known=known), scope)
        for merged in delta.absorbed:
            del self.devices[merged.device_id]
        for item in (*delta.changed, *delta.missed):
            self.devices[item.device_id] = item
        for seen in delta.seen:
            self.devices[seen] = replace(self.devices[seen], last_seen=at, missed=0)
        return delta

    @property
    def only(self) -> Device:
        (found,) = self.devices.values()
        return found

    def put(self, item: Device) -> None:
        """Let a device be as somebody made it between two cycles."""
        self.devices[item.device_id] = item
