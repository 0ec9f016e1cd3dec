"""`/links`: what is connected to what."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field, TypeAdapter

from pdsno.api.answers import Listing, json_response
from pdsno.api.queries import AsOf, ListQuery, Text
from pdsno.api.view import View, ViewOf
from pdsno.domain.entities import Link, LinkStatus

_LISTING = TypeAdapter(Listing[Link])


class LinkQuery(ListQuery):
    """The filters of `/links`."""

    device_id: Text | None = Field(default=None, description="At either end.")
    status: LinkStatus | None = None
    as_of: AsOf | None = None


def router(view_of: ViewOf) -> APIRouter:
    """Return the routes of `/links`."""
    routes = APIRouter(prefix="/links", tags=["links"])

    @routes.get("", response_model=Listing[Link])
    def list_links(
        query: Annotated[LinkQuery, Query()], view: Annotated[View, Depends(view_of)]
    ) -> Response:
        """Links in order of their IDs."""
        page = view.links(
            device_id=query.device_id,
            status=query.status,
            limit=query.limit,
            after=query.place(),
            as_of=query.as_of,
        )
        answer = Listing(items=page.items, next_cursor=query.cursor_to(page.next_after))
        return json_response(_LISTING, answer)

    return routes
