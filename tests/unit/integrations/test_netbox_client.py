"""NetBox is read page by page, with GET alone, and whatever is wrong is said in one line."""

import re
import socket
from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest

from pdsno.domain.errors import InputError, OperationError, PDSNOError, TransientError
from pdsno.integrations import netbox_client
from pdsno.integrations.netbox_client import NetBoxClient
from tests.unit.integrations.fake_netbox import TOKEN, Answer, FakeNetBox, page, plain, running


@pytest.fixture
def netbox() -> Iterator[FakeNetBox]:
    items = [{"id": number, "name": f"d{number}"} for number in range(1, 1301)]
    with running(FakeNetBox(data={"dcim/devices": items, "ipam/vrfs": []})) as fake:
        yield fake


def read(netbox: FakeNetBox, resource: str = "dcim/devices", token: str = TOKEN) -> list[int]:
    with NetBoxClient(netbox.url, token, sleep=lambda _s: None) as client:
        return [item["id"] for item in client.items(resource)]


def test_all_pages_are_read_once_and_in_order(netbox: FakeNetBox) -> None:
    assert read(netbox) == list(range(1, 1301))
    assert {method for method, _ in netbox.asked} == {"GET"}
    assert len(netbox.asked) == 3


def test_a_smaller_page_than_asked_for_is_followed(netbox: FakeNetBox) -> None:
    netbox.largest_page = 200
    assert read(netbox) == list(range(1, 1301))


@pytest.mark.parametrize("suffix", ["", "/", "/api", "/api/"])
def test_the_url_may_end_as_people_copy_it(netbox: FakeNetBox, suffix: str) -> None:
    with NetBoxClient(netbox.url + suffix, TOKEN) as client:
        assert list(client.items("ipam/vrfs")) == []
        assert client.version == "4.6"


def test_both_kinds_of_token_are_sent_as_netbox_wants_them(netbox: FakeNetBox) -> None:
    read(netbox, "ipam/vrfs")
    read(netbox, "ipam/vrfs", token=f"nbt_abc.{TOKEN}")
    assert netbox.authorizations == {f"Token {TOKEN}", f"Bearer nbt_abc.{TOKEN}"}


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (plain(401, {"detail": "Invalid v1 token"}), InputError, "refused the token: Invalid v1"),
        (plain(403, {"detail": "Invalid token"}), InputError, "refused the token"),
        (
            plain(403, {"detail": "You do not have permission to perform this action."}),
            OperationError,
            "does not let this token read dcim/devices: give it the permission",
        ),
        (plain(404, {"detail": "Not found."}), InputError, "is it the URL of NetBox itself"),
        (plain(500, {"error": "boom", "exception": "E"}), OperationError, "status 500: boom"),
        (plain(503, {}), TransientError, "is busy"),
        ((302, {"Location": "https://sso.example/login?x"}, b""), InputError,
         "redirects to https://sso.example: name that URL"),
        (page(), InputError, "with a web page"),
        (page(403), OperationError, "HTTP status 403"),
        (plain(200, []), OperationError, "is not NetBox's REST API"),
        (plain(200, {"count": 1}), OperationError, "is not NetBox's REST API"),
        (plain(200, {"results": [{"x": 1}], "next": None}), OperationError, "is not NetBox's"),
        ((200, {"Content-Type": "application/json"}, b"{"), OperationError, "is not NetBox's"),
        ((200, {"Content-Type": "application/json"}, b"[" * 100_000), OperationError, "is not"),
    ],
)  # fmt: skip
def test_every_bad_answer_is_one_line(
    netbox: FakeNetBox, answer: Answer, kind: type[PDSNOError], text: str
) -> None:
    netbox.overrides["dcim/devices"] = lambda _query, _count: answer
    with pytest.raises(kind, match=re.escape(text)) as error:
        read(netbox)
    assert TOKEN not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_passes_is_tried_again(netbox: FakeNetBox, status: int) -> None:
    slept: list[float] = []
    netbox.overrides["ipam/vrfs"] = lambda _query, count: (
        plain(status, {}, {"Retry-After": "7"}) if count == 1 else None
    )
    with NetBoxClient(netbox.url, TOKEN, sleep=slept.append) as client:
        assert list(client.items("ipam/vrfs")) == []
    assert slept == [7.0]


def next_page(url: str) -> Callable[[dict[str, str], int], Answer]:
    return lambda _query, _count: plain(200, {"results": [{"id": 1}], "next": url})


@pytest.mark.parametrize(
    "other",
    ["http://attacker.example/api/x/?offset=1", "http://127.0.0.1:1/api/x/?offset=1",
     "https://127.0.0.1/api/x/?offset=1", "//attacker.example/?offset=1"],
)  # fmt: skip
def test_a_next_page_at_another_host_is_refused(netbox: FakeNetBox, other: str) -> None:
    netbox.overrides["dcim/devices"] = next_page(other)
    with pytest.raises(OperationError, match="refused, since the token would go there"):
        read(netbox)
    assert len(netbox.asked) == 1


def test_a_proxy_that_ends_tls_may_hide_it_from_netbox() -> None:
    client = NetBoxClient("https://netbox.example/base", TOKEN)
    assert client._following("http://netbox.example/base/api/x/?offset=5&limit=5", "x") == {
        "offset": "5",
        "limit": "5",
    }
    with pytest.raises(OperationError, match="refused"):
        client._following("http://netbox.example:8000/api/x/?offset=5", "x")


def test_pages_that_never_end_are_noticed(netbox: FakeNetBox) -> None:
    netbox.overrides["dcim/devices"] = next_page(f"{netbox.url}/api/dcim/devices/?offset=1")
    with pytest.raises(OperationError, match="same page of dcim/devices again"):
        read(netbox)
    netbox.overrides["dcim/devices"] = lambda _query, count: plain(
        200, {"results": [], "next": f"{netbox.url}/api/dcim/devices/?offset={count}"}
    )
    with pytest.raises(OperationError, match="an empty page that is not the last"):
        read(netbox)
    netbox.overrides["dcim/devices"] = lambda _query, count: plain(
        200, {"results": [{"id": count}], "next": f"{netbox.url}/api/dcim/devices/?offset={count}"}
    )
    with (
        patch.object(netbox_client, "MOST_ITEMS", 20),
        pytest.raises(OperationError, match="gives no end of dcim/devices"),
    ):
        read(netbox)


def test_a_huge_answer_is_cut_off(netbox: FakeNetBox) -> None:
    huge = (200, {"Content-Type": "application/json"}, b" " * 3_000_000)
    netbox.overrides["dcim/devices"] = lambda _query, _count: huge
    with (
        patch.object(netbox_client, "_MOST_BYTES", 1 << 20),
        pytest.raises(OperationError, match="answers more than 1 MiB"),
    ):
        read(netbox)


def test_nobody_there_and_no_answer_are_told_apart() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TransientError, match="nobody listens there"):
            read(FakeNetBox(url=url))
        silent.listen()
        with (
            patch.object(netbox_client, "_READ_S", 0.05),
            pytest.raises(TransientError, match="no answer in time"),
        ):
            read(FakeNetBox(url=url))
