"""`/events`: the append-only log."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field, TypeAdapter

from pdsno.api.answers import Listing, json_response, sparse
from pdsno.api.conditional import unless_known
from pdsno.api.deprecation import IN_SCHEMA, Deprecation
from pdsno.api.queries import ListQuery, Text
from pdsno.api.read_route import ReadRoute
from pdsno.api.view import View, ViewOf, WholeView
from pdsno.domain.entities import Event
from pdsno.domain.errors import InputError

_LISTING = TypeAdapter(Listing[Event])
_ANSWER: Any = Listing[Event] | sparse(Listing, Event)
_NEWEST_FIRST = Deprecation(
    since=datetime(2026, 12, 1, tzinfo=UTC),
    sunset=datetime(2027, 7, 1, tzinfo=UTC),
    instead="/api/v1/events?sort=-seq",
)
_LARGEST_SEQ = 2**63 - 1


class EventQuery(ListQuery):
    """The filters of `/events`."""

    after: int = Field(default=0, ge=0, le=_LARGEST_SEQ, description="Only events with seq above.")
    type: Text | None = Field(default=None, description="The event's type, as DEVICE_APPEARED.")
    subject: Text | None = Field(default=None, description="What it is about, as a device's ID.")
    region: Text | None = None
    newest_first: bool = Field(
        default=False,
        json_schema_extra=IN_SCHEMA,
        description="Deprecated: the same as `sort=-seq`.",
    )

    sorts = ("seq",)
    item = Event

    @property
    def is_newest_first(self) -> bool:
        """Which way."""
        return self.newest_first if self.sort is None else self.sort == "-seq"

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
    routes = APIRouter(prefix="/events", tags=["events"], route_class=ReadRoute)

    @routes.get("", response_model=_ANSWER)
    def list_events(
        request: Request,
        query: Annotated[EventQuery, Query()],
        view: Annotated[WholeView, Depends(view_of)],
    ) -> Response:
        """Events in order of seq. To follow the log: `after=` the last seq, or the event stream."""

        def answer(view: View) -> Response:
            found = _read(view, query)
            page = found[: query.limit]
            last = str(page[-1].seq) if len(found) > query.limit else None
            listing = Listing(items=page, next_cursor=query.cursor_to(last))
            return json_response(_LISTING, listing, shown=query.shown)

        found = unless_known(request, view, ("events",), answer)
        return _NEWEST_FIRST.mark(found) if query.newest_first else found

    return routes


def _read(view: View, query: EventQuery) -> tuple[Event, ...]:
    """Return one event more than the page takes, if there is one."""
    start = query.start()
    if start is None:
        # For the newest first `after` is where to end, and there is no bound to begin with.
        start = 0 if query.is_newest_first else query.after
    found = view.events(
        after_seq=start,
        limit=query.limit + 1,
        event_type=query.type,
        subject=query.subject,
        region=query.region,
        newest_first=query.is_newest_first,
    )
    return tuple(event for event in found if event.seq > query.after)
