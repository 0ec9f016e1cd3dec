"""What every list takes: order and fields travel to the API, pages are written as they come."""

import csv
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from pdsno.cli.main import main

LINK = {"link_id": "link_1", "status": "claimed"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, str]]]:
    """Serve two pages of whatever is asked for; give what was asked."""
    queries: list[dict[str, str]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
            queries.append(query)
            page = {"items": [LINK], "next_cursor": None if "cursor" in query else "2"}
            body = json.dumps(page).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        monkeypatch.setenv("PDSNO_API", f"http://127.0.0.1:{server.server_port}")
        try:
            yield queries
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def invoke(*args: str, code: int = 0) -> str:
        assert main(["nib", *args]) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return invoke


def test_order_and_fields_travel_to_the_api_on_every_page(
    asked: list[dict[str, str]], run: Callable[..., str]
) -> None:
    out = run("links", "--sort", "-status", "--fields", "link_id, status", "-o", "json")
    assert json.loads(out) == [LINK, LINK]
    assert [(q["sort"], q["fields"]) for q in asked] == [("-status", "link_id,status")] * 2
    assert "cursor" in asked[1]


def test_without_them_the_api_is_not_asked_for_any(
    asked: list[dict[str, str]], run: Callable[..., str]
) -> None:
    run("links", "-o", "json")
    assert not {"sort", "fields"} & asked[0].keys()


def test_the_fields_are_the_columns_in_their_order(
    asked: list[dict[str, str]], run: Callable[..., str]
) -> None:
    table = run("links", "--fields", "status,link_id").splitlines()
    assert [line.split() for line in table[:2]] == [["STATUS", "LINK_ID"], ["claimed", "link_1"]]
    out = run("links", "--fields", "status,link_id", "-o", "csv")
    assert next(csv.reader(io.StringIO(out, newline=""))) == ["status", "link_id"]
    assert len(asked) == 4


def test_an_empty_field_is_wrong_usage(run: Callable[..., str]) -> None:
    assert "names an empty field" in run("links", "--fields", "status,,name", code=2)
