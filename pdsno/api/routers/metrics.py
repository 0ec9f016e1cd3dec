"""`/metrics`: numbers for Prometheus, at the path where it looks by default."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from pdsno.api.metrics import CONTENT_TYPE, Metrics
from pdsno.api.queries import no_parameters
from pdsno.api.read_route import ReadRoute
from pdsno.api.view import View, ViewOf

_EXAMPLE = 'pdsno_devices{status="active"} 12.0\n'
_TEXT = {
    "description": "Prometheus's text format",
    "content": {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}},
}


def router(metrics: Metrics, view_of: ViewOf) -> APIRouter:
    """Return the route of `/metrics`."""
    routes = APIRouter(tags=["metrics"], route_class=ReadRoute)

    @routes.get(
        "/metrics",
        response_class=Response,
        responses={200: _TEXT},
        dependencies=[Depends(no_parameters)],
    )
    def get_metrics(view: Annotated[View, Depends(view_of)]) -> Response:
        """The numbers of docs/reference/metrics.md, for Prometheus.

        Numbers of all regions, so the token must be for all of them.
        """
        view.check_whole()
        return Response(content=metrics.text(), media_type=CONTENT_TYPE)

    return routes
