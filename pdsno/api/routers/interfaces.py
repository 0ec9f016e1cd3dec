"""`/interfaces`: the interfaces of all devices, or of one."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field, TypeAdapter

from pdsno.api.answers import InterfaceItem, Listing, interface_item, json_response, sparse
from pdsno.api.conditional import unless_known
from pdsno.api.queries import ListQuery, Mac, Text
from pdsno.api.read_route import ReadRoute
from pdsno.api.view import View, ViewOf, WholeView

_LISTING = TypeAdapter(Listing[InterfaceItem])
_ANSWER: Any = Listing[InterfaceItem] | sparse(Listing, InterfaceItem)


class InterfaceQuery(ListQuery):
    """The filters of `/interfaces`."""

    device_id: Text | None = None
    region: Text | None = None
    mac: Mac | None = Field(default=None, description="In any usual notation.")

    sorts = ("device_id",)
    item = InterfaceItem


def router(view_of: ViewOf) -> APIRouter:
    """Return the routes of `/interfaces`."""
    routes = APIRouter(prefix="/interfaces", tags=["interfaces"], route_class=ReadRoute)

    @routes.get("", response_model=_ANSWER)
    def list_interfaces(
        request: Request,
        query: Annotated[InterfaceQuery, Query()],
        view: Annotated[WholeView, Depends(view_of)],
    ) -> Response:
        """Interfaces in order of device ID and name."""

        def answer(view: View) -> Response:
            page = view.interfaces(
                device_id=query.device_id,
                region=query.region,
                mac=query.mac,
                limit=query.limit,
                after=query.place(),
            )
            items = tuple(interface_item(found) for found in page.items)
            listing = Listing(items=items, next_cursor=query.cursor_to(page.next_after))
            return json_response(_LISTING, listing, shown=query.shown)

        return unless_known(request, view, ("devices",), answer)

    return routes
