"""Asks devices by SSH: Nornir runs the workers, Netmiko speaks to the devices.

One session per device for all its commands. More than some twenty workers make real sshd
refuse sessions, so their number is bounded.
"""

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

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
from pdsno.southbound.credentials import SshCredential
from pdsno.southbound.first_contact import FIRST_HANDLER, become, register, until_prompt
from pdsno.southbound.parsing import ParserPool
from pdsno.southbound.platforms import (
    DETECTION_COMMAND,
    platform_announced,
    platform_named,
    platform_of,
)
from pdsno.southbound.platforms.base import Platform
from pdsno.southbound.platforms.network_os import is_denied
from pdsno.southbound.ssh_session import (
    BoundedChannel,
    ReadOnlySession,
    SshError,
    SshOptions,
    connect,
    login_parameters,
    translated,
)

log = structlog.get_logger()

MAX_WORKERS = 20
_CONNECTION = "netmiko"


@dataclass(frozen=True, kw_only=True, slots=True)
class SshAnswer:
    """What came of asking one address: facts if it told, and the probe for the record."""

    address: str
    probe: Probe
    facts: Facts | None = None


class SshQuerier:
    """Queries many devices at once; each credential is tried in order until one is accepted.

    A set `stop` closes the sessions under way; what had not answered then is missing from the
    results. `platforms` names the platform of addresses where SNMP or an earlier log-in told it:
    they are not asked for it again.
    """

    def __init__(
        self,
        credentials: Sequence[SshCredential],
        *,
        stop: threading.Event | None = None,
        options: SshOptions | None = None,
        parallel: int = MAX_WORKERS,
        platforms: Mapping[str, str] | None = None,
    ) -> None:
        self._credentials = tuple(credentials)
        self._stop = stop or threading.Event()
        self._options = options or SshOptions()
        self._parallel = min(parallel, MAX_WORKERS)
        self._platforms = {a: platform_named(name) for a, name in (platforms or {}).items()}
        self._parsers: ParserPool | None = None
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    def query(
        self, addresses: Sequence[str], on_done: Callable[[SshAnswer], None] | None = None
    ) -> dict[str, SshAnswer]:
        """Ask each address for everything; answers by address, in order."""
        if not self._credentials or not addresses:
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
                    for sock in self._sockets:
                        with suppress(OSError):
                            sock.shutdown(socket.SHUT_RDWR)

    # --- one device ----------------------------------------------------------------------

    def _ask(self, host: Host) -> SshAnswer | None:
        address = host.name
        refused: list[str] = []
        for credential in self._credentials:
            try:
                return self._ask_with(host, credential)
            except SshError as error:
                if self._stop.is_set():
                    return None
                if error.outcome is not Outcome.AUTHENTICATION_FAILED:
                    return SshAnswer(address=address, probe=_probe(error.outcome, error.detail))
                refused.append(credential.name)
        detail = f"credential {', '.join(refused)}"
        return SshAnswer(address=address, probe=_probe(Outcome.AUTHENTICATION_FAILED, detail))

    def _ask_with(self, host: Host, credential: SshCredential) -> SshAnswer:
        sock, banner = connect(host.name, credential.port, self._options)
        with self._lock:
            self._sockets.add(sock)
        try:
            platform = self._platforms.get(host.name) or platform_announced(banner)
            suffix = platform.username_suffix if platform is not None else ""
            connection = self._login(host, credential, sock, suffix)
            session = ReadOnlySession(connection, self._options, until=until_prompt(connection))
            return self._converse(host.name, session, credential, banner, platform)
        finally:
            with self._lock:
                self._sockets.discard(sock)
            if _CONNECTION in host.connections:
                _hang_up(host.connections.pop(_CONNECTION).connection)
            sock.close()

    def _login(
        self, host: Host, credential: SshCredential, sock: socket.socket, suffix: str
    ) -> BaseConnection:
        extras = login_parameters(credential, sock, self._options)
        try:
            plugin = host.open_connection(
                _CONNECTION,
                configuration=Config(),
                hostname=host.name,
                username=credential.username + suffix,
                password=credential.password,
                port=credential.port,
                platform=FIRST_HANDLER,
                extras=extras,
                default_to_host_attributes=False,
            )
        except Exception as error:
            # Paramiko lets any of a dozen unrelated exceptions through; all mean "no session".
            raise translated(error, "during log-in") from error
        connection = plugin.connection
        if not isinstance(connection, BaseConnection):
            raise SshError(Outcome.FAILED, "no Netmiko connection")
        connection.channel = BoundedChannel(connection)
        return connection

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
            outputs[DETECTION_COMMAND] = session.send(DETECTION_COMMAND)
            platform = platform_of(outputs[DETECTION_COMMAND])
        if platform is None:
            what = "authorization failed" if is_denied(outputs[DETECTION_COMMAND]) else banner
            detail = f"credential {credential.name}: no platform recognised ({what})"
            return SshAnswer(address=address, probe=_probe(Outcome.NOT_SUPPORTED, detail))
        session.allow((*platform.session_commands, *platform.commands))
        become(session.connection, platform)
        for command in platform.session_commands:
            session.send(command)
        for command in platform.commands:
            # What was printed before the pager was off may lack its later pages.
            if command not in outputs:
                outputs[command] = session.send(command)
        return interpreted(address, platform, outputs, credential.name, self._parsers)


def _crashed(address: str, error: BaseException) -> SshAnswer:
    """Record what nobody foresaw: one device must not end the query of the others."""
    log.error("ssh_query_crashed", address=address, error=repr(error))
    return SshAnswer(address=address, probe=_probe(Outcome.FAILED, type(error).__name__))


def _hang_up(connection: BaseConnection) -> None:
    """Close the session. Netmiko's own way first sends lines of its own, and waits for them."""
    if connection.remote_conn_pre is not None:
        connection.remote_conn_pre.close()


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
