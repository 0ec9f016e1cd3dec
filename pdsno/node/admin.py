"""The admin socket: HTTP with JSON over a Unix socket, for root, our own user and group pdsno.

Who may speak is decided by the kernel's word on the peer (SO_PEERCRED), not by anything sent.
"""

import grp
import json
import os
import pwd
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import structlog

from pdsno.domain.errors import (
    InputError,
    NotFoundError,
    OperationError,
    PDSNOError,
    Refusal,
    RefusedError,
)
from pdsno.domain.jsonable import jsonable

log = structlog.get_logger()

_GROUP = "pdsno"
_MAX_BODY = 1024 * 1024
_PEERCRED = struct.Struct("3i")

AdminCall = Callable[[Mapping[str, Any]], object]
"""Takes the request's JSON object, returns something with a JSON form."""

_CALLER: ContextVar[str] = ContextVar("caller", default="")


def caller() -> str:
    """Return whose call this thread serves, by the kernel's word: a user's name, or `uid 1000`."""
    return _CALLER.get()


class AdminSocket:
    """Serves `{"POST /token": call, "GET /tokens": call, …}` on a Unix socket until closed."""

    def __init__(self, path: Path, calls: Mapping[str, AdminCall]) -> None:
        self.path = path
        self._calls = calls
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen. Raises OperationError if the path is taken by another controller, or unusable."""
        _clear_stale(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            self._server = _Server(str(self.path), self._calls)
            self.path.chmod(0o660)
            _give_to_group(self.path)
        except OSError as error:
            msg = f"cannot open the admin socket {self.path}: {error.strerror}"
            raise OperationError(msg) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="admin-socket", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening and remove the socket; idempotent."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            self.path.unlink(missing_ok=True)


def _clear_stale(path: Path) -> None:
    """Remove a socket that nobody serves any more (its controller was killed)."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError:
            return
    msg = f"another controller serves {path}: stop it, or set another admin_socket"
    raise OperationError(msg)


def _give_to_group(path: Path) -> None:
    try:
        gid = grp.getgrnam(_GROUP).gr_gid
    except KeyError:
        return
    if os.geteuid() == 0:
        os.chown(path, -1, gid)


def _peer(connection: socket.socket) -> tuple[int, int]:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
    _pid, uid, gid = _PEERCRED.unpack(raw)
    return uid, gid


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _may_speak(connection: socket.socket) -> bool:
    uid, gid = _peer(connection)
    if uid in (0, os.geteuid()):
        return True
    try:
        return bool(gid == grp.getgrnam(_GROUP).gr_gid)
    except KeyError:
        return False


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, calls: Mapping[str, AdminCall]) -> None:
        self.calls = calls
        super().__init__(path, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def address_string(self) -> str:
        """Return who speaks, for the log: a Unix socket has no address."""
        return "admin-socket"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log requests with our logger."""
        log.debug("admin_request", line=format % args)

    def do_GET(self) -> None:
        """Serve a reading call."""
        self._serve("GET")

    def do_POST(self) -> None:
        """Serve a changing call."""
        self._serve("POST")

    def _serve(self, method: str) -> None:
        try:
            # Read before anything is answered: closing on unread bytes resets the connection.
            body = self._body()
            _CALLER.set(_name_of(_peer(self.connection)[0]))
            self._answer(200, jsonable(self._call(method)(body)))
        except PDSNOError as error:
            self._answer(_status(error), {"error": str(error)})
        except Exception:
            log.exception("admin_call_crashed", call=self.path)
            self._answer(500, {"error": "internal error: see the controller's log"})

    def _call(self, method: str) -> AdminCall:
        if not _may_speak(self.connection):
            raise RefusedError(
                Refusal.NOT_ALLOWED, "only root, the controller's user and group pdsno may"
            )
        call = self.server.calls.get(f"{method} {self.path}")
        if call is None:
            raise NotFoundError(f"this controller has no {method} {self.path}")
        return call

    def _body(self) -> Mapping[str, Any]:
        try:
            length = int(self.headers.get("Content-Length") or 0)
            if not 0 <= length <= _MAX_BODY:
                msg = f"a request holds at most {_MAX_BODY} bytes"
                raise InputError(msg)
            body = json.loads(self.rfile.read(length) or b"{}")
        except (ValueError, RecursionError) as error:
            msg = "the request is not JSON"
            raise InputError(msg) from error
        if not isinstance(body, dict):
            msg = "the request is not a JSON object"
            raise InputError(msg)
        return body

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _status(error: PDSNOError) -> int:
    if isinstance(error, InputError):
        return 400
    if isinstance(error, NotFoundError):
        return 404
    return 403 if isinstance(error, RefusedError) else 409
