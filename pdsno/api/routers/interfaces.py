"""`/interfaces`: the interfaces of all devices, or of one."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import TypeAdapter

from pdsno.api.answers import InterfaceItem, Listing, interface_item, json_response
from pdsno.api.queries import ListQuery, Text
from pdsno.domain.ports import NIB

_LISTING = TypeAdapter(Listing[InterfaceItem])


class InterfaceQuery(ListQuery):
    """The filters of `/interfaces`."""

    device_id: Text | None = None


def router(nib: NIB) -> APIRouter:
    """Return the routes of `/interfaces`."""
    routes = APIRouter(prefix="/interfaces", tags=["interfaces"])

    @routes.get("", response_model=Listing[InterfaceItem])
    def list_interfaces(query: Annotated[InterfaceQuery, Query()]) -> Response:
        """Interfaces in order of device ID and name."""
        page = nib.interfaces(device_id=query.device_id, limit=query.limit, after=query.place())
        items = tuple(interface_item(found) for found in page.items)
        answer = Listing(items=items, next_cursor=query.cursor_to(page.next_after))
        return json_response(_LISTING, answer)

    return routes
