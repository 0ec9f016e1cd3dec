"""One look at the network: sweep everything, then query what answered."""

import ipaddress
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pdsno.discovery.query import Answers, Candidate, QueryLimits, QueryStep, query_all
from pdsno.discovery.sweep.pacing import Pacer
from pdsno.discovery.sweep.run import SweepOptions, TargetSweep, sweep_targets
from pdsno.discovery.targets import Target
from pdsno.domain.coverage import Coverage, coverage_of
from pdsno.domain.observations import AddressOutcome, Facts, Method, Probe, Sighting, SweepResult
from pdsno.southbound.credentials import Credentials

STOPPED = "stopped before the end: what is missing here was not asked"


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
    was cut short, `is_complete` is False and `coverage` holds only what was really asked.
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


def observe(  # noqa: PLR0913 - everything that a look can be told
    targets: Sequence[Target],
    *,
    namespace: str,
    credentials: Credentials,
    query: bool,
    rate_pps: float | None,
    stop: threading.Event,
    progress: Callable[[Progress], None] | None = None,
    interface: str | None = None,
    methods: frozenset[Method] = frozenset(),
    limits: QueryLimits | None = None,
) -> Observations:
    """Sweep the targets, and with `query` ask what answered by SNMP and SSH.

    `rate_pps` paces each LAN (None: as fast as it goes). `progress` is called from several
    threads. A set `stop` ends it within seconds. Raises InputError for an unknown interface and
    OperationError where this machine's own addresses cannot be read; what single addresses or
    subnets do wrong is in the result.
    """
    started_at = datetime.now(UTC)
    tell = progress or (lambda _: None)
    options = SweepOptions(rate_pps=rate_pps, interface=interface, methods=methods)
    counter = _PacketCounter(targets, tell)
    sweeps = sweep_targets(targets, options, stop=stop, on_progress=counter.add)
    answers = Answers()
    if query and credentials and not stop.is_set():
        answers = query_all(
            _candidates(sweeps),
            credentials,
            stop=stop,
            pacer=Pacer(rate_pps, stop),
            limits=limits,
            on_step=lambda step: tell(_as_progress(step)),
        )
    return _observations(sweeps, answers, namespace, started_at, is_stopped=stop.is_set())


def _as_progress(step: QueryStep) -> Progress:
    return Progress(stage=step.stage, done=step.done, total=step.total)


class _PacketCounter:
    """Adds up packets of sweeps that run side by side."""

    def __init__(self, targets: Sequence[Target], tell: Callable[[Progress], None]) -> None:
        self._total = sum(t.network.num_addresses for t in targets) * 3
        self._tell = tell
        self._done = 0
        self._lock = threading.Lock()

    def add(self, packets: int) -> None:
        with self._lock:
            self._done += packets
            step = Progress(stage="sweep", done=min(self._done, self._total), total=self._total)
        self._tell(step)


def _candidates(sweeps: Sequence[TargetSweep]) -> list[Candidate]:
    """Return who answered, in the order of the targets and then of the addresses."""
    macs: dict[str, set[str]] = {}
    for sweep in sweeps:
        seen = sorted(sweep.result.sightings, key=lambda s: ipaddress.ip_address(s.address))
        for sighting in seen:
            found = macs.setdefault(sighting.address, set())
            if sighting.mac:
                found.add(sighting.mac)
    return [Candidate(address=a, macs=frozenset(found)) for a, found in macs.items()]


def _observations(
    sweeps: Sequence[TargetSweep],
    answers: Answers,
    namespace: str,
    started_at: datetime,
    *,
    is_stopped: bool,
) -> Observations:
    probes: dict[str, list[Probe]] = defaultdict(list)
    for sweep in sweeps:
        for address, made in sweep.probes.items():
            probes[address].extend(made)
    for address, asked in answers.probes.items():
        probes[address].extend(asked)
    outcomes = tuple(
        AddressOutcome(namespace=namespace, address=address, probes=tuple(probes[address]))
        for address in sorted(probes, key=ipaddress.ip_address)
    )
    notes = [note for sweep in sweeps for note in sweep.result.notes]
    return Observations(
        sightings=tuple(s for sweep in sweeps for s in sweep.result.sightings),
        facts=tuple(answers.facts),
        outcomes=outcomes,
        coverage=coverage_of(namespace, [p for s in sweeps for p in s.result.probed]),
        notes=tuple(dict.fromkeys([*notes, STOPPED] if is_stopped else notes)),
        started_at=started_at,
        finished_at=datetime.now(UTC),
        is_complete=not is_stopped and all(s.result.is_complete for s in sweeps),
        sweeps=tuple(sweep.result for sweep in sweeps),
    )
