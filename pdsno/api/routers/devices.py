"""`/devices`: the list with its filters, and one device whole."""

from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import Field, TypeAdapter

from pdsno.api.answers import (
    DeviceDetail,
    DeviceItem,
    Listing,
    device_detail,
    device_item,
    json_response,
    sparse,
)
from pdsno.api.conditional import unless_known
from pdsno.api.etags import device_etag, is_current
from pdsno.api.items import listing
from pdsno.api.queries import AsOf, Id, IpOrPrefix, ListQuery, Mac, StrictQuery, Text
from pdsno.api.read_route import ReadRoute
from pdsno.api.view import View, ViewOf, WholeView
from pdsno.domain.entities import Device, DeviceStatus, DeviceType
from pdsno.domain.errors import InputError, NotFoundError
from pdsno.domain.ordering import DEVICE_ORDERS
from pdsno.domain.ports import DeviceFilter

_ANSWER: Any = Listing[DeviceItem] | sparse(Listing, DeviceItem)
_LISTING = TypeAdapter(Listing[DeviceItem])
_DETAIL = TypeAdapter(DeviceDetail)
_FILTERS = tuple(f.name for f in fields(DeviceFilter))


class DeviceQuery(ListQuery):
    """All conditions must hold; without any, all devices."""

    region: Text | None = None
    namespace: Text | None = None
    status: DeviceStatus | None = None
    device_type: DeviceType | None = None
    vendor: Text | None = None
    platform: Text | None = None
    name: Text | None = None
    serial: Text | None = None
    local_controller: Text | None = None
    mac: Mac | None = Field(default=None, description="In any usual notation.")
    ip: IpOrPrefix | None = Field(default=None, description="An address, or a prefix around it.")
    q: Text | None = Field(
        default=None,
        description="Looked for, caseless, in name, vendor, model, platform, serial, MACs, IPs.",
    )
    as_of: AsOf | None = None

    sorts = DEVICE_ORDERS
    item = DeviceItem

    def where(self) -> DeviceFilter:
        """Return the filter."""
        return DeviceFilter(**{name: getattr(self, name) for name in _FILTERS})


class OneQuery(StrictQuery):
    """What one device can be asked with."""

    as_of: AsOf | None = None


def router(view_of: ViewOf) -> APIRouter:
    """Return the routes of `/devices`."""
    routes = APIRouter(prefix="/devices", tags=["devices"], route_class=ReadRoute)

    @routes.get("", response_model=_ANSWER)
    def list_devices(
        request: Request,
        query: Annotated[DeviceQuery, Query()],
        view: Annotated[WholeView, Depends(view_of)],
    ) -> Response:
        """Devices in order of their IDs, which is the order in which they were first seen."""
        if query.as_of is not None:
            return _then(view, query, query.as_of)
        return unless_known(request, view, ("devices",), lambda now: _now(now, query))

    @routes.get("/{device_id}", response_model=DeviceDetail)
    def get_device(
        device_id: Id,
        query: Annotated[OneQuery, Query()],
        view: Annotated[WholeView, Depends(view_of)],
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """One device. An ID that was merged away shows the device that absorbed it.

        `Content-Location` then names that one. Its `ETag` is what a change names in `If-Match`; a
        picture of the past has none.
        """
        device = view.device(device_id, as_of=query.as_of)
        if device is None:
            raise NotFoundError(f"there is no device {device_id}")
        if query.as_of is not None:
            return json_response(_DETAIL, device_detail(device))
        headers = _headers(device, device_id)
        if is_current(if_none_match, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        answer = json_response(_DETAIL, device_detail(device))
        answer.headers.update(headers)
        return answer

    return routes


def _now(view: View, query: DeviceQuery) -> Response:
    page = view.device_items(
        query.where(), limit=query.limit, after=query.place(), order=query.sort
    )
    return listing(page.items, query.cursor_to(page.next_after), shown=query.shown)


def _then(view: View, query: DeviceQuery, at: datetime) -> Response:
    if query.sort is not None:
        raise InputError("the past is not sorted: leave out sort, or as_of")
    page = view.devices_as_of(at, query.where(), limit=query.limit, after=query.place())
    items = tuple(map(device_item, page.items))
    answer = Listing(items=items, next_cursor=query.cursor_to(page.next_after))
    return json_response(_LISTING, answer, shown=query.shown)


def _headers(device: Device, asked: str) -> dict[str, str]:
    """Return the headers of one device; an alias is told what it stands for."""
    headers = {"ETag": device_etag(device)}
    if device.device_id != asked:
        headers["Content-Location"] = f"/api/v1/devices/{device.device_id}"
    return headers
