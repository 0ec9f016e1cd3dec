"""An ASGI application under uvicorn in a thread of its own, plain or over TLS."""

import asyncio
import contextlib
import errno
import functools
import os
import socket
import ssl
import threading
from collections import Counter
from typing import Any

import structlog
import uvicorn

from pdsno.communication.rest_protocol import AsgiApp, ConnectionLimits, PeerProtocol
from pdsno.domain.errors import OperationError

log = structlog.get_logger()

_BACKLOG = 256
_GRACE_S = 5
_HEADER_BYTES = 16 * 1024
_KEEP_ALIVE_S = 15
_HANDSHAKE_S = 10.0
_GOODBYE_S = 0.5


class _Server(uvicorn.Server):
    """Tells when it serves."""

    def __init__(self, settings: uvicorn.Config, is_serving: threading.Event) -> None:
        super().__init__(settings)
        self._is_serving = is_serving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._is_serving.set()


class _Loop(asyncio.SelectorEventLoop):
    """Has patience with TLS clients for seconds, where asyncio has it for minutes.

    And tells a client why its handshake failed: asyncio closes the connection before the alert is
    sent, so that a client without, or with an expired certificate would see no more than the end.
    """

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:  # noqa: ANN401 - asyncio's
        if options.get("ssl") is not None:
            options.update(ssl_handshake_timeout=_HANDSHAKE_S, ssl_shutdown_timeout=_GOODBYE_S)
        return await super().create_server(*args, **options)

    def _make_ssl_transport(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - asyncio's
        transport = super()._make_ssl_transport(*args, **options)  # type: ignore[misc]
        protocol = getattr(transport, "_ssl_protocol", None)
        send_alert = getattr(protocol, "_process_outgoing", None)
        complete = getattr(protocol, "_on_handshake_complete", None)
        if protocol is not None and send_alert is not None and complete is not None:

            def completed(failure: BaseException | None) -> None:
                if failure is not None:
                    send_alert()
                complete(failure)

            protocol._on_handshake_complete = completed  # noqa: SLF001 - nothing public does it
        return transport


class RestRunner:
    """Serves an application on one address until stopped.

    `port` 0 takes a free port; the attribute `port` tells which once `start` has returned. Can be
    started again after it was stopped. With `tls_context` it speaks TLS and nothing else, and
    applications find the client's certificate in the scope (`rest_protocol.EXTENSION`).
    """

    def __init__(
        self,
        app: AsgiApp,
        *,
        host: str,
        port: int,
        name: str = "rest",
        limit_concurrency: int = 200,
        tls_context: ssl.SSLContext | None = None,
        limits: ConnectionLimits | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self._app = app
        self._name = name
        self._limit_concurrency = limit_concurrency
        self.tls_context = tls_context
        self._limits = limits or ConnectionLimits()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_serving(self) -> bool:
        """Whether requests are answered."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Return once it serves; idempotent.

        Raises OperationError naming address and remedy if it cannot listen there.
        """
        if self.is_serving:
            return
        listener = _listen(self.host, self.port)
        self.port = listener.getsockname()[1]
        is_serving = threading.Event()
        self._server = _Server(self._settings(), is_serving)
        self._thread = threading.Thread(
            target=self._run, args=(self._server, listener), name=self._name, daemon=True
        )
        self._thread.start()
        while not is_serving.wait(0.05):
            if not self._thread.is_alive():
                raise OperationError(
                    f"the server on {self.host}:{self.port} ended at once: see log"
                )

    def stop(self) -> None:
        """Answer what was asked, for 5 seconds at most, then close; idempotent."""
        thread, server = self._thread, self._server
        if thread is None or server is None:
            return
        server.should_exit = True
        if thread is not threading.current_thread():
            thread.join()
        self._thread = self._server = None

    def wait(self) -> None:
        """Block until it has stopped."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _settings(self) -> uvicorn.Config:
        context = self.tls_context
        protocol: Any = functools.partial(PeerProtocol, limits=self._limits, sources=Counter())
        return uvicorn.Config(
            self._app,
            http=protocol,
            interface="asgi3",
            ssl_context_factory=None if context is None else lambda _config, _default: context,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            # Nobody in front of us may say where a request comes from.
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            limit_concurrency=self._limit_concurrency,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_GRACE_S,
            h11_max_incomplete_event_size=_HEADER_BYTES,
        )

    def _run(self, server: uvicorn.Server, listener: socket.socket) -> None:
        try:
            with asyncio.Runner(loop_factory=_Loop) as runner:
                runner.run(server.serve(sockets=[listener]))
        except Exception:
            log.exception("rest_server_crashed", host=self.host, port=self.port)
        finally:
            listener.close()


def _listen(host: str, port: int) -> socket.socket:
    listener: socket.socket | None = None
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.close()
        raise OperationError(f"cannot listen on {host}:{port}: {_remedy(error)}") from error
    return listener


def _remedy(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return "the port is taken; stop what listens there (ss -ltnp) or choose another port"
    if number == errno.EACCES:
        return "ports below 1024 need root; choose a higher port"
    if number == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror | UnicodeError):
        return "this machine has no such address; ip address shows those it has"
    return os.strerror(number) if number else str(error)
