"""Reports of a made-up network: the real cycle of a local controller, with the look left out.

Each report makes one device known or changes one, by which it is recognised at every tier.
"""

from collections import Counter
from datetime import UTC, datetime

from pdsno.discovery.cycle import record_cycle
from pdsno.discovery.observe import Observations
from pdsno.domain.coverage import coverage_of
from pdsno.domain.entities import Interface
from pdsno.domain.observations import Authority, Facts, Method, Sighting
from pdsno.domain.policy import LocalPolicy
from pdsno.domain.ports import NIB, NIBReader

DEVICES = 12
_ALL = 1_000_000
_AUTHORITY = Authority(source="a test")


def cycle_id(number: int) -> str:
    return f"made-up_{number:05d}"


def version(number: int) -> str:
    """Return the mark that report `number` leaves."""
    return f"r{number:05d}"


def record(nib: NIB, number: int, *, region: str, local_controller: str) -> None:
    """Write the cycle of report `number` (from 1) into a NIB, and its report into the outbox."""
    at, now = number % DEVICES, datetime.now(UTC)
    address, mac = f"10.99.0.{1 + at}", f"02:99:00:00:00:{at:02x}"
    port = Interface(name="eth0", mac=mac, ips=(f"{address}/24",))
    told = Facts(
        source="snmp",
        address=address,
        at=now,
        name=f"made-up-{at}",
        serial=f"SERIAL-{at}",
        os_version=version(number),
        interfaces=(port,),
    )
    found = Observations(
        sightings=(Sighting(address=address, mac=mac, method=Method.ARP, at=now),),
        facts=(told,),
        outcomes=(),
        coverage=coverage_of(region, (f"{address}/32",)),
        notes=(),
        started_at=now,
        finished_at=now,
        is_complete=True,
    )
    record_cycle(
        nib,
        found,
        cycle_id=cycle_id(number),
        region=region,
        local_controller=local_controller,
        subnets=(f"{address}/32",),
        authority=_AUTHORITY,
        local=LocalPolicy(controller_id=local_controller, subnets=("10.99.0.0/24",)),
        now=now,
    )


def recorded(nib: NIBReader) -> int:
    """Return how many reports were made: the events of a cycle are of its transaction."""
    done = nib.events(event_type="DISCOVERY_COMPLETED", limit=_ALL)
    return sum(event.subject.startswith("made-up_") for event in done)


def effects(nib: NIBReader) -> Counter[str]:
    """Return how often each report's mark came to a NIB, by its own log of changes."""
    marks: Counter[str] = Counter()
    for event in nib.events(event_type="DEVICE_CHANGED", limit=_ALL):
        new = event.data.get("changes", {}).get("os_version")
        if isinstance(new, list | tuple):
            marks[str(new[-1])] += 1
    return marks
