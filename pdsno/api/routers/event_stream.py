"""`/events/stream`: the event log as it grows, as server-sent events."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from pdsno.api import sse
from pdsno.api.queries import StrictQuery, Text
from pdsno.api.streams import EventStream, Found, Read, Streams
from pdsno.api.view import View, ViewOf
from pdsno.domain.event_place import Place, is_cut, place_from, place_of

_LONGEST_CURSOR = 40
_EXAMPLE = (
    "retry: 2000\n\nid: 41-9f86d081\n\nid: 42-60303ae2\nevent: DEVICE_APPEARED\n"
    'data: {"seq":42,"event_type":"DEVICE_APPEARED","subject":"dev_01","actor":"…", …}\n\n'
)
_STREAM = {
    "description": "Server-sent events: `id` is the cursor, `event` the type, `data` the event",
    "content": {
        sse.MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "description": "One event of the stream",
                "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
            },
            "example": _EXAMPLE,
        }
    },
}


class StreamQuery(StrictQuery):
    """The filters of the stream, and where it begins."""

    cursor: str | None = Field(
        default=None,
        min_length=1,
        max_length=_LONGEST_CURSOR,
        description="Behind which event to begin: an `id` of the stream, a seq, or 0 for the whole "
        "log. Without it the stream begins now. The header Last-Event-ID goes before it.",
    )
    type: Text | None = Field(
        default=None, description="The event's type, or a pattern of it as `DEVICE_*`."
    )
    subject: Text | None = Field(default=None, description="What it is about, as a device's ID.")
    region: Text | None = None


class _Stream(Response):
    """Lets FastAPI answer with a stream."""

    def __init__(self, stream: EventStream) -> None:
        super().__init__()
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._stream(scope, receive, send)


def router(view_of: ViewOf, streams: Streams) -> APIRouter:
    """Return the route of `/events/stream`."""
    routes = APIRouter(prefix="/events", tags=["events"])

    @routes.get("/stream", response_class=Response, responses={200: _STREAM})
    async def stream_events(
        request: Request,
        query: Annotated[StreamQuery, Query()],
        view: Annotated[View, Depends(view_of)],
        last_event_id: Annotated[str | None, Header(max_length=_LONGEST_CURSOR)] = None,
    ) -> Response:
        """Events as they come. Ask again with `Last-Event-ID` to go on where it broke off.

        Nothing is lost and nothing comes twice. A heartbeat is a comment; an `id` without data
        moves the cursor past events that the filters leave out. `stream-end` tells why it ends:
        SHUTDOWN, TIME, TOKEN_ENDED, SLOW_READER, NIB_UNREADABLE, and the cursor to go on from.
        410 if what is behind the cursor is no longer there, or the log is another one.
        """
        view.check_region(query.region)
        token = view.operator.name
        if (why := streams.refusal(token)) is not None:
            raise HTTPException(429, why, headers={"Retry-After": "10"})
        newest = await streams.tail.look()
        asked = last_event_id or query.cursor
        start = newest
        if asked is not None:
            start = place_from(asked)
            await run_in_threadpool(_check_start, view, start, newest)
        welcome: Callable[[], bool] = request.state.is_welcome
        read = _reader(view, query)
        stream = EventStream(streams, token=token, start=start, read=read, is_welcome=welcome)
        return _Stream(stream)

    return routes


def _check_start(view: View, start: Place, newest: Place) -> None:
    """Raise a 410 if a reader who goes on from there would miss something without a word."""
    if start.seq == 0:
        return
    if start.seq > newest.seq:
        raise HTTPException(
            410,
            f"the log ends at {newest.seq}, before the cursor: the NIB was restored from a backup. "
            "Read the lists anew, then begin without cursor",
        )
    following = view.first_event(at_or_after=start.seq)
    if following is None or is_cut(start, following):
        raise HTTPException(
            410,
            f"events behind {start.seq} are no longer kept: read the lists anew, then begin "
            "without cursor, or with 0 for all that is kept",
        )
    if following.seq == start.seq and not start.is_of(following):
        raise HTTPException(
            410,
            "the cursor is of another log: the NIB was restored from a backup. Read the lists "
            "anew, then begin without cursor",
        )


def _reader(view: View, query: StreamQuery) -> Read:
    pattern = query.type if query.type and set(query.type) & set("*?[") else None

    def read(after_seq: int, most: int) -> Found:
        looked_at = view.events(
            after_seq=after_seq,
            limit=most,
            event_type=None if pattern else query.type,
            subject=query.subject,
            region=query.region,
            newest_first=False,
        )
        events = [
            event
            for event in looked_at
            if pattern is None or fnmatchcase(event.event_type, pattern)
        ]
        last = place_of(looked_at[-1]) if looked_at else None
        return Found(events=events, last=last, is_cut=len(looked_at) == most)

    return read
