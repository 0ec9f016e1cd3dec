"""Answers that a client need not fetch again: ETag and If-None-Match (RFC 9110)."""

import hashlib
from collections.abc import Callable, Iterable, Mapping

from fastapi import Request, Response

import pdsno
from pdsno.api.etags import is_current

_DIGITS = 24


def unless_known(
    request: Request,
    revisions: Mapping[str, int],
    of: Iterable[str],
    answer: Callable[[], Response],
) -> Response:
    """Return what `answer` gives with its ETag, or 304 if the client has it already.

    `revisions` must have been read before what `answer` reads, and `of` must name every table
    that it depends on. The tag is weak: it says that nothing was written, not that no byte differs.
    """
    state = request.scope["state"]["operator"]
    told = [pdsno.__version__, request.url.path, request.url.query, repr(state.region)]
    told += [f"{name}={revisions.get(name, 0)}" for name in of]
    tag = f'W/"{_digest("|".join(told).encode())}"'
    if is_current(request.headers.get("if-none-match"), tag.removeprefix("W/")):
        return Response(status_code=304, headers={"ETag": tag})
    response = answer()
    response.headers["ETag"] = tag
    return response


def unless_same(request: Request, response: Response) -> Response:
    """Return an answer with a strong ETag of its bytes, or 304 if the client has just these."""
    tag = f'"{_digest(bytes(response.body))}"'
    if is_current(request.headers.get("if-none-match"), tag.removeprefix("W/")):
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return response


def _digest(told: bytes) -> str:
    return hashlib.sha256(told).hexdigest()[:_DIGITS]
