import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from pdsno.communication.codec import Draft, seal
from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.domain.errors import (
    ConflictError,
    InputError,
    OperationError,
    Refusal,
    RefusedError,
    TransientError,
)
from pdsno.domain.messages import Message, Reply
from pdsno.signing import SigningKey
from tests.integration.rest_rig import (
    GC_KEY,
    RC_KEY,
    REQUEST,
    STATUS,
    THIEF_KEY,
    VERIFIER,
    Send,
    echo,
    raising,
)


def test_health_of_a_dead_controller_is_false_and_says_why(free_port: int) -> None:
    client = ControllerHTTPClient(signer=RC_KEY, verifier=VERIFIER)
    client.register_controller("gc", f"http://127.0.0.1:{free_port}")
    health = client.check_health("gc")
    assert not health
    assert "cannot reach gc" in health.detail
    client.close()


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


def reply_of(sender_id: str, key: SigningKey) -> bytes:
    """Seal a reply now: one made when the tests were collected would be stale."""
    draft = Draft(message_type=STATUS, sender_id=sender_id, recipient_id="rc", payload={})
    return seal(draft, key)


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        (lambda: reply_of("gc", GC_KEY), Refusal.REPLAYED),
        (lambda: reply_of("gc", THIEF_KEY), Refusal.IDENTITY_MISMATCH),
        (lambda: reply_of("rc", RC_KEY), Refusal.IDENTITY_MISMATCH),
        (lambda: b"{}", Refusal.UNSIGNED),
    ],
    ids=["of another exchange", "of a thief", "of another controller", "unsigned"],
)
def test_a_false_reply_is_refused(forged: Callable[[], bytes], reason: Refusal) -> None:
    port, thread = impostor(forged())
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


def test_many_threads_share_one_client(server: ControllerRESTServer, send: Send) -> None:
    server.register_handler(REQUEST, echo)

    def ask(number: int) -> int:
        reply = send(payload={"n": number})
        assert reply is not None
        return int(reply.payload["got"]["n"])

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(ask, range(120))) == list(range(120))


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
