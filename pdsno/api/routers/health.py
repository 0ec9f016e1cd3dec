"""`/health`: who answers here, and how it is."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from fastapi import APIRouter, Depends, Request, Response
from pydantic import TypeAdapter

from pdsno.api.answers import HealthAnswer, HealthStatus, json_response
from pdsno.api.info import ControllerInfo
from pdsno.api.problems import response_of
from pdsno.api.queries import no_parameters
from pdsno.communication.problems import Problem
from pdsno.domain.errors import OperationError
from pdsno.domain.ports import NIB

log = structlog.get_logger()

_ANSWER = TypeAdapter(HealthAnswer)
_STATUS = TypeAdapter(HealthStatus)
_ALSO_WITHOUT_TOKEN: dict[str, Any] = {"security": [{}]}


def router(nib: NIB, controller: Callable[[], ControllerInfo]) -> APIRouter:
    """Return the routes of `/health`."""
    routes = APIRouter(prefix="/health", tags=["health"])

    @routes.get(
        "",
        response_model=HealthAnswer | HealthStatus,
        dependencies=[Depends(no_parameters)],
        openapi_extra=_ALSO_WITHOUT_TOKEN,
    )
    def get_health(request: Request) -> Response:
        """The controller's own state; without a token `status` alone.

        503 if its NIB cannot be read.
        """
        try:
            nib.outbox_tail()
            info = controller()
        except OperationError as error:
            log.warning("nib_unreadable", error=str(error))
            return response_of(Problem(status=503, detail="the NIB cannot be read: see the log"))
        if request.state.operator is None:
            return json_response(_STATUS, HealthStatus(status="ok"))
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
