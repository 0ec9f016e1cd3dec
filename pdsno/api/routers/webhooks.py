"""`/webhooks`: who is told of events by HTTP. For administrators."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from pdsno.api.answers import Listing, json_response, sparse
from pdsno.api.conditional import unless_same
from pdsno.api.queries import ListQuery, no_parameters
from pdsno.api.read_route import ReadRoute
from pdsno.api.view import View, ViewOf
from pdsno.api.webhook_desk import WebhookDesk, find
from pdsno.api.webhook_sender import WebhookSender
from pdsno.domain.ordering import Keyset, Order
from pdsno.domain.ports import NIB
from pdsno.domain.webhooks import KEPT_DELIVERIES, Delivery, Webhook


class WebhookState:
    """Words for how a webhook is."""

    OK = "ok"
    FAILING = "failing"
    DISABLED = "disabled"


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookItem:
    """A webhook, without its secret. `cursor` is the seq up to which it has been told."""

    webhook_id: str
    url: str
    events: tuple[str, ...]
    region: str | None
    state: str
    cursor: int
    delivered: int
    tries: int
    failing_since: datetime | None
    next_try: datetime | None
    disabled_at: datetime | None
    created_at: datetime
    created_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AddedWebhook:
    """A new webhook and its secret, which is shown now and never again."""

    webhook: WebhookItem
    secret: str


class WebhookRequest(BaseModel):
    """A receiver to add."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"url": "https://hooks.example/pdsno", "events": ["DEVICE_*"]}]
        },
    )

    url: str = Field(max_length=1000, description="https, or http to loopback.")
    events: tuple[str, ...] = Field(default=("*",), description="Types, or patterns as DEVICE_*.")
    region: str | None = Field(default=None, max_length=32)
    secret: str | None = Field(
        default=None, max_length=200, description="`whsec_` and base64; by default one is made."
    )


class WebhookQuery(ListQuery):
    """The list is short and has no filters."""

    item = WebhookItem


class DeliveryQuery(ListQuery):
    """The log of a webhook, the newest first."""

    item = Delivery


_LISTING = TypeAdapter(Listing[WebhookItem])
_ANSWER: Any = Listing[WebhookItem] | sparse(Listing, WebhookItem)
_DELIVERIES = TypeAdapter(Listing[Delivery])
_DELIVERIES_ANSWER: Any = Listing[Delivery] | sparse(Listing, Delivery)
_ITEM = TypeAdapter(WebhookItem)
_ADDED = TypeAdapter(AddedWebhook)
_DELIVERY = TypeAdapter(Delivery)
_Id = Annotated[str, Path(pattern=r"^wh_[0-9a-f]{4,32}$")]


def webhook_item(webhook: Webhook) -> WebhookItem:
    """Return a webhook as it stands in a list."""
    state = WebhookState.OK if webhook.failing_since is None else WebhookState.FAILING
    return WebhookItem(
        webhook_id=webhook.webhook_id,
        url=webhook.url,
        events=webhook.events,
        region=webhook.region,
        state=state if webhook.disabled_at is None else WebhookState.DISABLED,
        cursor=webhook.cursor,
        delivered=webhook.delivered,
        tries=webhook.tries,
        failing_since=webhook.failing_since,
        next_try=webhook.next_try,
        disabled_at=webhook.disabled_at,
        created_at=webhook.created_at,
        created_by=webhook.created_by,
    )


def router(nib: NIB, admin: ViewOf, sender: WebhookSender) -> APIRouter:
    """Return the routes of `/webhooks`; `admin` is the view of administrators."""
    routes = APIRouter(prefix="/webhooks", tags=["webhooks"], route_class=ReadRoute)
    _add_reading(routes, nib, admin)
    _add_writing(routes, nib, admin, sender)
    return routes


def _add_reading(routes: APIRouter, nib: NIB, admin: ViewOf) -> None:
    @routes.get("", response_model=_ANSWER)
    def list_webhooks(
        request: Request,
        query: Annotated[WebhookQuery, Query()],
        view: Annotated[View, Depends(admin)],
    ) -> Response:
        """Webhooks in order of their IDs. Secrets are not shown."""
        view.check_whole()
        keyset = Keyset(Order(field="webhook_id"), "webhook_id", query.place())
        page = keyset.page(nib.webhooks(), query.limit)
        listing = Listing(
            items=tuple(map(webhook_item, page.items)),
            next_cursor=query.cursor_to(page.next_after),
        )
        return unless_same(request, json_response(_LISTING, listing, shown=query.shown))

    @routes.get("/{webhook_id}/deliveries", response_model=_DELIVERIES_ANSWER)
    def list_webhook_deliveries(
        request: Request,
        webhook_id: _Id,
        query: Annotated[DeliveryQuery, Query()],
        view: Annotated[View, Depends(admin)],
    ) -> Response:
        """The last 200 tries of a webhook, the newest first: outcome, status, latency."""
        view.check_whole()
        hook = find(nib, webhook_id)
        tries = nib.webhook_deliveries(hook.webhook_id, limit=KEPT_DELIVERIES)
        place = query.place()
        rest = [one for one in tries if place is None or one.seq < int(place)]
        page = tuple(rest[: query.limit])
        last = str(page[-1].seq) if len(rest) > query.limit else None
        listing = Listing(items=page, next_cursor=query.cursor_to(last))
        return unless_same(request, json_response(_DELIVERIES, listing, shown=query.shown))


def _add_writing(routes: APIRouter, nib: NIB, admin: ViewOf, sender: WebhookSender) -> None:
    desk = WebhookDesk(nib, sender.secrets)
    plain = [Depends(no_parameters)]

    @routes.post("", response_model=AddedWebhook, status_code=201, dependencies=plain)
    def add_webhook(
        body: Annotated[WebhookRequest, Body()], view: Annotated[View, Depends(admin)]
    ) -> Response:
        """Tell a receiver of what happens from now on. The secret is in this answer only."""
        view.check_whole()
        new = desk.add(
            url=body.url,
            events=body.events,
            region=body.region,
            secret=body.secret,
            by=view.operator.name,
        )
        answer = AddedWebhook(webhook=webhook_item(new.webhook), secret=new.secret)
        response = json_response(_ADDED, answer)
        response.status_code = 201
        return response

    @routes.delete("/{webhook_id}", response_model=WebhookItem, dependencies=plain)
    def remove_webhook(webhook_id: _Id, view: Annotated[View, Depends(admin)]) -> Response:
        """Remove a webhook with its log and its secret."""
        view.check_whole()
        return json_response(_ITEM, webhook_item(desk.remove(webhook_id, by=view.operator.name)))

    @routes.post("/{webhook_id}/enable", response_model=WebhookItem, dependencies=plain)
    def enable_webhook(webhook_id: _Id, view: Annotated[View, Depends(admin)]) -> Response:
        """Let a webhook that was disabled, or waits to be tried again, be told now."""
        view.check_whole()
        return json_response(_ITEM, webhook_item(desk.enable(webhook_id, by=view.operator.name)))

    @routes.post("/{webhook_id}/test", response_model=Delivery, dependencies=plain)
    def test_webhook(webhook_id: _Id, view: Annotated[View, Depends(admin)]) -> Response:
        """Send a WEBHOOK_TEST event now, once, and tell what came of it."""
        view.check_whole()
        return json_response(
            _DELIVERY, sender.test(desk.order_test(webhook_id, by=view.operator.name))
        )
