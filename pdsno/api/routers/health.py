"""`/health`: who answers here, and how it is."""

from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from fastapi import APIRouter, Depends, Response
from pydantic import TypeAdapter

from pdsno.api.answers import HealthAnswer, json_response
from pdsno.api.info import ControllerInfo
from pdsno.api.problems import response_of
from pdsno.api.queries import no_parameters
from pdsno.communication.problems import Problem
from pdsno.domain.errors import OperationError
from pdsno.domain.ports import NIB

log = structlog.get_logger()

_ANSWER = TypeAdapter(HealthAnswer)


def router(nib: NIB, controller: Callable[[], ControllerInfo]) -> APIRouter:
    """Return the routes of `/health`."""
    routes = APIRouter(prefix="/health", tags=["health"])

    @routes.get("", response_model=HealthAnswer, dependencies=[Depends(no_parameters)])
    def get_health() -> Response:
        """The controller's own state. 503 if its NIB cannot be read."""
        try:
            nib.outbox_tail()
            info = controller()
        except OperationError as error:
            log.warning("nib_unreadable", error=str(error))
            return response_of(Problem(status=503, detail="the NIB cannot be read: see the log"))
        return json_response(_ANSWER, _answer(info))

    return routes


def _answer(info: ControllerInfo) -> HealthAnswer:
    uptime = datetime.now(UTC) - info.started_at
    return HealthAnswer(
        status="ok",
        controller_id=info.controller_id,
        role=info.role,
        region=info.region,
        version=info.version,
        started_at=info.started_at,
        uptime_s=round(uptime.total_seconds(), 1),
        health=info.health,
    )
