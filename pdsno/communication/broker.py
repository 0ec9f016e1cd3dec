"""mosquitto as our broker: its process, supervised; its rights and its certificate, renewed."""

import contextlib
import signal
import subprocess
import threading
import time
from collections import deque
from concurrent.futures import Future
from datetime import UTC, datetime

import structlog

from pdsno.communication import broker_launch
from pdsno.communication.backoff import Backoff
from pdsno.communication.broker_acl import render_acl
from pdsno.communication.broker_launch import is_installed
from pdsno.communication.broker_settings import (
    ACL,
    CERTIFICATE,
    CONFIGURATION,
    DATABASE,
    ROOTS,
    Bridge,
    BrokerTls,
    MosquittoSettings,
    check_settings,
    render_configuration,
)
from pdsno.domain.broker_rights import BrokerRights
from pdsno.domain.errors import OperationError, PDSNOError

__all__ = [
    "Bridge",
    "BrokerTls",
    "Mosquitto",
    "MosquittoSettings",
    "is_installed",
    "render_configuration",
]

log = structlog.get_logger()

_START_TIMEOUT_S = 15.0
_STOP_TIMEOUT_S = 10.0
_STEADY_S = 60.0
_CHECK_S = 5.0
_CHECK_TIMEOUT_S = 5.0
_MISSED_CHECKS = 4
_UNREADABLE = ("Couldn't open database", "Unable to restore persistent database")
_NO_RIGHT = "Permission denied"
_FAILS_OPEN = "Error opening acl file"
"""What mosquitto 2.0.11 says when it could not reload its ACL, and then allows everything."""


class Mosquitto:
    """One mosquitto process: started until it accepts, started again when it dies or hangs.

    It ends with us, however we end. One owner starts and stops it; `apply_rights` and
    `renew_certificate` may come from any thread. Until rights were applied, nobody has any (over
    plain loopback, everybody has all). Raises InputError for what it must not be started with.
    """

    def __init__(self, settings: MosquittoSettings) -> None:
        check_settings(settings)
        self._settings = settings
        self._rights = BrokerRights(version="")
        self._roots = b""
        self._lines: deque[str] = deque(maxlen=20)
        self._process: subprocess.Popen[str] | None = None
        self._readers: list[threading.Thread] = []
        self._supervisor: threading.Thread | None = None
        self._stopping = threading.Event()
        self._first_launch: Future[None] = Future()
        # Held while it starts: a SIGHUP would kill it before it has a handler.
        self._files = threading.RLock()
        self._is_renewing_roots = False
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """The process ID while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def address(self) -> str:
        """Where it listens, as host:port."""
        return f"{self._settings.listen}:{self._settings.port}"

    def start(self) -> None:
        """Return once it accepts connections; idempotent.

        A state file that it cannot read is moved aside. Raises OperationError naming cause and
        remedy: not installed, port taken, no right to its directory.
        """
        if self._supervisor is not None:
            return
        self._stopping.clear()
        self._first_launch = Future()
        self._supervisor = threading.Thread(target=self._supervise, name="broker", daemon=True)
        self._supervisor.start()
        try:
            self._first_launch.result()
        except PDSNOError:
            self.stop()
            raise
        log.info("broker_serving", address=self.address, pid=self.pid)

    def stop(self) -> None:
        """Let it save its state and end; waits at most 10 s before killing it. Idempotent."""
        self._stopping.set()
        self._end_process()
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.join()
        self._end_process()
        for reader in self._readers:
            reader.join()
        self._readers.clear()

    # --- rights and certificate --------------------------------------------------------------

    def apply_rights(self, rights: BrokerRights) -> None:
        """Put other rights in force: also for live sessions, which go on. Raises OperationError.

        They are in force when this returns, or with the next start.
        """
        text = render_acl(rights)
        with self._files:
            self._rights = rights
            if self.pid is not None:
                self._put(ACL, text.encode())
                self._reload()

    def renew_certificate(self) -> None:
        """Take over the certificate that is now in the files of the settings.

        New handshakes get it; live sessions go on. Other roots need a restart of mosquitto, which
        reads them only once; sessions then connect again. Raises OperationError.
        """
        with self._files:
            if self.pid is None:
                return
            before = self._roots
            self._put_certificate()
            if self._roots == before:
                self._reload()
            else:
                self._is_renewing_roots = True
                self._end_process()

    def _reload(self) -> None:
        """Let mosquitto read its files again; returns when it has.

        A SIGHUP that comes while it reads them is lost. It does one thing after the other: who is
        answered twice after the signal knows that the reading lies between.
        """
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGHUP)
        if not all(self._answers(timeout_s=_CHECK_TIMEOUT_S) for _ in range(2)):
            log.warning("broker_reload_unconfirmed", detail="it is slow; it is killed if it hangs")

    def _put(self, name: str, content: bytes) -> None:
        try:
            broker_launch.put_file(self._settings, name, content)
        except OSError as error:
            raise OperationError(
                f"cannot write {self._settings.state_dir / name}: {error.strerror}"
            ) from error

    def _put_certificate(self) -> None:
        """Copy certificate and roots to where mosquitto can read them."""
        tls = self._settings.tls
        if tls is None:
            return
        try:
            certificate = tls.certificate_file.read_bytes()
            roots = tls.roots_file.read_bytes()
        except OSError as error:
            raise OperationError(
                f"cannot read the broker's certificate {error.filename}: {error.strerror}"
            ) from error
        self._put(CERTIFICATE, certificate)
        self._put(ROOTS, roots)
        self._roots = roots

    # --- start -----------------------------------------------------------------------------

    def _prepare(self) -> None:
        settings = self._settings
        user = broker_launch.run_as(settings)
        try:
            broker_launch.give_directory(settings)
        except OSError as error:
            raise OperationError(
                f"cannot prepare the broker's directory {settings.state_dir}: {error.strerror}"
            ) from error
        text = render_configuration(settings, user="root" if user == "root" else None)
        self._put(CONFIGURATION, text.encode())
        if settings.tls is not None:
            self._put(ACL, render_acl(self._rights).encode())
            self._put_certificate()

    def _launch_soundly(self) -> None:
        """Launch; with an unreadable state file, once more without it."""
        with self._files:
            self._prepare()
            self._launch()
            if self._await_serving():
                return
            if self._is_database_unreadable():
                self._move_database_aside()
                self._launch()
                if self._await_serving():
                    return
            said = "; ".join(self._lines) or "it said nothing"
            self._end_process()
        raise OperationError(f"mosquitto did not start on {self.address}: {_explained(said)}")

    def _launch(self) -> None:
        self._lines.clear()
        broker_launch.check_port(self._settings.listen, self._settings.port)
        try:
            process = subprocess.Popen(
                broker_launch.command(self._settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                # Ctrl-C is for us: the broker goes last.
                start_new_session=True,
            )
        except OSError as error:
            raise OperationError(f"cannot start mosquitto: {error.strerror}") from error
        self._process = process
        reader = threading.Thread(
            target=self._read, args=(process,), name="broker-log", daemon=True
        )
        reader.start()
        self._readers = [r for r in self._readers if r.is_alive()] + [reader]

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stderr is None:
            return
        with process.stderr as lines:
            for line in lines:
                self._lines.append(line.strip())
                log.debug("broker_says", line=line.strip())
                if _FAILS_OPEN in line:
                    process.kill()
                    log.error("broker_rights_unreadable", detail="killed: it would allow anything")

    def _await_serving(self) -> bool:
        deadline = time.monotonic() + _START_TIMEOUT_S
        process = self._process
        while process is not None and time.monotonic() < deadline:
            if process.poll() is not None:
                self._readers[-1].join(1)  # its last words
                return False
            # Listening is not enough: a SIGHUP now would kill it, it minds signals a little later.
            if self._answers(timeout_s=1) and process.poll() is None:
                return True
            if self._stopping.wait(0.02):
                return False
        return False

    def _is_database_unreadable(self) -> bool:
        said = "\n".join(self._lines)
        return _NO_RIGHT not in said and any(words in said for words in _UNREADABLE)

    def _move_database_aside(self) -> None:
        database = self._settings.state_dir / DATABASE
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        aside = database.with_name(f"{DATABASE}.corrupt-{stamp}")
        with contextlib.suppress(FileNotFoundError):
            database.rename(aside)
        log.warning(
            "broker_state_unreadable",
            moved_to=str(aside),
            detail="starting empty; controllers send again what got lost",
        )

    # --- supervision -----------------------------------------------------------------------

    def _supervise(self) -> None:
        # Every launch is this thread's: a process is told of the end of the thread that made it.
        try:
            self._launch_soundly()
        except PDSNOError as error:
            self._first_launch.set_exception(error)
            return
        self._first_launch.set_result(None)
        backoff = Backoff(first_s=0.5, most_s=30)
        while not self._stopping.is_set():
            started = time.monotonic()
            code = self._await_end()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _STEADY_S:
                backoff.reset()
            if self._is_renewing_roots:
                self._is_renewing_roots = False
                log.info("broker_restarts", why="it must trust other roots")
            else:
                log.warning("broker_died", code=code, last_words=list(self._lines)[-3:])
            while not self._stopping.wait(backoff.next_s()):
                if self._restart():
                    break

    def _await_end(self) -> int | None:
        """Return the exit code once the process ended; one that hangs is killed."""
        process, missed = self._process, 0
        while process is not None:
            try:
                return process.wait(_CHECK_S)
            except subprocess.TimeoutExpired:
                missed = 0 if self._answers(timeout_s=_CHECK_TIMEOUT_S) else missed + 1
            if missed >= _MISSED_CHECKS:
                log.error("broker_hangs", pid=process.pid, detail="killed: it answers nobody")
                process.kill()
        return None

    def _answers(self, *, timeout_s: float) -> bool:
        certificate = self._settings.state_dir / CERTIFICATE
        return broker_launch.answers(self._settings, certificate, timeout_s=timeout_s)

    def _restart(self) -> bool:
        try:
            self._launch_soundly()
        except PDSNOError as error:
            log.warning("broker_restart_failed", error=str(error))
            return False
        self.restarts += 1
        log.info("broker_restarted", address=self.address, pid=self.pid)
        return True

    def _end_process(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _explained(said: str) -> str:
    if _NO_RIGHT in said or "Unable to open" in said:
        return f"no right to its state directory or port ({said})"
    return said
