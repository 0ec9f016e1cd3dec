"""`/controllers`: who belongs to this controller's part of the system."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import TypeAdapter

from pdsno.api.answers import ControllerItem, Listing, controller_item, json_response, sparse
from pdsno.api.conditional import unless_known
from pdsno.api.queries import ListQuery, Text
from pdsno.api.read_route import ReadRoute
from pdsno.api.view import View, ViewOf, WholeView
from pdsno.domain.entities import ControllerStatus
from pdsno.domain.identifiers import Role
from pdsno.domain.ordering import Keyset, ordering

_LISTING = TypeAdapter(Listing[ControllerItem])
_ANSWER: Any = Listing[ControllerItem] | sparse(Listing, ControllerItem)


class ControllerQuery(ListQuery):
    """The filters of `/controllers`."""

    role: Role | None = None
    region: Text | None = None
    status: ControllerStatus | None = None

    sorts = ("controller_id", "role", "region", "status", "state")
    item = ControllerItem


def router(view_of: ViewOf) -> APIRouter:
    """Return the routes of `/controllers`."""
    routes = APIRouter(prefix="/controllers", tags=["controllers"], route_class=ReadRoute)

    @routes.get("", response_model=_ANSWER)
    def list_controllers(
        request: Request,
        query: Annotated[ControllerQuery, Query()],
        view: Annotated[WholeView, Depends(view_of)],
    ) -> Response:
        """Controllers in order of their IDs."""

        def answer(view: View) -> Response:
            found = view.controllers(role=query.role, region=query.region)
            wanted = (r for r in found if query.status in (None, r.status))
            keyset = Keyset(ordering(query.sort, query.sorts), "controller_id", query.place())
            page = keyset.page(wanted, query.limit)
            items = tuple(controller_item(record) for record in page.items)
            listing = Listing(items=items, next_cursor=query.cursor_to(page.next_after))
            return json_response(_LISTING, listing, shown=query.shown)

        return unless_known(request, view, ("controllers",), answer)

    return routes
