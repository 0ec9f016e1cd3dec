"""Sweeps targets side by side; those that leave by one LAN share its pace."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from pdsno.discovery.sweep.arp import CHUNK, sweep_arp
from pdsno.discovery.sweep.choose import (
    Abilities,
    Segment,
    abilities,
    methods_for,
    segments_of,
)
from pdsno.discovery.sweep.heard import BY_POLICY, Heard, TargetSweep, assemble
from pdsno.discovery.sweep.icmp import NotPermittedError, sweep_icmp
from pdsno.discovery.sweep.interfaces import LocalAddress, local_addresses
from pdsno.discovery.sweep.neighbours import read_neighbours
from pdsno.discovery.sweep.pacing import Pacer
from pdsno.discovery.sweep.tcp import sweep_tcp
from pdsno.discovery.sweep.watch import Watch, Watched
from pdsno.discovery.targets import Target, inside
from pdsno.domain.errors import OperationError
from pdsno.domain.observations import Method, Outcome, Probe, Sighting

__all__ = ["SweepOptions", "TargetSweep", "sweep_targets"]

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
class _Ears:
    """Who hears of a sweep while it goes on."""

    progress: Callable[[int], None]
    sighting: Callable[[Sighting], None]
    swept: Callable[[Mapping[str, Sequence[Probe]]], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """What the sweep of a segment needs to know."""

    watched: Watched
    can: Abilities
    options: SweepOptions
    ears: _Ears

    @property
    def stop(self) -> threading.Event:
        return self.watched.stop

    @property
    def pacer(self) -> Pacer:
        return self.watched.pacer


def sweep_targets(
    targets: Sequence[Target],
    options: SweepOptions,
    *,
    stop: threading.Event,
    on_progress: Callable[[int], None] = lambda _: None,
    on_sighting: Callable[[Sighting], None] = lambda _: None,
    on_swept: Callable[[Mapping[str, Sequence[Probe]]], None] = lambda _: None,
) -> tuple[TargetSweep, ...]:
    """Sweep all targets; results in the order of the targets, whatever failed.

    From several threads, `on_progress` is told the number of packets just sent, `on_sighting` each
    answer as it comes, and `on_swept` what came of addresses that are through with all methods; a
    sweep that loses its link takes back what it told of silent ones: the result holds. A set
    `stop` ends the sweeps within a second or so; what was not asked is not covered then. A link
    or a gateway that is lost ends the sweeps that go that way, within about two seconds, and of
    those only who answered is covered.
    """
    own = local_addresses()
    can = abilities()
    ears = _Ears(progress=on_progress, sighting=on_sighting, swept=on_swept)
    segments = [s for target in targets for s in segments_of(target, own, options.interface)]
    pacers = {segment.leaves_by: Pacer(options.rate_pps, stop) for segment in segments}
    watched = [_watched(segment, pacers[segment.leaves_by]) for segment in segments]

    def sweep(item: Watched) -> Heard:
        job = _Job(watched=item, can=can, options=options, ears=ears)
        return _sweep_segment(job, watch)

    with (
        Watch(watched, own, stop) as watch,
        ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE, thread_name_prefix="sweep") as pool,
    ):
        heard = list(pool.map(sweep, watched))
    heard += [known for target in targets if (known := _known_quietly(target, own, options))]
    return tuple(
        assemble(target, [item for item in heard if item.segment.target is target], own)
        for target in targets
    )


def _watched(segment: Segment, pacer: Pacer) -> Watched:
    stop = threading.Event()
    return Watched(segment=segment, pacer=pacer.until(stop), stop=stop)


def _known_quietly(
    target: Target, own: Sequence[LocalAddress], options: SweepOptions
) -> Heard | None:
    """Return whom the kernel knows among those to whom nothing is sent; reading sends nothing."""
    allowed = set(inside(target.network, target.passive_only))
    allowed -= set(inside(target.network, target.exclude))
    near = [i for i in own if i.can_arp and i.network.overlaps(target.network)]
    if not allowed or not near:
        return None
    source = next((i for i in near if i.interface == options.interface), near[0])
    segment = Segment(
        target=target, prefixes=(), addresses=(), source=source, leaves_by=source.interface
    )
    heard = Heard(segment=segment)
    entries = read_neighbours(allowed, source.interface)
    passive = Probe(method=Method.ARP, outcome=Outcome.PASSIVE_ONLY, detail=BY_POLICY)
    for address in {item.address for item in entries}:
        heard.probes[address].append(passive)
    heard.record(Method.NEIGHBOUR_TABLE, sorted({s.address for s in entries}), entries)
    return heard if entries else None


def _sweep_segment(job: _Job, watch: Watch) -> Heard:
    segment = job.watched.segment
    heard = Heard(segment=segment, notes=list(segment.notes))
    started = time.monotonic()
    heard.methods, notes = methods_for(segment, job.can, job.options.methods)
    heard.notes += notes
    failure = ""
    try:
        if not job.stop.is_set():
            _ask(segment, heard, job)
    except OperationError as error:
        failure = str(error)
    except (OSError, NotPermittedError) as error:
        # One LAN that fails (its interface went away, no more sockets) must not end the others.
        log.warning("sweep_failed", subnet=segment.target.subnet, error=repr(error))
        failure = f"the sweep failed: {error}"
    if failure:
        heard.notes.append(failure)
    watch.end(job.watched)
    heard.close(job.watched.lost, failure)
    heard.duration_s = time.monotonic() - started
    return heard


def _ask(segment: Segment, heard: Heard, job: _Job) -> None:
    by_arp = Method.ARP in heard.methods and segment.source is not None
    size = CHUNK if by_arp else _NEIGHBOUR_BATCH
    if not by_arp and not segment.is_local:
        size = max(1, len(segment.addresses))
    for start in range(0, len(segment.addresses), size):
        if job.stop.is_set():
            break
        part = segment.addresses[start : start + size]
        if by_arp and segment.source is not None:
            _ask_by_arp(part, segment.source, heard, job)
        else:
            _ask_without_arp(segment, part, heard, job)
        job.ears.swept({a: tuple(heard.probes[a]) for a in part if a in heard.probes})


def _ask_by_arp(addresses: Sequence[str], source: LocalAddress, heard: Heard, job: _Job) -> None:
    found = sweep_arp(
        addresses,
        source,
        pacer=job.pacer,
        stop=job.stop,
        on_progress=job.ears.progress,
        on_sighting=job.ears.sighting,
    )
    heard.record(Method.ARP, [a for a in addresses if a in found.covered], found.sightings)
    heard.covered |= found.covered
    if found.failure:
        heard.notes.append(f"{source.interface}: {found.failure}")
        job.watched.fail(found.failure)
        return
    answered = [a for a in addresses if a in found.answered]
    if Method.ICMP in heard.methods and answered and not job.stop.is_set():
        _ping(answered, heard, job, passes=_RTT_PASSES)
    if Method.TCP in heard.methods:
        _connect(answered, heard, job)


def _ask_without_arp(segment: Segment, addresses: Sequence[str], heard: Heard, job: _Job) -> None:
    if Method.ICMP in heard.methods:
        _ping(addresses, heard, job)
    if Method.TCP in heard.methods:
        seen = {s.address for s in heard.sightings}
        _connect([a for a in addresses if a not in seen], heard, job)
    if Method.NEIGHBOUR_TABLE in heard.methods and segment.source is not None:
        entries = read_neighbours(addresses, segment.source.interface)
        for entry in entries:
            job.ears.sighting(entry)
        heard.record(Method.NEIGHBOUR_TABLE, sorted({s.address for s in entries}), entries)


def _ping(addresses: Sequence[str], heard: Heard, job: _Job, passes: int = 3) -> None:
    segment = heard.segment
    found = sweep_icmp(
        addresses,
        pacer=job.pacer,
        stop=job.stop,
        source=segment.source,
        passes=passes,
        on_progress=job.ears.progress,
        on_sighting=job.ears.sighting,
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


def _connect(addresses: Sequence[str], heard: Heard, job: _Job) -> None:
    found = sweep_tcp(
        addresses,
        pacer=job.pacer,
        stop=job.stop,
        source=heard.segment.source,
        on_progress=job.ears.progress,
        on_sighting=job.ears.sighting,
    )
    asked = [a for a in addresses if a in found.covered]
    heard.record(Method.TCP, asked, found.sightings)
    heard.covered |= found.covered
