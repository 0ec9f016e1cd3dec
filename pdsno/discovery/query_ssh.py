"""Logs in to candidates by SSH, to each device once."""

import threading
from collections.abc import Mapping, Sequence

from pdsno.discovery.oui import vendor_of
from pdsno.discovery.query_ports import can_be_entered, with_open_port
from pdsno.discovery.query_round import Candidate, Claims, Round, StepCounter, elsewhere
from pdsno.domain.observations import Method, Outcome
from pdsno.southbound.hints import PlatformHint, hints_for
from pdsno.southbound.ssh import SshAnswer, SshQuerier

_DONE = (Outcome.ANSWERED, Outcome.PARSER_FAILED)


def ask_by_ssh(candidates: Sequence[Candidate], round_: Round) -> None:
    """Log in where there is a port to log in at, each device once, into the ledger.

    Not asked are those whom an earlier round asked, or for whom there are no credentials.
    Addresses where SNMP told come first: they lead to each device once. The others may belong to
    one device, so they go in batches, and each batch knows what the one before was told.
    """
    ledger = round_.ledger
    asked = [
        c
        for c in candidates
        if can_be_entered(c.address, round_) and not ledger.was_asked(c.address, Method.SSH)
    ]
    waiting = with_open_port(asked, round_)
    told = {f.address for f in ledger.facts if f.source == Method.SNMP}
    first = [c for c in waiting if c.address in told]
    later = [c for c in waiting if c.address not in told]
    logins = _LogIns(round_, total=len(waiting))
    if first:
        logins.batch(first)
    size = round_.limits.ssh_parallel
    for start in range(0, len(later), size):
        logins.batch(later[start : start + size])


class _LogIns:
    """The log-ins of one round."""

    def __init__(self, round_: Round, total: int) -> None:
        self._round = round_
        self._counter = StepCounter("ssh", total, round_.on_step)
        facts = round_.ledger.facts
        self._by_snmp = Claims(f for f in facts if f.source == Method.SNMP)
        self._by_ssh = Claims(f for f in facts if f.source == Method.SSH)
        self._told = {f.address: f for f in facts if f.source == Method.SNMP}
        self._announced = {a.address: a.text for f in facts for a in f.announcements}

    def batch(self, candidates: Sequence[Candidate]) -> None:
        """Log in to these at one time, except to devices that told already."""
        ledger, stop = self._round.ledger, self._round.stop
        asked: dict[str, PlatformHint | None] = {}
        for candidate in candidates:
            at = self._told_at(candidate)
            if at is None:
                asked[candidate.address] = self._hint(candidate)
            else:
                ledger.probe(candidate.address, elsewhere(Method.SSH, at))
                self._counter.tick()
        answered = self._ask(asked) if asked and not stop.is_set() else set()
        left = [address for address in asked if address not in answered]
        # The port is open: what is there is a device, that nobody had the time to read.
        reason = f"not asked, or not to the end: {self._round.why_stopped()}"
        ledger.not_tried(left, Method.SSH, reason)

    def _hint(self, candidate: Candidate) -> PlatformHint | None:
        """Return what the device seems to be; the session verifies it."""
        access, address = self._round.access, candidate.address
        at = self._by_snmp.queried_at(candidate) or address
        hints = hints_for(
            snmp_facts=self._told.get(at),
            announced=self._announced.get(address, ""),
            inventory=access.platforms.get(address),
            learned=access.memory.platform_at(access.namespace, address),
            makers=sorted(filter(None, map(vendor_of, candidate.macs))),
            nearby=access.memory.platform_near(access.namespace, address),
        )
        return hints[0] if hints else None

    def _ask(self, asked: Mapping[str, PlatformHint | None]) -> set[str]:
        answered: set[str] = set()
        lock = threading.Lock()

        def keep(answer: SshAnswer) -> None:
            with lock:
                if answer.address in answered:
                    return
                answered.add(answer.address)
                if answer.facts is not None:
                    self._by_ssh.add(answer.facts)
                    heard = answer.facts.announcements
                    self._announced.update((a.address, a.text) for a in heard)
            self._round.ledger.probe(answer.address, answer.probe, answer.facts)
            self._counter.tick()

        querier = SshQuerier(
            self._round.access,
            stop=self._round.stop,
            options=self._round.limits.ssh,
            parallel=self._round.limits.ssh_parallel,
            hints={address: hint for address, hint in asked.items() if hint is not None},
        )
        # What crashed is in the result alone.
        for answer in querier.query(list(asked), keep).values():
            keep(answer)
        return answered

    def _told_at(self, candidate: Candidate) -> str | None:
        """Return where this candidate's device has told by SSH already."""
        at = self._by_ssh.queried_at(candidate)
        if at is not None:
            return at
        at = self._by_snmp.queried_at(candidate)
        if at is None:
            return None
        probes = self._round.ledger.probes_of(at)
        has_told = any(p.method is Method.SSH and p.outcome in _DONE for p in probes)
        return at if has_told else None
