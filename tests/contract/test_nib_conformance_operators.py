"""What operators' tools rely on in a NIB, over every store: orders, revisions, webhooks."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from pdsno.domain.entities import Device, Endpoint, Interface
from pdsno.domain.errors import InputError
from pdsno.domain.operator_ports import REVISED
from pdsno.domain.ordering import DEVICE_ORDERS, ENDPOINT_ORDERS
from pdsno.domain.paging import every
from pdsno.domain.policy import Policy
from pdsno.domain.ports import NIBTransaction, Page
from pdsno.domain.readers import Reader
from pdsno.domain.webhooks import Delivery, DeliveryOutcome, Webhook
from pdsno.nib import NIBStore
from tests.contract.nib_suite import T0, device, endpoint, event, link

NAMES = ["spine1", None, "leaf2", "leaf1", None, "Leaf1", "\u00e9t\u00e9", "leaf 1", "leaf1", ""]


def fill(nib: NIBStore) -> list[Device]:
    with nib.transaction() as change:
        return [
            change.put_device(
                device(f"d{n}", name=name, vendor="v" if n % 3 else None),
                expected_version=None,
            )
            for n, name in enumerate(NAMES)
        ]


def paged(nib: NIBStore, order: str, limit: int, after: str | None) -> Page[Device]:
    return nib.devices(limit=limit, after=after, order=order)


def paged_endpoints(nib: NIBStore, order: str, after: str | None) -> Page[Endpoint]:
    return nib.endpoints(limit=2, after=after, order=order)


def test_devices_come_in_the_order_of_a_field(nib: NIBStore) -> None:
    devices = fill(nib)
    for field in DEVICE_ORDERS:

        def rank(one: Device, field: str = field) -> tuple[bool, str, str]:
            value = getattr(one, field)
            return value is not None, str(value or ""), one.device_id

        for sign, limit in (("", 1), ("", 3), ("-", 3), ("-", 10)):
            expected = sorted(devices, key=rank, reverse=bool(sign))
            found = list(every(partial(paged, nib, sign + field, limit)))
            assert [d.device_id for d in found] == [d.device_id for d in expected], (field, sign)


@pytest.mark.parametrize("sign", ["", "-"])
def test_endpoints_come_in_the_order_of_a_field(nib: NIBStore, sign: str) -> None:
    times = [T0 + timedelta(microseconds=n % 3) for n in range(6)]
    some = [
        endpoint(f"e{n}", vendor="v" if n % 2 else None, last_seen=at) for n, at in enumerate(times)
    ]
    with nib.transaction() as change:
        change.put_endpoints(some)
    for field in ENDPOINT_ORDERS:

        def rank(number: int, field: str = field) -> tuple[bool, str, str]:
            value = getattr(some[number], field)
            text = value.isoformat(timespec="microseconds") if field == "last_seen" else value
            return value is not None, str(text or ""), some[number].endpoint_id

        order = sorted(range(6), key=rank, reverse=bool(sign))
        found = list(every(partial(paged_endpoints, nib, sign + field)))
        assert [e.endpoint_id for e in found] == [some[n].endpoint_id for n in order], field


def test_an_order_that_is_not_there_is_refused(nib: NIBStore) -> None:
    for order in ("os_version", "", "-", "name desc", "document"):
        with pytest.raises(InputError, match="only by device_id"):
            nib.devices(order=order)


def test_a_place_of_another_order_is_refused(nib: NIBStore) -> None:
    for after in ("x", "[1]", '["a"]', "[1, 2]", '{"a": 1}'):
        with pytest.raises(InputError, match="another order"):
            nib.devices(order="name", after=after)
    with pytest.raises(InputError, match="another order"):
        nib.endpoints(order="last_seen", after='["no time", "e1"]')


def test_interfaces_are_found_by_their_mac(nib: NIBStore) -> None:
    mac = "00:50:56:aa:bb:07"
    with nib.transaction() as change:
        ports = (Interface(name="eth1", mac=mac), Interface(name="eth2"))
        change.put_device(device("d1", interfaces=ports), expected_version=None)
    found = nib.interfaces(mac="0050.56AA.BB07").items
    assert [(i.device_id, i.interface.name) for i in found] == [("d1", "eth1")]
    assert nib.interfaces(mac="00:50:56:aa:bb:08").items == ()


# --- revisions -------------------------------------------------------------------------------


def writes() -> Iterator[tuple[str, Callable[[NIBTransaction], object]]]:
    yield "devices", lambda tx: tx.put_device(device("d99"), expected_version=None)
    yield "devices", lambda tx: tx.touch_devices(["d1"], T0 + timedelta(days=1))
    yield "devices", lambda tx: tx.absorb_device("d2", "d1")
    yield "devices", lambda tx: tx.retire_device("d3")
    yield "endpoints", lambda tx: tx.put_endpoints([endpoint("e9")])
    yield "endpoints", lambda tx: tx.touch_endpoints(["e1"], T0 + timedelta(days=1))
    yield "endpoints", lambda tx: tx.drop_endpoints(["e1"])
    yield "links", lambda tx: tx.replace_links([link("l9", "d1", None)])
    yield "events", lambda tx: tx.append_event(event())
    yield "policies", lambda tx: tx.put_policy(Policy(version=1))


@pytest.mark.parametrize(("table", "write"), list(writes()))
def test_a_revision_rises_with_each_write(
    nib: NIBStore, table: str, write: Callable[[NIBTransaction], object]
) -> None:
    fill(nib)
    with nib.transaction() as change:
        change.put_endpoints([endpoint("e1")])
    before = nib.revisions()
    with nib.transaction() as change:
        write(change)
    after = nib.revisions()
    assert after[table] > before.get(table, 0)
    assert set(after) <= set(REVISED)


def test_what_was_rolled_back_or_only_read_changed_nothing(nib: NIBStore) -> None:
    fill(nib)
    before = nib.revisions()
    with nib.transaction() as change:
        change.all_devices()
    with pytest.raises(InputError):
        _write_and_fail(nib)
    assert nib.revisions() == before


def _write_and_fail(nib: NIBStore) -> None:
    with nib.transaction() as change:
        change.append_event(event())
        raise InputError("no")


# --- webhooks --------------------------------------------------------------------------------

HOOK = Webhook(
    webhook_id="wh_1", url="https://x.example/", events=("A_*", "B"), region="zone-A", created_at=T0
)
TRY = Delivery(
    webhook_id="wh_1",
    seq=1,
    message_id="m",
    event_seq=7,
    event_type="A_B",
    at=T0,
    try_number=1,
    outcome=DeliveryOutcome.REFUSED,
    status=500,
    error="it answered 500",
    latency_ms=1.5,
)


def test_a_webhook_comes_back_as_it_was_put(nib: NIBStore) -> None:
    later = replace(HOOK, webhook_id="wh_0", created_at=T0 + timedelta(1), next_try=T0)
    with nib.transaction() as change:
        change.put_webhook(later)
        change.put_webhook(HOOK)
        assert change.webhooks() == (HOOK, later)
    changed = replace(HOOK, cursor=9, failing_since=T0, tries=3)
    with nib.transaction() as change:
        change.put_webhook(changed)
    assert nib.webhooks() == (changed, later)


def test_tries_are_kept_up_to_a_number_and_go_with_their_webhook(nib: NIBStore) -> None:
    with nib.transaction() as change:
        change.put_webhook(HOOK)
        for seq in range(1, 6):
            change.note_delivery(replace(TRY, seq=seq), keep=3)
    assert nib.webhook_deliveries("wh_1") == tuple(replace(TRY, seq=n) for n in (5, 4, 3))
    assert nib.webhook_deliveries("wh_1", limit=1) == (replace(TRY, seq=5),)
    assert nib.webhook_deliveries("wh_2") == ()
    with nib.transaction() as change:
        change.drop_webhook("wh_1")
        change.drop_webhook("wh_1")
    assert nib.webhooks() == ()
    assert nib.webhook_deliveries("wh_1") == ()


def test_readers_come_by_name_as_they_were_put_and_go(nib: NIBStore) -> None:
    noc = Reader(
        name="noc", key_sha256="a" * 64, certificate_sha256="b" * 64, not_after=T0, created_at=T0
    )
    grafana = replace(noc, name="grafana", region="zone-A", created_by="alice at global_cntl_1")
    with nib.transaction() as change:
        change.put_reader(noc)
        change.put_reader(grafana)
        assert change.readers() == (grafana, noc)
    again = replace(noc, key_sha256="c" * 64, not_after=T0 + timedelta(90))
    with nib.transaction() as change:
        change.put_reader(again)
        change.drop_reader("grafana")
        change.drop_reader("grafana")
    assert nib.readers() == (again,)
