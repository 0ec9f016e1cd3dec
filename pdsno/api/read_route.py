"""Routes that only read, with nothing between the request and their handler.

FastAPI documents them as it documents any route. But to find out what a handler takes it looks
through every parameter of it again at each request, which takes as long as a small answer. Here
that is done once, for the few kinds of parameters that our handlers have.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Annotated, Any, TypeAlias, get_args, get_origin

from fastapi import Request, Response, params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool

_Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
_Asked: TypeAlias = Callable[[Request], Awaitable[Any]]
_Told: TypeAlias = Callable[[Request], Any]
_Place: TypeAlias = tuple[str, ...]


class ReadRoute(APIRoute):
    """Route class of a router: its `GET` handlers that are plain functions are called directly.

    They may take the request, a query model, texts of path and headers, and what coroutines make
    of the request (`Depends`); a handler that takes anything else is refused when it is added.
    What is wrong with a request is answered as FastAPI answers it: dependencies come first, then
    all that is wrong with the parameters at once.
    """

    def get_route_handler(self) -> _Handler:
        """Return what answers a request."""
        if self.methods != {"GET"} or inspect.iscoroutinefunction(self.endpoint):
            return super().get_route_handler()
        return _handler(self.endpoint, [_coroutine(d.dependency) for d in _checks(self)])


def _checks(route: APIRoute) -> Iterable[params.Depends]:
    # What is `Security` is for the OpenAPI document: the gate checks tokens.
    return (d for d in route.dependencies if not isinstance(d, params.Security))


def _coroutine(dependency: Callable[..., Any] | None) -> _Asked:
    if dependency is None or list(inspect.signature(dependency).parameters) != ["request"]:
        raise TypeError(f"{dependency!r} must take the request and nothing else")
    if not inspect.iscoroutinefunction(dependency):
        raise TypeError(f"{dependency!r} must be a coroutine: it would block the server")
    return dependency


def _handler(endpoint: Callable[..., Response], checks: Iterable[_Asked]) -> _Handler:
    asked: dict[str, _Asked] = {}
    told: dict[str, tuple[_Place, _Told]] = {}
    takes_request: list[str] = []
    for name, parameter in inspect.signature(endpoint).parameters.items():
        if parameter.annotation is Request:
            takes_request.append(name)
            continue
        marker = _marker(parameter)
        if isinstance(marker, params.Depends):
            asked[name] = _coroutine(marker.dependency)
        else:
            told[name] = _reader(parameter, marker)

    async def handle(request: Request) -> Response:
        for check in checks:
            await check(request)
        given: dict[str, Any] = {name: await ask(request) for name, ask in asked.items()}
        given |= _read(request, told)
        given |= dict.fromkeys(takes_request, request)
        return await run_in_threadpool(endpoint, **given)

    return handle


def _marker(parameter: inspect.Parameter) -> object:
    """Return what says where a parameter comes from: the last word of its annotation on that."""
    found = get_args(parameter.annotation)[1:] if _is_annotated(parameter) else ()
    kinds = (params.Depends, params.Path, params.Query, params.Header)
    return next((item for item in reversed(found) if isinstance(item, kinds)), None)


def _is_annotated(parameter: inspect.Parameter) -> bool:
    return get_origin(parameter.annotation) is Annotated


def _reader(parameter: inspect.Parameter, marker: object) -> tuple[_Place, _Told]:
    """Return where a parameter is, and what reads it there; raises ValidationError for the rest."""
    adapter: TypeAdapter[Any] = TypeAdapter(parameter.annotation)
    name = parameter.name
    if isinstance(marker, params.Query):
        # A query model's fields are parameters themselves.
        return ("query",), lambda request: adapter.validate_python(dict(request.query_params))
    if isinstance(marker, params.Path):
        return ("path", name), lambda request: adapter.validate_python(request.path_params[name])
    if isinstance(marker, params.Header):
        field = name.replace("_", "-")
        return ("header", field), lambda asked: adapter.validate_python(asked.headers.get(field))
    raise TypeError(f"a route that reads cannot tell where its {name} comes from")


def _read(request: Request, told: dict[str, tuple[_Place, _Told]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    wrong: list[Any] = []
    for name, (place, read) in told.items():
        try:
            found[name] = read(request)
        except ValidationError as error:
            wrong += [{**item, "loc": (*place, *item["loc"])} for item in error.errors()]
    if wrong:
        raise RequestValidationError(wrong)
    return found
