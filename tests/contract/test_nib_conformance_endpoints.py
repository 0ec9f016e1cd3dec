"""Every NIB backend behaves the same: endpoints, their sightings and their retention."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pdsno.domain.entities import Attachment, Endpoint
from pdsno.domain.errors import ConflictError, InputError, LocalProtocolError
from pdsno.domain.ports import EndpointFilter
from pdsno.nib import NIBStore
from tests.contract.nib_suite import (
    PORT,
    STORED,
    T0,
    Store,
    device,
    endpoint,
    later,
    name_of,
    put,
    seen,
)

LONG_AGO = T0 - timedelta(days=365)


def keep(nib: NIBStore, *endpoints: Endpoint) -> None:
    with nib.transaction() as tx:
        tx.put_endpoints(endpoints)


def found(nib: NIBStore, **where: Any) -> list[str]:  # noqa: ANN401 - each field has its own type
    return [e.endpoint_id for e in nib.endpoints(EndpointFilter(**where)).items]


def forget(nib: NIBStore, **values: Any) -> int:  # noqa: ANN401 - each argument has its own type
    """Apply a retention that forgets nothing but what is told."""
    default = dict.fromkeys(("before", "random_before", "sightings_before"), LONG_AGO)
    with nib.transaction() as tx:
        return tx.forget_endpoints(**default | {"most": 100} | values)


# --- endpoints -------------------------------------------------------------------------------


def test_an_endpoint_comes_back_as_it_was_put(nib: NIBStore) -> None:
    full = endpoint("ep_1", is_random_mac=True)
    bare = Endpoint(endpoint_id="ep_2", namespace="n", mac=None, first_seen=T0, last_seen=T0)
    keep(nib, full, bare)
    assert nib.endpoints().items == (full, bare)
    assert nib.endpoints_by_id(["ep_2", "ep_1", "ep_x"]) == {"ep_1": full, "ep_2": bare}
    assert nib.endpoints_by_id([]) == {}


def test_an_endpoint_put_again_is_replaced_whole(nib: NIBStore) -> None:
    keep(nib, endpoint())
    moved = endpoint(ips=("10.1.0.99",), attachment=None, last_seen=later(60))
    keep(nib, moved)
    keep(nib, moved)
    assert nib.endpoints().items == (moved,)
    assert found(nib, ip="10.1.0.10") == []
    assert found(nib, ip="10.1.0.99") == ["ep_1"]
    assert found(nib, device_id="dev_sw") == []


def test_of_an_endpoint_named_twice_at_once_the_last_is_kept(nib: NIBStore) -> None:
    keep(nib, endpoint(ips=("10.0.0.1",)), endpoint(ips=("10.0.0.2",)))
    assert found(nib, ip="10.0.0.1") == []
    assert nib.endpoints().items[0].ips == ("10.0.0.2",)


def test_endpoints_are_paged_in_order_of_their_id(nib: NIBStore) -> None:
    keep(nib, *(endpoint(f"ep_{n:02}") for n in (4, 1, 3, 0, 2)))
    ids: list[str] = []
    after = None
    for _ in range(3):
        page = nib.endpoints(limit=2, after=after)
        ids += [e.endpoint_id for e in page.items]
        after = page.next_after
    assert ids == [f"ep_{n:02}" for n in range(5)]
    assert after is None
    assert nib.endpoints(limit=5).next_after is None
    with pytest.raises(InputError):
        nib.endpoints(limit=0)


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ({"region": "zone-B"}, ["ep_b"]),
        ({"namespace": "zone-B/red"}, ["ep_b"]),
        ({"local_controller": "lc_b"}, ["ep_b"]),
        ({"vendor": "Acme"}, ["ep_a"]),
        ({"mac": "0200.0000.000B"}, ["ep_b"]),
        ({"ip": "10.1.0.10"}, ["ep_a"]),
        ({"ip": "10.1.0.0/16"}, ["ep_a"]),
        ({"ip": "2001:db8::/64"}, ["ep_a", "ep_b"]),
        ({"device_id": "dev_sw"}, ["ep_a"]),
        ({"device_id": "dev_sw", "interface": "eth9"}, []),
        ({"interface": "eth9"}, ["ep_b"]),
        ({"vlan": 20}, ["ep_a"]),
        ({"vlan": 30, "region": "zone-B"}, ["ep_b"]),
        ({"is_random_mac": True}, ["ep_b"]),
        ({"is_random_mac": False}, ["ep_a"]),
        ({"seen_since": later(60)}, ["ep_b"]),
        ({"seen_since": later(61)}, []),
        ({"q": "aCME"}, ["ep_a"]),
        ({"q": "SW2"}, ["ep_b"]),
        ({"q": "eth"}, ["ep_a", "ep_b"]),
        ({"q": "db8::1"}, ["ep_a", "ep_b"]),
        ({"q": "eth_"}, []),
    ],
)
def test_endpoints_are_found_by_every_condition(
    nib: NIBStore, where: dict[str, Any], ids: list[str]
) -> None:
    port = Attachment(device_id=None, device="sw2", interface="eth9", vlan=30)
    other = endpoint(
        "ep_b",
        namespace="zone-B/red",
        region="zone-B",
        local_controller="lc_b",
        vendor=None,
        mac="02:00:00:00:00:0b",
        ips=("2001:db8::11",),
        is_random_mac=True,
        attachment=port,
        last_seen=later(60),
    )
    keep(nib, endpoint("ep_a"), other)
    assert found(nib, **where) == ids


def test_a_condition_that_holds_for_nothing_is_refused(nib: NIBStore) -> None:
    for wrong in ({"ip": "10.0.0.300"}, {"mac": "xx"}, {"q": "x" * 201}):
        with pytest.raises(InputError):
            found(nib, **wrong)


def test_last_seen_of_an_endpoint_never_goes_back(nib: NIBStore) -> None:
    keep(nib, endpoint("ep_1"), endpoint("ep_2", last_seen=later(100)))
    with nib.transaction() as tx:
        tx.touch_endpoints(["ep_1", "ep_2", "ep_unknown"], later(50))
    assert [e.last_seen for e in nib.endpoints().items] == [later(50), later(100)]


def test_more_endpoints_than_a_statement_can_name_are_read_touched_and_dropped(
    nib: NIBStore,
) -> None:
    many = [endpoint(f"ep_{n:05}", ips=(f"10.{n // 250}.0.{n % 250}",)) for n in range(2500)]
    keep(nib, *many)
    ids = [e.endpoint_id for e in many]
    assert len(nib.endpoints_by_id(iter(ids))) == len(many)
    with nib.transaction() as tx:
        tx.touch_endpoints(ids, later(5))
        tx.drop_endpoints(ids[1:])
    assert nib.endpoints().items == (replace(many[0], last_seen=later(5)),)


def test_a_dropped_endpoint_takes_its_sightings_along(nib: NIBStore) -> None:
    keep(nib, endpoint("ep_1"), endpoint("ep_2"))
    with nib.transaction() as tx:
        tx.put_endpoint_sightings([seen("ep_1"), seen("ep_2")])
        tx.drop_endpoints(["ep_1", "ep_unknown"])
        assert tx.endpoint_sightings("ep_1") == ()
    assert found(nib) == ["ep_2"]
    assert found(nib, ip="10.1.0.10") == ["ep_2"]
    assert nib.endpoint_sightings("ep_2") == (seen("ep_2"),)


def test_a_change_of_endpoints_that_fails_leaves_nothing(nib: NIBStore) -> None:
    keep(nib, endpoint("ep_1"))

    def change_and_stumble() -> None:
        with nib.transaction() as tx:
            tx.put_endpoints([endpoint("ep_2")])
            tx.put_endpoint_sightings([seen("ep_1")])
            tx.drop_endpoints(["ep_1"])
            assert [e.endpoint_id for e in tx.endpoints().items] == ["ep_2"]
            tx.put_device(device(), expected_version=9)

    with pytest.raises(ConflictError):
        change_and_stumble()
    assert found(nib) == ["ep_1"]
    assert nib.endpoint_sightings("ep_1") == ()


def test_endpoints_follow_a_switch_that_was_merged(nib: NIBStore) -> None:
    put(nib, device("dev_sw"), device("dev_whole"))
    keep(nib, endpoint())
    with nib.transaction() as tx:
        tx.absorb_device("dev_sw", "dev_whole")
    merged = replace(PORT, device_id="dev_whole")
    assert nib.endpoints().items[0].attachment == merged
    assert found(nib, device_id="dev_whole") == ["ep_1"]
    assert found(nib, device_id="dev_sw") == ["ep_1"]


def test_endpoints_of_a_retired_switch_keep_its_name_alone(nib: NIBStore) -> None:
    put(nib, device("dev_sw"))
    keep(nib, endpoint())
    with nib.transaction() as tx:
        tx.retire_device("dev_sw")
    assert nib.endpoints().items[0].attachment == replace(PORT, device_id=None)
    assert found(nib, device_id="dev_sw") == []


def test_text_of_an_endpoint_that_is_not_unicode_is_refused(nib: NIBStore) -> None:
    with pytest.raises(InputError):
        keep(nib, endpoint(vendor="\ud800"))
    assert found(nib) == []


# --- sightings -------------------------------------------------------------------------------


def test_a_sighting_seen_again_is_lengthened(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        tx.put_endpoint_sightings([seen(first_seen=later(10), last_seen=later(20))])
        tx.put_endpoint_sightings([seen(first_seen=later(15), last_seen=later(30), source="arp")])
        tx.put_endpoint_sightings([seen(first_seen=later(5), last_seen=later(6))])
        tx.put_endpoint_sightings([seen(first_seen=later(12), last_seen=later(13))])
    assert nib.endpoint_sightings("ep_1") == (seen(first_seen=later(5), last_seen=later(30)),)


def test_sightings_of_one_key_given_at_once_are_one(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        tx.put_endpoint_sightings(
            [seen(first_seen=later(n), last_seen=later(n)) for n in (2, 1, 3)]
        )
    assert nib.endpoint_sightings("ep_1") == (seen(first_seen=later(1), last_seen=later(3)),)


def test_sightings_are_kept_apart_by_address_and_place_and_shown_latest_first(
    nib: NIBStore,
) -> None:
    sightings = (
        seen(last_seen=later(9)),
        seen(ip="10.1.0.11", last_seen=later(8)),
        seen(attachment=replace(PORT, interface="eth4"), last_seen=later(7)),
        seen(attachment=replace(PORT, vlan=None), last_seen=later(6)),
        seen(attachment=None, last_seen=later(5)),
        seen(ip=None, last_seen=later(4)),
        seen(ip=None, attachment=None, last_seen=later(3)),
    )
    with nib.transaction() as tx:
        tx.put_endpoint_sightings(reversed(sightings))
        tx.put_endpoint_sightings([seen("ep_2")])
    assert nib.endpoint_sightings("ep_1") == sightings
    assert nib.endpoint_sightings("ep_1", limit=2) == sightings[:2]
    assert nib.endpoint_sightings("ep_x") == ()
    with pytest.raises(InputError):
        nib.endpoint_sightings("ep_1", limit=0)


# --- retention -------------------------------------------------------------------------------


def test_endpoints_of_long_ago_go_and_random_ones_sooner(nib: NIBStore) -> None:
    keep(
        nib,
        endpoint("ep_1", last_seen=later(10)),
        endpoint("ep_2", last_seen=later(11)),
        endpoint("ep_3", last_seen=later(11), is_random_mac=True),
        endpoint("ep_4", last_seen=later(20), is_random_mac=True),
    )
    with nib.transaction() as tx:
        tx.put_endpoint_sightings(
            seen(f"ep_{n}", first_seen=later(30), last_seen=later(30)) for n in range(1, 5)
        )
    assert forget(nib, before=later(11), random_before=later(20)) == 2
    assert found(nib) == ["ep_2", "ep_4"]
    assert nib.endpoint_sightings("ep_1") == ()
    assert nib.endpoint_sightings("ep_3") == ()
    assert len(nib.endpoint_sightings("ep_2")) == 1
    assert forget(nib, before=later(11), random_before=later(20)) == 0


def test_sightings_that_ended_long_ago_go_and_their_endpoint_stays(nib: NIBStore) -> None:
    keep(nib, endpoint())
    old, new = seen(last_seen=later(9)), seen(ip="10.1.0.11", last_seen=later(10))
    with nib.transaction() as tx:
        tx.put_endpoint_sightings([old, new])
    assert forget(nib, sightings_before=later(10)) == 0
    assert nib.endpoint_sightings("ep_1") == (new,)
    assert found(nib) == ["ep_1"]


def test_the_latest_sightings_of_each_endpoint_are_kept(nib: NIBStore) -> None:
    keep(nib, endpoint("ep_1"), endpoint("ep_2"))

    def sighting(endpoint_id: str, n: int) -> Any:  # noqa: ANN401 - goes straight into the NIB
        return seen(endpoint_id, ip=f"10.1.0.{n}", last_seen=later(n))

    with nib.transaction() as tx:
        tx.put_endpoint_sightings(sighting("ep_1", n) for n in range(10))
        tx.put_endpoint_sightings(sighting("ep_2", n) for n in range(2))
    assert forget(nib, most=3) == 0
    assert nib.endpoint_sightings("ep_1") == tuple(sighting("ep_1", n) for n in (9, 8, 7))
    assert nib.endpoint_sightings("ep_2") == tuple(sighting("ep_2", n) for n in (1, 0))
    with pytest.raises(LocalProtocolError):
        forget(nib, most=0)


def test_a_time_without_a_zone_is_refused(nib: NIBStore) -> None:
    naive = datetime(2025, 3, 1)  # noqa: DTZ001 - what is to be refused
    for change in (
        lambda: keep(nib, endpoint(last_seen=naive)),
        lambda: forget(nib, before=naive),
        lambda: found(nib, seen_since=naive),
    ):
        with pytest.raises(LocalProtocolError, match="no time zone"):
            change()


@pytest.mark.parametrize("store", STORED, ids=name_of)
def test_endpoints_are_there_after_closing_and_opening(store: Store, tmp_path: Path) -> None:
    with store.open(tmp_path) as nib, nib.transaction() as tx:
        tx.put_endpoints([endpoint()])
        tx.put_endpoint_sightings([seen()])
    with store.open(tmp_path) as nib:
        assert nib.endpoints().items == (endpoint(),)
        assert nib.endpoint_sightings("ep_1") == (seen(),)
