"""Nornir over a NIB: by a real API, through Nornir's own start, and against what is none."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from nornir import InitNornir
from nornir.core.inventory import Inventory

from pdsno.domain.entities import DeviceStatus, DeviceType
from pdsno.domain.errors import InputError, OperationError, TransientError
from pdsno.integrations import nib_rest
from pdsno.integrations.export_ansible import ansible_list
from pdsno.integrations.nornir_nib import PDSNOInventory
from pdsno.nib import NIBStore
from tests.unit.api.serving import TOKEN, device, put, served
from tests.unit.integrations.hostile import hostile
from tests.unit.integrations.odd_apis import breaking_off

DEVICES = [
    device(1, name="b-r1", region="zone-B", device_type=DeviceType.ROUTER, platform="frr",
           management_ip="192.0.2.1", serial="S1", macs=("00:50:56:aa:bb:01",)),
    device(2, name="sw1", region="zone-A", device_type=DeviceType.SWITCH, platform="cisco_ios",
           management_ip="192.0.2.2"),
    device(3, name="sw1", region="zone-B"),
    device(4, name="old", region="zone-A", status=DeviceStatus.INACTIVE),
]  # fmt: skip
OTHER = "pdsno_" + "of-nobody".ljust(43, "_")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with NIBStore("memory://") as nib:
        put(nib, *DEVICES)
        with served(nib) as api:
            yield api.url


@pytest.fixture(autouse=True)
def _no_access_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PDSNO_API", "PDSNO_API_TOKEN", "PDSNO_CA"):
        monkeypatch.delenv(name, raising=False)


def load(url: str, **options: Any) -> Inventory:  # noqa: ANN401 - any option of the plugin
    return PDSNOInventory(url=url, **{"token": TOKEN, **options}).load()


def test_nornir_starts_by_the_plugin_s_name_with_hosts_and_groups(url: str) -> None:
    nornir = InitNornir(
        inventory={"plugin": "PDSNOInventory", "options": {"url": url, "token": TOKEN}},
        logging={"enabled": False},
    )
    assert nornir.inventory.hosts.keys() == {"b-r1", "sw1-zone-A", "sw1-zone-B"}
    router = nornir.inventory.hosts["b-r1"]
    assert (router.hostname, router.platform, router.username, router.password) == (
        "192.0.2.1", "frr", None, None,
    )  # fmt: skip
    assert router.get_connection_parameters("netmiko").platform == "cisco_ios"
    assert (router["serial"], router["macs"]) == ("S1", ["00:50:56:aa:bb:01"])
    assert [group.name for group in router.groups] == [
        "region_zone_b", "type_router", "platform_frr", "status_active",
    ]  # fmt: skip
    assert nornir.inventory.hosts["sw1-zone-B"].hostname is None
    switch = nornir.inventory.hosts["sw1-zone-A"].get_connection_parameters("netmiko")
    assert switch.platform == "cisco_ios"


def test_what_a_script_sets_as_default_or_for_a_group_counts_for_hosts(url: str) -> None:
    found = load(url)
    found.defaults.username, found.defaults.password = "netops", "shared"
    found.groups["platform_frr"].password = "of-routers"
    asked = {name: host.get_connection_parameters("netmiko") for name, host in found.hosts.items()}
    assert {one.username for one in asked.values()} == {"netops"}
    assert asked["b-r1"].password == "of-routers"
    assert asked["sw1-zone-A"].password == "shared"


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"region": "zone-A"}, {"sw1"}),
        ({"region": "zone-A", "status": "any"}, {"sw1", "old"}),
        ({"status": "inactive"}, {"old"}),
        ({"device_type": "router"}, {"b-r1"}),
        ({"platform": "cisco_ios"}, {"sw1"}),
    ],
)
def test_filters_narrow(url: str, filters: dict[str, str], names: set[str]) -> None:
    assert load(url, **filters).hosts.keys() == names


def test_pages_are_followed_to_the_last(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nib_rest, "_PAGE", 1)
    assert len(load(url, status="any").hosts) == len(DEVICES)


def test_a_token_is_taken_from_a_private_file_or_the_environment(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o644)
    with pytest.raises(InputError, match=r"others can read the token in .*: chmod 600 /"):
        PDSNOInventory(url=url, token_file=str(file))
    file.chmod(0o600)
    assert PDSNOInventory(url=url, token_file=str(file)).load().hosts
    monkeypatch.setenv("PDSNO_API_TOKEN", TOKEN)
    monkeypatch.setenv("PDSNO_API", url)
    assert PDSNOInventory().load().hosts


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ({"token": None}, "needs a token: on the controller's machine `pdsno api-token create"),
        ({"token": OTHER}, "refused the token given as token: "),
    ],
)
def test_a_refused_token_is_an_error_with_its_remedy(
    url: str, token: dict[str, str], said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        load(url, **token)
    assert OTHER not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"token": "secret"}, "what is given as token is no API token"),
        ({"token_file": "/none"}, "give either token or token_file"),
        ({"token": None, "token_file": "/none"}, "cannot read the token in /none: No such file"),
        ({"ca": "/none"}, "cannot read the CA /none"),
        ({"url": "http://192.0.2.1"}, "would carry the token in the clear"),
        ({"url": "ftp://x"}, "is not the URL of an API"),
        ({"zone": "zone-A"}, "has no option 'zone'"),
    ],
)
def test_an_option_that_cannot_be_is_an_error_before_anything_is_asked(
    options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        PDSNOInventory(**{"url": "http://127.0.0.1:1", "token": TOKEN, **options})
    assert TOKEN not in str(caught.value)


def test_a_filter_that_lets_nothing_through_is_an_error_not_an_empty_inventory(url: str) -> None:
    with pytest.raises(InputError, match=r"no device to show \(region nowhere, status active\)"):
        load(url, region="nowhere")
    with pytest.raises(InputError, match=r"refused what was asked: .*device_type"):
        load(url, device_type="tea")


def test_an_api_that_is_not_there_is_an_error_not_an_empty_inventory() -> None:
    with socket.create_server(("127.0.0.1", 0)) as full:
        port = full.getsockname()[1]
    with pytest.raises(TransientError, match=f"cannot reach the API at http://127.0.0.1:{port} "):
        load(f"http://127.0.0.1:{port}")
    with pytest.raises(TransientError, match="cannot reach the API at https://"):
        load(f"https://127.0.0.1:{port}")


def test_what_speaks_no_tls_is_an_error(url: str) -> None:
    with pytest.raises(OperationError, match=r"name its CA by ca or PDSNO_CA|cannot reach"):
        load(url.replace("http:", "https:"))


class _Stranger(BaseHTTPRequestHandler):
    """Answers whatever a test put there, to everything."""

    answer: tuple[int, bytes] = (200, b"")
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        status, body = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    class Handler(_Stranger):
        answer = (status, body)
        asked: ClassVar[list[str]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", Handler.asked
        finally:
            server.shutdown()
            thread.join()


def page(*items: object, cursor: object = None) -> bytes:
    return json.dumps({"items": items, "next_cursor": cursor}).encode()


ITEM: dict[str, Any] = {
    **dict.fromkeys(("name", "vendor", "model", "platform", "os_version", "serial")),
    "device_id": "dev_1", "status": "active", "device_type": "router", "region": "A",
    "namespace": "A", "management_ip": None, "macs": [], "ips": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>", "is not a PDSNO API"),
        (200, b"[]", "is not a PDSNO API"),
        (200, b'{"items": []}', "is not a PDSNO API"),
        (200, page("x"), "is not a PDSNO API"),
        (200, page(ITEM, cursor=7), "is not a PDSNO API"),
        (200, page(ITEM, cursor="again"), "gives the same page again and again"),
        (200, page({**ITEM, "region": None}), "does not understand: region"),
        (200, page({**ITEM, "macs": "x"}), "does not understand: macs"),
        (302, b"{}", "is not a PDSNO API"),
        (404, b'{"detail": "not here"}', "answered 404: not here"),
    ],
)
def test_an_answer_that_is_none_is_an_error(status: int, body: bytes, said: str) -> None:
    with (
        answering(status, body) as (there, asked),
        pytest.raises(OperationError, match=said),
    ):
        load(there)
    assert all(path.startswith("/api/v1/devices?") for path in asked)


@pytest.mark.parametrize("status", [429, 503])
def test_an_api_that_is_busy_may_be_asked_again(status: int) -> None:
    with (
        answering(status, b'{"detail": "not now"}') as (there, _),
        pytest.raises(TransientError, match=f"answered {status}: not now"),
    ):
        load(there)


def test_an_answer_that_breaks_off_is_an_error() -> None:
    with breaking_off() as there, pytest.raises(TransientError, match="cannot reach the API"):
        load(there)


def test_an_answer_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pdsno.integrations.nornir_nib.MOST_BYTES", 1 << 20)
    with (
        answering(200, b" " * (2 << 20)) as (there, _),
        pytest.raises(OperationError, match="answers more than"),
    ):
        load(there)


def test_hosts_and_groups_are_called_as_in_the_export(url: str) -> None:
    with NIBStore("memory://") as nib:
        put(nib, *hostile())
        with served(nib) as api:
            found = load(api.url)
    listed = ansible_list(hostile())
    assert found.hosts.keys() == listed["_meta"]["hostvars"].keys()
    assert found.groups.keys() == listed.keys() - {"_meta", "all", "ungrouped"}
    assert load(url).hosts
