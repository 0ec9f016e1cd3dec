"""One look at the network: sweep everything, query what answered, follow where that leads."""

import ipaddress
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pdsno.discovery.behind_jumps import silent_behind_jumps
from pdsno.discovery.crawl import Crawl
from pdsno.discovery.deadline import Deadline
from pdsno.discovery.ledger import QUERIES, UNSENT, Findings, Found, Ledger, address_order, swept
from pdsno.discovery.query import Candidate, QueryLimits, QueryStep, query_all
from pdsno.discovery.resume import Keeper
from pdsno.discovery.scope import ProbeScope
from pdsno.discovery.sweep.heard import STOPPED
from pdsno.discovery.sweep.interfaces import local_addresses
from pdsno.discovery.sweep.pacing import Pacer
from pdsno.discovery.sweep.run import SweepOptions, TargetSweep, sweep_targets
from pdsno.discovery.targets import Target
from pdsno.domain.coverage import Coverage, coverage_of
from pdsno.domain.observations import (
    AddressOutcome,
    Facts,
    Interruption,
    Method,
    Outcome,
    Probe,
    Sighting,
    SweepResult,
)
from pdsno.southbound.access import DeviceAccess

CUT_SHORT = "stopped before the end: what is missing here was not asked"

_UNHEARD = UNSENT | {Outcome.UNREACHABLE, Outcome.FAILED}
"""After these nobody knows whether somebody is at an address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far it is. `stage` is `sweep` (packets sent, of at most `total`), `snmp` or `ssh`."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Observations:
    """Everything one look found, unresolved, with the record of every address that was asked.

    `outcomes` are ordered by address. `sweeps` are in the order of the targets. Where a sweep
    was cut short, `is_complete` is False, `coverage` holds only what was really asked, and
    `interruptions` say why.
    """

    sightings: tuple[Sighting, ...]
    facts: tuple[Facts, ...]
    outcomes: tuple[AddressOutcome, ...]
    coverage: Coverage
    notes: tuple[str, ...]
    started_at: datetime
    finished_at: datetime
    is_complete: bool
    sweeps: tuple[SweepResult, ...] = ()
    interruptions: tuple[Interruption, ...] = ()


def observe(  # noqa: PLR0913 - everything that a look can be told
    targets: Sequence[Target],
    *,
    namespace: str,
    access: DeviceAccess,
    query: bool,
    limits: QueryLimits,
    stop: threading.Event,
    scope: ProbeScope | None = None,
    progress: Callable[[Progress], None] | None = None,
    on_found: Callable[[Found], None] | None = None,
    interface: str | None = None,
    methods: frozenset[Method] = frozenset(),
    kept: Findings | None = None,
    keep: Callable[[Findings], None] | None = None,
) -> Observations:
    """Sweep the targets, and with `query` ask what answered by SNMP and SSH.

    Whom devices name as neighbours, or hold in their ARP tables, is asked as well where `scope`
    (by default the targets) allows it. `progress` and `on_found` are called from several threads.
    A set `stop` ends the look within seconds, as does its deadline; what is missing then is on
    record as not tried. `keep` is given all findings about once a second; with what was `kept`, a
    later look asks only what is missing and tells everything. Raises InputError for an unknown
    interface and OperationError where this machine's own addresses cannot be read; what single
    addresses or subnets do wrong is in the result.
    """
    look = _Look(
        targets=targets,
        access=access,
        limits=limits,
        ledger=Ledger(kept, on_found or (lambda _: None)),
        scope=scope or scope_of(targets),
        tell=progress or (lambda _: None),
        deadline=Deadline(stop, limits.deadline_s),
    )
    started_at = datetime.now(UTC)
    with look.deadline, Keeper(look.ledger, keep):
        sweeps = _sweep(
            look, SweepOptions(rate_pps=limits.rate_pps, interface=interface, methods=methods), kept
        )
        crawled = _query(look, sweeps) if query and access else set[str]()
    return _observations(look, sweeps, crawled, namespace, started_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    """What the parts of one look share."""

    targets: Sequence[Target]
    access: DeviceAccess
    limits: QueryLimits
    ledger: Ledger
    scope: ProbeScope
    tell: Callable[[Progress], None]
    deadline: Deadline
    notes: list[str] = field(default_factory=list)


def scope_of(targets: Sequence[Target]) -> ProbeScope:
    """Return what may be asked by the word of the targets alone."""
    return ProbeScope(
        subnets=tuple(target.subnet for target in targets),
        exclude=tuple(hole for target in targets for hole in target.exclude),
        passive_only=tuple(quiet for target in targets for quiet in target.passive_only),
    )


# --- the sweep -------------------------------------------------------------------------------


def _sweep(look: _Look, options: SweepOptions, kept: Findings | None) -> tuple[TargetSweep, ...]:
    """Sweep what was not swept before; the results tell of both."""
    before = swept(kept.probes) if kept else set()
    counter = _PacketCounter(look.targets, look.tell, done=3 * len(before))
    sweeps = sweep_targets(
        [_without(target, before) for target in look.targets],
        options,
        stop=look.deadline.stop,
        on_progress=counter.add,
        on_sighting=look.ledger.see,
        on_swept=look.ledger.sweep,
    )
    for sweep in sweeps:
        made = {a: _with_reason(p, look.deadline) for a, p in sweep.probes.items()}
        look.ledger.sweep({a: probes for a, probes in made.items() if a not in before})
        for sighting in sweep.result.sightings:
            look.ledger.see(sighting)
    if kept is None:
        return sweeps
    return tuple(
        _with_earlier(sweep, target, kept.sightings, before)
        for sweep, target in zip(sweeps, look.targets, strict=True)
    )


def _without(target: Target, addresses: set[str]) -> Target:
    inside = sorted(a for a in addresses if ipaddress.IPv4Address(a) in target.network)
    return replace(target, exclude=(*target.exclude, *inside)) if inside else target


def _with_reason(probes: Sequence[Probe], deadline: Deadline) -> tuple[Probe, ...]:
    """Say why the sweep was stopped, which only the look knows."""
    return tuple(replace(p, detail=deadline.why()) if p.detail == STOPPED else p for p in probes)


def _with_earlier(
    sweep: TargetSweep, target: Target, sightings: Sequence[Sighting], addresses: set[str]
) -> TargetSweep:
    inside = {a for a in addresses if ipaddress.IPv4Address(a) in target.network}
    earlier = [s for s in sightings if s.address in inside]
    result = replace(
        sweep.result,
        sightings=(*earlier, *sweep.result.sightings),
        probed=coverage_of("", [*sweep.result.probed, *inside]).prefixes,
    )
    return replace(sweep, target=target, result=result)


class _PacketCounter:
    """Adds up packets of sweeps that run side by side."""

    def __init__(
        self, targets: Sequence[Target], tell: Callable[[Progress], None], done: int
    ) -> None:
        self._total = sum(t.network.num_addresses for t in targets) * 3
        self._tell = tell
        self._done = done
        self._lock = threading.Lock()

    def add(self, packets: int) -> None:
        with self._lock:
            self._done += packets
            step = Progress(stage="sweep", done=min(self._done, self._total), total=self._total)
        self._tell(step)


# --- the queries -----------------------------------------------------------------------------


def _query(look: _Look, sweeps: Sequence[TargetSweep]) -> set[str]:
    """Ask who answered, then where that leads; returns whom no sweep had heard."""
    heard = _candidates(look, sweeps)
    seen = {s.address for sweep in sweeps for s in sweep.result.sightings}
    silent, note = silent_behind_jumps(look.targets, seen, look.access, look.scope)
    if note:
        look.notes.append(note)
    candidates = [*heard, *silent]
    stop = look.deadline.stop
    pacer = Pacer(look.limits.rate_pps, stop)
    own = {item.address for item in local_addresses()}
    crawl = Crawl(look.scope, own.union(c.address for c in candidates))
    crawled: set[str] = set()
    while candidates:
        query_all(
            candidates,
            look.access,
            stop=stop,
            pacer=pacer,
            limits=look.limits,
            on_step=lambda step: look.tell(_as_progress(step)),
            ledger=look.ledger,
            why_stopped=look.deadline.why,
        )
        candidates = crawl.next_wave(look.ledger.facts, look.ledger)
        crawled.update(c.address for c in candidates)
    return crawled


def _as_progress(step: QueryStep) -> Progress:
    return Progress(stage=step.stage, done=step.done, total=step.total)


def _candidates(look: _Look, sweeps: Sequence[TargetSweep]) -> list[Candidate]:
    """Return who answered and may be asked: in the order of the targets, then of the addresses."""
    macs: dict[str, set[str]] = {}
    for sweep in sweeps:
        for sighting in sorted(sweep.result.sightings, key=lambda s: address_order(s.address)):
            found = macs.setdefault(sighting.address, set())
            if sighting.mac:
                found.add(sighting.mac)
    return [
        Candidate(address=address, macs=frozenset(found))
        for address, found in macs.items()
        if look.scope.verdict(address) is None
    ]


# --- the result ------------------------------------------------------------------------------


def _observations(
    look: _Look,
    sweeps: Sequence[TargetSweep],
    crawled: set[str],
    namespace: str,
    started_at: datetime,
) -> Observations:
    findings = look.ledger.findings()
    is_stopped = look.deadline.stop.is_set()
    late = look.deadline.interruption
    notes = [*(note for sweep in sweeps for note in sweep.result.notes), *look.notes]
    if is_stopped:
        notes.append(
            f"{look.deadline.why()}: what is missing here was not asked" if late else CUT_SHORT
        )
    asked = [a for a in crawled if _was_heard_out(findings.probes.get(a, ()))]
    return Observations(
        sightings=findings.sightings,
        facts=findings.facts,
        outcomes=look.ledger.outcomes(namespace),
        coverage=coverage_of(namespace, [*(p for s in sweeps for p in s.result.probed), *asked]),
        notes=tuple(dict.fromkeys(notes)),
        started_at=started_at,
        finished_at=datetime.now(UTC),
        is_complete=not is_stopped and all(s.result.is_complete for s in sweeps),
        sweeps=tuple(sweep.result for sweep in sweeps),
        interruptions=_distinct(
            [*(i for s in sweeps for i in s.result.interruptions), *([late] if late else [])]
        ),
    )


def _was_heard_out(probes: Sequence[Probe]) -> bool:
    return any(p.method in QUERIES and p.outcome not in _UNHEARD for p in probes)


def _distinct(interruptions: Sequence[Interruption]) -> tuple[Interruption, ...]:
    return tuple(dict.fromkeys(interruptions))
