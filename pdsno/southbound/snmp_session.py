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
    User,
)
from gufo.snmp.aio import SnmpSession as GufoSession

from pdsno.domain.errors import OperationError, RemoteProtocolError, TransientError
from pdsno.southbound.credentials import SnmpCredential, SnmpV2cCredential, SnmpV3Credential
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
    """How patient and how polite. A request is sent `tries` times, `timeout_s` apart.

    One walk ends at `max_rows` rows or `max_bytes` of text, whatever the agent has left to say.
    """

    timeout_s: float = 1.0
    tries: int = 2
    requests_per_s: float = 100.0
    max_repetitions: int = 25
    max_rows: int = 50_000
    max_bytes: int = 8 * 1024 * 1024
    device_timeout_s: float = 60.0


class SnmpSession:
    """An open session. Not for use by two tasks at a time: one request is under way at most."""

    def __init__(self, session: GufoSession, options: SnmpOptions, relay: SnmpRelay | None) -> None:
        self._session = session
        self._options = options
        self._relay = relay

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

        What an agent cannot say in large answers is asked again in small ones. Raises as `get`,
        and SnmpEndlessError for a walk that comes to no end.
        """
        try:
            return await self._walk(root, self._options.max_repetitions)
        except SnmpEndlessError:
            raise
        except SnmpProtocolError:
            return await self._walk(root, _SMALL_ANSWER)

    async def _walk(self, root: str, max_repetitions: int) -> Varbinds:
        rows: dict[str, Value] = {}
        size = 0
        bulk = self._session.getbulk(root, max_repetitions)
        while True:
            try:
                oid, value = await self._persist(bulk.__anext__)
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
                return await _translated(request)
            except SnmpTimeoutError:
                if last:
                    raise
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
    address: str, credential: SnmpCredential, options: SnmpOptions, *, through_relay: bool = False
) -> AsyncIterator[SnmpSession]:
    """Open a session (v3: discover the engine ID first). Raises as `SnmpSession.get`."""
    async with AsyncExitStack() as stack:
        relay = None
        target, port = address, credential.port
        if through_relay:
            relay = await stack.enter_async_context(SnmpRelay(address, port))
            target, port = "127.0.0.1", relay.port
        user = None if isinstance(credential, SnmpV2cCredential) else _user(credential)
        session = _gufo(target, port, credential, user, options)
        try:
            await _translated(session.refresh)
        except SnmpTimeoutError as error:
            raise SnmpTimeoutError(str(error), is_agent_known=_has_engine(session, user)) from error
        yield SnmpSession(session, options, relay)


def _has_engine(session: GufoSession, user: User | None) -> bool:
    return user is not None and bool(session.get_engine_id())


def _gufo(
    address: str,
    port: int,
    credential: SnmpCredential,
    user: User | None,
    options: SnmpOptions,
) -> GufoSession:
    community = credential.community if isinstance(credential, SnmpV2cCredential) else ""
    try:
        return GufoSession(
            address,
            port=port,
            community=community,
            user=user,
            timeout=options.timeout_s,
            limit_rps=options.requests_per_s,
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
