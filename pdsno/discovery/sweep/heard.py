"""What sweeps of segments heard, put together per target."""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pdsno.discovery.sweep.choose import Segment
from pdsno.discovery.sweep.interfaces import LocalAddress
from pdsno.discovery.targets import Target, inside
from pdsno.domain.coverage import coverage_of
from pdsno.domain.observations import (
    Interruption,
    Method,
    Outcome,
    Probe,
    Sighting,
    SweepResult,
)

BY_POLICY = "by policy"
OUR_OWN = "an address of this machine"
STOPPED = "the sweep was stopped"


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetSweep:
    """The sweep of one target: the result, and what came of each of its addresses.

    `probes` has every address that a host of the target may have: those that policy keeps us
    from, and those that a sweep that was cut short did not come to, with the reason.
    """

    target: Target
    result: SweepResult
    probes: Mapping[str, tuple[Probe, ...]]


@dataclass(kw_only=True, slots=True)
class Heard:
    """The sweep of one segment while it goes on."""

    segment: Segment
    methods: tuple[Method, ...] = ()
    notes: list[str] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    covered: set[str] = field(default_factory=set)
    probes: dict[str, list[Probe]] = field(default_factory=lambda: defaultdict(list))
    lost: Interruption | None = None
    duration_s: float = 0.0

    def record(
        self,
        method: Method,
        asked: Iterable[str],
        sightings: Sequence[Sighting],
        failed: Mapping[str, Probe] | None = None,
    ) -> None:
        """Keep what one method found: an answer, a failure, or silence for each asked."""
        rtt = {s.address: s.rtt_ms for s in reversed(sightings)}
        for address in asked:
            probe = Probe(method=method, outcome=Outcome.SILENT)
            if address in rtt:
                probe = Probe(method=method, outcome=Outcome.ANSWERED, rtt_ms=rtt[address])
            elif failed and address in failed:
                probe = failed[address]
            self.probes[address].append(probe)
        source = self.segment.source
        lan = source.interface if source else None
        self.sightings.extend(replace(item, segment=lan) for item in sightings)

    def close(self, lost: Interruption | None, failure: str = "") -> None:
        """End the record: what was not asked is said, and silence on a dead link counts nothing."""
        self.lost = lost
        reason = failure or STOPPED
        if lost is not None:
            reason = f"{lost.reason.value}: {lost.detail}"
            self._forget_silence(reason)
        method = self.methods[0] if self.methods else method_of(self.segment.source)
        for address in self.segment.addresses:
            if address not in self.probes:
                why = "; ".join(self.notes) if not self.methods else reason
                self.probes[address].append(
                    Probe(method=method, outcome=Outcome.NOT_TRIED, detail=why)
                )

    def _forget_silence(self, reason: str) -> None:
        answered = {item.address for item in self.sightings}
        self.covered &= answered
        for address, made in self.probes.items():
            if address not in answered:
                self.probes[address] = [
                    replace(probe, outcome=Outcome.UNREACHABLE, detail=reason)
                    if probe.outcome is Outcome.SILENT
                    else probe
                    for probe in made
                ]


def method_of(source: LocalAddress | None) -> Method:
    """Return the method by which an address would have been asked."""
    return Method.ARP if source is not None else Method.ICMP


def assemble(target: Target, parts: Sequence[Heard], own: Sequence[LocalAddress]) -> TargetSweep:
    """Return the sweep of a target whose parts were swept each in its way."""
    is_complete = all(set(p.segment.addresses) <= p.covered for p in parts)
    probed: list[str] = []
    for part in parts:
        if set(part.segment.addresses) <= part.covered:
            probed += map(str, part.segment.prefixes)
        else:
            probed += sorted(part.covered)
    methods = {method for part in parts for method in part.methods}
    lost = [part.lost for part in parts if part.lost is not None]
    notes = [n for p in parts for n in (*p.notes, *_in_words(p.lost))]
    result = SweepResult(
        subnet=target.subnet,
        sightings=tuple(s for part in parts for s in part.sightings),
        probed=coverage_of("", probed).prefixes,
        duration_s=round(sum(part.duration_s for part in parts), 3),
        methods=tuple(method for method in Method if method in methods),
        is_complete=is_complete,
        notes=tuple(dict.fromkeys(f"{target.subnet}: {note}" for note in notes)),
        interruptions=tuple(dict.fromkeys(lost)),
    )
    probes = dict(_untouched(target, own))
    probes |= {a: tuple(items) for part in parts for a, items in part.probes.items()}
    return TargetSweep(target=target, result=result, probes=probes)


def _in_words(lost: Interruption | None) -> tuple[str, ...]:
    if lost is None:
        return ()
    return (f"{lost.reason.value}: {lost.detail}; only who answered before counts",)


def _untouched(
    target: Target, own: Sequence[LocalAddress]
) -> Iterable[tuple[str, tuple[Probe, ...]]]:
    """Yield who is not asked, whatever happens; what is excluded stays so if it is passive, too."""
    local = next((item for item in own if item.network.overlaps(target.network)), None)
    method = method_of(local if local is not None and local.can_arp else None)
    for item in own:
        if ipaddress.IPv4Address(item.address) in target.network:
            yield item.address, _unsent(method, Outcome.NOT_TRIED, OUR_OWN)
    for address in inside(target.network, target.passive_only):
        yield address, _unsent(method, Outcome.PASSIVE_ONLY, BY_POLICY)
    for address in inside(target.network, target.exclude):
        yield address, _unsent(method, Outcome.EXCLUDED, BY_POLICY)


def _unsent(method: Method, outcome: Outcome, why: str) -> tuple[Probe, ...]:
    return (Probe(method=method, outcome=outcome, detail=why),)
