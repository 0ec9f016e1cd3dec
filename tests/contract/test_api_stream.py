"""Who follows the event log gets every event once, whatever happens on the way."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdsno.api.streams import StreamLimits
from pdsno.domain.entities import NewEvent
from pdsno.nib import NIBStore
from tests.integration.waiting import wait_until
from tests.unit.api.serving import NOW, TOKEN, Api, event, put_token, served
from tests.unit.api.sse_client import Client, all_closed

BRISK = StreamLimits(heartbeat_s=0.2, check_s=0.1, slow_s=0.5, per_token=6)
TOKEN_A = "pdsno_" + "zone-A".ljust(43, "-")


@pytest.fixture
def nib(tmp_path: Path) -> Iterator[NIBStore]:
    with NIBStore(tmp_path / "nib.sqlite") as store:
        yield store


@pytest.fixture
def api(nib: NIBStore) -> Iterator[Api]:
    with served(nib, stream_limits=BRISK) as running:
        yield running


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    with all_closed():
        yield


def append(nib: NIBStore, *events: NewEvent) -> None:
    with nib.transaction() as change:
        for new in events:
            change.append_event(new)


def test_an_event_is_told_as_it_stands_in_the_list(nib: NIBStore, api: Api) -> None:
    append(nib, event("DEVICE_APPEARED", "dev_0", "zone-A"))
    client = Client(api).begun()
    append(nib, event("DEVICE_CHANGED", "dev_1", "zone-A"))
    (told,) = client.take(1)
    assert client.answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert told.name == "DEVICE_CHANGED"
    assert told.data == api.items("events", after=1)[0]
    assert told.last_id.startswith("2-")
    client.close()


def test_a_consumer_that_is_cut_off_again_and_again_gets_everything_once(
    nib: NIBStore, api: Api
) -> None:
    append(nib, event("BEFORE", "dev_0"))
    total = 400

    def write() -> None:
        for number in range(total // 4):
            append(nib, *[event("DEVICE_CHANGED", f"dev_{number}")] * 4)

    client = Client(api).begun()
    writer = threading.Thread(target=write)
    writer.start()
    seqs: list[int] = []
    while len(seqs) < total:
        wanted = min(37, total - len(seqs))
        told = client.take(wanted)
        seqs += [one.data["seq"] for one in told]
        client.close()  # with whatever was under way
        client = Client(api, last_id=told[-1].last_id)
    writer.join()
    client.close()
    assert seqs == list(range(2, total + 2))


def test_a_place_without_events_is_kept_too(nib: NIBStore, api: Api) -> None:
    append(nib, event("BEFORE", "dev_0"))
    client = Client(api)
    place = next(line[4:] for line in client.lines() if line.startswith("id: "))
    client.close()
    append(nib, event("MEANWHILE", "dev_1"))
    assert [told.name for told in Client(api, last_id=place).take(1)] == ["MEANWHILE"]


def test_it_survives_a_restart_of_the_controller(nib: NIBStore) -> None:
    append(nib, event("ONE", "dev_1"), event("TWO", "dev_2"))
    with served(nib, stream_limits=BRISK) as api:
        client = Client(api, cursor="0")
        assert [told.name for told in client.take(2)] == ["ONE", "TWO"]
        ending = threading.Thread(target=lambda: rest.extend(client))
        rest: list[object] = []
        ending.start()
        began = time.monotonic()
    ending.join(10)
    assert time.monotonic() - began < 4
    (last,) = rest
    assert (last.name, last.data["reason"]) == ("stream-end", "SHUTDOWN")  # type: ignore[attr-defined]
    append(nib, event("THREE", "dev_3"))
    with served(nib, stream_limits=BRISK) as api:
        assert [told.name for told in Client(api, last_id=client.last_id).take(1)] == ["THREE"]


def test_filters_leave_out_events(nib: NIBStore, api: Api) -> None:
    append(
        nib,
        event("DEVICE_APPEARED", "dev_1", "zone-A"),
        event("LINK_APPEARED", "link_1", "zone-A"),
        event("DEVICE_CHANGED", "dev_2", "zone-B"),
    )
    wanted: dict[tuple[str, str], list[str]] = {
        ("cursor", "0"): ["DEVICE_APPEARED", "LINK_APPEARED", "DEVICE_CHANGED"],
        ("type", "LINK_APPEARED"): ["LINK_APPEARED"],
        ("type", "DEVICE_*"): ["DEVICE_APPEARED", "DEVICE_CHANGED"],
        ("subject", "dev_1"): ["DEVICE_APPEARED"],
        ("region", "zone-B"): ["DEVICE_CHANGED"],
    }
    for (name, value), expected in wanted.items():
        client = Client(api, **{"cursor": "0", name: value})
        assert [told.name for told in client.take(len(expected))] == expected
        client.close()


def test_what_a_filter_leaves_out_moves_the_cursor(nib: NIBStore, api: Api) -> None:
    client = Client(api, type="DEVICE_*").begun()
    append(nib, *[event("LINK_APPEARED", "link_1")] * 3)
    reading = threading.Thread(target=lambda: client.take(1), daemon=True)
    reading.start()
    wait_until(lambda: client.last_id.startswith("3-"))
    append(nib, event("DEVICE_CHANGED", "dev_1"))
    reading.join(10)
    client.close()
    assert client.last_id.startswith("4-")


@pytest.mark.attack(22)
def test_a_token_for_a_region_hears_of_that_region_only(nib: NIBStore, api: Api) -> None:
    put_token(nib, TOKEN_A, name="noc-a", region="zone-A")
    append(nib, event("HERE", "a", "zone-A"), event("THERE", "b", "zone-B"), event("ALL", "c"))
    append(nib, event("HERE_TOO", "a", "zone-A"))
    api.session.headers["Authorization"] = f"Bearer {TOKEN_A}"
    client = Client(api, cursor="0")
    assert [told.name for told in client.take(2)] == ["HERE", "HERE_TOO"]
    client.close()
    assert "zone-A only" in api.problem("events/stream", 403, params={"region": "zone-B"})


def test_a_slow_reader_is_told_so_and_goes_on_where_it_was(nib: NIBStore, api: Api) -> None:
    big = {"text": "x" * 60_000}
    many = [
        NewEvent(event_type="BIG", subject=f"dev_{n}", actor="lc", at=NOW, data=big)
        for n in range(150)
    ]
    append(nib, *many)
    host, port = api.url.removeprefix("http://").split(":")
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        lazy.connect((host, int(port)))
        lazy.sendall(
            f"GET /api/v1/events/stream?cursor=0 HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n".encode()
        )
        lazy.settimeout(20)
        # It takes nothing, until the server has no more patience.
        wait_until(lambda: 'ended_total{reason="SLOW_READER"} 1' in api.ask("/metrics").text)
        said = b""
        while piece := lazy.recv(1 << 20):
            said += piece
    last = said[said.rindex(b"event: stream-end") :].split(b"data: ")[1].split(b"\n")[0]
    end = json.loads(last)
    assert end["reason"] == "SLOW_READER"
    reached = int(end["cursor"].split("-")[0])
    assert 0 < reached < 150
    assert said.count(b"event: BIG") == reached
    client = Client(api, last_id=end["cursor"])
    assert [t.data["seq"] for t in client.take(150 - reached)] == list(range(reached + 1, 151))
    client.close()


def test_a_revoked_token_ends_its_streams(nib: NIBStore, api: Api) -> None:
    client = Client(api).begun()
    put_token(nib, TOKEN, revoked_at=NOW)
    (last,) = list(client)
    assert (last.name, last.data["reason"]) == ("stream-end", "TOKEN_ENDED")


def test_a_stream_ends_in_time_and_another_goes_on(nib: NIBStore) -> None:
    with served(nib, stream_limits=StreamLimits(life_s=0.3)) as api:
        (last,) = list(Client(api))
    assert (last.name, last.data["reason"]) == ("stream-end", "TIME")


def test_a_quiet_stream_says_that_it_lives(api: Api) -> None:
    client = Client(api)
    for line in client.lines():
        if line.startswith(":"):
            break
    client.close()


def test_a_token_has_a_limited_number_of_streams(nib: NIBStore, api: Api) -> None:
    open_ones = [Client(api).begun() for _ in range(6)]
    answer = api.ask("events/stream")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "10")
    assert "close one" in answer.json()["detail"]
    open_ones[0].close()
    append(nib, event("ONE", "dev_1"))

    def is_served() -> bool:
        client = Client(api)
        client.close()
        return client.status == 200

    wait_until(is_served)
    for one in open_ones[1:]:
        one.close()


def test_what_is_no_cursor_is_refused(api: Api) -> None:
    for cursor in ("x", "-1", "1-", "1-zzzzzzzz", "9" * 20):
        assert "is no cursor" in api.problem("events/stream", 400, params={"cursor": cursor})


def test_a_cursor_of_another_log_is_refused(nib: NIBStore, api: Api) -> None:
    append(nib, event("ONE", "dev_1"))
    assert "another log" in api.problem("events/stream", 410, params={"cursor": "1-00000000"})
    assert "ends at 1" in api.problem("events/stream", 410, params={"cursor": "7-00000000"})
    client = Client(api, cursor="1")  # the number alone is good
    assert client.status == 200
    client.close()


def test_an_unknown_parameter_is_refused(api: Api) -> None:
    assert "no parameter 'limit'" in api.problem("events/stream", 422, params={"limit": 1})
