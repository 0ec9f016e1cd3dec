"""What users of the API rely on when something is wrong: RFC 9457 problems, always."""

import http.client
from collections.abc import Iterator
from typing import NoReturn

import pytest

from pdsno.api import ControllerInfo
from pdsno.domain.entities import Device
from pdsno.domain.errors import OperationError, TransientError
from pdsno.nib import NIBStore
from tests.unit.api.serving import Api, device, info, put, served

LISTS = [
    "devices",
    "interfaces",
    "endpoints",
    "links",
    "controllers",
    "events",
    "probes",
    "probes/cycles",
]


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with NIBStore("memory://") as store:
        put(store, *(device(number, region="zone-A") for number in range(1, 6)))
        with served(store, host_names=("GC.example.net",)) as running:
            yield running


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("devices/dev_9", 404, "there is no device dev_9"),
        ("nothing", 404, "there is nothing at /api/v1/nothing"),
        ("devices/", 404, "/openapi.json lists all"),
        ("/", 404, "there is nothing at /"),
        ("/docs", 404, "/openapi.json"),
        ("devices?limit=0", 422, "limit: "),
        ("devices?limit=1001", 422, "limit: "),
        ("devices?limit=many", 422, "limit: "),
        ("devices?status=dead", 422, "'active', 'inactive'"),
        ("devices?mac=00:11", 422, "mac: '00:11' is not a MAC address"),
        ("devices?ip=10.1", 422, "ip: '10.1' is neither an address nor a prefix"),
        ("devices?region=", 422, "region: "),
        ("devices?name=a&name=b", 422, "'name' is given twice"),
        ("devices/dev_1%2F..", 404, "there is nothing at"),
        ("devices/dev_1%00", 422, "device_id: "),
        ("devices/dev_0001?fields=name", 422, "no parameter 'fields'"),
        ("health?verbose=1", 422, "no parameter 'verbose'"),
        ("devices?name=%00", 400, "control characters"),
        ("devices?name=%ff", 400, "not UTF-8"),
        ("devices?" + "&".join(f"a{n}=1" for n in range(99)), 400, "too many parameters"),
        ("endpoints/ep_9", 404, "there is no endpoint ep_9"),
        ("endpoints/ep_%00", 422, "endpoint_id: "),
        ("endpoints?vlan=4095", 422, "vlan: "),
        ("endpoints?seen_since=2026-03-01T12:00:00", 422, "seen_since: "),
        ("endpoints?seen_since=yesterday", 422, "seen_since: "),
        ("endpoints?mac=00:11", 422, "mac: '00:11' is not a MAC address"),
        ("/metrics?name=up", 422, "no parameter 'name'"),
        ("events?after=-1", 422, "after: "),
        ("events?after=99999999999999999999", 422, "after: "),
        ("events?newest_first=perhaps", 422, "newest_first: "),
    ],
)
def test_what_is_wrong_is_named(api: Api, path: str, status: int, words: str) -> None:
    assert words in api.problem(path, status)


@pytest.mark.attack(29)
@pytest.mark.parametrize("resource", LISTS)
def test_unknown_parameters_are_refused_and_the_known_ones_named(api: Api, resource: str) -> None:
    detail = api.problem(f"{resource}?zone=zone-A", 422)
    assert "no parameter 'zone'" in detail
    assert "limit, cursor" in detail
    assert api.ask(f"{resource}?limit=5").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_can_be_written(api: Api, method: str) -> None:
    assert "not possible here" in api.problem("devices", 405, method=method)
    assert api.ask("devices", method=method).headers["Allow"] == "GET"


def test_every_answer_forbids_to_be_stored_or_guessed_at(api: Api) -> None:
    for path in ("devices", "nothing", "devices?limit=0", "/openapi.json"):
        headers = api.ask(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers


# --- cursors ---------------------------------------------------------------------------------


@pytest.mark.attack(29)
def test_any_altered_character_of_a_cursor_is_noticed(api: Api) -> None:
    cursor = api.get("devices", limit=2)["next_cursor"]
    for place, char in enumerate(cursor):
        other = "A" if char != "A" else "B"
        altered = cursor[:place] + other + cursor[place + 1 :]
        assert "start again" in api.problem("devices", 400, params={"cursor": altered})
    for altered in (cursor[:-1], cursor + "A", cursor + "=", "%", "é", "A"):
        api.problem("devices", 400, params={"cursor": altered})
    assert len(api.items("devices", cursor=cursor)) == 3


def test_a_cursor_holds_only_for_the_query_that_gave_it(api: Api) -> None:
    cursor = api.get("devices", limit=2, region="zone-A")["next_cursor"]
    assert len(api.items("devices", region="zone-A", cursor=cursor)) == 3
    for other in ({}, {"region": "zone-B"}, {"region": "zone-A", "status": "active"}):
        api.problem("devices", 400, params={**other, "cursor": cursor})
    for resource in LISTS[1:]:
        api.problem(resource, 400, params={"cursor": cursor})


# --- names (DNS rebinding) -------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8080", "127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:8080", "gc.example.net."],
)
def test_the_api_answers_to_addresses_and_to_its_names(api: Api, host: str) -> None:
    assert api.ask("health", headers={"Host": host}).status_code == 200


@pytest.mark.attack(64)
@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "", "[evil]", "::1"],
)
def test_the_api_does_not_answer_to_a_name_that_is_not_its_own(api: Api, host: str) -> None:
    assert "does not go by the name" in api.problem("devices", 421, headers={"Host": host})


@pytest.mark.attack(64)
def test_a_request_without_a_host_is_refused(api: Api) -> None:
    connection = http.client.HTTPConnection(api.url.removeprefix("http://"), timeout=10)
    try:
        connection.putrequest("GET", "/api/v1/health", skip_host=True)
        connection.endheaders()
        assert connection.getresponse().status in {400, 421}
    finally:
        connection.close()


# --- failures of ours ------------------------------------------------------------------------


class Broken(NIBStore):
    """A NIB whose reads fail as told."""

    def __init__(self, error: Exception) -> None:
        super().__init__("memory://")
        self._error = error

    def device(self, device_id: str) -> Device | None:  # noqa: ARG002 - fails for every ID
        raise self._error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ZeroDivisionError("secret-path"), 500),
        (OperationError("secret-path is corrupt"), 500),
        (TransientError("secret-path is locked"), 503),
    ],
)
def test_a_failure_is_told_without_its_text_and_the_server_goes_on(
    error: Exception, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with Broken(error) as store, served(store) as api:
        answer = api.ask("devices/dev_1")
        assert "secret" not in answer.text
        assert "secret" not in str(answer.headers)
        api.problem("devices/dev_1", status)
        assert api.get("devices")["items"] == []
    logged = capfd.readouterr()
    assert "secret-path" in logged.out + logged.err


# --- health ----------------------------------------------------------------------------------


def test_health_says_who_answers_and_what_it_says_of_itself() -> None:
    with (
        NIBStore("memory://") as store,
        served(store, lambda: info(validated=True, outbox_waiting=3)) as api,
    ):
        found = api.get("health")
    assert found.pop("uptime_s") > 0
    assert found == {
        "status": "ok",
        "controller_id": "global_cntl_1",
        "role": "global",
        "region": None,
        "version": "0.1.0",
        "started_at": "2026-03-01T12:00:00.250000Z",
        "health": {"validated": True, "outbox_waiting": 3},
    }


def test_health_is_unavailable_when_the_nib_cannot_be_read() -> None:
    with NIBStore("memory://") as store, served(store) as api:
        assert api.ask("health").status_code == 200
        store.close()
        assert "NIB cannot be read" in api.problem("health", 503)


def test_a_controller_that_cannot_tell_its_health_is_an_internal_error() -> None:
    def fail() -> NoReturn:
        raise RuntimeError("secret")

    def ask() -> ControllerInfo:
        return fail()

    with NIBStore("memory://") as store, served(store, ask) as api:
        assert "secret" not in api.problem("health", 500)
