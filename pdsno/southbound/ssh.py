"""Asks devices by SSH: Nornir runs the workers, Netmiko speaks to the devices.

One session per device for all its commands. More than some twenty workers make real sshd
refuse sessions, so their number is bounded.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import structlog
from netmiko import BaseConnection
from nornir.core import Nornir
from nornir.core.configuration import Config
from nornir.core.inventory import Defaults, Groups, Host, Hosts, Inventory
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir.core.task import Result, Task
from nornir.plugins.runners import ThreadedRunner
from nornir_netmiko.connections import Netmiko

from pdsno.domain.observations import Facts, Method, Outcome, Probe
from pdsno.southbound.access import MAX_CREDENTIALS_TRIED, DeviceAccess
from pdsno.southbound.credential_entries import SSH_PORT, SshCredential
from pdsno.southbound.first_contact import (
    FIRST_HANDLER,
    become,
    register,
    shell_parameters,
    until_prompt,
)
from pdsno.southbound.hints import PlatformHint
from pdsno.southbound.parsing import ParserPool
from pdsno.southbound.platforms import (
    DETECTION_COMMAND,
    PLATFORMS,
    platform_announced,
    platform_named,
    platform_of,
)
from pdsno.southbound.platforms.base import Platform
from pdsno.southbound.platforms.network_os import is_denied
from pdsno.southbound.ssh_errors import SshError, translated
from pdsno.southbound.ssh_session import ReadOnlySession
from pdsno.southbound.ssh_transport import SshOptions, log_in, negotiate, private_key

log = structlog.get_logger()

MAX_WORKERS = 20
_CONNECTION = "netmiko"
_SHELLS = frozenset({"linux", "frr"})


@dataclass(frozen=True, kw_only=True, slots=True)
class SshAnswer:
    """What came of asking one address: facts if it told, and the probe for the record."""

    address: str
    probe: Probe
    facts: Facts | None = None


class Closeable(Protocol):
    """A socket, a channel or a connection."""

    def close(self) -> None:
        """End it; idempotent."""


class SshQuerier:
    """Queries many devices at once, within what `access` allows.

    A set `stop` closes the sessions under way; what had not answered then is missing from the
    results. `hints` say what a device seems to be: that chooses the credentials, and settles what
    its answer to the detection command leaves open.
    """

    def __init__(
        self,
        access: DeviceAccess,
        *,
        stop: threading.Event | None = None,
        options: SshOptions | None = None,
        parallel: int = MAX_WORKERS,
        hints: Mapping[str, PlatformHint] | None = None,
    ) -> None:
        self._access = access
        self._stop = stop or threading.Event()
        self._options = options or SshOptions()
        self._parallel = min(parallel, MAX_WORKERS)
        self._hints = hints or {}
        self._parsers: ParserPool | None = None
        self._open: set[Closeable] = set()
        self._lock = threading.Lock()

    def query(
        self, addresses: Sequence[str], on_done: Callable[[SshAnswer], None] | None = None
    ) -> dict[str, SshAnswer]:
        """Ask each address for everything; answers by address, in order."""
        if not self._access.credentials.ssh or not addresses:
            return {}
        ConnectionPluginRegister.register(_CONNECTION, Netmiko)
        register()
        hosts = Hosts({a: Host(name=a, hostname=a) for a in addresses})
        inventory = Inventory(hosts=hosts, groups=Groups(), defaults=Defaults())
        runner = ThreadedRunner(num_workers=self._parallel)
        nornir = Nornir(inventory=inventory, runner=runner, config=Config())

        def ask(task: Task) -> Result:
            answer = None if self._stop.is_set() else self._ask(task.host)
            if answer is not None and on_done is not None:
                on_done(answer)
            return Result(host=task.host, result=answer)

        done = threading.Event()
        watcher = threading.Thread(target=self._close_on_stop, args=(done,), name="ssh-stop")
        watcher.start()
        try:
            with ParserPool() as self._parsers:
                results = nornir.run(task=ask)
        finally:
            done.set()
            watcher.join()
        answers = {}
        for address in addresses:
            result = results[address][0]
            if result.exception is not None:
                answers[address] = _crashed(address, result.exception)
            elif isinstance(result.result, SshAnswer):
                answers[address] = result.result
        return answers

    def _close_on_stop(self, done: threading.Event) -> None:
        while not done.wait(0.1):
            if self._stop.is_set():
                with self._lock:
                    sessions = list(self._open)
                for session in sessions:
                    session.close()

    # --- one device ----------------------------------------------------------------------

    def _ask(self, host: Host) -> SshAnswer | None:
        address = host.name
        hint = self._hints.get(address)
        credentials = self._access.ssh_for(address, hint.platform if hint else None)
        refused: list[str] = []
        kept_back: list[str] = []
        for credential in credentials:
            reason = self._access.reason_against(address, credential)
            if len(refused) >= MAX_CREDENTIALS_TRIED:
                reason = f"credential {credential.name}: enough were refused in this cycle"
            if reason is not None:
                kept_back.append(reason)
                continue
            try:
                return self._ask_with(host, credential)
            except SshError as error:
                if self._stop.is_set():
                    return None
                if error.outcome is Outcome.NOT_TRIED:
                    kept_back.append(error.detail)
                elif error.outcome is Outcome.AUTHENTICATION_FAILED:
                    refused.append(credential.name)
                else:
                    return SshAnswer(address=address, probe=_probe(error.outcome, error.detail))
        return _not_let_in(address, refused, kept_back)

    def _ask_with(self, host: Host, credential: SshCredential) -> SshAnswer:
        address = host.name
        way = self._access.way_to(address, credential)
        key = private_key(credential)
        sock = self._access.jumps.open(way, self._options, self._stop)
        with self._closed_on_stop(sock):
            name = self._access.pin(address, way.port)
            transport, host_key = negotiate(sock, name, self._access.known_hosts, self._options)
            with self._closed_on_stop(transport):
                banner = str(transport.remote_version)
                announced = platform_announced(banner)
                username = credential.username + (announced.username_suffix if announced else "")
                self._access.enter(
                    address,
                    credential,
                    self._stop,
                    lambda: log_in(transport, username, credential.password, key),
                )
                try:
                    session = self._shell(host, transport)
                    answer = self._converse(address, session, credential, banner, announced)
                finally:
                    if _CONNECTION in host.connections:
                        host.connections.pop(_CONNECTION)
        if answer.facts is None:
            return answer
        return replace(answer, facts=replace(answer.facts, ssh_host_key=str(host_key)))

    @contextmanager
    def _closed_on_stop(self, session: Closeable) -> Iterator[None]:
        with self._lock:
            self._open.add(session)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(session)
            session.close()

    def _shell(self, host: Host, transport: Closeable) -> ReadOnlySession:
        try:
            plugin = host.open_connection(
                _CONNECTION,
                configuration=Config(),
                hostname=host.name,
                username="",
                password="",
                port=SSH_PORT,
                platform=FIRST_HANDLER,
                extras=shell_parameters(transport, self._options),
                default_to_host_attributes=False,
            )
        except Exception as error:
            # Paramiko lets any of a dozen unrelated exceptions through; all mean "no shell".
            raise translated(error, "before its prompt") from error
        connection = plugin.connection
        if not isinstance(connection, BaseConnection):
            raise SshError(Outcome.FAILED, "no Netmiko connection")
        return ReadOnlySession(connection, self._options, until=until_prompt(connection))

    def _converse(
        self,
        address: str,
        session: ReadOnlySession,
        credential: SshCredential,
        banner: str,
        platform: Platform | None,
    ) -> SshAnswer:
        outputs: dict[str, str] = {}
        if platform is None:
            platform = self._proven(address, session, outputs)
        if platform is None:
            if DETECTION_COMMAND not in outputs:
                outputs[DETECTION_COMMAND] = session.send(DETECTION_COMMAND)
            platform = platform_of(outputs[DETECTION_COMMAND])
        if platform is None:
            what = "authorization failed" if is_denied(outputs[DETECTION_COMMAND]) else banner
            detail = f"credential {credential.name}: no platform recognised ({what})"
            return SshAnswer(address=address, probe=_probe(Outcome.NOT_SUPPORTED, detail))
        session.allow((*platform.session_commands, *platform.commands))
        become(session.connection, platform)
        unread = _read(session, platform, outputs)
        answer = interpreted(address, platform, outputs, credential.name, self._parsers)
        if answer.facts is not None:
            self._access.memory.is_platform(self._access.namespace, address, platform.name)
        if not unread:
            return answer
        detail = f"credential {credential.name}: the session took too long; {unread} not read"
        return replace(answer, probe=_probe(Outcome.TIMEOUT, detail))

    def _proven(
        self, address: str, session: ReadOnlySession, outputs: dict[str, str]
    ) -> Platform | None:
        """Return the platform of the hint, if what its first command prints bears that out.

        A command that several platforms know proves nothing by being known: then the device has
        to name itself. A shell is told by the detection command alone: to SNMP a router may look
        like a server.
        """
        hint = self._hints.get(address)
        platform = platform_named(hint.platform) if hint else None
        if platform is None or platform.name in _SHELLS:
            return None
        first = platform.commands[0]
        session.allow((first, DETECTION_COMMAND))
        output = session.send(first)
        if first == DETECTION_COMMAND:
            outputs[first] = output
        if is_denied(output):
            return platform
        is_named = platform.recognised_by.search(output) is not None
        if platform.unknown.search(output) or not (is_named or _is_of_one_platform(first)):
            return None
        if not platform.session_commands:
            outputs[first] = output
        return platform


def _is_of_one_platform(command: str) -> bool:
    return sum(command in platform.readable for platform in PLATFORMS) == 1


def _not_let_in(address: str, refused: Sequence[str], kept_back: Sequence[str]) -> SshAnswer:
    """Say that no credential opened a device: refused by it, or kept back by us."""
    if refused:
        detail = "; ".join([f"credential {', '.join(refused)}", *kept_back])
        return SshAnswer(address=address, probe=_probe(Outcome.AUTHENTICATION_FAILED, detail))
    detail = "; ".join(kept_back) or "no credential is in scope"
    return SshAnswer(address=address, probe=_probe(Outcome.NOT_TRIED, detail))


def _read(session: ReadOnlySession, platform: Platform, outputs: dict[str, str]) -> str:
    """Send a platform's commands, as long as there is time; return what was left out."""
    for command in platform.session_commands:
        session.send(command)
    waiting = [command for command in platform.commands if command not in outputs]
    while waiting and not session.is_over():
        try:
            outputs[waiting[0]] = session.send(waiting[0])
        except SshError:
            if session.is_over() and outputs:
                break
            raise
        waiting.pop(0)
    return ", ".join(map(repr, waiting))


def _crashed(address: str, error: BaseException) -> SshAnswer:
    """Record what nobody foresaw: one device must not end the query of the others."""
    log.error("ssh_query_crashed", address=address, error=repr(error))
    return SshAnswer(address=address, probe=_probe(Outcome.FAILED, type(error).__name__))


def interpreted(
    address: str,
    platform: Platform,
    by_command: Mapping[str, str],
    credential: str,
    parsers: ParserPool | None = None,
) -> SshAnswer:
    """Turn a session's outputs into facts; what could not be read is the probe's detail.

    With `parsers` the outputs of a network OS are read in worker processes.
    """
    read = None if parsers is None else partial(parsers.read, platform.name)
    outputs = platform.outputs(by_command, read)
    denied = [command for command, text in by_command.items() if is_denied(text)]
    if denied and len(denied) == len(by_command):
        detail = f"credential {credential}: authorization failed for every command"
        return SshAnswer(address=address, probe=_probe(Outcome.FAILED, detail))
    try:
        facts = platform.parse(outputs, address, datetime.now(UTC))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        log.warning("parser_failed", address=address, platform=platform.name, error=repr(error))
        detail = f"platform {platform.name}: {type(error).__name__}"
        return SshAnswer(address=address, probe=_probe(Outcome.PARSER_FAILED, detail))
    if outputs.problems:
        detail = "; ".join(f"command {c!r}: {why}" for c, why in outputs.problems.items())
        return SshAnswer(address=address, probe=_probe(Outcome.PARSER_FAILED, detail), facts=facts)
    detail = f"credential {credential}"
    if denied:
        detail += f"; authorization failed for {', '.join(denied)}"
    return SshAnswer(address=address, probe=_probe(Outcome.ANSWERED, detail), facts=facts)


def _probe(outcome: Outcome, detail: str = "") -> Probe:
    return Probe(method=Method.SSH, outcome=outcome, detail=detail)
