"""A local port that leads to a node, so that a browser on the machine finds it."""

import contextlib
import socket
import threading

from pdsno.domain.errors import OperationError

_CHUNK = 65536
_MOST_CONNECTIONS = 64


class PortForward:
    """Forwards TCP from one loopback port to a node's address until closed."""

    def __init__(self, port: int, target: tuple[str, int], *, host: str = "127.0.0.1") -> None:
        self.port = port
        self._host = host
        self._target = target
        self._slots = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self._listener: socket.socket | None = None

    def start(self) -> None:
        """Listen. Raises OperationError if the port is taken."""
        try:
            self._listener = socket.create_server((self._host, self.port), backlog=16)
        except OSError as error:
            msg = f"cannot forward {self._host}:{self.port}: {error.strerror}"
            raise OperationError(msg) from error
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Stop listening; open connections end by themselves. Idempotent."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if not self._slots.acquire(blocking=False):
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, socket.create_connection(self._target, timeout=5) as node:
                node.settimeout(None)
                back = threading.Thread(target=_pump, args=(node, client), daemon=True)
                back.start()
                _pump(client, node)
                back.join()
        except OSError:
            client.close()
        finally:
            self._slots.release()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until one side ends, and pass the end on."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            sink.sendall(chunk)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
