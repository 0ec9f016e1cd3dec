"""The event stream of an API as a client reads it: server-sent events, one after the other."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pdsno.cli.nib_client import NIBClient
from pdsno.domain.errors import OperationError

END = "stream-end"
_MOST_LINE = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """An event, or the end of the stream, by `name`; `data` None: only the cursor moved on.

    `cursor` is where to go on once this has been dealt with; empty before the first.
    """

    cursor: str
    name: str = ""
    data: Mapping[str, Any] | None = None


def told(client: NIBClient, filters: Mapping[str, str], cursor: str | None) -> Iterator[Told]:
    """Yield what the stream tells behind a cursor, or from now on, until it ends.

    Raises as `NIBClient.chunks`, and OperationError for what is no stream of events.
    """
    query = {**filters, **({"cursor": cursor} if cursor is not None else {})}
    yield from parse(lines(client.chunks("events/stream", query)), cursor or "")


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield whole lines of UTF-8, without their ends. Raises OperationError for an endless one."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
        if len(rest) > _MOST_LINE:
            raise OperationError(f"the event stream has a line of more than {_MOST_LINE} bytes")


def parse(stream: Iterable[str], cursor: str) -> Iterator[Told]:
    """Yield what the lines tell (WHATWG HTML, 9.2.6). What was cut off is left out."""
    name, data, has_moved = "", "", False
    for line in stream:
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data or has_moved:
                yield Told(cursor=cursor, name=name, data=_object(data) if data else None)
            name, data, has_moved = "", "", False
        elif key == "id":
            cursor, has_moved = value, True
        elif key == "event":
            name = value
        elif key == "data":
            data = f"{data}\n{value}" if data else value


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OperationError("the event stream told something that is no JSON") from error
    if not isinstance(value, dict):
        raise OperationError("the event stream told something that is no event")
    return value
