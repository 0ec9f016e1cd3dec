"""How much a request may carry: nothing here needs more than a page of text."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pdsno.api.problems import response_of
from pdsno.communication.problems import Problem

MOST_BYTES = 64 * 1024


class BodyLimit:
    """ASGI middleware, innermost of ours: takes a body in whole, or answers 413."""

    def __init__(self, app: ASGIApp, *, most: int = MOST_BYTES) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        taken: list[Message] = []
        size = 0
        while True:
            message = await receive()
            taken.append(message)
            size += len(message.get("body", b""))
            if size > self._most:
                detail = f"the body is too large: at most {self._most} bytes"
                await response_of(Problem(status=413, detail=detail))(scope, receive, send)
                return
            if not message.get("more_body", False):
                break

        async def again() -> Message:
            return taken.pop(0) if taken else await receive()

        await self._app(scope, again, send)
