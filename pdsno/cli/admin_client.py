"""Speaks to a running controller through its admin socket: HTTP and JSON over a Unix socket."""

import http.client
import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from pdsno.domain.errors import InputError, OperationError, TransientError

DEFAULT_SOCKET = Path("/run/pdsno/admin.sock")
SOCKET_VARIABLE = "PDSNO_ADMIN_SOCKET"

_TIMEOUT_S = 60.0
_MOST_BYTES = 16 * 1024 * 1024
_OK = 200
_BAD_REQUEST = 400

_Command = TypeVar("_Command", bound=Callable[..., Any])


def socket_option(command: _Command) -> _Command:
    """Add `--socket`; the command receives `socket_path: Path`."""
    return click.option(
        "--socket",
        "socket_path",
        type=click.Path(path_type=Path),
        default=default_socket,
        help=f"Admin socket of the controller.  [default: ${SOCKET_VARIABLE} or {DEFAULT_SOCKET}]",
    )(command)


def default_socket() -> Path:
    """Return the socket that the environment names, else the one of a system service."""
    return Path(os.environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET)


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class AdminClient:
    """Calls of one controller's admin socket; a connection each."""

    def __init__(self, socket_path: Path, *, timeout_s: float = _TIMEOUT_S) -> None:
        self._path = socket_path
        self._timeout_s = timeout_s

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON is what Any is for
        """Return the answer to a reading call. Raises as `post`."""
        return self._call("GET", path, None)

    def post(self, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401
        """Return the answer to a changing call.

        Raises InputError (the controller finds the request wrong), TransientError (nobody answers
        there), OperationError (it could not or would not do it).
        """
        return self._call("POST", path, body or {})

    def _call(self, method: str, path: str, body: Mapping[str, object] | None) -> Any:  # noqa: ANN401
        connection = _Connection(self._path, self._timeout_s)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            status, raw = response.status, response.read(_MOST_BYTES + 1)
        except OSError as error:
            raise self._unreachable(error) from error
        except http.client.HTTPException as error:
            raise OperationError(f"{self._path} does not speak like a controller") from error
        finally:
            connection.close()
        return self._answer(status, raw)

    def _answer(self, status: int, raw: bytes) -> Any:  # noqa: ANN401
        try:
            if len(raw) > _MOST_BYTES:
                raise ValueError("too long")  # noqa: TRY301 - one way out
            answer = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise OperationError(f"{self._path} gave an answer that is not JSON") from error
        if status == _OK:
            return answer
        text = answer.get("error") if isinstance(answer, dict) else None
        message = text if isinstance(text, str) else f"the controller answered HTTP {status}"
        raise InputError(message) if status == _BAD_REQUEST else OperationError(message)

    def _unreachable(self, error: OSError) -> OperationError:
        if isinstance(error, FileNotFoundError | ConnectionRefusedError | NotADirectoryError):
            return TransientError(
                f"no controller is running here ({self._path}): start one, or name its socket "
                f"with --socket or {SOCKET_VARIABLE}"
            )
        if isinstance(error, PermissionError):
            return OperationError(
                f"you may not speak to the controller at {self._path}: "
                "run this as root or as a member of group pdsno"
            )
        if isinstance(error, TimeoutError):
            return TransientError(
                f"the controller at {self._path} did not answer within {self._timeout_s:.0f} s"
            )
        reason = error.strerror or str(error)
        return OperationError(f"cannot speak to the controller at {self._path}: {reason}")
