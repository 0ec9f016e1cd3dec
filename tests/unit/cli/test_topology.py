"""`pdsno topology` against a real API."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from pdsno.cli import topology
from pdsno.cli.main import main
from pdsno.cli.nib_client import NIBClient
from pdsno.domain.entities import DeviceStatus, DeviceType, Link, LinkEnd, LinkStatus
from pdsno.nib import NIBStore
from tests.unit.api.serving import NOW, TOKEN, device, put, served

HOSTILE = "h1\x1b[2J\u202e\r\nspine1"
DEVICES = [
    device(1, name="spine1", region="a", device_type=DeviceType.ROUTER, management_ip="10.1.0.1"),
    device(2, name="leaf1", region="a", device_type=DeviceType.SWITCH),
    device(3, name=HOSTILE, region="a", status=DeviceStatus.INACTIVE),
    device(4, name="leaf1", region="b", device_type=DeviceType.SWITCH),
    device(5, name="löwe", region="b"),
    device(6, management_ip="10.9.0.9", region="b"),
]


def end(number: int | None, interface: str | None, name: str | None = None) -> LinkEnd:
    if number is None:
        return LinkEnd(device_id=None, device=name, interface=interface)
    known = DEVICES[number - 1]
    return LinkEnd(device_id=known.device_id, device=known.name, interface=interface)


def link(number: int, a: LinkEnd, b: LinkEnd, status: LinkStatus = LinkStatus.CONFIRMED) -> Link:
    return Link(link_id=f"link_{number}", a=a, b=b, source="lldp", status=status, last_seen=NOW)


LINKS = [
    link(1, end(1, "eth1"), end(2, "eth1")),
    link(2, end(2, "eth2"), end(3, None), LinkStatus.CLAIMED),
    link(3, end(1, "eth2"), end(4, "eth1")),
    link(4, end(4, "eth7"), end(5, "eth0"), LinkStatus.CONFLICT),
    link(5, end(2, "eth9"), end(None, "Gi0/1", "stranger")),
]
UTF8 = {"LC_ALL": "", "LC_CTYPE": "", "LANG": "de_DE.UTF-8"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with NIBStore("memory://") as store:
        put(store, *DEVICES)
        with store.transaction() as change:
            change.replace_links(LINKS)
        with served(store) as api:
            yield api.url


@pytest.fixture
def run(
    url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv("PDSNO_API", url)
    monkeypatch.setenv("PDSNO_API_TOKEN", TOKEN)
    for name, value in UTF8.items():
        monkeypatch.setenv(name, value)

    def invoke(*args: str) -> tuple[int, str, str]:
        code = main(["topology", *args])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return invoke


def test_the_network_is_drawn_and_summed_up(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = run()
    assert code == 0
    assert out.splitlines() == [
        "spine1  router 10.1.0.1",
        "├─ eth1 ── eth1  leaf1  switch",
        "│  ├─ eth2 ╌╌ ?  h1\\x1b[2J\\u202e\\r\\nspine1  [inactive]",
        "│  └─ eth9 ── Gi0/1  stranger  (not in this NIB)",
        "└─ eth2 ── eth1  leaf1  switch",
        "   └─ eth7 ≠≠ eth0  löwe",
        "",
        "without a link:",
        "   10.9.0.9",
    ]
    assert err == (
        "6 devices, 5 links, 1 ╌╌ claimed (told by one end only), "
        "1 ≠≠ conflict (the ends contradict each other)\n"
    )


@pytest.mark.parametrize("locale", ["C", "en_US.ISO-8859-1", ""])
def test_where_the_locale_is_not_utf_8_it_is_ascii_names_too(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, locale: str
) -> None:
    monkeypatch.setenv("LANG", locale)
    _, out, err = run()
    assert out.isascii()
    assert err.isascii()
    assert "   `- eth7 xx eth0  l\\xf6we" in out
    assert not run("--unicode")[1].isascii()
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert not run()[1].isascii()
    assert run("--ascii")[1] == out


def test_a_region_is_drawn_with_what_it_links_to(run: Callable[..., tuple[int, str, str]]) -> None:
    _, out, err = run("--region", "b")
    assert out.splitlines()[:3] == [
        "leaf1  switch",
        "├─ eth1 ── eth2  spine1  (elsewhere)",
        "└─ eth7 ≠≠ eth0  löwe",
    ]
    assert err.startswith("3 devices, 2 links")
    assert run("--region", "none") == (0, "", "no devices found in region none\n")


def test_a_root_is_a_name_or_an_id_that_is_one(run: Callable[..., tuple[int, str, str]]) -> None:
    assert run("--root", "LÖWE")[1].startswith("löwe\n")
    assert run("--root", "dev_0004")[1].startswith("leaf1  switch\n")
    code, out, err = run("--root", "leaf1")
    assert (code, out) == (2, "")
    assert "give an ID: dev_0002, dev_0004" in err
    code, out, err = run("--root", "nobody")
    assert (code, out) == (2, "")
    assert "there is no device 'nobody' here: pdsno nib devices" in err


def test_for_programs_there_are_the_nodes_and_edges_of_the_api(
    run: Callable[..., tuple[int, str, str]],
) -> None:
    told = json.loads(run("-o", "json")[1])
    ids = [device.device_id for device in DEVICES]
    assert [node["id"] for node in told["nodes"]] == [*ids, "neighbor:stranger"]
    assert [edge["status"] for edge in told["edges"]][:2] == ["confirmed", "claimed"]
    rows = list(csv.DictReader(io.StringIO(run("-o", "csv")[1], newline="")))
    assert len(rows) == 5
    assert (rows[4]["device_b"], rows[4]["device_id_b"]) == ("stranger", "")
    assert (rows[0]["device_a"], rows[0]["device_id_a"]) == ("spine1", "dev_0001")


def test_the_network_is_asked_for_once(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, object]] = []
    get = NIBClient.get

    def counted(client: NIBClient, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        asked.append((path, query))
        return get(client, path, query)

    monkeypatch.setattr(NIBClient, "get", counted)
    monkeypatch.setattr(NIBClient, "items", lambda *_: pytest.fail("a list is not asked for"))
    assert run("--region", "b")[0] == 0
    assert asked == [("topology", {"region": "b"})]


def test_lines_fit_the_width(run: Callable[..., tuple[int, str, str]]) -> None:
    _, out, _ = run("--width", "30")
    assert max(map(len, out.splitlines())) <= 30
    assert "├─ eth1 ── eth1  leaf1  switch" in out


def test_of_many_devices_without_links_only_some_are_named(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topology, "_MOST_LONE", 0)
    assert "and 1 more: pdsno nib devices lists them" in run()[1]
