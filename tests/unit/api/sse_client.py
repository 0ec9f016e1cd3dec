"""A client of server-sent events, as the standard (WHATWG HTML, 9.2) has it."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, ClassVar
from urllib.parse import urlencode

from tests.unit.api.serving import Api


@dataclass(frozen=True, kw_only=True)
class Told:
    """One event: its type, its data, and the last ID that was given when it came."""

    name: str
    data: dict[str, Any]
    last_id: str


class Client:
    """One connection to a stream."""

    made: ClassVar[list["Client"]] = []

    def __init__(self, api: Api, *, last_id: str | None = None, **params: str) -> None:
        headers = {"Authorization": str(api.session.headers["Authorization"])}
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        self.last_id = last_id or ""
        self.comments = 0
        self._connection = HTTPConnection(api.url.removeprefix("http://"), timeout=30)
        self._connection.request("GET", f"/api/v1/events/stream?{urlencode(params)}", None, headers)
        assert self._connection.sock is not None
        self._socket: socket.socket = self._connection.sock
        self.made.append(self)
        self.answer = self._connection.getresponse()
        self.status = self.answer.status

    def lines(self) -> Iterator[str]:
        """Yield lines until the connection ends."""
        while line := self.answer.readline():
            yield line.decode().removesuffix("\n")

    def __iter__(self) -> Iterator[Told]:
        """Yield events until the connection ends; IDs without data are remembered only."""
        name, data = "message", ""
        for line in self.lines():
            field, _, value = line.partition(": ")
            if not line:
                if data:
                    yield Told(name=name, data=json.loads(data), last_id=self.last_id)
                name, data = "message", ""
            elif line.startswith(":"):
                self.comments += 1
            elif field == "id":
                self.last_id = value
            elif field == "event":
                name = value
            elif field == "data":
                data += value

    def take(self, number: int) -> list[Told]:
        """Return so many events."""
        told = []
        for one in self:
            told.append(one)
            if len(told) == number:
                break
        return told

    def begun(self) -> "Client":
        """Wait for the first line: the stream has its place then."""
        self.answer.readline()
        return self

    def close(self) -> None:
        """Cut the connection."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self.answer.close()
        self._connection.close()


@contextmanager
def all_closed() -> Iterator[None]:
    """Close at the end whatever a test left open."""
    yield
    while Client.made:
        Client.made.pop().close()
