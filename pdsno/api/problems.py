"""Every error of the API as an RFC 9457 problem."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from pdsno.communication.problems import MEDIA_TYPE, Problem, problem_of
from pdsno.domain.errors import PDSNOError, StaleError

log = structlog.get_logger()

_SCHEMA = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One line: cause and remedy."},
        "reason": {"type": "string", "description": "Why a request was refused, a stable code."},
    },
}
_EXAMPLE = {
    "type": "about:blank",
    "title": "Forbidden",
    "status": 403,
    "detail": "the token 'noc-a' is for zone-A only, not for 'zone-B'",
    "reason": "WRONG_REGION",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "An RFC 9457 problem",
        "content": {MEDIA_TYPE: {"schema": _SCHEMA, "example": _EXAMPLE}},
    }
}
"""For OpenAPI: what any operation may answer instead."""


def response_of(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return the HTTP response for a problem."""
    return Response(
        content=problem.body(),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={**problem.headers(), **(headers or {})},
    )


def internal_error() -> Problem:
    """Return the problem that tells a caller nothing but where to look."""
    return Problem(status=500, detail="internal error: see the controller's log")


def add_problem_handlers(app: FastAPI) -> None:
    """Let the application answer our errors and the framework's as problems."""
    app.add_exception_handler(PDSNOError, _ours)
    app.add_exception_handler(StaleError, _stale)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _ours(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        path = request.url.path
        log.error("api_request_failed", path=path, status=problem.status, error=str(error))
    return response_of(problem)


async def _stale(_request: Request, error: Exception) -> Response:
    return response_of(Problem(status=412, detail=str(error), reason="CONFLICT"))


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    detail = {
        HTTPStatus.NOT_FOUND: f"there is nothing at {request.url.path}; /openapi.json lists all",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not possible here",
    }.get(HTTPStatus(error.status_code), error.detail)
    return response_of(Problem(status=error.status_code, detail=detail), error.headers)


async def _invalid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    detail = "; ".join(_one_line(item) for item in error.errors())
    return response_of(Problem(status=422, detail=detail))


def _one_line(item: Mapping[str, Any]) -> str:
    # The place is (query | path, name); without a name the text speaks for itself.
    name = ".".join(str(part) for part in item["loc"][1:])
    text = str(item["msg"]).removeprefix("Value error, ")
    return f"{name}: {text}" if name else text
