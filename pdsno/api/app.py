"""Puts the API together."""

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import APIRouter, FastAPI, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

import pdsno
from pdsno.api.bodies import BodyLimit
from pdsno.api.gate import Gate
from pdsno.api.guard import Guard
from pdsno.api.history_view import history_views
from pdsno.api.info import ControllerInfo
from pdsno.api.problems import RESPONSES, add_problem_handlers
from pdsno.api.routers import (
    controllers,
    device_edits,
    device_history,
    devices,
    endpoints,
    event_stream,
    events,
    health,
    interfaces,
    links,
    metrics,
    probes,
)
from pdsno.api.streams import StreamLimits, Streams
from pdsno.api.tail import Tail
from pdsno.api.view import views
from pdsno.domain.entities import OperatorRole
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
) -> FastAPI:
    """Return the ASGI application that shows one controller's NIB.

    `controller` is asked at each `GET /health`. `host_names` are the names by which the API may
    be called besides IP addresses and `localhost`. Handlers read the NIB in worker threads; the
    NIB also holds the tokens, and hears of failed log-ins.
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
    for router in _routers(nib, controller, streams):
        app.include_router(router, prefix=PREFIX, **_EVERYWHERE)
    app.include_router(metrics.router(nib, views(nib)), **_EVERYWHERE)
    app.add_middleware(BodyLimit)
    app.add_middleware(
        Gate,
        nib=nib,
        controller_id=lambda: controller().controller_id,
        open_paths=[f"{PREFIX}/health"],
    )
    # The last one added is the outermost.
    app.add_middleware(Guard, host_names=tuple(host_names))
    return app


def _routers(
    nib: NIB, controller: Callable[[], ControllerInfo], streams: Streams
) -> tuple[APIRouter, ...]:
    """Return one router per resource; a new resource is a file and a line here."""
    view_of = views(nib)
    return (
        devices.router(view_of),
        device_history.router(history_views(nib)),
        device_edits.router(nib, history_views(nib, OperatorRole.OPERATOR), controller),
        interfaces.router(view_of),
        endpoints.router(view_of),
        links.router(view_of),
        controllers.router(view_of),
        events.router(view_of),
        event_stream.router(view_of, streams),
        probes.router(view_of),
        health.router(nib, controller),
    )


def _operation_id(route: APIRoute) -> str:
    return route.name
