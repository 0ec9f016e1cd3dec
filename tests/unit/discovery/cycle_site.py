"""A local controller's NIB that lives through cycles of written findings."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pdsno.discovery.cycle import DiscoveryCycleResult, record_cycle
from pdsno.discovery.observe import Observations
from pdsno.domain.coverage import coverage_of
from pdsno.domain.entities import DeviceType, Endpoint, Event
from pdsno.domain.messages import DiscoveryReport
from pdsno.domain.observations import (
    AddressOutcome,
    ArpEntry,
    Authority,
    Facts,
    MacTableEntry,
    Method,
    Outcome,
    Probe,
    Sighting,
)
from pdsno.domain.policy import LocalPolicy
from pdsno.domain.ports import NIB
from tests.unit.domain.builders import NOW, facts, interface, later, neighbor
from tests.unit.domain.builders import mac as burnt_in

LOCAL = LocalPolicy(controller_id="lc", subnets=("10.0.0.0/24",))
AUTHORITY = Authority(source="policy 1.1")


def asked(
    address: str, ssh: Outcome = Outcome.TIMEOUT, method: Method = Method.SSH
) -> AddressOutcome:
    """An address that answered the sweep and was then asked by SSH."""
    probes = (
        Probe(method=Method.ARP, outcome=Outcome.ANSWERED),
        Probe(method=method, outcome=ssh),
    )
    return AddressOutcome(namespace="zone-A", address=address, probes=probes)


class CycleSite:
    """Runs cycles ten minutes apart; whoever is sighted and tells nothing was asked in vain."""

    def __init__(self, nib: NIB, local: LocalPolicy = LOCAL) -> None:
        self.nib = nib
        self.local = local
        self.authority = AUTHORITY
        self.number = 0

    def cycle(
        self,
        *findings: Sighting | Facts,
        outcomes: Sequence[AddressOutcome] | None = None,
        covered: Sequence[str] | None = None,
        at: datetime | None = None,
        **told: object,
    ) -> DiscoveryCycleResult:
        self.number += 1
        now = at or later(10 * self.number)
        sightings = tuple(f for f in findings if isinstance(f, Sighting))
        told_facts = tuple(f for f in findings if isinstance(f, Facts))
        speaking = {f.address for f in told_facts}
        silent = sorted({s.address for s in sightings} - speaking)
        observations = Observations(
            sightings=tuple(replace(s, at=now) for s in sightings),
            facts=tuple(replace(f, at=now) for f in told_facts),
            outcomes=tuple(map(asked, silent)) if outcomes is None else tuple(outcomes),
            coverage=coverage_of("zone-A", self.local.subnets if covered is None else covered),
            notes=(),
            started_at=now,
            finished_at=now,
            is_complete=True,
        )
        observations = replace(observations, **told)  # type: ignore[arg-type]
        return record_cycle(
            self.nib,
            observations,
            cycle_id=f"cycle_{self.number}",
            region="zone-A",
            local_controller="lc",
            subnets=self.local.subnets,
            authority=self.authority,
            local=self.local,
            now=now,
        )

    def events(self, *kinds: str) -> list[Event]:
        return [e for e in self.nib.events(limit=1000) if not kinds or e.event_type in kinds]

    def news(self) -> list[str]:
        """Return the types of all events but those of cycles and of anomalies."""
        others = ("DISCOVERY_", "ANOMALY_")
        return [e.event_type for e in self.events() if not e.event_type.startswith(others)]

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return self.nib.endpoints(limit=1000).items

    @property
    def only(self) -> Endpoint:
        (found,) = self.endpoints
        return found

    def reports(self) -> list[DiscoveryReport]:
        from pydantic import TypeAdapter  # noqa: PLC0415 - as the receiver reads them

        reader = TypeAdapter(DiscoveryReport)
        return [reader.validate_python(row.payload) for row in self.nib.outbox(limit=1000)]


__all__ = ["AUTHORITY", "LOCAL", "NOW", "CycleSite", "asked"]


def mac(number: int) -> str:
    """Return a MAC that a host gives itself: with a burnt-in one it would be a device."""
    return f"06{burnt_in(number)[2:]}"


def router(*arp: ArpEntry) -> Facts:
    return facts(
        "10.0.0.1",
        interface("eth1", mac(1), "10.0.0.1/24"),
        interface("eth2", mac(2), "10.9.0.1/24"),
        name="r1",
        serial="R1SERIAL",
        device_type=DeviceType.ROUTER,
        arp=arp,
    )


def switch(number: int, *ports: tuple[str, int], uplink: str | None = None) -> Facts:
    """A switch that has these MACs on these ports, and hears the next one on its uplink."""
    own = 100 + number
    heard = (neighbor(uplink, None, remote_chassis_id=mac(101)),) if uplink else None
    return facts(
        f"10.0.0.{own}",
        interface("vlan1", mac(own), f"10.0.0.{own}/24"),
        name=f"sw{number}",
        serial=f"SWSERIAL{number}",
        chassis_id=mac(own),
        device_type=DeviceType.SWITCH,
        neighbors=heard,
        mac_table=tuple(MacTableEntry(mac=mac(m), vlan=20, interface=p) for p, m in ports),
    )
