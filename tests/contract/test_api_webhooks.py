"""Webhooks: who is told, what is signed, and that nothing is lost or shown that must not be."""

import base64
import hashlib
import hmac
import json
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pdsno.api import WebhookSecrets, WebhookSender
from pdsno.api.webhook_desk import WebhookDesk
from pdsno.api.webhook_post import Tried, post
from pdsno.domain.entities import OperatorRole
from pdsno.domain.errors import InputError
from pdsno.domain.webhooks import GIVE_UP_AFTER, KEPT_DELIVERIES, DeliveryOutcome, check_url
from pdsno.nib import NIBStore
from tests.integration.waiting import wait_until
from tests.unit.api.serving import TOKEN, Api, event, put_token, served

TOKEN_A = "pdsno_" + "zone-A".ljust(43, "-")
OPERATOR = "pdsno_" + "operator".ljust(43, "-")


@dataclass
class Receiver:
    """A program that is told of events; `answer` is what it says to each."""

    url: str = ""
    answer: int = 200
    location: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def seqs(self) -> list[int]:
        return [json.loads(body)["seq"] for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(state.answer)
            if state.location:
                self.send_header("Location", state.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}/hook?a=1"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield state
        server.shutdown()
        thread.join()


@pytest.fixture
def nib(tmp_path: Path) -> Iterator[NIBStore]:
    with NIBStore(tmp_path / "nib.sqlite") as store:
        yield store


@pytest.fixture
def secrets(tmp_path: Path) -> WebhookSecrets:
    return WebhookSecrets(tmp_path / "webhooks")


def sender_of(nib: NIBStore, secrets: WebhookSecrets, **options: Any) -> WebhookSender:  # noqa: ANN401
    return WebhookSender(nib, secrets, controller_id=lambda: "gc", poll_s=0.02, **options)


@pytest.fixture
def sender(nib: NIBStore, secrets: WebhookSecrets) -> Iterator[WebhookSender]:
    running = sender_of(nib, secrets)
    running.start()
    yield running
    running.close()


@pytest.fixture
def api(nib: NIBStore, sender: WebhookSender) -> Iterator[Api]:
    with served(nib, webhook_sender=sender) as running:
        put_token(nib, TOKEN, role=OperatorRole.ADMIN)
        put_token(nib, OPERATOR, name="op", role=OperatorRole.APPROVER)
        put_token(nib, TOKEN_A, name="noc-a", region="zone-A", role=OperatorRole.ADMIN)
        yield running


def add(api: Api, **body: object) -> dict[str, Any]:
    answer = api.session.post(f"{api.url}/api/v1/webhooks", json=body, timeout=30)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def change(api: Api, method: str, path: str) -> dict[str, Any]:
    answer = api.ask(path, method=method)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def append(nib: NIBStore, *names: str, region: str | None = None) -> None:
    with nib.transaction() as tx:
        for name in names:
            tx.append_event(event(name, "dev_1", region))


def test_a_receiver_is_told_signed_and_in_order(
    nib: NIBStore, api: Api, receiver: Receiver
) -> None:
    append(nib, "DEVICE_BEFORE")
    made = add(api, url=receiver.url, events=["DEVICE_*"])
    append(nib, "DEVICE_APPEARED", "LINK_APPEARED", "DEVICE_CHANGED")
    wait_until(lambda: len(receiver.got) == 2)
    names = [json.loads(body)["event_type"] for _, body in receiver.got]
    assert names == ["DEVICE_APPEARED", "DEVICE_CHANGED"]
    headers, body = receiver.got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(made["secret"].removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    assert body == json.dumps(json.loads(body), separators=(",", ":")).encode()
    assert json.loads(body) in api.items("events")


def test_what_was_not_taken_comes_again_with_the_same_id(
    nib: NIBStore, api: Api, receiver: Receiver
) -> None:
    receiver.answer = 503
    webhook_id = add(api, url=receiver.url)["webhook"]["webhook_id"]
    append(nib, "ONE", "TWO")
    wait_until(lambda: receiver.got)
    wait_until(lambda: api.items("webhooks")[0]["state"] == "failing")
    receiver.answer = 204
    change(api, "POST", f"webhooks/{webhook_id}/enable")
    wait_until(lambda: api.items("webhooks")[0]["delivered"] >= 2)
    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert ids[0] == ids[1]
    assert len(set(ids)) == len(set(receiver.seqs()))
    log = api.items(f"webhooks/{webhook_id}/deliveries")
    assert [(d["outcome"], d["status"]) for d in log][-1] == ("refused", 503)
    assert log[0]["outcome"] == "delivered"
    assert log[0]["latency_ms"] > 0
    assert [d["seq"] for d in log] == list(range(len(log), 0, -1))


def test_nothing_is_lost_when_the_controller_restarts(
    nib: NIBStore, secrets: WebhookSecrets, receiver: Receiver
) -> None:
    desk = WebhookDesk(nib, secrets)
    desk.add(url=receiver.url, events=("*",), region=None, secret=None, by="me")
    append(nib, "WHILE_IT_WAS_OFF")
    first = sender_of(nib, secrets)
    first.start()
    wait_until(lambda: nib.webhooks()[0].delivered == 2)
    first.close()
    append(nib, "WHILE_IT_WAS_OFF_AGAIN")
    second = sender_of(nib, secrets)
    second.start()
    wait_until(lambda: nib.webhooks()[0].delivered == 3)
    second.close()
    assert receiver.seqs() == [1, 2, 3]


def test_one_that_fails_for_days_is_disabled_with_an_event(
    nib: NIBStore, secrets: WebhookSecrets
) -> None:
    def refuse(*_: object) -> Tried:
        return Tried(outcome=DeliveryOutcome.UNREACHABLE, error="no", latency_ms=1)

    desk = WebhookDesk(nib, secrets)
    hook = desk.add(url="https://x.example/", events=("*",), region=None, secret=None, by="me")
    since = datetime.now(UTC) - GIVE_UP_AFTER
    with nib.transaction() as tx:
        tx.put_webhook(replace(hook.webhook, failing_since=since, tries=7))
    sender = sender_of(nib, secrets, send=refuse)
    sender.start()
    wait_until(lambda: nib.webhooks()[0].disabled_at)
    sender.close()
    (told,) = nib.events(event_type="WEBHOOK_DISABLED")
    assert told.subject == hook.webhook.webhook_id
    assert told.data["tries"] == 8
    assert nib.webhooks()[0].cursor == hook.webhook.cursor  # nothing is skipped
    assert desk.enable(hook.webhook.webhook_id, by="me").disabled_at is None


def test_tries_are_spaced_further_and_further(nib: NIBStore, secrets: WebhookSecrets) -> None:
    tries: list[datetime] = []

    def refuse(*_: object) -> Tried:
        tries.append(datetime.now(UTC))
        return Tried(outcome=DeliveryOutcome.UNREACHABLE, error="no", latency_ms=1)

    WebhookDesk(nib, secrets).add(
        url="https://x.example/", events=("*",), region=None, secret=None, by="me"
    )
    sender = sender_of(nib, secrets, send=refuse)
    sender.start()
    wait_until(lambda: nib.webhooks()[0].next_try)
    sender.close()
    hook = nib.webhooks()[0]
    assert hook.next_try is not None
    assert timedelta(seconds=1) < hook.next_try - tries[0] < timedelta(seconds=4)


def test_a_region_is_told_of_itself_only(nib: NIBStore, api: Api, receiver: Receiver) -> None:
    add(api, url=receiver.url, region="zone-A", events=["D_*"])
    append(nib, "D_THERE", region="zone-B")
    append(nib, "D_HERE", region="zone-A")
    wait_until(lambda: receiver.got)
    assert [json.loads(body)["event_type"] for _, body in receiver.got] == ["D_HERE"]


def test_the_log_is_bounded(nib: NIBStore, secrets: WebhookSecrets, receiver: Receiver) -> None:
    desk = WebhookDesk(nib, secrets)
    hook = desk.add(url=receiver.url, events=("*",), region=None, secret=None, by="me").webhook
    sender = sender_of(
        nib, secrets, send=lambda *_: Tried(outcome=DeliveryOutcome.DELIVERED, latency_ms=1)
    )
    for _ in range(KEPT_DELIVERIES + 5):
        sender.test(hook)
    sender.close()
    kept = nib.webhook_deliveries(hook.webhook_id, limit=1000)
    assert [kept[0].seq, len(kept)] == [KEPT_DELIVERIES + 5, KEPT_DELIVERIES]


# --- who may, and what is shown --------------------------------------------------------------


@pytest.mark.attack(22)
@pytest.mark.parametrize("token", [OPERATOR, TOKEN_A])
def test_only_an_administrator_of_all_regions_may(api: Api, token: str) -> None:
    api.session.headers["Authorization"] = f"Bearer {token}"
    api.problem("webhooks", 403)
    api.problem("webhooks", 405, method="PUT")
    answer = api.session.post(f"{api.url}/api/v1/webhooks", json={"url": "https://x/"}, timeout=9)
    assert answer.status_code == 403
    api.problem("tokens", 403)


def test_a_secret_is_shown_once_and_lies_in_a_private_file(
    api: Api, secrets: WebhookSecrets, tmp_path: Path
) -> None:
    made = add(api, url="https://x.example/")
    secret, webhook_id = made["secret"], made["webhook"]["webhook_id"]
    file = tmp_path / "webhooks" / f"{webhook_id}.secret"
    assert file.read_text() == secret == secrets.get(webhook_id)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    shown = json.dumps([api.items("webhooks"), api.items("events")])
    assert secret not in shown
    assert secret.encode() not in (tmp_path / "nib.sqlite").read_bytes()
    change(api, "DELETE", f"webhooks/{webhook_id}")
    assert not file.exists()
    assert api.items("webhooks") == []
    told = [(e["event_type"], e["actor"]) for e in api.items("events")]
    assert told == [("WEBHOOK_ADDED", "tests"), ("WEBHOOK_REMOVED", "tests")]


def test_a_test_event_is_sent_at_once_and_told_of(api: Api, receiver: Receiver) -> None:
    webhook_id = add(api, url=receiver.url, events=["NOTHING"])["webhook"]["webhook_id"]
    tried = change(api, "POST", f"webhooks/{webhook_id}/test")
    assert (tried["outcome"], tried["status"], tried["event_seq"]) == ("delivered", 200, 0)
    assert json.loads(receiver.got[0][1])["event_type"] == "WEBHOOK_TEST"


# --- where a webhook may go ------------------------------------------------------------------


@pytest.mark.attack(21)
@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1/",
        "http://localhost.example/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://user:secret@x.example/",
        "https:///path",
        "https://x.example/#part",
        "https://x.example/a b",
        "https://[::1",
        "https://x.example:99999/",
        "x",
    ],
)
def test_a_url_that_a_webhook_may_not_have_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    ["https://x.example/a?b=c", "http://127.0.0.1:9/", "http://[::1]:9/", "http://localhost/"],
)
def test_other_urls_are_taken(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.attack(21)
@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "0.0.0.0", "[ff02::1]"])
def test_no_request_goes_to_an_address_that_is_no_receivers(host: str) -> None:
    assert post(f"https://{host}/", b"{}", {}).outcome is DeliveryOutcome.FORBIDDEN


@pytest.mark.attack(21)
def test_no_redirect_is_followed(receiver: Receiver) -> None:
    receiver.answer, receiver.location = 302, receiver.url
    tried = post(receiver.url, b"{}", {})
    assert (tried.outcome, tried.status) == (DeliveryOutcome.REFUSED, 302)
    assert len(receiver.got) == 1
    receiver.answer = 200
    assert post(receiver.url, b"{}", {}).outcome is DeliveryOutcome.DELIVERED


def test_nobody_at_the_other_end_is_told_as_such() -> None:
    tried = post("http://127.0.0.1:1/", b"{}", {})
    assert tried.outcome is DeliveryOutcome.UNREACHABLE
    assert tried.error == "nobody listens there, or nothing leads there"


def test_what_is_no_pattern_or_no_secret_is_refused(api: Api) -> None:
    for body in (
        {"url": "https://x.example/", "events": ["device_*"]},
        {"url": "https://x.example/", "events": []},
        {"url": "https://x.example/", "secret": "short"},
        {"url": "https://x.example/", "region": "no region"},
        {"url": "https://x.example/", "no_such": 1},
        {},
    ):
        answer = api.session.post(f"{api.url}/api/v1/webhooks", json=body, timeout=9)
        assert answer.status_code in {400, 422}, body
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert api.items("webhooks") == []
