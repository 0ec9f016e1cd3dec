"""Every NIB backend behaves the same: transactions, devices, filters, pages, links."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from pdsno.domain.entities import Device, DeviceStatus, DeviceType, Interface
from pdsno.domain.errors import (
    ConflictError,
    InputError,
    LocalProtocolError,
)
from pdsno.domain.ports import NIB, DeviceFilter, NIBTransaction
from pdsno.nib import NIBStore
from tests.contract.nib_suite import (
    T0,
    Store,
    device,
    event,
    link,
    put,
    router,
)


def ids(nib: NIBStore, where: DeviceFilter) -> list[str]:
    return [d.device_id for d in nib.devices(where).items]


class Boom(Exception):  # noqa: N818 - what it is called is no matter
    pass


def change_everything(tx: NIBTransaction) -> None:
    tx.put_device(device("dev_1"), expected_version=None)
    tx.absorb_device("dev_0", "dev_1")
    tx.replace_links([link("l1", "dev_1", None)])
    tx.append_event(event())
    tx.enqueue("DISCOVERY_REPORT", {})
    tx.mark_applied("rc", "s", 1)
    assert len(tx.all_devices()) == len(tx.events()) == 1
    raise Boom


# --- transactions ----------------------------------------------------------------------------


def test_a_store_is_a_nib(nib: NIBStore) -> None:
    port: NIB = nib
    assert port.all_devices() == ()


def test_a_committed_device_comes_back_as_it_was(nib: NIBStore) -> None:
    (stored,) = put(nib, router())
    assert stored == replace(router(), version=1)
    assert nib.device("dev_1") == stored
    assert nib.all_devices() == (stored,)
    assert nib.devices().items == (stored,)


def test_an_exception_rolls_everything_back(nib: NIBStore) -> None:
    put(nib, device("dev_0"))
    with pytest.raises(Boom), nib.transaction() as tx:
        change_everything(tx)
    assert nib.events() == ()
    assert [d.device_id for d in nib.all_devices()] == ["dev_0"]
    assert nib.links().items == ()
    assert nib.outbox_tail().seq == 0
    assert nib.applied_seq("rc", "s") == 0


def test_a_transaction_sees_its_own_writes_and_nobody_else_does(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        tx.put_device(router(), expected_version=None)
        assert tx.device("dev_1") == replace(router(), version=1)
        assert [d.device_id for d in tx.devices(DeviceFilter(ip="10.1.0.0/16")).items] == ["dev_1"]
        assert [i.interface.name for i in tx.interfaces().items] == ["eth1", "lo"]
        assert nib.device("dev_1") is None
        assert nib.interfaces().items == ()
    assert nib.device("dev_1") is not None


def test_a_reader_keeps_the_state_that_it_began_with(nib: NIBStore) -> None:
    put(nib, device("dev_1"))
    with nib.reading() as reader:
        assert len(reader.all_devices()) == 1
        put(nib, device("dev_2"))
        assert len(reader.all_devices()) == 1
    assert len(nib.all_devices()) == 2


def test_transactions_never_nest(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        with pytest.raises(LocalProtocolError, match="never nest"), nib.transaction():
            pass
        tx.put_device(device(), expected_version=None)
    assert nib.device("dev_1") is not None


def test_a_transaction_that_ended_is_refused(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        pass
    with pytest.raises(LocalProtocolError, match="has ended"):
        tx.put_device(device(), expected_version=None)
    with pytest.raises(LocalProtocolError, match="has ended"):
        tx.policy()


def test_a_closed_nib_is_refused_and_closing_twice_is_fine(nib: NIBStore) -> None:
    nib.close()
    nib.close()
    with pytest.raises(LocalProtocolError, match="closed"):
        nib.device("dev_1")


def test_closing_inside_a_transaction_is_refused(nib: NIBStore) -> None:
    with nib.transaction(), pytest.raises(LocalProtocolError):
        nib.close()
    assert nib.all_devices() == ()


# --- versions --------------------------------------------------------------------------------


def test_versions_count_up_from_one(nib: NIBStore) -> None:
    (first,) = put(nib, device())
    with nib.transaction() as tx:
        second = tx.put_device(replace(first, name="b"), expected_version=1)
        third = tx.put_device(replace(second, name="c"), expected_version=2)
    assert (first.version, second.version, third.version) == (1, 2, 3)
    assert nib.device("dev_1") == third


def test_a_stale_version_is_refused_and_changes_nothing(nib: NIBStore) -> None:
    (first,) = put(nib, device())
    with nib.transaction() as tx:
        tx.put_device(replace(first, name="b"), expected_version=1)
    with pytest.raises(ConflictError, match="dev_1 has version 2, not 1"), nib.transaction() as tx:
        tx.put_device(replace(first, name="lost"), expected_version=1)
    held = nib.device("dev_1")
    assert held is not None
    assert held.name == "b"


def test_an_insert_of_a_known_device_is_refused(nib: NIBStore) -> None:
    put(nib, device())
    with pytest.raises(ConflictError, match="exists already"), nib.transaction() as tx:
        tx.put_device(device(), expected_version=None)


def test_an_insert_twice_in_one_transaction_is_refused(nib: NIBStore) -> None:
    with pytest.raises(ConflictError, match="exists already"):
        put(nib, device(), device())
    assert nib.all_devices() == ()


def test_a_replacement_of_an_unknown_device_is_refused(nib: NIBStore) -> None:
    with pytest.raises(ConflictError, match="does not exist"), nib.transaction() as tx:
        tx.put_device(device(), expected_version=1)


def test_a_refused_write_leaves_the_rest_of_the_transaction_alone(nib: NIBStore) -> None:
    put(nib, device())
    with nib.transaction() as tx:
        with pytest.raises(ConflictError):
            tx.put_device(device(), expected_version=7)
        tx.put_device(device("dev_2"), expected_version=None)
    assert len(nib.all_devices()) == 2


def test_a_replacement_leaves_nothing_of_the_old_device(nib: NIBStore) -> None:
    (first,) = put(nib, router())
    bare = replace(device(), macs=("02:00:00:00:00:09",))
    with nib.transaction() as tx:
        stored = tx.put_device(bare, expected_version=first.version)
    assert nib.device("dev_1") == stored
    assert nib.interfaces().items == ()
    assert ids(nib, DeviceFilter(mac="02:00:00:00:00:01")) == []
    assert ids(nib, DeviceFilter(ip="10.0.0.1")) == []
    assert ids(nib, DeviceFilter(mac="02:00:00:00:00:09")) == ["dev_1"]


# --- values ----------------------------------------------------------------------------------


def test_times_come_back_in_utc(nib: NIBStore) -> None:
    tokyo = timezone(timedelta(hours=9))
    put(nib, device(first_seen=T0.astimezone(tokyo)))
    held = nib.device("dev_1")
    assert held is not None
    assert held.first_seen == T0
    assert held.first_seen.utcoffset() == timedelta(0)


def test_a_time_without_zone_is_refused(nib: NIBStore) -> None:
    naive = datetime(2025, 1, 1)  # noqa: DTZ001 - the point of the test
    with pytest.raises(LocalProtocolError, match="no time zone"):
        put(nib, device(last_seen=naive))


@pytest.mark.parametrize("name", ["'; DROP TABLE devices; --", "a\0b", "Zürich-⚡", "%_\\", ""])
def test_any_text_is_a_name(store: Store, nib: NIBStore, name: str) -> None:
    put(nib, device(name=name))
    assert ids(nib, DeviceFilter(name=name)) == ["dev_1"]
    held = nib.device("dev_1")
    assert held is not None
    # PostgreSQL's text has every character but this one, and shows its symbol.
    assert held.name == (name.replace("\0", "␀") if store.name == "postgresql" else name)


def test_text_that_is_not_unicode_is_refused(nib: NIBStore) -> None:
    with pytest.raises(InputError, match="surrogate"):
        put(nib, device(name="\ud800"))
    assert nib.all_devices() == ()


def test_what_a_caller_changes_later_changes_nothing_here(nib: NIBStore) -> None:
    provenance = dict(router().provenance)
    put(nib, replace(router(), provenance=provenance))
    provenance.clear()
    held = nib.device("dev_1")
    assert held is not None
    assert set(held.provenance) == {"name"}


# --- filters ---------------------------------------------------------------------------------

WHERE_ROUTER = [
    {"region": "zone-A"},
    {"namespace": "zone-A"},
    {"status": DeviceStatus.ACTIVE},
    {"device_type": DeviceType.ROUTER},
    {"vendor": "FRRouting"},
    {"platform": "frr"},
    {"name": "spine1"},
    {"serial": "S-1"},
    {"local_controller": "local_cntl_zone-A_1"},
    {"mac": "02:00:00:00:00:02"},
    {"mac": "0200.0000.0002"},
    {"ip": "10.1.0.1"},
    {"ip": "10.1.0.0/24"},
    {"ip": "10.1.0.7/24"},
    {"ip": "2001:DB8:0::1"},
    {"ip": "2001:db8::/32"},
    {"q": "SPINE"},
    {"q": "frrout"},
    {"q": "0:00:02"},
    {"q": "10.1.0"},
    {"q": "s-1"},
    {"region": "zone-A", "q": "spine", "ip": "10.0.0.0/8", "mac": "02:00:00:00:00:01"},
]


@pytest.mark.parametrize("conditions", WHERE_ROUTER, ids=str)
def test_a_filter_finds_what_matches_and_only_that(
    nib: NIBStore, conditions: dict[str, str]
) -> None:
    other = device(
        "dev_2",
        status=DeviceStatus.INACTIVE,
        macs=("02:00:00:00:00:03",),
        ips=("10.10.0.1", "172.16.0.1", "2001:db9::1"),
    )
    put(nib, router(), other)
    assert ids(nib, DeviceFilter()) == ["dev_1", "dev_2"]
    assert ids(nib, DeviceFilter(**conditions)) == ["dev_1"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "conditions",
    [{"q": "%"}, {"q": "_"}, {"name": "SPINE1"}, {"ip": "10.1.0.2"}, {"ip": "0.0.0.0/32"}],
    ids=str,
)
def test_a_filter_that_matches_nothing_finds_nothing(
    nib: NIBStore, conditions: dict[str, str]
) -> None:
    put(nib, router())
    assert ids(nib, DeviceFilter(**conditions)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("where", "limit"),
    [
        (DeviceFilter(ip="nonsense"), 1),
        (DeviceFilter(mac="nonsense"), 1),
        (DeviceFilter(q="x" * 201), 1),
        (DeviceFilter(), 0),
    ],
    ids=["ip", "mac", "q", "limit"],
)
def test_a_senseless_question_is_refused(nib: NIBStore, where: DeviceFilter, limit: int) -> None:
    with pytest.raises(InputError):
        nib.devices(where, limit=limit)


# --- pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 6, 7])
def test_pages_put_together_are_the_whole(nib: NIBStore, count: int) -> None:
    stored = put(nib, *(device(f"dev_{n}", region="zone-A") for n in range(count)))
    found: list[Device] = []
    after = None
    while True:
        page = nib.devices(DeviceFilter(region="zone-A"), limit=3, after=after)
        assert len(page.items) <= 3
        found += page.items
        after = page.next_after
        if after is None:
            break
    assert tuple(found) == stored


def test_pages_of_interfaces_go_on_inside_a_device(nib: NIBStore) -> None:
    ports = tuple(Interface(name=f"eth{n}") for n in range(5))
    put(nib, *(device(f"dev_{n}", name=f"r{n}", interfaces=ports) for n in range(3)))
    found, after = [], None
    while True:
        page = nib.interfaces(limit=4, after=after)
        found += [(i.device_id, i.device, i.interface.name) for i in page.items]
        after = page.next_after
        if after is None:
            break
    assert found == [(f"dev_{d}", f"r{d}", f"eth{n}") for d in range(3) for n in range(5)]
    assert len(nib.interfaces(device_id="dev_1").items) == 5
    with pytest.raises(InputError, match="cursor"):
        nib.interfaces(after="dev_1")


# --- what a transaction has written is found before it is committed ----------------------------


@pytest.mark.parametrize(
    "where",
    [
        DeviceFilter(mac="02:00:00:00:00:01"),
        DeviceFilter(serial="S-1"),
        DeviceFilter(namespace="zone-A", ip="10.1.0.1"),
        DeviceFilter(ip="2001:DB8:0::1"),
        DeviceFilter(namespace="zone-A/mgmt", ip="10.9.0.1"),
    ],
    ids=str,
)
def test_a_transaction_finds_what_it_has_put_and_not_what_that_replaced(
    nib: NIBStore, where: DeviceFilter
) -> None:
    in_vrf = Interface(name="ma1", ips=("10.9.0.1/24",), vrf="mgmt")
    full = replace(router(), interfaces=(*router().interfaces, in_vrf))
    put(nib, full, device("dev_2"), device("dev_3"))
    with nib.transaction() as tx:
        assert [d.device_id for d in tx.devices(where).items] == ["dev_1"]
        bare = device("dev_1", namespace="zone-A")
        tx.put_device(bare, expected_version=1)
        tx.put_device(replace(full, device_id="dev_2"), expected_version=1)
        second = tx.put_device(replace(full, device_id="dev_0"), expected_version=None)
        assert [d.device_id for d in tx.devices(where).items] == ["dev_0", "dev_2"]
        assert tx.devices(where, limit=1).next_after == "dev_0"
        assert [d.device_id for d in tx.devices(where, after="dev_0").items] == ["dev_2"]
        assert tx.devices(where).items[0] == second
        assert tx.device("dev_0") == second
        assert tx.device("dev_1") == replace(bare, version=2)
        tx.absorb_device("dev_0", "dev_2")
        merged = tx.put_device(replace(full, device_id="dev_2"), expected_version=2)
        assert tx.device("dev_0") == merged
        assert tx.devices(where).items == (merged,)
    assert ids(nib, where) == ["dev_2"]
