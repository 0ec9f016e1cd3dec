"""`/events`: the append-only log."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field, TypeAdapter

from pdsno.api.answers import Listing, json_response
from pdsno.api.queries import ListQuery, Text
from pdsno.api.view import View, ViewOf
from pdsno.domain.entities import Event
from pdsno.domain.errors import InputError

_LISTING = TypeAdapter(Listing[Event])
_LARGEST_SEQ = 2**63 - 1


class EventQuery(ListQuery):
    """The filters of `/events`."""

    after: int = Field(default=0, ge=0, le=_LARGEST_SEQ, description="Only events with seq above.")
    type: Text | None = Field(default=None, description="The event's type, as DEVICE_APPEARED.")
    subject: Text | None = Field(default=None, description="What it is about, as a device's ID.")
    region: Text | None = None
    newest_first: bool = False

    def start(self) -> int | None:
        """Return the seq where the page starts, None for the first page."""
        place = self.place()
        if place is None:
            return None
        if not place.isdecimal() or not 0 < int(place) <= _LARGEST_SEQ:
            raise InputError("the cursor is damaged: start again without it")
        return int(place)


def router(view_of: ViewOf) -> APIRouter:
    """Return the routes of `/events`."""
    routes = APIRouter(prefix="/events", tags=["events"])

    @routes.get("", response_model=Listing[Event])
    def list_events(
        query: Annotated[EventQuery, Query()], view: Annotated[View, Depends(view_of)]
    ) -> Response:
        """Events in order of seq, or the newest first. To follow the log: `after=` the last seq."""
        found = _read(view, query)
        page = found[: query.limit]
        last = str(page[-1].seq) if len(found) > query.limit else None
        return json_response(_LISTING, Listing(items=page, next_cursor=query.cursor_to(last)))

    return routes


def _read(view: View, query: EventQuery) -> tuple[Event, ...]:
    """Return one event more than the page takes, if there is one."""
    start = query.start()
    if start is None:
        # For the newest first `after` is where to end, and there is no bound to begin with.
        start = 0 if query.newest_first else query.after
    found = view.events(
        after_seq=start,
        limit=query.limit + 1,
        event_type=query.type,
        subject=query.subject,
        region=query.region,
        newest_first=query.newest_first,
    )
    return tuple(event for event in found if event.seq > query.after)
