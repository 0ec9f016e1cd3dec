"""A NetBox on loopback that holds what a test puts into it, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

TOKEN = "0123456789abcdef0123456789abcdef01234567"

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class FakeNetBox:
    """`data` are items by resource; `overrides` answer instead, by resource."""

    version: str = "4.6"
    data: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    overrides: dict[str, Callable[[dict[str, str], int], Answer | None]] = field(
        default_factory=dict
    )
    largest_page: int = 1000
    url: str = ""
    sent: bytes = b""
    asked: list[tuple[str, str]] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    def answer(self, method: str, target: str, authorization: str) -> Answer:
        parts = urlsplit(target)
        self.asked.append((method, target))
        self.authorizations.add(authorization)
        resource = parts.path.removeprefix("/api/").strip("/")
        query = dict(parse_qsl(parts.query))
        self.counts[resource] = self.counts.get(resource, 0) + 1
        if resource in self.overrides:
            instead = self.overrides[resource](query, self.counts[resource])
            if instead is not None:
                return instead
        if authorization not in {f"Token {TOKEN}", f"Bearer nbt_abc.{TOKEN}"}:
            return plain(403, {"detail": "Invalid token"})
        if method != "GET":
            return self.create(method, resource)
        if resource not in self.data:
            return plain(404, {"detail": "Not found."})
        return self.page(resource, query)

    def create(self, method: str, resource: str) -> Answer:
        return plain(405, {"detail": f"Method {method} not allowed for {resource}."})

    def page(self, resource: str, query: dict[str, str]) -> Answer:
        items = self.data[resource]
        if "site" in query:
            items = [one for one in items if (one.get("site") or {}).get("slug") == query["site"]]
        limit = min(int(query.get("limit", 50)), self.largest_page)
        offset = int(query.get("offset", 0))
        following = None
        if offset + limit < len(items):
            asked = urlencode({**query, "limit": limit, "offset": offset + limit})
            following = f"{self.url}/api/{resource}/?{asked}"
        body = {"count": len(items), "next": following, "previous": None,
                "results": items[offset : offset + limit]}  # fmt: skip
        return plain(200, body, {"API-Version": self.version})


def plain(status: int, body: object, headers: dict[str, str] | None = None) -> Answer:
    head = {"Content-Type": "application/json", **(headers or {})}
    return status, head, json.dumps(body).encode()


def page(status: int = 200) -> Answer:
    return status, {"Content-Type": "text/html; charset=utf-8"}, b"<html>log in</html>"


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that have read enough."""


@contextmanager
def running(netbox: FakeNetBox) -> Iterator[FakeNetBox]:
    """Serve a NetBox on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # headers and body in one packet

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            netbox.sent = self.rfile.read(length)
            told = self.headers.get("Authorization", "")
            status, headers, body = netbox.answer(self.command, self.path, told)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server's

        def log_message(self, *_: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    netbox.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield netbox
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
