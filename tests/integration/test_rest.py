import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import structlog

from pdsno.communication.codec import size_limit
from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.domain.errors import (
    LocalProtocolError,
    OperationError,
)
from pdsno.domain.messages import Message, Reply
from tests.integration.rest_rig import (
    GC_KEY,
    REQUEST,
    STATUS,
    THIEF_KEY,
    VERIFIER,
    Send,
    echo,
    sealed,
    url_of,
)
from tests.integration.waiting import wait_until


def test_a_reply_comes_back_signed_and_tied_to_the_request(
    server: ControllerRESTServer, send: Send
) -> None:
    got: list[Message] = []

    def remember(message: Message) -> Reply:
        got.append(message)
        return echo(message)

    server.register_handler(REQUEST, remember)
    reply = send(correlation_id="c-9", stream_id="s", seq=3)
    assert reply is not None
    assert reply.payload == {"got": {"n": 1}}
    assert reply.correlation_id == got[0].message_id
    assert (reply.sender_id, reply.key_id) == ("gc", GC_KEY.key_id)
    assert (got[0].correlation_id, got[0].seq) == ("c-9", 3)


def test_a_handler_without_reply_returns_none(server: ControllerRESTServer, send: Send) -> None:
    server.register_handler(REQUEST, lambda _message: None)
    assert send() is None


def test_handlers_can_be_registered_and_replaced_while_serving(
    server: ControllerRESTServer, send: Send
) -> None:
    with pytest.raises(LocalProtocolError, match="404"):
        send()
    server.register_handler(REQUEST, lambda _message: None)
    assert send() is None
    server.register_handler(REQUEST, echo)
    assert send() is not None


def test_health_and_info_are_served(
    server: ControllerRESTServer, client: ControllerHTTPClient
) -> None:
    server.register_handler(REQUEST, echo)
    health = client.check_health("gc")
    assert health
    assert health.rtt_ms is not None
    info = client.get_info("gc")
    assert info["controller_id"] == "gc"
    assert info["role"] == "global"
    assert info["messages"] == ["DISCOVERY_REQUEST"]


@pytest.mark.parametrize(
    ("forged", "status", "reason"),
    [
        (lambda: b'{"n": 1}', 401, "UNSIGNED"),
        (lambda: sealed(key=THIEF_KEY), 401, "IDENTITY_MISMATCH"),
        (lambda: sealed(key=THIEF_KEY, sender_id="stranger"), 401, "UNKNOWN_KEY"),
        (lambda: sealed().replace(b'"signature":"', b'"signature":"AAAA'), 401, "BAD_SIGNATURE"),
        (lambda: sealed(recipient_id="rc2"), 403, "WRONG_RECIPIENT"),
        (lambda: b"not json", 400, None),
        (lambda: b"[" * 100_000, 400, None),
        (lambda: sealed(message_type=STATUS), 400, None),
        (lambda: b"", 400, None),
    ],
)
def test_what_must_not_reach_a_handler_does_not(
    server: ControllerRESTServer, forged: Callable[[], bytes], status: int, reason: str | None
) -> None:
    got: list[Message] = []
    server.register_handler(REQUEST, got.append)
    answer = requests.post(url_of(server), data=forged(), timeout=10)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json().get("reason") == reason
    assert not got
    assert requests.post(url_of(server), data=sealed(), timeout=10).status_code == 204
    assert len(got) == 1


def test_the_same_bytes_again_are_refused_but_not_of_a_durable_message(
    server: ControllerRESTServer,
) -> None:
    server.register_handler(REQUEST, lambda _message: None)
    once, durable = sealed(), sealed(stream_id="s", seq=1)
    answers = [requests.post(url_of(server), data=raw, timeout=10) for raw in (once, once)]
    assert [answer.status_code for answer in answers] == [204, 403]
    assert answers[1].json()["reason"] == "REPLAYED"
    for _ in range(2):
        assert requests.post(url_of(server), data=durable, timeout=10).status_code == 204


def test_too_large_a_body_is_cut_off_while_it_streams(server: ControllerRESTServer) -> None:
    server.register_handler(REQUEST, lambda _message: None)
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 50 * size_limit(REQUEST):
            sent += 65536
            yield b"x" * 65536

    try:
        answer = requests.post(url_of(server), data=endless(), timeout=20)
        assert answer.status_code == 413
    except requests.ConnectionError:
        pass  # cut off before the answer could be read
    assert sent < 20 * size_limit(REQUEST)
    announced = requests.post(url_of(server), data=b"x" * (size_limit(REQUEST) + 1), timeout=20)
    assert announced.status_code == 413
    assert announced.json()["title"]


def test_a_wrong_path_or_method_is_a_problem(server: ControllerRESTServer) -> None:
    server.register_handler(REQUEST, echo)
    wrong_method = requests.get(url_of(server), timeout=10)
    wrong_path = requests.get(f"http://127.0.0.1:{server.port}/docs", timeout=10)
    assert (wrong_method.status_code, wrong_path.status_code) == (405, 404)
    assert wrong_path.json()["title"] == "Not Found"


def test_a_taken_port_is_one_clear_line(server: ControllerRESTServer) -> None:
    second = ControllerRESTServer("gc2", server.port, signer=GC_KEY, verifier=VERIFIER)
    with pytest.raises(OperationError) as caught:
        second.start_background()
    text = str(caught.value)
    assert text.startswith(f"cannot listen on 127.0.0.1:{server.port}: the port is taken")
    assert "\n" not in text
    second.stop()


def test_it_stops_and_starts_again_on_its_port(server: ControllerRESTServer, send: Send) -> None:
    server.register_handler(REQUEST, echo)
    port = server.port
    assert send() is not None
    server.stop()
    server.stop()
    assert not server.is_serving
    server.start_background()
    assert server.port == port
    assert send() is not None


def test_nothing_runs_on_after_a_stop() -> None:
    rest = ControllerRESTServer("gone", 0, signer=GC_KEY, verifier=VERIFIER)
    rest.start_background()
    rest.stop()
    assert not [t for t in threading.enumerate() if t.name.startswith("rest-gone")]


def test_start_is_a_coroutine_that_serves_until_stopped() -> None:
    rest = ControllerRESTServer("gc", 0, signer=GC_KEY, verifier=VERIFIER)

    async def scenario() -> int:
        serving = asyncio.create_task(rest.start())
        await asyncio.to_thread(wait_until, lambda: rest.is_serving)
        url = f"http://127.0.0.1:{rest.port}/health"
        status = (await asyncio.to_thread(requests.get, url, timeout=10)).status_code
        await asyncio.to_thread(rest.stop)
        await asyncio.wait_for(serving, 10)
        return status

    assert asyncio.run(scenario()) == 200
    assert not rest.is_serving


def test_cancelling_start_stops_serving() -> None:
    rest = ControllerRESTServer("gc", 0, signer=GC_KEY, verifier=VERIFIER)

    async def scenario() -> None:
        serving = asyncio.create_task(rest.start())
        await asyncio.to_thread(wait_until, lambda: rest.is_serving)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    asyncio.run(scenario())
    assert not rest.is_serving


def test_slow_handlers_run_side_by_side_and_health_answers_meanwhile(
    server: ControllerRESTServer, send: Send, client: ControllerHTTPClient
) -> None:
    together = threading.Barrier(9, timeout=20)

    def slow(_message: Message) -> None:
        together.wait()

    server.register_handler(REQUEST, slow)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(send) for _ in range(8)]
        wait_until(lambda: together.n_waiting == 8, "all handlers")
        assert client.check_health("gc")
        together.wait()
        assert [future.result(20) for future in futures] == [None] * 8


def test_the_server_answers_under_its_assigned_id_once_it_has_one(
    server: ControllerRESTServer, client: ControllerHTTPClient
) -> None:
    server.register_handler(REQUEST, echo)
    server.controller_id = "global_cntl_1"
    VERIFIER.known["global_cntl_1"] = GC_KEY
    client.register_controller("global_cntl_1", f"http://127.0.0.1:{server.port}")
    reply = client.send(
        sender_id="rc", recipient_id="global_cntl_1", message_type=REQUEST, payload={}
    )
    assert reply is not None
    assert reply.sender_id == "global_cntl_1"


def test_the_log_of_a_handler_tells_who_asked(server: ControllerRESTServer, send: Send) -> None:
    bound: list[dict[str, Any]] = []
    server.register_handler(
        REQUEST, lambda _m: bound.append(structlog.contextvars.get_contextvars())
    )
    send(correlation_id="c-1")
    assert bound == [{"controller_id": "gc", "sender_id": "rc", "correlation_id": "c-1"}]


def test_a_raw_reply_is_json_on_the_wire(server: ControllerRESTServer) -> None:
    server.register_handler(REQUEST, echo)
    answer = requests.post(url_of(server), data=sealed(), timeout=10)
    assert answer.headers["Content-Type"] == "application/jose+json"
    assert json.loads(answer.content).keys() == {"protected", "payload", "signature"}
