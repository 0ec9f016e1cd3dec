"""A route that reads answers what FastAPI's own route would, whatever it is asked."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
import requests
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from pdsno.api.problems import add_problem_handlers
from pdsno.api.queries import Id, ListQuery, Mac, no_parameters
from pdsno.api.read_route import ReadRoute
from pdsno.communication.rest_runner import RestRunner
from pdsno.domain.errors import NotFoundError, Refusal, RefusedError


class Some(ListQuery):
    mac: Mac | None = None
    vlan: int | None = None

    sorts = ("name",)


async def who(request: Request) -> str:
    if "x-refused" in request.headers:
        raise RefusedError(Refusal.NOT_ALLOWED, "not you")
    return request.headers.get("x-who", "nobody")


def application(kind: type[APIRoute]) -> FastAPI:
    routes = APIRouter(prefix="/things", route_class=kind)

    @routes.get("")
    def list_things(
        request: Request,
        query: Annotated[Some, Query()],
        name: Annotated[str, Depends(who)],
    ) -> Response:
        return Response(content=f"{request.url.path} {query!r} {name}")

    @routes.get("/{thing_id}", dependencies=[Depends(no_parameters)])
    def get_thing(thing_id: Id, if_match: Annotated[int | None, Header()] = None) -> Response:
        if thing_id == "gone":
            raise NotFoundError("it is gone")
        return Response(content=f"{thing_id} {if_match}")

    @routes.get("/{thing_id}/both")
    def get_both(thing_id: Id, query: Annotated[Some, Query()]) -> Response:
        return Response(content=f"{thing_id} {query!r}")

    @routes.get("/{thing_id}/later")
    async def get_later(thing_id: Id) -> Response:
        return Response(content=thing_id)

    @routes.post("/{thing_id}")
    def post_thing(thing_id: Id, body: dict[str, Any]) -> Response:
        return Response(content=f"{thing_id} {body}")

    app = FastAPI()
    add_problem_handlers(app)
    app.include_router(routes, dependencies=[Security(HTTPBearer(auto_error=False))])
    return app


REQUESTS: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "/things", {}),
    ("GET", "/things", {"X-Who": "alice"}),
    ("GET", "/things", {"X-Refused": "1"}),
    ("GET", "/things?limit=0", {"X-Refused": "1"}),
    ("GET", "/things?limit=7&mac=02-00-00-00-00-01&sort=-name", {}),
    ("GET", "/things?limit=0", {}),
    ("GET", "/things?limit=x&vlan=y&mac=nothing", {}),
    ("GET", "/things?limit=", {}),
    ("GET", "/things?mac=", {}),
    ("GET", "/things?unknown=1&limit=0", {}),
    ("GET", "/things?sort=%C3%BC", {}),
    ("GET", "/things?cursor=a%20b+c", {}),
    ("GET", "/things/t-1", {}),
    ("GET", "/things/t-1", {"If-Match": "5"}),
    ("GET", "/things/t-1", {"If-Match": "five"}),
    ("GET", "/things/t.1", {"If-Match": "five"}),
    ("GET", "/things/gone", {}),
    ("GET", "/things/t-1?limit=1", {}),
    ("GET", "/things/t.1?limit=1", {}),
    ("GET", f"/things/{'t' * 200}", {}),
    ("GET", "/things/t.1/both?limit=0", {}),
    ("GET", "/things/t-1/both?limit=5", {}),
    ("GET", "/things/t-1/later", {}),
    ("GET", "/things/t.1/later", {}),
    ("POST", "/things/t-1", {}),
    ("PUT", "/things/t-1", {}),
    ("HEAD", "/things", {}),
    ("GET", "/nothing", {}),
]


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[str, str]]:
    """Serve the same handlers on our routes and on FastAPI's."""
    kinds = (ReadRoute, APIRoute)
    ours, theirs = (RestRunner(application(kind), host="127.0.0.1", port=0) for kind in kinds)
    ours.start()
    theirs.start()
    yield f"http://127.0.0.1:{ours.port}", f"http://127.0.0.1:{theirs.port}"
    ours.stop()
    theirs.stop()


@pytest.mark.parametrize(("method", "path", "headers"), REQUESTS, ids=str)
def test_it_answers_as_fastapi_would(
    both: tuple[str, str], method: str, path: str, headers: dict[str, str]
) -> None:
    ours, theirs = (
        requests.request(method, url + path, headers=headers, timeout=10) for url in both
    )
    assert (ours.status_code, ours.text) == (theirs.status_code, theirs.text)
    kept = [{k: v for k, v in answer.headers.items() if k != "date"} for answer in (ours, theirs)]
    assert kept[0] == kept[1]


def test_it_is_documented_as_fastapi_does(both: tuple[str, str]) -> None:
    ours, theirs = (requests.get(f"{url}/openapi.json", timeout=10).json() for url in both)
    assert ours == theirs


def blocking(request: Request) -> str:
    return str(request.url)


async def curious(request: Request, response: Response) -> str:
    return f"{request.url} {response.status_code}"


@pytest.mark.parametrize("dependency", [blocking, curious])
def test_a_dependency_that_would_block_or_asks_for_more_is_refused(
    dependency: Callable[..., Any],
) -> None:
    def handler(found: Annotated[str, Depends(dependency)]) -> Response:
        return Response(content=found)

    with pytest.raises(TypeError):
        ReadRoute("/", handler, methods=["GET"])


def test_a_parameter_from_an_unknown_place_is_refused() -> None:
    def handler(limit: int) -> Response:
        return Response(content=str(limit))

    with pytest.raises(TypeError, match="limit"):
        ReadRoute("/", handler, methods=["GET"])
