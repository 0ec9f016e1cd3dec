"""Sweeps targets side by side; those that leave by one LAN share its pace."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog

from pdsno.discovery.sweep.arp import sweep_arp
from pdsno.discovery.sweep.choose import (
    Abilities,
    Segment,
    abilities,
    methods_for,
    segments_of,
)
from pdsno.discovery.sweep.icmp import NotPermittedError, sweep_icmp
from pdsno.discovery.sweep.interfaces import local_addresses
from pdsno.discovery.sweep.neighbours import read_neighbours
from pdsno.discovery.sweep.pacing import Pacer
from pdsno.discovery.sweep.tcp import sweep_tcp
from pdsno.discovery.targets import Target
from pdsno.domain.coverage import coverage_of
from pdsno.domain.errors import OperationError
from pdsno.domain.observations import Method, Outcome, Probe, Sighting, SweepResult

log = structlog.get_logger()

_SIDE_BY_SIDE = 8
_NEIGHBOUR_BATCH = 256
"""The kernel keeps 1,024 neighbours for all its namespaces (gc_thresh3); an unanswered one
stays for seconds."""

_RTT_PASSES = 2
"""Pings of who answered ARP: for the round-trip time only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepOptions:
    """How to sweep. `rate_pps` is per LAN; None is as fast as it goes."""

    rate_pps: float | None = 100.0
    interface: str | None = None
    methods: frozenset[Method] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetSweep:
    """The sweep of one target: the result, and for each address asked what came of it."""

    target: Target
    result: SweepResult
    probes: Mapping[str, tuple[Probe, ...]]


@dataclass(kw_only=True, slots=True)
class _Heard:
    """The sweep of one segment while it goes on."""

    segment: Segment
    methods: tuple[Method, ...] = ()
    notes: list[str] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    covered: set[str] = field(default_factory=set)
    probes: dict[str, list[Probe]] = field(default_factory=lambda: defaultdict(list))
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
        self.sightings.extend(sightings)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """What the sweep of a segment needs to know."""

    pacer: Pacer
    stop: threading.Event
    can: Abilities
    options: SweepOptions
    on_progress: Callable[[int], None]


def sweep_targets(
    targets: Sequence[Target],
    options: SweepOptions,
    *,
    stop: threading.Event,
    on_progress: Callable[[int], None] = lambda _: None,
) -> tuple[TargetSweep, ...]:
    """Sweep all targets; results in the order of the targets, whatever failed.

    `on_progress` is called from several threads with the number of packets just sent. A set
    `stop` ends the sweeps within a second or so; what was not asked is not covered then.
    """
    own = local_addresses()
    can = abilities()
    segments = [s for target in targets for s in segments_of(target, own, options.interface)]
    pacers = {segment.leaves_by: Pacer(options.rate_pps, stop) for segment in segments}

    def sweep(segment: Segment) -> _Heard:
        pacer = pacers[segment.leaves_by]
        job = _Job(pacer=pacer, stop=stop, can=can, options=options, on_progress=on_progress)
        return _sweep_segment(segment, job)

    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE, thread_name_prefix="sweep") as pool:
        heard = list(pool.map(sweep, segments))
    return tuple(
        _assemble(target, [item for item in heard if item.segment.target is target])
        for target in targets
    )


def _sweep_segment(segment: Segment, job: _Job) -> _Heard:
    heard = _Heard(segment=segment, notes=list(segment.notes))
    started = time.monotonic()
    heard.methods, notes = methods_for(segment, job.can, job.options.methods)
    heard.notes += notes
    try:
        if not job.stop.is_set():
            _ask(segment, heard, job)
    except OperationError as error:
        heard.notes.append(str(error))
    except (OSError, NotPermittedError) as error:
        # One LAN that fails (its interface went away, no more sockets) must not end the others.
        log.warning("sweep_failed", subnet=segment.target.subnet, error=repr(error))
        heard.notes.append(f"the sweep failed: {error}")
    heard.duration_s = time.monotonic() - started
    return heard


def _ask(segment: Segment, heard: _Heard, job: _Job) -> None:
    if Method.ARP in heard.methods and segment.source is not None:
        found = sweep_arp(
            segment.addresses,
            segment.source,
            pacer=job.pacer,
            stop=job.stop,
            on_progress=job.on_progress,
        )
        heard.record(Method.ARP, _in_order(segment, found.covered), found.sightings)
        heard.covered |= found.covered
        answered = _in_order(segment, found.answered)
        if Method.ICMP in heard.methods and answered and not job.stop.is_set():
            _ping(answered, heard, job, passes=_RTT_PASSES)
        if Method.TCP in heard.methods:
            _connect(answered, heard, job)
        return
    size = _NEIGHBOUR_BATCH if segment.is_local else max(1, len(segment.addresses))
    for start in range(0, len(segment.addresses), size):
        if job.stop.is_set():
            break
        _ask_without_arp(segment, segment.addresses[start : start + size], heard, job)


def _ask_without_arp(segment: Segment, addresses: Sequence[str], heard: _Heard, job: _Job) -> None:
    if Method.ICMP in heard.methods:
        _ping(addresses, heard, job)
    if Method.TCP in heard.methods:
        seen = {s.address for s in heard.sightings}
        _connect([a for a in addresses if a not in seen], heard, job)
    if Method.NEIGHBOUR_TABLE in heard.methods and segment.source is not None:
        entries = read_neighbours(addresses, segment.source.interface)
        heard.record(Method.NEIGHBOUR_TABLE, sorted({s.address for s in entries}), entries)


def _ping(addresses: Sequence[str], heard: _Heard, job: _Job, passes: int = 3) -> None:
    segment = heard.segment
    found = sweep_icmp(
        addresses,
        pacer=job.pacer,
        stop=job.stop,
        source=segment.source,
        passes=passes,
        on_progress=job.on_progress,
    )
    failed = {
        address: Probe(method=Method.ICMP, outcome=Outcome.UNREACHABLE, detail=reason)
        for address, reason in found.unreachable.items()
    }
    asked = [a for a in addresses if a in found.covered or a in failed]
    heard.record(Method.ICMP, asked, found.sightings, failed)
    heard.covered |= found.covered
    if failed:
        reasons = ", ".join(sorted(set(found.unreachable.values())))
        heard.notes.append(f"{len(failed)} addresses could not be asked: {reasons}")


def _connect(addresses: Sequence[str], heard: _Heard, job: _Job) -> None:
    found = sweep_tcp(
        addresses,
        pacer=job.pacer,
        stop=job.stop,
        source=heard.segment.source,
        on_progress=job.on_progress,
    )
    asked = [a for a in addresses if a in found.covered]
    heard.record(Method.TCP, asked, found.sightings)
    heard.covered |= found.covered


def _in_order(segment: Segment, addresses: set[str]) -> list[str]:
    return [address for address in segment.addresses if address in addresses]


def _assemble(target: Target, parts: Sequence[_Heard]) -> TargetSweep:
    is_complete = all(set(p.segment.addresses) <= p.covered for p in parts)
    probed: list[str] = []
    for part in parts:
        if set(part.segment.addresses) <= part.covered:
            probed += map(str, part.segment.prefixes)
        else:
            probed += sorted(part.covered)
    methods = {method for part in parts for method in part.methods}
    result = SweepResult(
        subnet=target.subnet,
        sightings=tuple(s for part in parts for s in part.sightings),
        probed=coverage_of("", probed).prefixes,
        duration_s=round(sum(part.duration_s for part in parts), 3),
        methods=tuple(method for method in Method if method in methods),
        is_complete=is_complete,
        notes=tuple(dict.fromkeys(f"{target.subnet}: {n}" for p in parts for n in p.notes)),
    )
    probes = {a: tuple(items) for part in parts for a, items in part.probes.items()}
    return TargetSweep(target=target, result=result, probes=probes)
