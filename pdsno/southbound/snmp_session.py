"""One SNMP conversation with one agent, over gufo-snmp; its errors become ours here."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from gufo.snmp import (
    Aes128Key,
    Aes192Key,
    Aes256Key,
    BaseAuthKey,
    BasePrivKey,
    DesKey,
    Md5Key,
    Sha1Key,
    Sha224Key,
    Sha256Key,
    Sha384Key,
    Sha512Key,
    SnmpAuthError,
    SnmpError,
    SnmpVersion,
    User,
)
from gufo.snmp.aio import SnmpSession as GufoSession
from gufo.snmp.policer import BasePolicer, RPSPolicer

from pdsno.domain.errors import OperationError, RemoteProtocolError, TransientError
from pdsno.southbound.credentials import SnmpCredential, SnmpV2cCredential, SnmpV3Credential
from pdsno.southbound.mibs.system import SYS_OBJECT_ID
from pdsno.southbound.mibs.varbinds import Value, Varbinds
from pdsno.southbound.snmp_relay import SnmpRelay

T = TypeVar("T")

_SMALL_ANSWER = 4
"""Rows in an answer, for agents that garble or cut larger ones."""

_AUTH_KEYS: dict[str, type[BaseAuthKey]] = {
    "MD5": Md5Key,
    "SHA": Sha1Key,
    "SHA224": Sha224Key,
    "SHA256": Sha256Key,
    "SHA384": Sha384Key,
    "SHA512": Sha512Key,
}
_PRIV_KEYS: dict[str, type[BasePrivKey]] = {
    "DES": DesKey,
    "AES": Aes128Key,
    "AES192": Aes192Key,
    "AES256": Aes256Key,
}


class SnmpTimeoutError(TransientError):
    """Nothing came back: no agent there, or (v2c) a community that it does not know.

    `is_agent_known`: it answered an SNMPv3 discovery before, so only this request met silence.
    """

    def __init__(self, message: str, *, is_agent_known: bool = False) -> None:
        super().__init__(message)
        self.is_agent_known = is_agent_known


class SnmpUnreachableError(TransientError):
    """The network says that there is no way to the device."""


class SnmpAuthenticationError(OperationError):
    """The agent is there and refuses the user."""


class SnmpProtocolError(RemoteProtocolError):
    """The agent's answer is no sound SNMP."""


class SnmpEndlessError(SnmpProtocolError):
    """A walk goes in circles or beyond all bounds; `rows` are what came before."""

    def __init__(self, message: str, rows: Varbinds) -> None:
        super().__init__(message)
        self.rows = rows


@dataclass(frozen=True, kw_only=True, slots=True)
class SnmpOptions:
    """How patient and how polite.

    A request is sent `tries` times, `timeout_s` apart; an agent that is known to be there gets
    `walk_timeout_s` for each, since a busy one is slow. `requests_per_s` holds for one device,
    through whatever sessions. One walk ends at `max_rows` rows or `max_bytes` of text, and one
    device at `device_deadline_s`, whatever it has left to say.
    """

    timeout_s: float = 1.0
    walk_timeout_s: float = 5.0
    tries: int = 2
    requests_per_s: float = 50.0
    max_repetitions: int = 25
    max_rows: int = 50_000
    max_bytes: int = 8 * 1024 * 1024
    device_deadline_s: float = 60.0


class SnmpSession:
    """An open session. Not for use by two tasks at a time: one request is under way at most."""

    def __init__(self, session: GufoSession, options: SnmpOptions, relay: SnmpRelay | None) -> None:
        self._session = session
        self._options = options
        self._relay = relay
        self._has_answered = False
        self._has_bulk = False

    @property
    def answered_from(self) -> str | None:
        """The address that answers, where it is another than the one asked."""
        return self._relay.answered_from if self._relay else None

    async def get(self, oids: Iterable[str]) -> Varbinds:
        """Return the values that the agent has; those it has not are missing.

        Raises SnmpTimeoutError, SnmpAuthenticationError, SnmpProtocolError, SnmpUnreachableError.
        """
        wanted = list(oids)
        return await self._persist(lambda: self._session.get_many(wanted))

    async def walk(self, root: str) -> Varbinds:
        """Return everything beneath `root`; empty if the agent has nothing there.

        What an agent cannot say in large answers is asked again in small ones, and then row by
        row. Raises as `get`, and SnmpEndlessError for a walk that comes to no end.
        """
        for size in (self._options.max_repetitions, _SMALL_ANSWER):
            try:
                rows = await self._walk(root, self._session.getbulk(root, size))
                if await self._is_whole(root, rows, size):
                    return rows
            except SnmpEndlessError:
                raise
            except SnmpProtocolError:
                continue
        return await self._walk(root, self._session.getnext(root))

    async def _is_whole(self, root: str, rows: Varbinds, size: int) -> bool:
        """Tell whether a walk ended because the table did.

        gufo-snmp takes an error status (tooBig, genErr, noSuchName for GETBULK as such) for the
        end. A walk that ends within an answer has seen what follows the table; one that ends
        with a full answer, or has no row at all, is looked at again in another way.
        """
        if len(rows) % size:
            self._has_bulk = True
            return True
        if rows:
            again = await self._walk(root, self._session.getbulk(root, size - 1))
            return again.keys() == rows.keys()
        return self._has_bulk or await self._nothing_follows(root)

    async def _nothing_follows(self, root: str) -> bool:
        try:
            await self._persist(self._session.getnext(root).__anext__)
        except StopAsyncIteration:
            return True
        return False

    async def _walk(self, root: str, told: AsyncIterator[tuple[str, Value]]) -> Varbinds:
        rows: dict[str, Value] = {}
        size = 0
        while True:
            try:
                oid, value = await self._persist(told.__anext__)
            except StopAsyncIteration:
                return rows
            size += len(value) if isinstance(value, bytes | str) else 0
            if oid in rows:
                raise SnmpEndlessError(f"the walk of {root} goes in circles", rows)
            if len(rows) >= self._options.max_rows or size > self._options.max_bytes:
                raise SnmpEndlessError(f"{root} cut after {len(rows)} rows", rows)
            rows[oid] = value

    async def first(self, root: str) -> str | None:
        """Return the first OID beneath `root` that the agent has. Raises as `get`."""
        try:
            oid, _ = await self._persist(self._session.getbulk(root, 1).__anext__)
        except StopAsyncIteration:
            return None
        return oid

    async def _persist(self, request: Callable[[], Awaitable[T]]) -> T:
        for last in (False,) * (self._options.tries - 1) + (True,):
            try:
                answer = await _translated(request)
            except SnmpTimeoutError:
                if last:
                    raise
            except SnmpAuthenticationError:
                # It took us a moment ago: its clock or its boot counter moved (RFC 3414, 3.2).
                if last or not self._has_answered:
                    raise
                await _translated(self._session.refresh)
            else:
                self._has_answered = True
                return answer
        raise SnmpTimeoutError("no answer")


async def _translated(request: Callable[[], Awaitable[T]]) -> T:
    try:
        return await request()
    except TimeoutError as error:
        raise SnmpTimeoutError("no answer") from error
    except SnmpAuthError as error:
        raise SnmpAuthenticationError("the agent refuses the user or its keys") from error
    except SnmpError as error:
        raise SnmpProtocolError(f"malformed answer: {error}") from error
    except ConnectionRefusedError as error:
        raise SnmpTimeoutError("the port is closed") from error
    except OSError as error:
        raise SnmpUnreachableError(error.strerror or "cannot send") from error


@asynccontextmanager
async def open_session(
    address: str,
    credential: SnmpCredential,
    options: SnmpOptions,
    *,
    through_relay: bool = False,
    pace: BasePolicer | None = None,
) -> AsyncIterator[SnmpSession]:
    """Open a session (v3: discover the engine ID first). Raises as `SnmpSession.get`.

    Sessions that share a `pace` share its requests per second; without one it is the session's.
    """
    async with AsyncExitStack() as stack:
        relay = None
        target, port = address, credential.port
        if through_relay:
            relay = await stack.enter_async_context(SnmpRelay(address, port))
            target, port = "127.0.0.1", relay.port
        user = None if isinstance(credential, SnmpV2cCredential) else _user(credential)
        pace = pace or RPSPolicer(options.requests_per_s)
        session = _gufo(target, port, credential, user, options, pace)
        try:
            await _translated(session.refresh)
        except SnmpTimeoutError as error:
            raise SnmpTimeoutError(str(error), is_agent_known=_has_engine(session, user)) from error
        yield SnmpSession(session, options, relay)


async def speaks_version_1(
    address: str, credential: SnmpV2cCredential, options: SnmpOptions, pace: BasePolicer
) -> bool:
    """Tell whether an agent that is silent to SNMPv2c answers SNMPv1."""
    session = GufoSession(
        address,
        port=credential.port,
        community=credential.community,
        version=SnmpVersion.v1,
        timeout=options.timeout_s,
        policer=pace,
    )
    try:
        await session.get(SYS_OBJECT_ID)
    except SnmpError:
        return True
    except (TimeoutError, OSError):
        return False
    return True


def _has_engine(session: GufoSession, user: User | None) -> bool:
    return user is not None and bool(session.get_engine_id())


def _gufo(
    address: str,
    port: int,
    credential: SnmpCredential,
    user: User | None,
    options: SnmpOptions,
    pace: BasePolicer,
) -> GufoSession:
    community = credential.community if isinstance(credential, SnmpV2cCredential) else ""
    try:
        return GufoSession(
            address,
            port=port,
            community=community,
            user=user,
            timeout=options.timeout_s,
            policer=pace,
        )
    except OSError as error:
        raise SnmpUnreachableError(error.strerror or "cannot open a socket") from error


def _user(credential: SnmpV3Credential) -> User:
    auth = priv = None
    if credential.auth_protocol and credential.auth_password:
        auth = _AUTH_KEYS[credential.auth_protocol](credential.auth_password.encode())
    if credential.priv_protocol and credential.priv_password:
        priv = _PRIV_KEYS[credential.priv_protocol](credential.priv_password.encode())
    return User(credential.user, auth_key=auth, priv_key=priv)
