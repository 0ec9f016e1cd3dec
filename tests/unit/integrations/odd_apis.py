"""What listens where an API should be."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def breaking_off() -> Iterator[str]:
    """Answer one request by half of what was promised; gives the URL."""

    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()
