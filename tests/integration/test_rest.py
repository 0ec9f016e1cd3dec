import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import structlog

from pdsno.communication.codec import Draft, seal, size_limit
from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.domain.errors import (
    ConflictError,
    InputError,
    LocalProtocolError,
    OperationError,
    Refusal,
    RefusedError,
    TransientError,
)
from pdsno.domain.messages import Message, MessageType, Reply
from pdsno.signing import SigningKey
from tests.integration.waiting import wait_until
from tests.unit.communication.keys import TableVerifier

REQUEST, STATUS = MessageType.DISCOVERY_REQUEST, MessageType.STATUS
GC_KEY, RC_KEY, THIEF_KEY = (SigningKey.generate() for _ in range(3))
VERIFIER = TableVerifier({"gc": GC_KEY, "rc": RC_KEY})
Send = Callable[..., Message | None]


@pytest.fixture
def server() -> Iterator[ControllerRESTServer]:
    rest = ControllerRESTServer("gc", 0, signer=GC_KEY, verifier=VERIFIER, info={"role": "global"})
    rest.start_background()
    yield rest
    rest.stop()


@pytest.fixture
def sleeps() -> list[float]:
    return []


@pytest.fixture
def client(server: ControllerRESTServer, sleeps: list[float]) -> Iterator[ControllerHTTPClient]:
    http = ControllerHTTPClient(signer=RC_KEY, verifier=VERIFIER, sleep=sleeps.append)
    http.register_controller("gc", f"http://127.0.0.1:{server.port}")
    yield http
    http.close()


@pytest.fixture
def send(client: ControllerHTTPClient) -> Send:
    def send_request(**changes: Any) -> Message | None:  # noqa: ANN401 - any argument of send
        arguments: dict[str, Any] = {
            "sender_id": "rc",
            "recipient_id": "gc",
            "message_type": REQUEST,
            "payload": {"n": 1},
        }
        return client.send(**arguments | changes)

    return send_request


def url_of(server: ControllerRESTServer, message_type: MessageType = REQUEST) -> str:
    return f"http://127.0.0.1:{server.port}/messages/{message_type.lower()}"


def sealed(key: SigningKey = RC_KEY, **changes: Any) -> bytes:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "message_type": REQUEST,
        "sender_id": "rc",
        "recipient_id": "gc",
        "payload": {"n": 1},
    }
    return seal(Draft(**fields | changes), key)


def echo(message: Message) -> Reply:
    return Reply(message_type=STATUS, payload={"got": dict(message.payload)})


def raising(error: Exception) -> Callable[[Message], Reply | None]:
    def handler(_message: Message) -> Reply | None:
        raise error

    return handler


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


def test_health_of_a_dead_controller_is_false_and_says_why(free_port: int) -> None:
    client = ControllerHTTPClient(signer=RC_KEY, verifier=VERIFIER)
    client.register_controller("gc", f"http://127.0.0.1:{free_port}")
    health = client.check_health("gc")
    assert not health
    assert "cannot reach gc" in health.detail
    client.close()


@pytest.mark.parametrize(
    ("raw", "status", "reason"),
    [
        (b'{"n": 1}', 401, "UNSIGNED"),
        (sealed(key=THIEF_KEY), 401, "IDENTITY_MISMATCH"),
        (sealed(key=THIEF_KEY, sender_id="stranger"), 401, "UNKNOWN_KEY"),
        (sealed().replace(b'"signature":"', b'"signature":"AAAA'), 401, "BAD_SIGNATURE"),
        (sealed(recipient_id="rc2"), 403, "WRONG_RECIPIENT"),
        (b"not json", 400, None),
        (b"[" * 100_000, 400, None),
        (sealed(message_type=STATUS), 400, None),
        (b"", 400, None),
    ],
)
def test_what_must_not_reach_a_handler_does_not(
    server: ControllerRESTServer, raw: bytes, status: int, reason: str | None
) -> None:
    got: list[Message] = []
    server.register_handler(REQUEST, got.append)
    answer = requests.post(url_of(server), data=raw, timeout=10)
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


def test_a_refusal_keeps_its_reason_and_is_not_retried(
    server: ControllerRESTServer, send: Send, sleeps: list[float]
) -> None:
    server.register_handler(REQUEST, raising(RefusedError(Refusal.QUOTA_EXCEEDED, "10 of 10")))
    with pytest.raises(RefusedError) as caught:
        send()
    assert (caught.value.reason, caught.value.detail) == (Refusal.QUOTA_EXCEEDED, "10 of 10")
    assert not sleeps


def test_a_conflict_is_a_conflict(server: ControllerRESTServer, send: Send) -> None:
    server.register_handler(REQUEST, raising(ConflictError("version 3")))
    with pytest.raises(ConflictError):
        send()


def test_a_crash_is_answered_without_its_text_and_retried(
    server: ControllerRESTServer, send: Send, sleeps: list[float]
) -> None:
    server.register_handler(REQUEST, raising(RuntimeError("password=hunter2")))
    with pytest.raises(TransientError) as caught:
        send()
    assert "hunter2" not in str(caught.value)
    assert len(sleeps) == 3
    for delay, middle in zip(sleeps, [1, 2, 4], strict=True):
        assert 0.8 * middle <= delay <= 1.2 * middle


def test_a_busy_server_names_the_delay(
    server: ControllerRESTServer, send: Send, sleeps: list[float]
) -> None:
    answers = iter([TransientError("locked")])

    def busy_once(message: Message) -> Reply:
        for error in answers:
            raise error
        return echo(message)

    server.register_handler(REQUEST, busy_once)
    assert send() is not None
    assert sleeps == [1.0]


def test_each_attempt_is_a_new_message_unless_it_is_durable(
    server: ControllerRESTServer, send: Send
) -> None:
    got: list[Message] = []

    def fail_after(message: Message) -> Reply | None:
        got.append(message)
        raise TransientError("later")

    server.register_handler(REQUEST, fail_after)
    for changes in ({}, {"stream_id": "s", "seq": 1}):
        with pytest.raises(TransientError):
            send(**changes)
    assert len({message.message_id for message in got[:4]}) == 4
    assert len({message.message_id for message in got[4:]}) == 1


def test_an_unreachable_controller_is_one_clear_line_after_the_retries(
    free_port: int, sleeps: list[float]
) -> None:
    client = ControllerHTTPClient(signer=RC_KEY, verifier=VERIFIER, sleep=sleeps.append)
    client.register_controller("gc", f"http://127.0.0.1:{free_port}")
    with pytest.raises(TransientError) as caught:
        client.send(sender_id="rc", recipient_id="gc", message_type=REQUEST, payload={})
    assert str(caught.value) == (
        f"cannot reach gc at http://127.0.0.1:{free_port}: is it running there?"
    )
    assert len(sleeps) == 3
    client.close()


def test_an_unregistered_controller_is_named_with_the_remedy(client: ControllerHTTPClient) -> None:
    with pytest.raises(InputError, match=r'register_controller\("rc2", url\) first'):
        client.send(sender_id="rc", recipient_id="rc2", message_type=REQUEST, payload={})


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "localhost:8001", "http://x:99999"])
def test_what_is_no_url_is_refused(url: str) -> None:
    client = ControllerHTTPClient(signer=RC_KEY, verifier=VERIFIER)
    with pytest.raises(InputError, match="no URL of a controller"):
        client.register_controller("gc", url)


def impostor(body: bytes, *, status: str = "200 OK") -> tuple[int, threading.Thread]:
    """Serve one connection with fixed bytes; returns port and thread."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as peer:
            peer.settimeout(10)
            peer.recv(65536)
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            peer.sendall(head.encode() + body)

    thread = threading.Thread(target=serve)
    thread.start()
    return listener.getsockname()[1], thread


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (seal(Draft(message_type=STATUS, sender_id="gc", recipient_id="rc", payload={}), GC_KEY),
         Refusal.REPLAYED),
        (seal(Draft(message_type=STATUS, sender_id="gc", recipient_id="rc", payload={}), THIEF_KEY),
         Refusal.IDENTITY_MISMATCH),
        (seal(Draft(message_type=STATUS, sender_id="rc", recipient_id="rc", payload={}), RC_KEY),
         Refusal.IDENTITY_MISMATCH),
        (b"{}", Refusal.UNSIGNED),
    ],
    ids=["of another exchange", "of a thief", "of another controller", "unsigned"],
)  # fmt: skip
def test_a_false_reply_is_refused(reply: bytes, reason: Refusal) -> None:
    port, thread = impostor(reply)
    client = ControllerHTTPClient(signer=RC_KEY, verifier=VERIFIER)
    client.register_controller("gc", f"http://127.0.0.1:{port}")
    with pytest.raises(RefusedError) as caught:
        client.send(sender_id="rc", recipient_id="gc", message_type=REQUEST, payload={})
    assert caught.value.reason is reason
    client.close()
    thread.join()


@pytest.mark.parametrize("status", ["302 Found", "200 OK"])
def test_whoever_is_no_controller_is_an_error(status: str) -> None:
    port, thread = impostor(b"<html>", status=status)
    client = ControllerHTTPClient(signer=RC_KEY, verifier=VERIFIER, retries=0)
    client.register_controller("gc", f"http://127.0.0.1:{port}")
    with pytest.raises(OperationError):
        client.send(sender_id="rc", recipient_id="gc", message_type=REQUEST, payload={})
    client.close()
    thread.join()


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


def test_many_threads_share_one_client(server: ControllerRESTServer, send: Send) -> None:
    server.register_handler(REQUEST, echo)

    def ask(number: int) -> int:
        reply = send(payload={"n": number})
        assert reply is not None
        return int(reply.payload["got"]["n"])

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(ask, range(120))) == list(range(120))


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


def test_a_reply_that_drips_ends_with_the_timeout() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def drip() -> None:
        with listener, listener.accept()[0] as peer:
            peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while not done.wait(0.05):
                try:
                    peer.sendall(b"1\r\nx\r\n")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    client = ControllerHTTPClient(signer=RC_KEY, verifier=VERIFIER, retries=0)
    client.register_controller("gc", f"http://127.0.0.1:{listener.getsockname()[1]}")
    started = time.monotonic()
    with pytest.raises(TransientError):
        client.send(
            sender_id="rc", recipient_id="gc", message_type=REQUEST, payload={}, timeout_s=0.5
        )
    assert time.monotonic() - started < 5
    done.set()
    thread.join()
    client.close()


def test_a_raw_reply_is_json_on_the_wire(server: ControllerRESTServer) -> None:
    server.register_handler(REQUEST, echo)
    answer = requests.post(url_of(server), data=sealed(), timeout=10)
    assert answer.headers["Content-Type"] == "application/jose+json"
    assert json.loads(answer.content).keys() == {"protected", "payload", "signature"}
