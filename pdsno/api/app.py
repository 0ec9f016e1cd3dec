"""Puts the API together."""

from collections.abc import Callable, Iterable

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

import pdsno
from pdsno.api.guard import Guard
from pdsno.api.info import ControllerInfo
from pdsno.api.problems import RESPONSES, add_problem_handlers
from pdsno.api.routers import (
    controllers,
    devices,
    endpoints,
    events,
    health,
    interfaces,
    links,
    metrics,
    probes,
)
from pdsno.domain.ports import NIB

PREFIX = "/api/v1"
_ABOUT = """\
What this controller knows of its network. Lists come in pages: ask again with
`cursor=next_cursor` until `next_cursor` is null. Unknown and repeated parameters are refused.
There is no authentication yet: the API listens on loopback and on a lab's management network only.
"""


def create_app(
    nib: NIB, *, controller: Callable[[], ControllerInfo], host_names: Iterable[str] = ()
) -> FastAPI:
    """Return the ASGI application that shows one controller's NIB.

    `controller` is asked at each `GET /health`. `host_names` are the names by which the API may
    be called besides IP addresses and `localhost`. Handlers read the NIB in worker threads.
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
    for router in _routers(nib, controller):
        app.include_router(router, prefix=PREFIX, responses=RESPONSES)
    app.include_router(metrics.router(nib), responses=RESPONSES)
    app.add_middleware(Guard, host_names=tuple(host_names))
    return app


def _routers(nib: NIB, controller: Callable[[], ControllerInfo]) -> tuple[APIRouter, ...]:
    """Return one router per resource; a new resource is a file and a line here."""
    return (
        devices.router(nib),
        interfaces.router(nib),
        endpoints.router(nib),
        links.router(nib),
        controllers.router(nib),
        events.router(nib),
        probes.router(nib),
        health.router(nib, controller),
    )


def _operation_id(route: APIRoute) -> str:
    return route.name
