"""`/health`: who answers here, and how it is."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from fastapi import APIRouter, Depends, Request, Response
from pydantic import TypeAdapter

from pdsno.api.answers import HealthAnswer, HealthStatus, ReadyAnswer, json_response
from pdsno.api.info import Check, ControllerInfo
from pdsno.api.problems import response_of
from pdsno.api.queries import no_parameters
from pdsno.api.read_route import ReadRoute
from pdsno.communication.problems import Problem
from pdsno.domain.errors import OperationError
from pdsno.domain.ports import NIB

log = structlog.get_logger()

_ANSWER = TypeAdapter(HealthAnswer)
_STATUS = TypeAdapter(HealthStatus)
_READY = TypeAdapter(ReadyAnswer)
_ALSO_WITHOUT_TOKEN: dict[str, Any] = {"security": [{}]}


def router(nib: NIB, controller: Callable[[], ControllerInfo]) -> APIRouter:
    """Return the routes of `/health`."""
    routes = APIRouter(prefix="/health", tags=["health"], route_class=ReadRoute)

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

    @routes.get(
        "/live",
        response_model=HealthStatus,
        dependencies=[Depends(no_parameters)],
        openapi_extra=_ALSO_WITHOUT_TOKEN,
    )
    def get_live() -> Response:
        """The process answers. Restart it if it does not, and for no other reason."""
        return json_response(_STATUS, HealthStatus(status="ok"))

    @routes.get(
        "/ready",
        response_model=ReadyAnswer,
        responses={503: {"model": ReadyAnswer, "description": "A required check fails"}},
        dependencies=[Depends(no_parameters)],
        openapi_extra=_ALSO_WITHOUT_TOKEN,
    )
    def get_ready(request: Request) -> Response:
        """Whether it does its work, and with a token each check with its remedy.

        200 `ready`, 503 `unready`.
        """
        checks = {"nib": _nib_check(nib), **controller().checks}
        is_ready = all(check.is_ok for check in checks.values() if check.is_required)
        shown = checks if request.state.operator is not None else {}
        answer = ReadyAnswer(status="ready" if is_ready else "unready", checks=shown)
        response = json_response(_READY, answer)
        response.status_code = 200 if is_ready else 503
        return response

    return routes


def _nib_check(nib: NIB) -> Check:
    try:
        nib.outbox_tail()
    except OperationError as error:
        log.warning("nib_unreadable", error=str(error))
        return Check(is_ok=False, detail="it cannot be read: see the log, and pdsno nib check")
    return Check(is_ok=True)


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
