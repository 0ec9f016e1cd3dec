"""Puts the API together."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, FastAPI, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

import pdsno
from pdsno.api.actions import NO_ACTIONS, Actions
from pdsno.api.bodies import BodyLimit
from pdsno.api.examples import add_examples
from pdsno.api.gate import Gate
from pdsno.api.guard import Guard
from pdsno.api.history_view import history_views
from pdsno.api.info import ControllerInfo
from pdsno.api.metrics import Measures, Metrics
from pdsno.api.problems import RESPONSES, add_problem_handlers
from pdsno.api.routers import (
    anomalies,
    controllers,
    device_edits,
    device_history,
    device_merges,
    devices,
    endpoints,
    event_stream,
    events,
    health,
    interfaces,
    links,
    metrics,
    policy,
    probes,
    tokens,
    topology,
    webhooks,
)
from pdsno.api.streams import StreamLimits, Streams
from pdsno.api.tail import Tail
from pdsno.api.view import views
from pdsno.api.webhook_sender import WebhookSender
from pdsno.domain.entities import OperatorRole
from pdsno.domain.measure import Durations
from pdsno.domain.ports import NIB

PREFIX = "/api/v1"
_ABOUT = """\
What this controller knows of its network. Lists come in pages: ask again with
`cursor=next_cursor` until `next_cursor` is null. Unknown and repeated parameters are refused.
Everything but the plain `status` of `/api/v1/health` needs a token of this controller, made by
`pdsno api-token create`. A token for one region sees that region and nothing else.
"""


_BEARER = HTTPBearer(
    scheme_name="token",
    bearerFormat="pdsno_ and 43 characters",
    description="Made by `pdsno api-token create` on the controller's machine.",
    auto_error=False,
)
# For the OpenAPI document only: the gate checks the token, for what is no route as well.
_EVERYWHERE: dict[str, Any] = {"responses": RESPONSES, "dependencies": [Security(_BEARER)]}


def create_app(
    nib: NIB,
    *,
    controller: Callable[[], ControllerInfo],
    host_names: Iterable[str] = (),
    stream_limits: StreamLimits | None = None,
    webhook_sender: WebhookSender | None = None,
    requests_per_min: int | None = None,
    measures: Callable[[], Measures] = Measures,
    actions: Actions = NO_ACTIONS,
) -> FastAPI:
    """Return the ASGI application that shows one controller's NIB.

    `controller` is asked at each `GET /health`. `host_names` are the names by which the API may
    be called besides IP addresses and `localhost`. Handlers read the NIB in worker threads; the
    NIB also holds the tokens, and hears of failed log-ins. With a `webhook_sender`, which the
    caller starts and closes, there are webhooks. `requests_per_min` limits each token, None nobody.
    `measures` is asked at each scrape of `/metrics`. `actions` are what operators may let the
    controller do.
    """
    app = FastAPI(
        title="PDSNO operator API",
        description=_ABOUT,
        version=pdsno.__version__,
        # Their pages load scripts from a CDN, which a management network does not reach.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    add_problem_handlers(app)
    streams = Streams(stream_limits or StreamLimits(), Tail(nib))
    every = _routers(nib, controller, streams, actions)
    if webhook_sender is not None:
        every = (*every, webhooks.router(nib, views(nib, OperatorRole.ADMIN), webhook_sender))
    for router in every:
        app.include_router(router, prefix=PREFIX, **_EVERYWHERE)
    durations = Durations()

    def measured() -> Measures:
        return replace(
            measures(),
            api=durations,
            streams=streams.open,
            streams_ended=streams.ended,
            deliveries=webhook_sender.outcomes if webhook_sender else {},
        )

    app.include_router(metrics.router(Metrics(nib, measured), views(nib)), **_EVERYWHERE)
    app.add_middleware(BodyLimit)
    app.add_middleware(
        Gate,
        nib=nib,
        controller_id=lambda: controller().controller_id,
        open_paths=[f"{PREFIX}/health{part}" for part in ("", "/live", "/ready")],
        requests_per_min=requests_per_min,
    )
    whole = app.openapi

    def documented() -> dict[str, Any]:
        return add_examples(whole())

    app.openapi = documented  # type: ignore[method-assign] # FastAPI's own way to extend it
    # The last one added is the outermost.
    app.add_middleware(Guard, host_names=tuple(host_names), durations=durations)
    return app


def _routers(
    nib: NIB, controller: Callable[[], ControllerInfo], streams: Streams, actions: Actions
) -> tuple[APIRouter, ...]:
    """Return one router per resource; a new resource is a file and a line here."""
    view_of = views(nib)
    return (
        devices.router(view_of),
        device_history.router(history_views(nib)),
        device_edits.router(nib, history_views(nib, OperatorRole.OPERATOR), controller, actions),
        device_merges.router(nib, controller, actions),
        anomalies.router(nib, controller, actions),
        interfaces.router(view_of),
        endpoints.router(view_of),
        links.router(view_of),
        controllers.router(view_of),
        events.router(view_of),
        event_stream.router(view_of, streams),
        probes.router(view_of),
        topology.router(view_of),
        policy.router(view_of),
        tokens.router(nib, views(nib, OperatorRole.ADMIN)),
        health.router(nib, controller),
    )


def _operation_id(route: APIRoute) -> str:
    return route.name
