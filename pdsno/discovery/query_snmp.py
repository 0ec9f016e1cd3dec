"""Asks candidates by SNMP: who are you, and then, of each agent once, everything."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pdsno.discovery.query_round import Candidate, Claims, Round, StepCounter, elsewhere
from pdsno.domain.observations import Method, Outcome, Probe
from pdsno.southbound.credentials import SnmpCredential
from pdsno.southbound.snmp import SnmpAnswer, SnmpIdentity, SnmpQuerier

_GROUPS_AT_A_TIME = 8
"""Candidates are asked in groups of equal credentials; an inventory may have one per host."""

_Waiting = list[tuple[Candidate, SnmpIdentity]]


def ask_by_snmp(candidates: Sequence[Candidate], round_: Round) -> None:
    """Ask each candidate who it is, and of each agent everything, into the ledger.

    Not asked are those whom an earlier round asked, for whom there are no credentials, or who are
    silent.
    """
    ledger = round_.ledger
    candidates = [c for c in candidates if not c.is_silent]
    groups: dict[tuple[SnmpCredential, ...], list[str]] = defaultdict(list)
    for candidate in candidates:
        credentials = round_.access.snmp_for(candidate.address)
        if credentials and not ledger.was_asked(candidate.address, Method.SNMP):
            groups[credentials].append(candidate.address)
    asked = {address for addresses in groups.values() for address in addresses}
    found = _identify(groups, round_)
    waiting: _Waiting = []
    for candidate in candidates:
        answer = found.get(candidate.address)
        if answer is not None and answer.identity is not None:
            _remember(answer.identity, round_)
            waiting.append((candidate, answer.identity))
        elif answer is not None:
            ledger.probe(candidate.address, answer.probe)
    ledger.not_tried(
        (c.address for c in candidates if c.address in asked and c.address not in found),
        Method.SNMP,
        round_.why_stopped(),
    )
    _collect(waiting, round_)


def _remember(identity: SnmpIdentity, round_: Round) -> None:
    access = round_.access
    access.memory.snmp_worked(access.namespace, identity.address, identity.credential.name)


def _identify(
    groups: dict[tuple[SnmpCredential, ...], list[str]], round_: Round
) -> dict[str, SnmpAnswer]:
    counter = StepCounter("snmp", sum(map(len, groups.values())), round_.on_step)

    def ask(credentials: tuple[SnmpCredential, ...]) -> dict[str, SnmpAnswer]:
        if round_.stop.is_set():
            return {}
        querier = _querier(credentials, round_, share=min(len(groups), _GROUPS_AT_A_TIME))
        return querier.identify(groups[credentials], lambda _: counter.tick())

    found: dict[str, SnmpAnswer] = {}
    with ThreadPoolExecutor(_GROUPS_AT_A_TIME, thread_name_prefix="snmp") as pool:
        for answers in pool.map(ask, groups):
            found.update(answers)
    return found


def _querier(credentials: Sequence[SnmpCredential], round_: Round, share: int = 1) -> SnmpQuerier:
    return SnmpQuerier(
        credentials,
        stop=round_.stop,
        options=round_.limits.snmp_options,
        parallel=max(1, round_.limits.snmp_parallel // share),
    )


def _collect(waiting: _Waiting, round_: Round) -> None:
    """Walk agent after agent; an address that an agent claims is not walked again."""
    ledger = round_.ledger
    claims = Claims(f for f in ledger.facts if f.source == Method.SNMP)
    waiting = _unclaimed(waiting, claims, round_)
    cut: _Waiting = []
    while waiting and not round_.stop.is_set():
        wave = _one_per_agent(waiting)
        querier = _querier([identity.credential for _, identity in wave], round_)
        told = querier.collect([identity for _, identity in wave], _keep_in(round_, claims))
        cut += [item for item in wave if item[1].address not in told]
        asked = {identity.address for _, identity in wave}
        waiting = _unclaimed([i for i in waiting if i[1].address not in asked], claims, round_)
    for candidate, identity in (*cut, *waiting):
        ledger.probe(candidate.address, _cut_short(identity, round_.why_stopped()))


def _keep_in(round_: Round, claims: Claims) -> Callable[[SnmpAnswer], None]:
    def keep(answer: SnmpAnswer) -> None:
        round_.ledger.probe(answer.address, answer.probe, answer.facts)
        if answer.facts is not None:
            claims.add(answer.facts)

    return keep


def _cut_short(identity: SnmpIdentity, reason: str) -> Probe:
    """It is there and takes the credential; only its facts are missing."""
    detail = f"credential {identity.credential.name}; not read to the end: {reason}"
    return Probe(method=Method.SNMP, outcome=Outcome.TIMEOUT, detail=detail)


def _one_per_agent(waiting: _Waiting) -> _Waiting:
    """Return the first address of each agent; agents that cannot be told apart all go."""
    first: dict[tuple[str, ...], tuple[Candidate, SnmpIdentity]] = {}
    for item in waiting:
        first.setdefault(item[1].key or (item[1].address,), item)
    return list(first.values())


def _unclaimed(waiting: _Waiting, claims: Claims, round_: Round) -> _Waiting:
    left = []
    for candidate, identity in waiting:
        at = claims.queried_at(candidate)
        if at is None:
            left.append((candidate, identity))
        else:
            round_.ledger.probe(candidate.address, elsewhere(Method.SNMP, at))
    return left
