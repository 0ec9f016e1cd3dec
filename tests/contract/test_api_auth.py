"""Nobody gets anything of the API without a good token of this controller."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import count
from typing import Any, Self
from unittest.mock import patch

import pytest

from pdsno.api import gate
from pdsno.domain.entities import ApiTokenRecord, Event
from pdsno.domain.errors import TransientError
from pdsno.nib import NIBStore
from tests.unit.api.serving import NOW, TOKEN, Api, device, info, put, put_token, served

OTHER = "pdsno_" + "another".ljust(43, "-")
UNKNOWN = "pdsno_" + "u" * 43
SECRET = "canary-device"


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        put(store, device(1, name=SECRET, region="zone-A"))
        yield store


@pytest.fixture
def api(nib: NIBStore) -> Iterator[Api]:
    with served(nib) as running:
        yield running


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def failures(nib: NIBStore) -> tuple[Event, ...]:
    return nib.events(event_type="API_AUTH_FAILED")


# --- every route -----------------------------------------------------------------------------


def paths(api: Api) -> list[str]:
    """Return all that the API documents, and what is no resource at all."""
    documented = api.get("/openapi.json")["paths"]
    assert len(documented) > 10
    filled = [
        path.format(device_id="dev_0001", endpoint_id="ep_0001", anomaly_id="a")
        for path in documented
    ]
    return [*filled, "/openapi.json", "/docs", "/redoc", "/", "/api/v1/nothing", "/api/v1/health/"]


OPEN = {f"/api/v1/health{part}" for part in ("", "/live", "/ready")}


@pytest.mark.attack(22)
def test_without_a_token_only_health_answers_and_says_next_to_nothing(api: Api) -> None:
    for path in paths(api):
        answer = without_token(api, path)
        if path == "/api/v1/health":
            assert (answer.status, answer.body) == (200, b'{"status":"ok"}')
        if path in OPEN:
            continue
        # The limit comes after some: both keep the door shut.
        assert answer.status in {401, 429}, path
        assert SECRET.encode() not in answer.body
    assert api.ask("devices").status_code == 200


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()


def without_token(api: Api, path: str, method: str = "GET", **headers: str) -> Answer:
    host = api.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        return Answer(connection.getresponse())


@pytest.mark.attack(22)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"])
def test_without_a_token_no_method_answers(api: Api, method: str) -> None:
    for path in ("/api/v1/devices", "/metrics"):
        assert without_token(api, path, method).status == 401


def test_health_has_its_details_for_those_with_a_token(api: Api) -> None:
    assert api.get("health")["controller_id"] == "global_cntl_1"
    assert api.problem("health", 401, headers=bearer(UNKNOWN))


# --- what is refused -------------------------------------------------------------------------


def test_a_refusal_is_a_problem_with_a_challenge(api: Api) -> None:
    refused = without_token(api, "/api/v1/devices")
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="pdsno"'
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Cache-Control"] == "no-store"
    assert b'"reason": "NO_TOKEN"' in refused.body
    answer = api.ask("devices", headers=bearer(UNKNOWN))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="pdsno", error="invalid_token"'
    assert answer.json()["reason"] == "INVALID_TOKEN"
    assert UNKNOWN not in answer.text


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"expires_at": NOW}, "TOKEN_EXPIRED"),
        ({"revoked_at": NOW}, "REVOKED"),
        ({"revoked_at": NOW, "expires_at": NOW}, "REVOKED"),
    ],
)
def test_a_token_that_has_ended_is_refused_with_the_reason(
    api: Api, nib: NIBStore, values: dict[str, Any], reason: str
) -> None:
    put_token(nib, OTHER)
    assert api.ask("devices", headers=bearer(OTHER)).status_code == 200
    put_token(nib, OTHER, **values)
    answer = api.ask("devices", headers=bearer(OTHER))
    assert (answer.status_code, answer.json()["reason"]) == (401, reason)


@pytest.mark.attack(12)
def test_a_revocation_counts_on_the_next_request_of_an_open_connection(
    api: Api, nib: NIBStore
) -> None:
    for _ in range(3):
        assert api.ask("devices").status_code == 200
    put_token(nib, OTHER)
    put_token(nib, TOKEN, revoked_at=NOW)
    assert api.ask("devices").status_code == 401
    assert api.ask("devices", headers=bearer(OTHER)).status_code == 200


def test_a_token_expires_while_it_is_in_use(api: Api, nib: NIBStore) -> None:
    moments = count()

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp((NOW + timedelta(hours=next(moments))).timestamp(), tz)

    put_token(nib, OTHER, expires_at=NOW + timedelta(hours=2))
    with patch.object(gate, "datetime", Later):
        told = [api.ask("devices", headers=bearer(OTHER)).status_code for _ in range(3)]
    assert told == [200, 200, 401]


def test_two_tokens_in_one_request_are_one_too_many(api: Api) -> None:
    host = api.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=10)) as connection:
        connection.putrequest("GET", "/api/v1/devices")
        connection.putheader("Authorization", f"Bearer {TOKEN}")
        connection.putheader("Authorization", f"Bearer {TOKEN}")
        connection.endheaders()
        assert connection.getresponse().status == 401


def test_a_token_in_the_query_is_none(api: Api) -> None:
    assert without_token(api, f"/api/v1/devices?access_token={TOKEN}").status == 401


def test_the_name_of_a_host_is_asked_before_the_token(api: Api) -> None:
    assert without_token(api, "/api/v1/devices", Host="evil.example").status == 421


class Locked(NIBStore):
    """A NIB whose tokens cannot be read."""

    is_locked = False

    def api_token(self, token_sha256: str) -> ApiTokenRecord | None:
        if self.is_locked:
            raise TransientError("secret-path is locked")
        return super().api_token(token_sha256)


def test_while_tokens_cannot_be_read_nobody_is_let_in() -> None:
    with Locked("memory://") as store, served(store) as api:
        assert api.ask("devices").status_code == 200
        put_token(store, OTHER)
        store.is_locked = True
        # Neither whoever never came yet, nor who did: something was committed since.
        for token in (OTHER, TOKEN):
            assert "secret" not in api.problem("devices", 503, headers=bearer(token))
        store.is_locked = False
        assert api.ask("devices").status_code == 200


# --- floods ----------------------------------------------------------------------------------


@pytest.mark.attack(64)
def test_a_source_that_fails_too_often_waits_and_good_tokens_go_on(api: Api, nib: NIBStore) -> None:
    statuses = [api.ask("devices", headers=bearer(UNKNOWN)).status_code for _ in range(14)]
    assert statuses[:10] == [401] * 10
    assert statuses[11:] == [429] * 3
    limited = api.ask("devices", headers=bearer(UNKNOWN))
    assert 1 <= int(limited.headers["Retry-After"]) <= 60
    assert limited.json()["reason"] == "RATE_LIMITED"
    assert without_token(api, "/api/v1/devices").status == 429
    assert without_token(api, "/api/v1/devices", **{"X-Forwarded-For": "192.0.2.9"}).status == 429
    assert api.get("devices")["items"]
    put_token(nib, TOKEN, revoked_at=NOW)
    assert api.ask("devices").status_code == 429


def test_failures_are_one_event_a_minute_without_any_token(
    api: Api, nib: NIBStore, capfd: pytest.CaptureFixture[str]
) -> None:
    put_token(nib, OTHER, name="noc", revoked_at=NOW)
    for headers in (bearer(OTHER), bearer(UNKNOWN), bearer("pdsno_guess"), {}):
        for _ in range(5):
            api.ask("devices", headers=headers)
    (event,) = failures(nib)
    assert (event.subject, event.actor) == ("127.0.0.1", "global_cntl_1")
    assert event.region is None
    assert event.data == {"failures": 1, "reasons": {"REVOKED": 1}, "tokens": ["noc"]}
    logged = capfd.readouterr()
    for secret in (OTHER, UNKNOWN, "pdsno_guess"):
        assert secret not in logged.out + logged.err + str(nib.events())
    assert "api_auth_failed" in logged.out + logged.err


def test_the_sum_of_a_flood_is_told_though_nobody_asks_any_more(nib: NIBStore) -> None:
    with (
        patch.object(gate, "_TELL_EVERY_S", 0.05),
        patch("pdsno.api.attempts._MINUTE_S", 0.2),
        served(nib) as api,
    ):
        for _ in range(8):
            api.ask("devices", headers=bearer(UNKNOWN))

        def told() -> int:
            return sum(event.data["failures"] for event in failures(nib))

        wait_until(lambda: told() == 8)
        assert len(failures(nib)) < 8


def wait_until(is_so: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=timeout_s)
    while not is_so():
        assert datetime.now(UTC) < deadline, "it never came to that"


def test_an_event_that_cannot_be_written_lets_nobody_in() -> None:
    class ReadOnly(NIBStore):
        is_read_only = False

        def transaction(self) -> Any:  # noqa: ANN401 - as the base
            if self.is_read_only:
                raise TransientError("the disk is full")
            return super().transaction()

    with ReadOnly("memory://") as store, served(store, info) as api:
        store.is_read_only = True
        assert api.ask("devices", headers=bearer(UNKNOWN)).status_code == 401
        assert api.ask("devices").status_code == 200
