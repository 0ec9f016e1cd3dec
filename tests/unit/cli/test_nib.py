"""`pdsno nib` against a real API, and against what is none."""

import csv
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from pdsno.cli import nib_client
from pdsno.cli.main import main
from pdsno.domain.entities import (
    DeviceType,
    FieldSource,
    Interface,
    Link,
    LinkEnd,
    LinkStatus,
    Neighbor,
)
from pdsno.domain.identifiers import Role
from pdsno.nib import NIBStore
from tests.unit.api.serving import (
    NOW,
    TOKEN,
    controller,
    cycle,
    device,
    event,
    outcome,
    put,
    served,
)

DEVICES = [
    device(
        1,
        name="spine1",
        region="zone-A",
        device_type=DeviceType.ROUTER,
        management_ip="10.1.0.1",
        macs=("00:50:56:aa:bb:01",),
        ips=("10.1.0.1",),
        interfaces=(Interface(name="eth1", ips=("10.1.0.1/24",), mtu=1500),),
        neighbors=(Neighbor(local_interface="eth1", remote_name="leaf1"),),
        provenance={"name": FieldSource(source="snmp", at=NOW)},
    ),
    device(2, name="h1", region="zone-A", ips=("192.168.0.9",)),
    device(3, name="h1", region="zone-B", ips=("192.168.0.9",)),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    a = LinkEnd(device_id="dev_0001", device="spine1", interface="eth1")
    b = LinkEnd(device_id=None, device="leaf1", interface="eth2")
    link = Link(link_id="link_1", a=a, b=b, source="lldp", status=LinkStatus.CLAIMED, last_seen=NOW)
    with NIBStore("memory://") as store:
        put(store, *DEVICES)
        with store.transaction() as change:
            change.replace_links([link])
            change.put_controller(controller("lc", Role.LOCAL, "zone-A"), expected_version=None)
            for number in range(1, 6):
                change.append_event(event("DEVICE_APPEARED", f"dev_{number}", "zone-A"))
            found = [outcome(f"10.1.0.{n}", is_answered=n == 1) for n in (1, 2)]
            change.put_cycle(cycle("cycle-1"), found, keep_cycles=1)
        with served(store) as api:
            yield api.url


@pytest.fixture
def run(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Return a function that runs `pdsno nib ...` successfully and gives its stdout."""
    monkeypatch.setenv("PDSNO_API", url)
    monkeypatch.setenv("PDSNO_API_TOKEN", TOKEN)

    def invoke(*args: str) -> str:
        code = main(["nib", *args])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out

    return invoke


@pytest.fixture
def fail(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """Return a function that runs `pdsno nib ...`, which fails: exit code and its one line."""
    monkeypatch.setenv("PDSNO_API", url)
    monkeypatch.setenv("PDSNO_API_TOKEN", TOKEN)

    def invoke(*args: str) -> tuple[int, str]:
        code = main(["nib", *args])
        captured = capsys.readouterr()
        assert captured.out == ""
        (line,) = captured.err.splitlines()
        return code, line

    return invoke


# --- what it shows ---------------------------------------------------------------------------


def test_json_holds_every_device_whole(run: Callable[..., str]) -> None:
    rows = json.loads(run("devices", "-o", "json"))
    assert [row["device_id"] for row in rows] == ["dev_0001", "dev_0002", "dev_0003"]
    assert rows[0]["interfaces"][0]["ips"] == ["10.1.0.1/24"]
    assert yaml.safe_load(run("devices", "-o", "yaml")) == rows


def test_the_table_has_a_line_for_each_device_and_the_columns_that_matter(
    run: Callable[..., str],
) -> None:
    header, spine, *others = run("devices").splitlines()
    assert header.split()[:3] == ["NAME", "STATUS", "DEVICE_TYPE"]
    assert {"spine1", "active", "router", "10.1.0.1", "2026-03-01T12:00:00Z", "dev_0001"} <= set(
        spine.split()
    )
    assert len(others) == 2


def test_filters_travel_to_the_api(run: Callable[..., str]) -> None:
    def names(*args: str) -> list[str]:
        return [row["device_id"] for row in json.loads(run("devices", *args, "-o", "json"))]

    assert names("--region", "zone-B") == ["dev_0003"]
    assert names("--type", "router", "--status", "active") == ["dev_0001"]
    assert names("--mac", "0050.56aa.bb01") == ["dev_0001"]
    assert names("--ip", "192.168.0.0/24") == ["dev_0002", "dev_0003"]
    assert names("--q", "SPINE") == ["dev_0001"]
    assert names("--serial", "none") == []


def test_order_and_fields_are_the_apis(run: Callable[..., str]) -> None:
    out = run("devices", "--sort", "-name", "--fields", "device_id,name", "-o", "json")
    rows = json.loads(out)
    assert [row["name"] for row in rows] == ["spine1", "h1", "h1"]
    assert set(rows[0]) == {"device_id", "name"}
    assert run("links", "--fields", "link_id").split() == ["LINK_ID", "link_1"]


def test_csv_of_links_is_flat(run: Callable[..., str]) -> None:
    (row,) = csv.DictReader(io.StringIO(run("links", "-o", "csv"), newline=""))
    assert row == {
        "device_a": "spine1",
        "interface_a": "eth1",
        "device_b": "leaf1",
        "interface_b": "eth2",
        "status": "claimed",
        "source": "lldp",
        "last_seen": "2026-03-01T12:00:00.250000Z",
        "link_id": "link_1",
        "device_id_a": "dev_0001",
        "device_id_b": "",
    }
    assert "spine1" in run("links", "--status", "claimed")


def test_every_list_can_be_shown(run: Callable[..., str]) -> None:
    assert "eth1" in run("interfaces", "--device-id", "dev_0001")
    assert "zone-A" in run("controllers", "--role", "local")
    assert "answered ARP; SNMP timeout" in run("probes", "--answered")
    assert "10.1.0.2" in run("probes", "--unanswered")
    assert "DEVICE_APPEARED" in run("events", "--type", "DEVICE_APPEARED")


def test_pages_are_followed_to_the_end_or_to_the_limit(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def seqs(*args: str) -> list[int]:
        return [row["seq"] for row in json.loads(run("events", "-o", "json", *args))]

    monkeypatch.setattr(nib_client, "_PAGE", 2)
    assert seqs() == seqs("--all") == [1, 2, 3, 4, 5]
    assert seqs("--limit", "3") == [1, 2, 3]
    assert seqs("--limit", "9", "--newest-first", "--after", "2") == [5, 4, 3]


def test_a_cut_list_says_so_on_stderr(
    run: Callable[..., str], capsys: pytest.CaptureFixture[str], url: str
) -> None:
    run("events")
    assert main(["nib", "events", "--limit", "2", "--api", url]) == 0
    assert capsys.readouterr().err == "these are the first 2; --all shows the rest\n"
    assert main(["nib", "events", "--limit", "5", "--api", url]) == 0
    assert capsys.readouterr().err == ""


def test_an_empty_list_says_so_on_stderr_and_stays_json_on_stdout(
    run: Callable[..., str], capsys: pytest.CaptureFixture[str], url: str
) -> None:
    assert json.loads(run("devices", "--name", "none", "-o", "json")) == []
    assert main(["nib", "devices", "--name", "none", "--api", url]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "no devices found\n")


# --- one device ------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["dev_0001", "spine1", "10.1.0.1", "00-50-56-AA-BB-01"])
def test_a_device_is_shown_by_whatever_it_alone_has(run: Callable[..., str], named: str) -> None:
    found = json.loads(run("device", named, "-o", "json"))
    assert found["device_id"] == "dev_0001"
    assert found["neighbors"][0]["remote_name"] == "leaf1"


def test_a_device_in_a_table_has_its_interfaces_neighbors_and_sources_beneath(
    run: Callable[..., str],
) -> None:
    text = run("device", "spine1")
    assert "10.1.0.1/24" in text
    assert "REMOTE_NAME" in text
    assert "snmp" in text
    assert "{" not in text


@pytest.mark.parametrize("named", ["h1", "192.168.0.9"])
def test_an_ambiguous_name_lists_the_choices(
    fail: Callable[..., tuple[int, str]], named: str
) -> None:
    code, line = fail("device", named)
    assert code == 2
    assert "give an ID: dev_0002 (zone-A), dev_0003 (zone-B)" in line


def test_a_device_that_is_not_there_is_not_found(fail: Callable[..., tuple[int, str]]) -> None:
    code, line = fail("device", "a/../b?c")
    assert code == 1
    assert line.startswith("pdsno: error: there is no device 'a/../b?c' in the NIB at http://127")


# --- what goes wrong -------------------------------------------------------------------------


def test_a_refused_filter_is_wrong_usage_in_the_words_of_the_api(
    fail: Callable[..., tuple[int, str]],
) -> None:
    code, line = fail("devices", "--mac", "00:11")
    assert (code, line) == (2, "pdsno: error: mac: '00:11' is not a MAC address")


def test_a_cycle_that_is_not_kept_is_an_error(fail: Callable[..., tuple[int, str]]) -> None:
    code, line = fail("probes", "--cycle-id", "x")
    assert code == 1
    assert "the record of cycle 'x' is not kept" in line


def test_all_and_a_limit_exclude_each_other(fail: Callable[..., tuple[int, str]]) -> None:
    code, line = fail("devices", "--all", "--limit", "3")
    assert code == 2
    assert "exclude each other" in line


@pytest.mark.parametrize(
    "api", ["127.0.0.1:8080", "ftp://x", "http://", "http://u:p@x", "http://x:99999", "http://[x"]
)
def test_what_is_no_url_is_wrong_usage(fail: Callable[..., tuple[int, str]], api: str) -> None:
    code, line = fail("devices", "--api", api)
    assert code == 2
    assert "is not the URL of an API" in line


def test_an_api_that_is_not_there_is_named_with_what_to_try(
    fail: Callable[..., tuple[int, str]],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, line = fail("devices", "--api", f"http://127.0.0.1:{port}")
    assert code == 1
    assert f"cannot reach the API at http://127.0.0.1:{port}: nobody listens there" in line
    assert "--api URL or PDSNO_API" in line


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[str]:
    """Serve one answer, whatever is asked."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>router login</html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"items": 3, "next_cursor": null}'),
        (404, b"not here"),
        (302, b""),
        (500, b"{}"),
    ],
)
def test_another_server_on_that_port_is_recognised(
    fail: Callable[..., tuple[int, str]], status: int, body: bytes
) -> None:
    with answering(status, body, Location="http://192.0.2.1/") as other:
        code, line = fail("devices", "--api", other)
    assert code == 1
    assert f"what listens at {other} is not a PDSNO API" in line


def test_a_failure_of_the_controller_is_told_in_its_words(
    fail: Callable[..., tuple[int, str]],
) -> None:
    body = json.dumps({"status": 503, "detail": "busy: try again"}).encode()
    with answering(503, body) as busy:
        code, line = fail("devices", "--api", busy)
    assert (code, line) == (1, f"pdsno: error: the API at {busy} answered 503: busy: try again")


def test_a_cursor_that_leads_nowhere_does_not_go_on_for_ever(
    fail: Callable[..., tuple[int, str]],
) -> None:
    with answering(200, b'{"items": [{}], "next_cursor": "x"}') as circle:
        code, line = fail("devices", "--api", circle)
    assert code == 1
    assert "the same page again and again" in line


def test_proxies_and_passwords_of_the_environment_are_left_alone(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    assert "spine1" in run("devices")
