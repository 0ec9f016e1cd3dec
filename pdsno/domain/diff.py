"""What a cycle changed: the devices just observed against those of the NIB.

Pure: takes values and returns what to write. A device is missing only after several cycles that
really asked for it; what was not probed is unknown, never absent. If very many would be gone at
once, it is more likely that we are blind: then none is, until an operator agrees.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pdsno.domain.addresses import base_ips
from pdsno.domain.constraints import NO_WORDS, Words
from pdsno.domain.coverage import Coverage
from pdsno.domain.describe import VendorOf, describe
from pdsno.domain.entities import Device, DeviceStatus, FieldSource, NewEvent
from pdsno.domain.life_cycle import change_events, event_of, held_event, is_changed
from pdsno.domain.making_rules import told_of
from pdsno.domain.makings import Joined, Told
from pdsno.domain.matching import Match, match
from pdsno.domain.messages import Absorbed
from pdsno.domain.observations import ObservedDevice
from pdsno.domain.ownership import adopt
from pdsno.domain.profiles import of_device, of_observed
from pdsno.domain.resolve import merge_observed


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """What to write after a cycle.

    `changed` are new and changed devices (new ones have version 0); `missed` did not answer, and
    still count as there; `seen` answered as they were. `strangers` are observed things that are
    endpoints: no device is made of them. `retired` are IDs of devices to forget. `held` is how
    many of the `asked` devices only the brake keeps active. `told` is, by device ID, why the
    findings of each are one device, `joined` which known ones turned out to be part of it.
    """

    changed: tuple[Device, ...]
    missed: tuple[Device, ...]
    seen: tuple[str, ...]
    absorbed: tuple[Absorbed, ...]
    events: tuple[NewEvent, ...]
    strangers: tuple[ObservedDevice, ...] = ()
    retired: tuple[str, ...] = ()
    held: int = 0
    asked: int = 0
    told: Mapping[str, Told] = field(default_factory=dict)
    joined: Mapping[str, tuple[Joined, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Brake:
    """Holds a mass disappearance: more than `percent` of the devices asked for, and `from_count`.

    Counted are the devices that would become inactive in one cycle.
    """

    percent: int = 30
    from_count: int = 10

    def holds(self, gone: int, asked: int) -> bool:
        """Tell whether so many are too many to be believed."""
        return gone >= self.from_count and gone * 100 > self.percent * asked


def never_a_stranger(_observed: ObservedDevice) -> bool:
    """Whatever answers is a device: the rule where nobody can be asked what it is."""
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Who compares, where and when, and by which rules.

    `is_stranger` tells which observed things become no devices; those that are known already
    stay. `accept_missing` releases the brake, by the word of `requested_by`. A device is forgotten
    when it was inactive for longer than `retire_after`; None keeps it. `words` are people's.
    """

    region: str
    local_controller: str
    coverage: Coverage
    now: datetime
    miss_limit: int
    mint: Callable[[], str]
    vendor_of: VendorOf
    is_stranger: Callable[[ObservedDevice], bool] = never_a_stranger
    brake: Brake = field(default_factory=Brake)
    accept_missing: bool = False
    requested_by: str = ""
    retire_after: timedelta | None = None
    words: Words = NO_WORDS


@dataclass(slots=True)
class _Work:
    """The delta as it grows."""

    scope: Scope
    changed: list[Device] = field(default_factory=list)
    missed: list[Device] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    absorbed: list[Absorbed] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    strangers: list[ObservedDevice] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    held: int = 0
    asked: int = 0
    told: dict[str, Told] = field(default_factory=dict)
    joined: dict[str, tuple[Joined, ...]] = field(default_factory=dict)
    answered: int = 0
    """How many devices that were there before are there now."""
    taken: set[tuple[str, str]] = field(default_factory=set)
    """Addresses, with namespace, at which somebody is now."""

    def event(self, kind: str, device: Device, **data: object) -> None:
        scope = self.scope
        told = event_of(
            kind,
            device,
            actor=scope.local_controller,
            now=scope.now,
            region=scope.region,
            data=data,
        )
        self.events.append(told)

    def join(self, into_id: str, device_id: str, because: Sequence[str]) -> None:
        scope = self.scope
        part = Joined(
            at=scope.now, other=device_id, because=tuple(because), by=scope.local_controller
        )
        self.joined[into_id] = (*self.joined.get(into_id, ()), part)


def diff(previous: Sequence[Device], observed: Sequence[ObservedDevice], scope: Scope) -> Delta:
    """Compare; every device of `previous` is of one NIB, `observed` of one cycle."""
    work = _Work(scope)
    ordered = sorted(previous, key=lambda d: d.device_id)
    profiles = [of_device(device, is_past=True) for device in ordered]
    absent: list[Device] = []
    seen = [of_observed(item) for item in observed]
    for matched in match(ordered, profiles, seen, scope.words):
        found = [observed[number] for number in matched.new]
        if found:
            _found(matched, found, work)
        else:
            absent += matched.known
    _absent(sorted(absent, key=lambda d: d.device_id), work)
    return Delta(
        changed=tuple(work.changed),
        missed=tuple(work.missed),
        seen=tuple(work.seen),
        absorbed=tuple(work.absorbed),
        events=tuple(work.events),
        strangers=tuple(work.strangers),
        retired=tuple(work.retired),
        held=work.held,
        asked=work.asked,
        told=work.told,
        joined=work.joined,
    )


# --- who is there ----------------------------------------------------------------------------


def _found(matched: Match, found: Sequence[ObservedDevice], work: _Work) -> None:
    scope = work.scope
    for item in found:
        work.taken |= {(item.namespace, s.address) for s in item.sightings}
        work.taken |= {(item.namespace, f.address) for f in item.facts}
    if not matched.known and all(scope.is_stranger(item) for item in found):
        work.strangers += found
        return
    keeper = min(matched.known, key=lambda d: (d.first_seen, d.device_id), default=None)
    for device in matched.known:
        work.answered += device.status is not DeviceStatus.INACTIVE
        if keeper is not None and device is not keeper:
            work.absorbed.append(Absorbed(device_id=device.device_id, into_id=keeper.device_id))
            because = [e.detail for e in matched.evidence]
            work.event("DEVICES_MERGED", device, into=keeper.device_id, because=because)
            work.join(keeper.device_id, device.device_id, because)
    others = [device for device in matched.known if device is not keeper]
    seen = merge_observed(found)
    device_id = keeper.device_id if keeper else scope.mint()
    work.told[device_id] = told_of(seen, by=scope.local_controller, device_id=device_id)
    device = describe(
        seen,
        adopt(keeper, others) if keeper else None,
        device_id=device_id,
        region=scope.region,
        local_controller=scope.local_controller,
        coverage=scope.coverage,
        vendor_of=scope.vendor_of,
    )
    if keeper is not None and not is_changed(keeper, device):
        work.seen.append(device.device_id)
        return
    work.changed.append(device)
    work.events += change_events(keeper, device, actor=scope.local_controller, now=scope.now)


# --- who is not ------------------------------------------------------------------------------


def _absent(devices: Sequence[Device], work: _Work) -> None:
    """Count misses; decide, about all of them together, who is gone."""
    scope = work.scope
    missed: list[Device] = []
    for device in devices:
        if device.status is DeviceStatus.INACTIVE:
            _retire(device, work)
        elif any(scope.coverage.covers(device.namespace, ip) for ip in base_ips(device)):
            missed.append(replace(device, missed=device.missed + 1))
    gone = [device for device in missed if device.missed >= scope.miss_limit]
    asked = work.asked = work.answered + len(missed)
    is_mass = scope.brake.holds(len(gone), asked)
    if is_mass and not scope.accept_missing:
        work.missed += missed
        work.held = len(gone)
        # Whoever was beyond the limit before was held then: it has been told.
        if all(device.missed == scope.miss_limit for device in gone):
            work.events.append(_brake_event("DISAPPEARANCE_HELD", gone, asked, scope))
        return
    work.missed += [device for device in missed if device.missed < scope.miss_limit]
    if is_mass:
        work.events.append(_brake_event("DISAPPEARANCE_ACCEPTED", gone, asked, scope))
    for device in gone:
        _lose(device, work)


def _brake_event(kind: str, gone: Sequence[Device], asked: int, scope: Scope) -> NewEvent:
    return held_event(
        kind,
        gone,
        asked=asked,
        actor=scope.local_controller,
        region=scope.region,
        now=scope.now,
        requested_by=scope.requested_by if kind == "DISAPPEARANCE_ACCEPTED" else "",
    )


def _lose(device: Device, work: _Work) -> None:
    """Make a device inactive. Addresses at which somebody else is now are no longer its own."""
    ips = tuple(ip for ip in device.ips if (device.namespace, ip) not in work.taken)
    managed = device.management_ip
    since = FieldSource(source="coverage", at=work.scope.now)
    gone = replace(
        device,
        status=DeviceStatus.INACTIVE,
        ips=ips,
        management_ip=None if (device.namespace, managed) in work.taken else managed,
        provenance={**device.provenance, "status": since},
    )
    work.changed.append(gone)
    work.event("DEVICE_INACTIVE", device, missed=device.missed, last_seen=device.last_seen)


def _retire(device: Device, work: _Work) -> None:
    """Forget a device that was inactive for long enough."""
    if work.scope.retire_after is None:
        return
    told = device.provenance.get("status")
    since = told.at if told else device.last_seen
    if work.scope.now - since <= work.scope.retire_after:
        return
    work.retired.append(device.device_id)
    work.event(
        "DEVICE_RETIRED",
        device,
        vendor=device.vendor,
        model=device.model,
        serial=device.serial,
        macs=list(device.macs[:10]),
        first_seen=device.first_seen,
        last_seen=device.last_seen,
    )
