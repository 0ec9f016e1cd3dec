"""`/controllers`: who belongs to this controller's part of the system."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import TypeAdapter

from pdsno.api.answers import ControllerItem, Listing, controller_item, json_response
from pdsno.api.queries import ListQuery, Text
from pdsno.api.view import View, ViewOf
from pdsno.domain.identifiers import Role

_LISTING = TypeAdapter(Listing[ControllerItem])


class ControllerQuery(ListQuery):
    """The filters of `/controllers`."""

    role: Role | None = None
    region: Text | None = None


def router(view_of: ViewOf) -> APIRouter:
    """Return the routes of `/controllers`."""
    routes = APIRouter(prefix="/controllers", tags=["controllers"])

    @routes.get("", response_model=Listing[ControllerItem])
    def list_controllers(
        query: Annotated[ControllerQuery, Query()], view: Annotated[View, Depends(view_of)]
    ) -> Response:
        """Controllers in order of their IDs."""
        after = query.place() or ""
        found = view.controllers(role=query.role, region=query.region)
        rest = [record for record in found if record.controller_id > after]
        page = tuple(controller_item(record) for record in rest[: query.limit])
        last = page[-1].controller_id if len(rest) > query.limit else None
        return json_response(_LISTING, Listing(items=page, next_cursor=query.cursor_to(last)))

    return routes
