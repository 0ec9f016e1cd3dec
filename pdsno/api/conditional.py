"""Answers that a client need not fetch again: ETag and If-None-Match (RFC 9110)."""

import hashlib
from collections.abc import Callable, Iterable

from fastapi import Request, Response

import pdsno
from pdsno.api.etags import is_current
from pdsno.api.view import View, WholeView

_DIGITS = 24


def unless_known(
    request: Request,
    whole: WholeView,
    of: Iterable[str],
    answer: Callable[[View], Response],
) -> Response:
    """Return what `answer` gives with its ETag, or 304 if the client has it already.

    `answer` is given the view of one committed state, from which the tag is, too; `of` must name
    every table that it depends on. The tag is weak: it says that nothing was written, not that no
    byte differs.
    """
    with whole.reading() as view:
        tag = _weak_tag(request, view, of)
        if is_current(request.headers.get("if-none-match"), tag.removeprefix("W/")):
            return Response(status_code=304, headers={"ETag": tag})
        response = answer(view)
    response.headers["ETag"] = tag
    return response


def _weak_tag(request: Request, view: View, of: Iterable[str]) -> str:
    revisions = view.revisions()
    scope = request.scope
    # Path and query: all that a caller says of what they want. The region: all that they may see.
    told = [pdsno.__version__, scope["path"], scope["query_string"].decode("latin-1")]
    told.append(repr(view.operator.region))
    told += [f"{name}={revisions.get(name, 0)}" for name in of]
    return f'W/"{_digest("|".join(told).encode())}"'


def unless_same(request: Request, response: Response) -> Response:
    """Return an answer with a strong ETag of its bytes, or 304 if the client has just these."""
    tag = f'"{_digest(bytes(response.body))}"'
    if is_current(request.headers.get("if-none-match"), tag.removeprefix("W/")):
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return response


def _digest(told: bytes) -> str:
    return hashlib.sha256(told).hexdigest()[:_DIGITS]
