"""`/devices/{id}/history` and `/history`: what changed, field by field."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, Field, TypeAdapter

from pdsno.api.answers import json_response
from pdsno.api.history_view import HistoryView, HistoryViewOf
from pdsno.api.queries import Id, ListQuery, Text
from pdsno.api.read_route import ReadRoute
from pdsno.domain.history import HistoryEntry, HistoryKind
from pdsno.domain.history_ports import HistoryFilter


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryItem:
    """One change of one field: when this NIB learnt it, from whom.

    `old` and `new` are the values; of `macs`, `ips`, `sources`, `neighbors` and `tags` what went
    and what came. `field` is `*` when the device or link itself came or went, and
    `interfaces[NAME].COLUMN` of an interface. `label` is what it was called then.
    """

    seq: int
    at: datetime
    kind: HistoryKind
    id: str
    label: str
    region: str | None
    field: str
    old: Any
    new: Any
    source: str
    actor: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryListing:
    """One page, the newest first; before `kept_from` nothing is known."""

    items: tuple[HistoryItem, ...]
    next_cursor: str | None
    kept_from: datetime


_LISTING = TypeAdapter(HistoryListing)


class DeviceHistoryQuery(ListQuery):
    """All conditions must hold."""

    field: Text | None = Field(
        default=None,
        description="This field; `interfaces`, or `interfaces[NAME]`, with all that is in it.",
    )
    since: AwareDatetime | None = Field(default=None, description="Later than this.")
    until: AwareDatetime | None = Field(default=None, description="At this time or before.")


class HistoryQuery(DeviceHistoryQuery):
    """All conditions must hold."""

    kind: HistoryKind | None = None
    region: Text | None = None


def router(view_of: HistoryViewOf) -> APIRouter:
    """Return the routes of the history."""
    routes = APIRouter(tags=["history"], route_class=ReadRoute)

    @routes.get("/devices/{device_id}/history", response_model=HistoryListing)
    def list_device_history(
        device_id: Id,
        query: Annotated[DeviceHistoryQuery, Query()],
        view: Annotated[HistoryView, Depends(view_of)],
    ) -> Response:
        """What changed on one device, the newest first; also of one that is there no more."""
        where = HistoryFilter(
            entity_id=device_id, field=query.field, after=query.since, until=query.until
        )
        found = view.of_device(where, limit=query.limit + 1, below=_below(query))
        return _page(query, found, view)

    @routes.get("/history", response_model=HistoryListing)
    def list_history(
        query: Annotated[HistoryQuery, Query()], view: Annotated[HistoryView, Depends(view_of)]
    ) -> Response:
        """What changed on all devices and links, the newest first."""
        where = HistoryFilter(
            kind=query.kind,
            region=query.region,
            field=query.field,
            after=query.since,
            until=query.until,
        )
        found = view.history(where, limit=query.limit + 1, below=_below(query))
        return _page(query, found, view)

    return routes


def _below(query: ListQuery) -> int | None:
    place = query.place()
    return None if place is None else int(place)


def _page(query: ListQuery, found: tuple[HistoryEntry, ...], view: HistoryView) -> Response:
    shown = found[: query.limit]
    place = str(shown[-1].seq) if len(found) > query.limit else None
    answer = HistoryListing(
        items=tuple(map(_item, shown)),
        next_cursor=query.cursor_to(place),
        kept_from=view.kept_from(),
    )
    return json_response(_LISTING, answer)


def _item(entry: HistoryEntry) -> HistoryItem:
    change = entry.change
    return HistoryItem(
        seq=entry.seq,
        at=entry.at,
        kind=change.kind,
        id=change.entity_id,
        label=change.label,
        region=change.region,
        field=change.field,
        old=change.old,
        new=change.new,
        source=change.source,
        actor=change.actor,
    )
