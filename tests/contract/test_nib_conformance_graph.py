"""Every NIB backend behaves the same: sightings, merged and retired devices, namespaces, links."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pdsno.domain.entities import Claim, Device, DeviceStatus, Interface, LinkStatus
from pdsno.domain.errors import ConflictError, LocalProtocolError, NotFoundError
from pdsno.domain.ports import DeviceFilter, NIBCounts
from pdsno.nib import NIBStore
from tests.contract.nib_suite import (
    STORES,
    device,
    endpoint,
    event,
    later,
    link,
    name_of,
    put,
    router,
)


@pytest.fixture(params=STORES, ids=name_of)
def nib(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NIBStore]:
    with request.param.open(tmp_path) as opened:
        yield opened


# --- touch and absorb ------------------------------------------------------------------------


def test_a_touch_advances_last_seen_and_nothing_else(nib: NIBStore) -> None:
    (stored, untouched) = put(nib, router(), device("dev_2"))
    with nib.transaction() as tx:
        tx.touch_devices(["dev_1", "dev_unknown"], later(60))
    assert nib.device("dev_1") == replace(stored, last_seen=later(60), missed=0)
    assert nib.device("dev_2") == untouched


def test_a_late_touch_does_not_take_last_seen_back(nib: NIBStore) -> None:
    (stored,) = put(nib, router())
    with nib.transaction() as tx:
        tx.touch_devices(["dev_1"], later(-60))
    assert nib.device("dev_1") == replace(stored, missed=0)


def test_a_touch_takes_thousands_at_once(nib: NIBStore) -> None:
    put(nib, *(device(f"dev_{n:04}") for n in range(1200)))
    with nib.transaction() as tx:
        tx.touch_devices((f"dev_{n:04}" for n in range(1200)), later(5))
    assert {d.last_seen for d in nib.all_devices()} == {later(5)}


def test_an_absorbed_device_resolves_to_the_one_that_took_it(nib: NIBStore) -> None:
    _, _, c = put(nib, router("dev_a"), device("dev_b"), device("dev_c", name="c"))
    with nib.transaction() as tx:
        tx.put_claim(Claim(reporter="lc", device_id="dev_a", device=device("their")))
        tx.absorb_device("dev_a", "dev_b")
        tx.absorb_device("dev_b", "dev_c")
    assert nib.device("dev_a") == nib.device("dev_b") == c
    assert nib.all_devices() == (c,)
    assert nib.own_id("lc", "their") == "dev_c"
    assert nib.devices(DeviceFilter(mac="02:00:00:00:00:01")).items == ()
    with pytest.raises(ConflictError, match="merged into dev_c"):
        put(nib, device("dev_a"))


def test_only_known_and_different_devices_are_merged(nib: NIBStore) -> None:
    put(nib, device("dev_a"))
    for absorbed, into in (("dev_a", "dev_x"), ("dev_x", "dev_a")):
        with pytest.raises(NotFoundError, match="dev_x"), nib.transaction() as tx:
            tx.absorb_device(absorbed, into)
    with pytest.raises(LocalProtocolError), nib.transaction() as tx:
        tx.absorb_device("dev_a", "dev_a")


# --- retire ----------------------------------------------------------------------------------


def test_a_retired_device_is_gone_with_all_that_hung_on_it(nib: NIBStore) -> None:
    put(nib, router("dev_a"), device("dev_b"), device("dev_old"))
    with nib.transaction() as tx:
        tx.absorb_device("dev_old", "dev_a")
        tx.put_claim(Claim(reporter="lc", device_id="dev_a", device=device("their")))
        tx.put_claim(Claim(reporter="lc", device_id="dev_b", device=device("other")))
        appended = tx.append_event(event("dev_a"))
        tx.retire_device("dev_a")
        assert tx.device("dev_a") is None
    assert [d.device_id for d in nib.all_devices()] == ["dev_b"]
    assert nib.device("dev_old") is None
    assert nib.own_id("lc", "their") is None
    assert nib.own_id("lc", "other") == "dev_b"
    assert nib.interfaces().items == ()
    assert nib.devices(DeviceFilter(ip="10.1.0.1")).items == ()
    assert nib.devices(DeviceFilter(mac="02:00:00:00:00:01")).items == ()
    assert nib.events() == (appended,)


def test_a_device_that_comes_back_after_its_retirement_is_new(nib: NIBStore) -> None:
    put(nib, router("dev_a"))
    with nib.transaction() as tx:
        tx.retire_device("dev_a")
        assert tx.put_device(router("dev_a"), expected_version=None).version == 1
    assert nib.devices(DeviceFilter(ip="10.1.0.1")).items == (replace(router("dev_a"), version=1),)


def test_only_a_device_that_is_there_is_retired(nib: NIBStore) -> None:
    put(nib, device("dev_a"), device("dev_b"))
    with nib.transaction() as tx:
        tx.absorb_device("dev_a", "dev_b")
    for gone in ("dev_a", "dev_x"):
        with pytest.raises(NotFoundError, match=gone), nib.transaction() as tx:
            tx.retire_device(gone)
    assert nib.device("dev_a") == nib.device("dev_b") is not None


# --- addresses by namespace ------------------------------------------------------------------


def in_vrf(device_id: str, **values: object) -> Device:
    """A device with 10.1.0.1 outside of any VRF, 10.9.0.1 in `red`, 10.8.0.1 in both."""
    return device(
        device_id,
        **{
            "namespace": "zone-A",
            "ips": ("10.1.0.1", "10.8.0.1", "10.9.0.1"),
            "interfaces": (
                Interface(name="eth1", ips=("10.1.0.1/24", "10.8.0.1/24")),
                Interface(name="eth2", ips=("10.8.0.1/24", "10.9.0.1/24"), vrf="red"),
            ),
        }
        | values,
    )


def having(nib: NIBStore, namespace: str | None, ip: str) -> list[str]:
    where = DeviceFilter(namespace=namespace, ip=ip)
    return [d.device_id for d in nib.devices(where).items]


def test_an_address_in_a_vrf_is_in_the_namespace_of_that_vrf_alone(nib: NIBStore) -> None:
    put(nib, in_vrf("dev_a"))
    assert having(nib, "zone-A", "10.9.0.1") == []
    assert having(nib, "zone-A/red", "10.9.0.1") == ["dev_a"]
    assert having(nib, "zone-A", "10.1.0.1") == ["dev_a"]
    assert having(nib, "zone-A/red", "10.1.0.1") == []
    assert having(nib, "zone-A", "10.8.0.1") == having(nib, "zone-A/red", "10.8.0.1") == ["dev_a"]
    assert having(nib, "zone-A/red", "10.9.0.0/16") == ["dev_a"]
    assert having(nib, "zone-B", "10.1.0.1") == []
    assert having(nib, None, "10.9.0.1") == having(nib, None, "10.1.0.1") == ["dev_a"]


def test_an_address_in_a_vrf_by_which_we_reach_the_device_is_in_its_own_namespace(
    nib: NIBStore,
) -> None:
    put(nib, in_vrf("dev_a", management_ip="10.9.0.1"))
    assert having(nib, "zone-A", "10.9.0.1") == ["dev_a"]
    assert having(nib, "zone-A/red", "10.9.0.1") == []


def test_an_address_that_only_an_interface_in_a_vrf_tells_is_found_there(nib: NIBStore) -> None:
    put(nib, in_vrf("dev_a", ips=("10.1.0.1",)))
    assert having(nib, "zone-A/red", "10.9.0.1") == ["dev_a"]
    assert having(nib, "zone-A", "10.9.0.1") == []


def test_a_namespace_without_an_address_is_that_of_the_device(nib: NIBStore) -> None:
    (a,) = put(nib, in_vrf("dev_a"))
    assert nib.devices(DeviceFilter(namespace="zone-A")).items == (a,)
    assert nib.devices(DeviceFilter(namespace="zone-A/red")).items == ()


def test_an_address_that_leaves_its_vrf_is_found_in_its_new_namespace(nib: NIBStore) -> None:
    (a,) = put(nib, in_vrf("dev_a"))
    with nib.transaction() as tx:
        moved = tuple(replace(i, vrf=None) for i in a.interfaces)
        tx.put_device(replace(a, interfaces=moved), expected_version=1)
    assert having(nib, "zone-A/red", "10.9.0.1") == []
    assert having(nib, "zone-A", "10.9.0.1") == ["dev_a"]


# --- links -----------------------------------------------------------------------------------


def test_links_are_replaced_as_a_whole(nib: NIBStore) -> None:
    kept, changed, gone = (link(f"l{n}", f"dev_{n}", "dev_9") for n in range(3))
    with nib.transaction() as tx:
        tx.replace_links([kept, changed, gone])
    changed = replace(changed, status=LinkStatus.CONFLICT, last_seen=later(1))
    new = link("l7", None, "dev_0", status=LinkStatus.CLAIMED)
    with nib.transaction() as tx:
        tx.replace_links(iter([new, changed, kept]))
    assert nib.links().items == (kept, changed, new)
    assert nib.links(device_id="dev_0").items == (kept, new)
    assert nib.links(status=LinkStatus.CONFLICT).items == (changed,)
    first = nib.links(limit=2)
    assert first.items == (kept, changed)
    assert nib.links(limit=2, after=first.next_after).items == (new,)
    with nib.transaction() as tx:
        tx.replace_links([])
    assert nib.links().items == ()


# --- numbers ---------------------------------------------------------------------------------


def test_links_of_a_region_have_an_end_there(nib: NIBStore) -> None:
    put(nib, device("1", region="A"), device("2", region="A"), device("3", region="B"))
    inside, border = link("l1", "1", "2"), link("l2", "2", "3")
    abroad, edge = link("l3", "3", None), link("l4", None, "1")
    with nib.transaction() as tx:
        tx.replace_links([inside, border, abroad, edge])
        tx.put_device(device("4", region="C"), expected_version=None)
        tx.replace_links([inside, border, abroad, edge, link("l5", "4", "3")])
        assert [one.link_id for one in tx.links(region="C").items] == ["l5"]
        tx.replace_links([inside, border, abroad, edge])
    assert nib.links(region="A").items == (inside, border, edge)
    assert nib.links(region="B").items == (border, abroad)
    assert nib.links(region="B", device_id="2").items == (border,)
    assert nib.links(region="A", limit=1, after="l1").items == (border,)
    assert nib.links(region="a").items == ()


def test_interfaces_of_a_region_are_those_of_its_devices(nib: NIBStore) -> None:
    two = (Interface(name="eth1"), Interface(name="eth2"))
    put(
        nib,
        device("1", region="A", interfaces=two),
        device("2", region="B", interfaces=two),
        device("3", region="A", interfaces=two),
    )

    def found(**asked: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - whatever interfaces() takes
        return [(i.device_id, i.interface.name) for i in nib.interfaces(**asked).items]

    assert found(region="A") == [("1", "eth1"), ("1", "eth2"), ("3", "eth1"), ("3", "eth2")]
    assert found(region="B") == [("2", "eth1"), ("2", "eth2")]
    assert found(region="A", device_id="2") == []
    first = nib.interfaces(region="A", limit=3)
    assert found(region="A", after=first.next_after) == [("3", "eth2")]


def test_a_nib_tells_how_much_it_holds(nib: NIBStore) -> None:
    assert nib.counts() == NIBCounts(devices={}, links={}, endpoints=0, outbox=0)
    put(nib, device("dev_a"), device("dev_b"), device("dev_c", status=DeviceStatus.INACTIVE))
    with nib.transaction() as tx:
        tx.replace_links([link("l1", "dev_a", "dev_b"), link("l2", "dev_a", None)])
        tx.put_endpoints([endpoint("ep_1"), endpoint("ep_2")])
        rows = [tx.enqueue("REPORT", {}) for _ in range(3)]
        tx.confirm(rows[0].stream_id, 1)
    assert nib.counts() == NIBCounts(
        devices={"active": 2, "inactive": 1}, links={"confirmed": 2}, endpoints=2, outbox=2
    )
