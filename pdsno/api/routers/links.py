"""`/links`: what is connected to what."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field, TypeAdapter

from pdsno.api.answers import Listing, json_response, sparse
from pdsno.api.conditional import unless_known
from pdsno.api.queries import AsOf, ListQuery, Text
from pdsno.api.read_route import ReadRoute
from pdsno.api.view import View, ViewOf, WholeView
from pdsno.domain.entities import Link, LinkStatus

_LISTING = TypeAdapter(Listing[Link])
_ANSWER: Any = Listing[Link] | sparse(Listing, Link)


class LinkQuery(ListQuery):
    """The filters of `/links`."""

    device_id: Text | None = Field(default=None, description="At either end.")
    status: LinkStatus | None = None
    as_of: AsOf | None = None
    region: Text | None = Field(default=None, description="With at least one end there.")

    sorts = ("link_id",)
    item = Link


def router(view_of: ViewOf) -> APIRouter:
    """Return the routes of `/links`."""
    routes = APIRouter(prefix="/links", tags=["links"], route_class=ReadRoute)

    @routes.get("", response_model=_ANSWER)
    def list_links(
        request: Request,
        query: Annotated[LinkQuery, Query()],
        view: Annotated[WholeView, Depends(view_of)],
    ) -> Response:
        """Links in order of their IDs."""

        def answer(view: View) -> Response:
            page = view.links(
                device_id=query.device_id,
                status=query.status,
                region=query.region,
                limit=query.limit,
                after=query.place(),
                as_of=query.as_of,
            )
            listing = Listing(items=page.items, next_cursor=query.cursor_to(page.next_after))
            return json_response(_LISTING, listing, shown=query.shown)

        if query.as_of is not None:
            return answer(view)
        return unless_known(request, view, ("links", "devices"), answer)

    return routes
