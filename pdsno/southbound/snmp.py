"""Asks devices by SNMP: first who they are (one request), then everything they tell."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

import structlog
from gufo.snmp.policer import BasePolicer, RPSPolicer

from pdsno.domain.observations import Facts, Method, Outcome, Probe
from pdsno.southbound.credentials import SnmpCredential, SnmpV2cCredential, SnmpV3Credential
from pdsno.southbound.mibs.system import System
from pdsno.southbound.snmp_collect import (
    Collected,
    Walker,
    collect,
    read_identity,
    shows_anything,
)
from pdsno.southbound.snmp_contexts import open_context
from pdsno.southbound.snmp_facts import INTERFACES, build_facts
from pdsno.southbound.snmp_session import (
    SnmpAuthenticationError,
    SnmpOptions,
    SnmpProtocolError,
    SnmpSession,
    SnmpTimeoutError,
    SnmpUnreachableError,
    open_session,
    speaks_version_1,
)

log = structlog.get_logger()

T = TypeVar("T")

_ERRORS = (
    SnmpTimeoutError,
    SnmpAuthenticationError,
    SnmpProtocolError,
    SnmpUnreachableError,
)

_STOP_POLL_S = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class SnmpIdentity:
    """An agent that answered: who it says it is, and the credential that it took."""

    address: str
    credential: SnmpCredential
    system: System
    through_relay: bool = False

    @property
    def key(self) -> tuple[str, ...] | None:
        """What is equal at every address of one agent; None if that cannot be told.

        A hint for the order of queries, no proof: engine IDs get cloned with their machines.
        """
        if self.system.engine_id is None:
            return None
        return (self.system.engine_id, self.system.name or "", self.system.descr or "")


@dataclass(frozen=True, kw_only=True, slots=True)
class SnmpAnswer:
    """What came of asking one address: facts if it told, and the probe for the record."""

    address: str
    probe: Probe
    facts: Facts | None = None
    identity: SnmpIdentity | None = None


class SnmpQuerier:
    """Queries many devices at once from one thread; `parallel` bounds how many.

    A set `stop` ends all requests within a fraction of a second; what had not answered then is
    missing from the results.
    """

    def __init__(
        self,
        credentials: Sequence[SnmpCredential],
        *,
        stop: threading.Event | None = None,
        options: SnmpOptions | None = None,
        parallel: int = 64,
    ) -> None:
        self._credentials = tuple(credentials)
        self._stop = stop or threading.Event()
        self._options = options or SnmpOptions()
        self._parallel = parallel
        self._paces: dict[str, BasePolicer] = {}

    def identify(
        self, addresses: Sequence[str], on_done: Callable[[SnmpAnswer], None] | None = None
    ) -> dict[str, SnmpAnswer]:
        """Ask each address who it is, with each credential; answers by address, in order."""
        return self._run(addresses, self._identify, on_done)

    def collect(
        self,
        identities: Sequence[SnmpIdentity],
        on_done: Callable[[SnmpAnswer], None] | None = None,
    ) -> dict[str, SnmpAnswer]:
        """Ask each identified agent for everything; answers by address, in order."""
        by_address = {item.address: item for item in identities}

        async def one(address: str) -> SnmpAnswer:
            return await self._collect(by_address[address])

        return self._run(list(by_address), one, on_done)

    def _run(
        self,
        addresses: Sequence[str],
        ask: Callable[[str], Coroutine[None, None, SnmpAnswer]],
        on_done: Callable[[SnmpAnswer], None] | None,
    ) -> dict[str, SnmpAnswer]:
        if not self._credentials or not addresses:
            return {}
        return asyncio.run(self._ask_all(addresses, ask, on_done))

    async def _ask_all(
        self,
        addresses: Sequence[str],
        ask: Callable[[str], Coroutine[None, None, SnmpAnswer]],
        on_done: Callable[[SnmpAnswer], None] | None,
    ) -> dict[str, SnmpAnswer]:
        room = asyncio.Semaphore(self._parallel)
        answers: dict[str, SnmpAnswer] = {}

        async def one(address: str) -> None:
            async with room:
                answer = await _guarded(ask, address)
                answers[address] = answer
                if on_done is not None:
                    on_done(answer)

        tasks = [asyncio.create_task(one(address)) for address in addresses]
        waiting = set(tasks)
        while waiting:
            if self._stop.is_set():
                for task in waiting:
                    task.cancel()
            done, waiting = await asyncio.wait(waiting, timeout=_STOP_POLL_S)
            for task in done:
                if not task.cancelled():
                    task.result()
        return {address: answers[address] for address in addresses if address in answers}

    # --- who is there --------------------------------------------------------------------

    def _pace(self, address: str) -> BasePolicer:
        """Return what slows down all sessions with one device."""
        return self._paces.setdefault(address, RPSPolicer(self._options.requests_per_s))

    async def _identify(self, address: str) -> SnmpAnswer:
        """Try credential after credential: one request is under way at a time."""
        probes: list[Probe] = []
        for credential in self._credentials:
            found = await self._try(address, credential)
            if isinstance(found, SnmpIdentity):
                probe = Probe(
                    method=Method.SNMP,
                    outcome=Outcome.ANSWERED,
                    detail=f"credential {credential.name}",
                )
                return SnmpAnswer(address=address, probe=probe, identity=found)
            probes.append(found)
        return SnmpAnswer(address=address, probe=_worst(probes))

    async def _try(self, address: str, credential: SnmpCredential) -> SnmpIdentity | Probe:
        """Ask once directly, then once through a relay: an agent may answer from elsewhere."""
        failure = Probe(method=Method.SNMP, outcome=Outcome.TIMEOUT)
        once, pace = replace(self._options, tries=1), self._pace(address)
        for attempt in range(max(2, self._options.tries)):
            is_open = False
            try:
                async with open_session(
                    address, credential, once, through_relay=attempt > 0, pace=pace
                ) as session:
                    is_open = True
                    return await self._identity(address, credential, session)
            except SnmpTimeoutError as error:
                failure = _silence(credential, is_agent_known=is_open or error.is_agent_known)
            except (SnmpAuthenticationError, SnmpProtocolError, SnmpUnreachableError) as error:
                return _failed(credential, error)
        if isinstance(credential, SnmpV2cCredential) and await speaks_version_1(
            address, credential, once, pace
        ):
            detail = f"credential {credential.name}: the agent speaks SNMPv1 only"
            return Probe(method=Method.SNMP, outcome=Outcome.NOT_SUPPORTED, detail=detail)
        return failure

    @staticmethod
    async def _identity(
        address: str, credential: SnmpCredential, session: SnmpSession
    ) -> SnmpIdentity:
        system, _ = await read_identity(session)
        if system.is_empty and not await shows_anything(session):
            raise SnmpAuthenticationError("the agent answers and shows nothing to this credential")
        return SnmpIdentity(
            address=address,
            credential=credential,
            system=system,
            through_relay=session.answered_from not in (None, address),
        )

    # --- everything ----------------------------------------------------------------------

    async def _collect(self, identity: SnmpIdentity) -> SnmpAnswer:
        address, credential = identity.address, identity.credential
        collected = Collected()
        source = None
        try:
            async with (
                asyncio.timeout(self._options.device_deadline_s),
                self._open(identity, credential) as session,
            ):
                source = session.answered_from
                await collect(session, collected, lambda vlan: self._context(identity, vlan))
                source = session.answered_from
        except (TimeoutError, *_ERRORS) as error:
            if INTERFACES not in collected.told:
                probe = self._cut_short(identity, error)
                return SnmpAnswer(address=address, probe=probe, identity=identity)
            collected.problems["the rest"] = self._cut_short(identity, error).detail or "timeout"
        facts = build_facts(
            address,
            collected.varbinds,
            datetime.now(UTC),
            told=collected.told,
            contexts=collected.contexts,
        )
        details = [f"credential {credential.name}"]
        if source not in (None, address):
            details.append(f"answers from {source}")
        details += [f"{name} not read: {reason}" for name, reason in collected.problems.items()]
        probe = Probe(method=Method.SNMP, outcome=Outcome.ANSWERED, detail="; ".join(details))
        return SnmpAnswer(address=address, probe=probe, facts=facts, identity=identity)

    def _cut_short(self, identity: SnmpIdentity, error: Exception) -> Probe:
        if isinstance(error, TimeoutError):
            detail = f"timeout, not done after {self._options.device_deadline_s:g} s"
            return Probe(method=Method.SNMP, outcome=Outcome.TIMEOUT, detail=detail)
        return _failed(identity.credential, error)

    def _open(
        self, identity: SnmpIdentity, credential: SnmpCredential
    ) -> AbstractAsyncContextManager[SnmpSession]:
        slow = max(self._options.timeout_s, self._options.walk_timeout_s)
        return open_session(
            identity.address,
            credential,
            replace(self._options, timeout_s=slow),
            through_relay=identity.through_relay,
            pace=self._pace(identity.address),
        )

    def _context(self, identity: SnmpIdentity, vlan: int) -> AbstractAsyncContextManager[Walker]:
        """Open a session in the context of a VLAN: `community@vlan`, in SNMPv3 `vlan-N`."""
        credential = identity.credential
        if isinstance(credential, SnmpV2cCredential):
            community = f"{credential.community}@{vlan}"
            return self._open(identity, replace(credential, community=community))
        return open_context(
            identity.address,
            credential,
            f"vlan-{vlan}",
            self._options,
            self._pace(identity.address),
        )


async def _guarded(
    ask: Callable[[str], Coroutine[None, None, SnmpAnswer]], address: str
) -> SnmpAnswer:
    """Record what nobody foresaw: one agent must not end the query of the others."""
    try:
        return await ask(address)
    except Exception as error:  # noqa: BLE001 - this is the loop over all agents
        log.warning("snmp_query_crashed", address=address, error=repr(error))
        probe = Probe(method=Method.SNMP, outcome=Outcome.FAILED, detail=type(error).__name__)
        return SnmpAnswer(address=address, probe=probe)


def _silence(credential: SnmpCredential, *, is_agent_known: bool) -> Probe:
    if isinstance(credential, SnmpV3Credential) and is_agent_known:
        # The engine answered its discovery; only a wrong privacy password is met with silence.
        detail = f"credential {credential.name}: no answer to encrypted requests"
        return Probe(method=Method.SNMP, outcome=Outcome.AUTHENTICATION_FAILED, detail=detail)
    return Probe(method=Method.SNMP, outcome=Outcome.TIMEOUT)


def _failed(credential: SnmpCredential, error: Exception) -> Probe:
    outcome = Outcome.FAILED
    detail = f"credential {credential.name}: {error}"
    if isinstance(error, SnmpAuthenticationError):
        outcome, detail = Outcome.AUTHENTICATION_FAILED, f"credential {credential.name}"
    elif isinstance(error, SnmpUnreachableError):
        outcome, detail = Outcome.UNREACHABLE, str(error)
    elif isinstance(error, SnmpTimeoutError):
        outcome, detail = Outcome.TIMEOUT, ""
    return Probe(method=Method.SNMP, outcome=outcome, detail=detail)


def _worst(probes: Sequence[Probe]) -> Probe:
    """Return the probe that tells most: a refusal shows that an agent is there."""
    refused = [p for p in probes if p.outcome is Outcome.AUTHENTICATION_FAILED]
    if refused:
        details = ", ".join(dict.fromkeys(p.detail for p in refused))
        return Probe(method=Method.SNMP, outcome=Outcome.AUTHENTICATION_FAILED, detail=details)
    order = (Outcome.NOT_SUPPORTED, Outcome.FAILED, Outcome.UNREACHABLE, Outcome.TIMEOUT)
    return min(probes, key=lambda p: order.index(p.outcome) if p.outcome in order else len(order))
