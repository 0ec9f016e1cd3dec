"""What is said over a good connection: only what its controller signed, for us, now, and once."""

import base64
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdsno.communication.codec import size_limit
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.controllers.seen_journal import SeenJournal
from pdsno.domain.messages import BROADCAST, MessageType
from pdsno.nib import NIBStore
from pdsno.signing import SigningKey
from tests.integration.trust_rig import (
    PATH,
    Answer,
    Site,
    connection_of,
    make_site,
    post,
    sealed,
    secured,
)
from tests.pki import Member


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[ControllerRESTServer]:
    with site.server() as serving:
        yield serving


Say = Callable[..., Answer]


@pytest.fixture
def say(site: Site, server: ControllerRESTServer) -> Say:
    """Post bytes as the regional controller; then the good case must pass, whatever came before."""
    rc = site.pki.rc

    def posted(raw: bytes, path: str = PATH, **headers: str) -> Answer:
        before = len(site.got)
        with connection_of(rc, server) as live:
            answer = post(live, raw, path, **headers)
        assert len(site.got) == before + (answer.status == 200)
        with connection_of(rc, server) as live:
            assert post(live, sealed(rc)).status == 200
        return answer

    return posted


def envelope(raw: bytes, **changes: Any) -> bytes:  # noqa: ANN401 - fields of the header
    """Return a message with another envelope under the old signature."""
    outer = json.loads(raw)
    header = json.loads(base64.urlsafe_b64decode(outer["protected"] + "=="))
    text = json.dumps(header | changes).encode()
    outer["protected"] = base64.urlsafe_b64encode(text).rstrip(b"=").decode()
    return json.dumps(outer).encode()


def named(member: Member, controller_id: str) -> bytes:
    return sealed(member, sender_id=controller_id)


# --- who signed --------------------------------------------------------------------------------


def test_the_good_case(say: Say, site: Site) -> None:
    assert say(sealed(site.pki.rc)).status == 200


@pytest.mark.attack(17)
def test_another_sender_under_the_own_key_is_refused(say: Say, site: Site) -> None:
    answer = say(named(site.pki.rc, site.pki.lc.controller_id))
    assert (answer.status, answer.reason) == (401, "IDENTITY_MISMATCH")


def test_the_key_id_of_another_is_refused(say: Say, site: Site) -> None:
    answer = say(envelope(sealed(site.pki.rc), kid=site.pki.lc.key_id))
    assert (answer.status, answer.reason) == (401, "BAD_SIGNATURE")
    answer = say(envelope(sealed(site.pki.rc), kid="../../etc/passwd' OR 1=1 --"))
    assert (answer.status, answer.reason) == (401, "UNKNOWN_KEY")


def test_a_key_that_nobody_knows_is_refused(say: Say, site: Site) -> None:
    rc = site.pki.rc
    stranger = Member(
        controller_id=rc.controller_id,
        role=rc.role,
        region=rc.region,
        signer=SigningKey.generate(),
        tls=rc.tls,
    )
    answer = say(sealed(stranger))
    assert (answer.status, answer.reason) == (401, "UNKNOWN_KEY")


@pytest.mark.attack(18)
def test_what_is_for_somebody_else_is_refused(say: Say, site: Site) -> None:
    answer = say(sealed(site.pki.rc, recipient_id="regional_cntl_zone-B_1"))
    assert (answer.status, answer.reason) == (403, "WRONG_RECIPIENT")
    assert say(sealed(site.pki.rc, recipient_id=BROADCAST)).status == 200


@pytest.mark.attack(2)
@pytest.mark.parametrize(
    ("age_s", "reason"), [(320, "STALE"), (280, None), (-29, None), (-35, "FUTURE")]
)
def test_a_message_has_its_time(say: Say, site: Site, age_s: int, reason: str | None) -> None:
    then = datetime.now(UTC) - timedelta(seconds=age_s)
    assert say(sealed(site.pki.rc, now=then)).reason == reason


# --- what was signed ---------------------------------------------------------------------------


def changed(raw: bytes, part: str, change: Callable[[str], object]) -> bytes:
    outer = json.loads(raw)
    outer[part] = change(outer[part])
    return json.dumps(outer).encode()


def test_parts_of_two_messages_make_no_third(say: Say, site: Site) -> None:
    first, second = (json.loads(sealed(site.pki.rc, payload={"n": n})) for n in (1, 2))
    for part in ("payload", "protected", "signature"):
        answer = say(json.dumps(first | {part: second[part]}).encode())
        assert (answer.status, answer.reason) == (401, "BAD_SIGNATURE")


@pytest.mark.attack(18)
def test_a_stripped_or_doubled_part_is_refused(say: Say, site: Site) -> None:
    raw = sealed(site.pki.rc)
    for part in ("payload", "protected", "signature"):
        outer = json.loads(raw)
        del outer[part]
        assert say(json.dumps(outer).encode()).status == 401
    doubled = raw[:-1] + b',"payload":"e30"}'
    assert say(doubled).status == 400
    assert say(changed(raw, "signature", lambda _s: "")).status == 401
    assert say(envelope(raw, alg="none")).status == 401
    assert say(envelope(raw, alg="HS256")).status == 401
    assert say(raw[:-1] + b',"header":{}}').status == 401


@pytest.mark.attack(18)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_bit_passes(
    site: Site, server: ControllerRESTServer, data: st.DataObject
) -> None:
    raw = sealed(site.pki.rc)
    place = data.draw(st.integers(0, len(raw) * 8 - 1))
    forged = bytearray(raw)
    forged[place // 8] ^= 1 << (place % 8)
    before = len(site.got)
    with connection_of(site.pki.rc, server) as live:
        answer = post(live, bytes(forged))
        assert answer.status in (400, 401, 403)
        assert len(site.got) == before
        assert post(live, raw).status == 200


# --- once --------------------------------------------------------------------------------------


@pytest.mark.attack(19)
def test_the_same_message_again_is_refused_and_a_durable_one_not(say: Say, site: Site) -> None:
    once, durable = sealed(site.pki.rc), sealed(site.pki.rc, stream_id="s", seq=1)
    assert say(once).status == 200
    again = say(once)
    assert (again.status, again.reason) == (403, "REPLAYED")
    assert [say(durable).status for _ in range(2)] == [200, 200]


@pytest.mark.attack(19)
def test_a_replay_is_refused_after_a_restart_and_after_ten_thousand_others(site: Site) -> None:
    raw = sealed(site.pki.rc)
    rng = random.Random(4)  # noqa: S311 - no secret
    for restart in range(3):
        with (
            site.server(journal=SeenJournal(site.nib)) as server,
            connection_of(site.pki.rc, server) as live,
        ):
            answer = post(live, raw)
            assert (answer.status, answer.reason) == ((403, "REPLAYED") if restart else (200, None))
            guard = server._desk._guard
            for number in range(10_000):
                guard._remember(datetime.now(UTC), ("other", f"{restart}-{number}-{rng.random()}"))
            assert post(live, raw).reason == "REPLAYED"
            assert post(live, sealed(site.pki.rc)).status == 200


def test_without_a_journal_a_restart_would_forget(site: Site) -> None:
    """The control of the test above: it is the journal that remembers."""
    raw = sealed(site.pki.rc)
    for _ in range(2):
        with site.server() as server, connection_of(site.pki.rc, server) as live:
            assert post(live, raw).status == 200


def test_a_message_that_cannot_be_written_down_is_not_accepted(site: Site, tmp_path: Path) -> None:
    closed = NIBStore(tmp_path / "nib.db")
    journal = SeenJournal(closed)
    with site.server(journal=journal) as server, connection_of(site.pki.rc, server) as live:
        assert post(live, sealed(site.pki.rc)).status == 200
        before = len(site.got)
        closed.close()
        raw = sealed(site.pki.rc)
        assert post(live, raw).status >= 500
        assert len(site.got) == before


# --- shape -------------------------------------------------------------------------------------


def payload_of(text: bytes) -> Callable[[Member], bytes]:
    """Return what signs raw bytes as a payload, past every check of our own sealing."""

    def sign(member: Member) -> bytes:
        header = {
            "message_id": f"m-{random.random()}"[:40].replace(".", ""),  # noqa: S311 - a name
            "message_type": "DISCOVERY_REQUEST",
            "sender_id": member.controller_id,
            "recipient_id": "global_cntl_1",
            "timestamp": datetime.now(UTC).isoformat(),
            "schema_version": "1.0",
        }
        return member.signer.sign(header, text)

    return sign


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "truncated": b'{"protected":"e30","payl',
    "no JSON": b"hello",
    "a list": b"[1,2]",
    "a number": b"1",
    "null": b"null",
    "50 000 levels": b"[" * 50_000,
    "50 000 levels, closed": b"[" * 50_000 + b"]" * 50_000,
    "objects, nested": b'{"a":' * 50_000,
    "5000 digits": b'{"n":' + b"9" * 5000 + b"}",
    "NaN": b'{"n":NaN}',
    "Infinity": b'{"n":-Infinity}',
    "1e999": b'{"n":1e999}',
    "half a surrogate": b'{"n":"\\ud800"}',
    "UTF-16": '{"n":1}'.encode("utf-16"),
    "latin-1": b'{"n":"\xe9"}',
    "a byte order mark": b'\xef\xbb\xbf{"n":1}',
    "NUL": b'{"n":"\x00"}',
    "names given twice": b'{"protected":"e30","protected":"e30"}',
    "gzip": b"\x1f\x8b\x08\x00" + b"\x00" * 100,
}
NO_MESSAGES: dict[str, bytes] = {
    "parts that are no text": b'{"protected":{},"payload":[],"signature":1}',
    "parts that are no base64": b'{"protected":"!","payload":"!","signature":"!"}',
    "an empty header": b'{"protected":"e30","payload":"e30","signature":"e30"}',
}


@pytest.mark.attack(21)
@pytest.mark.parametrize(
    "body", [*BODIES.values(), *NO_MESSAGES.values()], ids=[*BODIES, *NO_MESSAGES]
)
def test_a_malformed_body_is_the_callers_fault(say: Say, body: bytes) -> None:
    assert say(body).status in (400, 401)


@pytest.mark.attack(21)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_malformed_payload_is_the_callers_fault_signed_or_not(
    say: Say, site: Site, body: bytes
) -> None:
    assert say(payload_of(body)(site.pki.rc)).status == 400
    assert say(payload_of(b'{"n": 1}')(site.pki.rc)).status == 200


@pytest.mark.attack(21)
@pytest.mark.parametrize(
    "changes",
    [
        {"message_id": 7},
        {"message_id": "a" * 65},
        {"message_id": "a/b"},
        {"message_type": "UNKNOWN"},
        {"sender_id": "+"},
        {"sender_id": "regional_cntl_zone-\u0430_1"},
        {"recipient_id": ""},
        {"timestamp": "yesterday"},
        {"timestamp": "2026-01-01T00:00:00"},
        {"timestamp": "9999-12-31T23:59:59-23:59"},
        {"schema_version": "9.0"},
        {"stream_id": "s"},
        {"stream_id": "s", "seq": -1},
        {"stream_id": "s", "seq": True},
        {"stream_id": "s", "seq": 2**60},
        {"correlation_id": "x\r\nSet-Cookie: a"},
    ],
    ids=str,
)
def test_a_malformed_envelope_is_the_callers_fault(
    say: Say, site: Site, changes: dict[str, Any]
) -> None:
    good = envelope(sealed(site.pki.rc))
    outer = json.loads(good)
    header = json.loads(base64.urlsafe_b64decode(outer["protected"] + "==")) | changes
    del header["alg"], header["typ"], header["kid"]
    answer = say(site.pki.rc.signer.sign(header, b'{"n": 1}'))
    assert answer.status == 400


def test_an_unknown_field_of_the_envelope_is_let_pass(say: Say, site: Site) -> None:
    header = {
        "message_id": "m-unknown",
        "message_type": "DISCOVERY_REQUEST",
        "sender_id": site.pki.rc.controller_id,
        "recipient_id": "global_cntl_1",
        "timestamp": datetime.now(UTC).isoformat(),
        "schema_version": "1.7",
        "of_the_next_release": 1,
    }
    assert say(site.pki.rc.signer.sign(header, b"{}")).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Content_Encoding": "gzip"},
    ],
    ids=str,
)
def test_another_content_type_is_refused(say: Say, site: Site, headers: dict[str, str]) -> None:
    assert say(sealed(site.pki.rc), **headers).status == 415
    good = "application/jose+json; charset=utf-8"
    assert say(sealed(site.pki.rc), Content_Type=good).status == 200


def test_a_message_at_another_types_endpoint_is_refused(say: Say, site: Site) -> None:
    assert say(sealed(site.pki.rc, message_type=MessageType.STATUS)).status == 400
    assert say(sealed(site.pki.rc), path="/messages/nothing").status == 404


@pytest.mark.attack(20)
def test_too_large_a_message_is_refused(say: Say) -> None:
    limit = size_limit(MessageType.DISCOVERY_REQUEST)
    answer = say(b"x" * (limit + 1))
    assert answer.status == 413
    assert answer.headers["Connection"] == "close"
    assert say(b"x" * limit).status == 400


@pytest.mark.attack(64)
@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"Content-Length: -1\r\n\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"X: a\rb\r\nContent-Length: 0\r\n\r\n",
        b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=lambda head: head[:30].decode("latin-1"),
)
def test_ambiguous_framing_is_refused_and_ends_the_connection(
    site: Site, server: ControllerRESTServer, head: bytes
) -> None:
    smuggled = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with secured(site.pki.rc.tls.client_context(), server.port) as sock:
        sock.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\n".encode() + head + smuggled)
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.attack(64)
def test_host_and_forwarded_headers_change_nothing(say: Say, site: Site) -> None:
    forged = {"Host": "evil.example", "X_Forwarded_For": "192.0.2.66", "Forwarded": "for=192.0.2.6"}
    assert say(sealed(site.pki.rc), **forged).status == 200
    addresses = {m.channel.address for m in site.got if m.channel is not None}
    assert addresses == {"127.0.0.1"}
