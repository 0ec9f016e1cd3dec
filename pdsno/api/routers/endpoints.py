"""`/endpoints`: hosts that are there and told nothing, and where each of them was seen."""

from dataclasses import fields
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, Field, TypeAdapter

from pdsno.api.answers import (
    EndpointDetail,
    EndpointItem,
    Listing,
    endpoint_detail,
    endpoint_item,
    json_response,
    sparse,
)
from pdsno.api.conditional import unless_known, unless_same
from pdsno.api.queries import Id, IpOrPrefix, ListQuery, Mac, Text, no_parameters
from pdsno.api.read_route import ReadRoute
from pdsno.api.view import View, ViewOf, WholeView
from pdsno.domain.errors import NotFoundError
from pdsno.domain.ordering import ENDPOINT_ORDERS
from pdsno.domain.ports import EndpointFilter

_LISTING = TypeAdapter(Listing[EndpointItem])
_ANSWER: Any = Listing[EndpointItem] | sparse(Listing, EndpointItem)
_DETAIL = TypeAdapter(EndpointDetail)
_FILTERS = tuple(f.name for f in fields(EndpointFilter))
_LARGEST_VLAN = 4094


class EndpointQuery(ListQuery):
    """All conditions must hold; without any, all endpoints."""

    region: Text | None = None
    namespace: Text | None = None
    local_controller: Text | None = None
    vendor: Text | None = None
    mac: Mac | None = Field(default=None, description="In any usual notation.")
    ip: IpOrPrefix | None = Field(default=None, description="An address, or a prefix around it.")
    device_id: Text | None = Field(default=None, description="Plugged into this switch.")
    interface: Text | None = Field(default=None, description="Plugged into a port of this name.")
    vlan: int | None = Field(default=None, ge=1, le=_LARGEST_VLAN)
    is_random_mac: bool | None = Field(
        default=None, description="Whether its MAC is locally administered, as phones make them."
    )
    seen_since: AwareDatetime | None = Field(default=None, description="Seen then or later.")
    q: Text | None = Field(
        default=None,
        description="Looked for, caseless, in vendor, MAC, addresses, switch and port.",
    )

    sorts = ENDPOINT_ORDERS
    item = EndpointItem

    def where(self) -> EndpointFilter:
        """Return the filter."""
        return EndpointFilter(**{name: getattr(self, name) for name in _FILTERS})


def router(view_of: ViewOf) -> APIRouter:
    """Return the routes of `/endpoints`."""
    routes = APIRouter(prefix="/endpoints", tags=["endpoints"], route_class=ReadRoute)

    @routes.get("", response_model=_ANSWER)
    def list_endpoints(
        request: Request,
        query: Annotated[EndpointQuery, Query()],
        view: Annotated[WholeView, Depends(view_of)],
    ) -> Response:
        """Endpoints in order of their IDs, which is no order that means anything."""

        def answer(view: View) -> Response:
            page = view.endpoints(
                query.where(), limit=query.limit, after=query.place(), order=query.sort
            )
            items = tuple(endpoint_item(endpoint) for endpoint in page.items)
            listing = Listing(items=items, next_cursor=query.cursor_to(page.next_after))
            return json_response(_LISTING, listing, shown=query.shown)

        # A device that absorbs another takes over the other's endpoints.
        return unless_known(request, view, ("endpoints", "devices"), answer)

    @routes.get(
        "/{endpoint_id}", response_model=EndpointDetail, dependencies=[Depends(no_parameters)]
    )
    def get_endpoint(
        request: Request,
        endpoint_id: Id,
        view: Annotated[WholeView, Depends(view_of)],
    ) -> Response:
        """One endpoint, with its addresses and places of the past, the latest first."""
        found = view.endpoint(endpoint_id)
        if found is None:
            raise NotFoundError(f"there is no endpoint {endpoint_id}")
        return unless_same(request, json_response(_DETAIL, endpoint_detail(*found)))

    return routes
