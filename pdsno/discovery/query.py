"""Asks what answered: by SNMP, then by SSH; a device that has ten addresses once, not ten times."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pdsno.discovery.sweep.pacing import Pacer
from pdsno.discovery.sweep.tcp import sweep_tcp
from pdsno.domain.observations import Facts, Method, Outcome, Probe
from pdsno.domain.resolve import facts_ips, facts_macs
from pdsno.southbound.credentials import Credentials
from pdsno.southbound.snmp import SnmpAnswer, SnmpIdentity, SnmpQuerier
from pdsno.southbound.snmp_session import SnmpOptions
from pdsno.southbound.ssh import MAX_WORKERS, SshAnswer, SshQuerier
from pdsno.southbound.ssh_session import SshOptions

_DONE = (Outcome.ANSWERED, Outcome.PARSER_FAILED)


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryLimits:
    """How many devices are asked at a time, and how patiently."""

    snmp_parallel: int = 64
    ssh_parallel: int = MAX_WORKERS
    ssh_port_timeout_s: float = 2.0
    snmp: SnmpOptions = field(default_factory=SnmpOptions)
    ssh: SshOptions = field(default_factory=SshOptions)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """An address that answered the sweep, with the MACs seen there."""

    address: str
    macs: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryStep:
    """Progress: `done` of `total` in this stage (`snmp` or `ssh`)."""

    stage: str
    done: int
    total: int


@dataclass(kw_only=True, slots=True)
class Answers:
    """What all queries told, and the probes made of each address."""

    facts: list[Facts] = field(default_factory=list)
    probes: dict[str, list[Probe]] = field(default_factory=dict)

    def add(self, address: str, probe: Probe, facts: Facts | None = None) -> None:
        """Keep what came of one query."""
        self.probes.setdefault(address, []).append(probe)
        if facts is not None:
            self.facts.append(facts)


def query_all(
    candidates: Sequence[Candidate],
    credentials: Credentials,
    *,
    stop: threading.Event,
    pacer: Pacer,
    limits: QueryLimits | None = None,
    on_step: Callable[[QueryStep], None] = lambda _: None,
) -> Answers:
    """Ask every candidate, each device once.

    An address that an answer claims as the device's own is not asked again, and its probe says
    where the device was queried; unless another MAC than the device's was seen there: then
    somebody else has the address. The order of the candidates decides which address is asked.
    """
    limits = limits or QueryLimits()
    answers = Answers()
    if credentials.snmp:
        snmp = SnmpQuerier(
            credentials.snmp, stop=stop, options=limits.snmp, parallel=limits.snmp_parallel
        )
        _query_snmp(candidates, snmp, answers, stop, on_step)
    if credentials.ssh and not stop.is_set():
        ssh = SshQuerier(
            credentials.ssh, stop=stop, options=limits.ssh, parallel=limits.ssh_parallel
        )
        asked = _with_open_port(candidates, credentials, answers, stop, pacer, limits)
        _query_ssh(asked, ssh, answers, stop, limits, on_step)
    return answers


class _Claims:
    """Which queried device says that an address is its own."""

    def __init__(self, facts: Iterable[Facts] = ()) -> None:
        self._by_ip: dict[str, Facts] = {}
        for item in facts:
            self.add(item)

    def add(self, facts: Facts) -> None:
        for ip in facts_ips(facts):
            self._by_ip.setdefault(ip, facts)

    def queried_at(self, candidate: Candidate) -> str | None:
        """Return where the device with this address was queried, if it was."""
        owner = self._by_ip.get(candidate.address)
        if owner is None or owner.address == candidate.address:
            return None
        macs = facts_macs(owner)
        if candidate.macs and macs and not candidate.macs & macs:
            return None
        return owner.address


def _query_snmp(
    candidates: Sequence[Candidate],
    snmp: SnmpQuerier,
    answers: Answers,
    stop: threading.Event,
    on_step: Callable[[QueryStep], None],
) -> None:
    counter = _Counter("snmp", len(candidates), on_step)
    found = snmp.identify([c.address for c in candidates], counter.tick)
    waiting: list[tuple[Candidate, SnmpIdentity]] = []
    for candidate in candidates:
        answer = found.get(candidate.address)
        if answer is not None and answer.identity is not None:
            waiting.append((candidate, answer.identity))
        elif answer is not None:
            answers.add(candidate.address, answer.probe)
    claims = _Claims()
    while waiting and not stop.is_set():
        wave = _one_per_agent(waiting)
        told = snmp.collect([identity for _, identity in wave])
        for answer in told.values():
            answers.add(answer.address, answer.probe, answer.facts)
            if answer.facts is not None:
                claims.add(answer.facts)
        asked = {identity.address for _, identity in wave}
        waiting = _unclaimed(
            [item for item in waiting if item[1].address not in asked], claims, answers
        )


def _one_per_agent(
    waiting: Sequence[tuple[Candidate, SnmpIdentity]],
) -> list[tuple[Candidate, SnmpIdentity]]:
    """Return the first address of each agent; agents that cannot be told apart all go."""
    first: dict[tuple[str, ...], tuple[Candidate, SnmpIdentity]] = {}
    for item in waiting:
        first.setdefault(item[1].key or (item[1].address,), item)
    return list(first.values())


def _unclaimed(
    waiting: Sequence[tuple[Candidate, SnmpIdentity]], claims: _Claims, answers: Answers
) -> list[tuple[Candidate, SnmpIdentity]]:
    left = []
    for candidate, identity in waiting:
        at = claims.queried_at(candidate)
        if at is None:
            left.append((candidate, identity))
        else:
            answers.add(candidate.address, _elsewhere(Method.SNMP, at))
    return left


def _elsewhere(method: Method, address: str) -> Probe:
    """It did answer here; its facts were read at another of its addresses."""
    return Probe(method=method, outcome=Outcome.ANSWERED, detail=f"queried at {address}")


def _with_open_port(
    candidates: Sequence[Candidate],
    credentials: Credentials,
    answers: Answers,
    stop: threading.Event,
    pacer: Pacer,
    limits: QueryLimits,
) -> list[Candidate]:
    """Return the candidates where some SSH port answers; note of the others why not."""
    ports = sorted({credential.port for credential in credentials.ssh})
    found = sweep_tcp(
        [c.address for c in candidates],
        pacer=pacer,
        stop=stop,
        ports=ports,
        timeout_s=limits.ssh_port_timeout_s,
    ).ports
    open_ = []
    for candidate in candidates:
        outcomes = [found[key] for port in ports if (key := (candidate.address, port)) in found]
        if Outcome.ANSWERED in outcomes:
            open_.append(candidate)
        elif outcomes:
            worst = Outcome.REFUSED if Outcome.REFUSED in outcomes else outcomes[0]
            answers.add(candidate.address, Probe(method=Method.SSH, outcome=worst))
    return open_


def _query_ssh(
    candidates: Sequence[Candidate],
    ssh: SshQuerier,
    answers: Answers,
    stop: threading.Event,
    limits: QueryLimits,
    on_step: Callable[[QueryStep], None],
) -> None:
    """Log in at the addresses where SNMP told first: they lead to each device once."""
    told = {f.address: f for f in answers.facts}
    by_snmp = _Claims(answers.facts)
    counter = _Counter("ssh", len(candidates), on_step)
    first = [c for c in candidates if c.address in told]
    later = [c for c in candidates if c.address not in told]
    claims = _Claims()
    for group in (first, later):
        waiting = list(group)
        while waiting and not stop.is_set():
            batch, waiting = waiting[: limits.ssh_parallel], waiting[limits.ssh_parallel :]
            asked = []
            for candidate in batch:
                at = _logged_in_at(candidate, claims, by_snmp, answers.probes)
                if at is None:
                    asked.append(candidate.address)
                else:
                    answers.add(candidate.address, _elsewhere(Method.SSH, at))
                    counter.tick(None)
            for answer in ssh.query(asked, counter.tick).values():
                answers.add(answer.address, answer.probe, answer.facts)
                if answer.facts is not None:
                    claims.add(answer.facts)


def _logged_in_at(
    candidate: Candidate,
    by_ssh: _Claims,
    by_snmp: _Claims,
    probes: Mapping[str, Sequence[Probe]],
) -> str | None:
    """Return where this candidate's device has told by SSH already."""
    at = by_ssh.queried_at(candidate)
    if at is not None:
        return at
    at = by_snmp.queried_at(candidate)
    told = at is not None and any(
        p.method is Method.SSH and p.outcome in _DONE for p in probes.get(at, ())
    )
    return at if told else None


class _Counter:
    """Counts answers, from several threads, and tells."""

    def __init__(self, stage: str, total: int, on_step: Callable[[QueryStep], None]) -> None:
        self._stage = stage
        self._total = total
        self._on_step = on_step
        self._done = 0
        self._lock = threading.Lock()

    def tick(self, _answer: SnmpAnswer | SshAnswer | None) -> None:
        with self._lock:
            self._done += 1
            step = QueryStep(stage=self._stage, done=self._done, total=self._total)
        self._on_step(step)
