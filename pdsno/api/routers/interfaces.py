"""`/interfaces`: the interfaces of all devices, or of one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import TypeAdapter

from pdsno.api.answers import InterfaceItem, Listing, interface_item, json_response
from pdsno.api.queries import ListQuery, Text
from pdsno.api.view import View, ViewOf

_LISTING = TypeAdapter(Listing[InterfaceItem])


class InterfaceQuery(ListQuery):
    """The filters of `/interfaces`."""

    device_id: Text | None = None


def router(view_of: ViewOf) -> APIRouter:
    """Return the routes of `/interfaces`."""
    routes = APIRouter(prefix="/interfaces", tags=["interfaces"])

    @routes.get("", response_model=Listing[InterfaceItem])
    def list_interfaces(
        query: Annotated[InterfaceQuery, Query()], view: Annotated[View, Depends(view_of)]
    ) -> Response:
        """Interfaces in order of device ID and name."""
        page = view.interfaces(device_id=query.device_id, limit=query.limit, after=query.place())
        items = tuple(interface_item(found) for found in page.items)
        answer = Listing(items=items, next_cursor=query.cursor_to(page.next_after))
        return json_response(_LISTING, answer)

    return routes
