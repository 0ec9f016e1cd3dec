"""The history of devices and links, over every store."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pdsno.domain.entities import Device, DeviceStatus, Interface, LinkStatus
from pdsno.domain.errors import ConflictError, InputError
from pdsno.domain.history import HistoryKind
from pdsno.domain.history_ports import HistoryFilter
from pdsno.domain.ports import DeviceFilter
from pdsno.nib import NIBStore, care
from tests.contract.nib_suite import device, later, link, router

FUTURE = timedelta(days=1)


def put(nib: NIBStore, *devices: Device, actor: str = "") -> datetime:
    """Write devices, whatever is there; returns a time after it and before whatever follows."""
    with nib.transaction() as tx:
        for item in devices:
            held = tx.device(item.device_id)
            tx.put_device(item, expected_version=held.version if held else None, actor=actor)
    return moment(nib)


def moment(nib: NIBStore) -> datetime:
    """Return a time after all that was learnt, and before all that is to come."""
    last = nib.history(limit=1)
    while True:
        now = datetime.now(UTC)
        if not last or now > last[0].at:
            break
    while datetime.now(UTC) <= now:
        pass
    return now


def told(nib: NIBStore, where: HistoryFilter | None = None) -> Iterator[tuple[str, str]]:
    for entry in nib.history(where or HistoryFilter(), limit=1000):
        yield entry.change.entity_id, entry.change.field


def test_a_change_is_told_with_what_was_and_what_is(nib: NIBStore) -> None:
    put(nib, router())
    put(nib, replace(router(), os_version="9"), actor="alice")
    newest, first = nib.history()
    assert (newest.change.field, newest.change.old, newest.change.new) == ("os_version", "8.4", "9")
    assert (newest.change.actor, newest.change.region, newest.change.label) == (
        "alice", "zone-A", "spine1",
    )  # fmt: skip
    assert (first.change.field, first.change.old) == ("*", None)
    assert newest.seq > first.seq
    assert newest.at > first.at


def test_what_did_not_change_is_not_told(nib: NIBStore) -> None:
    put(nib, router())
    put(nib, replace(router(), last_seen=later(60), missed=0))
    with nib.transaction() as tx:
        tx.touch_devices(["dev_1"], later(90))
    assert len(nib.history()) == 1


def test_a_change_that_was_put_without_reading_is_told_as_well(nib: NIBStore) -> None:
    put(nib, *(device(f"dev_{n}", name="a") for n in range(3)))
    with nib.transaction() as tx:
        for number in range(3):
            tx.put_device(device(f"dev_{number}", name="b"), expected_version=1)
        tx.put_device(device("dev_1", name="c"), expected_version=2)
    names = [
        (e.change.entity_id, e.change.old, e.change.new) for e in reversed(nib.history(limit=4))
    ]
    assert sorted(names) == [
        ("dev_0", "a", "b"), ("dev_1", "a", "b"), ("dev_1", "b", "c"), ("dev_2", "a", "b"),
    ]  # fmt: skip


def test_a_refused_or_undone_change_leaves_no_history(nib: NIBStore) -> None:
    put(nib, router())
    with pytest.raises(ConflictError), nib.transaction() as tx:
        tx.put_device(replace(router(), name="x"), expected_version=9)
    with pytest.raises(ConflictError):
        _half_a_change(nib)
    assert len(nib.history()) == 1


def _half_a_change(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        tx.put_device(replace(router(), name="x"), expected_version=1)
        assert len(tx.history()) == 2
        tx.put_device(router(), expected_version=None)


def test_a_transaction_reads_its_own_history(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        tx.put_device(router(), expected_version=None)
        assert len(tx.history()) == 1
        assert tx.changed_since(HistoryKind.DEVICE, later(0)) == ("dev_1",)


def test_all_of_a_transaction_is_learnt_at_one_time(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        for number in range(3):
            tx.put_device(device(f"dev_{number}"), expected_version=None)
            tx.history()
        tx.replace_links([link("l1", "dev_0", "dev_1")])
    assert len({entry.at for entry in nib.history()}) == 1


def test_history_is_found_by_entity_field_region_and_time(nib: NIBStore) -> None:
    put(nib, router(), device("dev_2", region="zone-B"))
    first = moment(nib)
    eth1, lo = router().interfaces
    changed = replace(router(), os_version="9", interfaces=(replace(eth1, mtu=9000), lo))
    second = put(nib, changed)
    put(nib, replace(changed, name="spine9"), device("dev_2", region="zone-B", name="b"))
    find = HistoryFilter
    assert set(told(nib, find(entity_id="dev_2"))) == {("dev_2", "*"), ("dev_2", "name")}
    assert set(told(nib, find(region="zone-B"))) == {("dev_2", "*"), ("dev_2", "name")}
    row = ("dev_1", "interfaces[eth1].mtu")
    assert list(told(nib, find(field="interfaces"))) == [row]
    assert list(told(nib, find(field="interfaces[eth1]"))) == [row]
    assert list(told(nib, find(field="interfaces[ETH1]"))) == []
    assert list(told(nib, find(field="os"))) == []
    between = find(after=first, until=second)
    assert set(told(nib, between)) == {row, ("dev_1", "os_version")}
    assert set(told(nib, find(kind=HistoryKind.LINK))) == set()


def test_pages_go_on_below_the_last_number(nib: NIBStore) -> None:
    put(nib, *(device(f"dev_{n}") for n in range(5)))
    whole = [entry.seq for entry in nib.history()]
    first = nib.history(limit=2)
    rest = nib.history(below=first[-1].seq)
    assert [e.seq for e in (*first, *rest)] == whole == sorted(whole, reverse=True)


def test_a_device_is_shown_as_it_was(nib: NIBStore) -> None:
    before = datetime.now(UTC)
    first = put(nib, router())
    second = put(nib, replace(router(), name="x", ips=("10.0.0.1",), interfaces=()))
    with nib.transaction() as tx:
        tx.retire_device("dev_1")
    at_first = nib.device_as_of("dev_1", first)
    assert at_first == replace(router(), version=0, missed=0, provenance={})
    at_second = nib.device_as_of("dev_1", second)
    assert at_second is not None
    assert (at_second.name, at_second.interfaces) == ("x", ())
    assert nib.device_as_of("dev_1", moment(nib)) is None
    assert nib.device_as_of("dev_1", before) is None
    assert nib.device_as_of("dev_9", first) is None


def test_an_absorbed_device_was_one_of_its_own(nib: NIBStore) -> None:
    apart = put(nib, device("dev_1", name="a"), device("dev_2", name="b"))
    with nib.transaction() as tx:
        tx.absorb_device("dev_2", "dev_1")
    newest = nib.history(limit=1)[0].change
    assert (newest.entity_id, newest.new) == ("dev_2", {"merged_into": "dev_1"})
    together = moment(nib)
    names = [found and found.name for found in (
        nib.device_as_of("dev_2", apart), nib.device_as_of("dev_2", together),
    )]  # fmt: skip
    assert names == ["b", "a"]
    assert [d.name for d in nib.devices_as_of(apart).items] == ["a", "b"]
    assert [d.name for d in nib.devices_as_of(together).items] == ["a"]


def test_a_list_of_then_is_filtered_and_paged_as_of_then(nib: NIBStore) -> None:
    put(nib, *(device(f"dev_{n}", vendor="Acme", ips=(f"10.0.0.{n}",)) for n in range(6)))
    then = moment(nib)
    put(nib, device("dev_1", vendor="Other"), device("dev_3", vendor="Acme", name="x"))
    put(nib, device("dev_9", vendor="Acme"))
    with nib.transaction() as tx:
        tx.retire_device("dev_5")
    acme = DeviceFilter(vendor="Acme")
    found: list[Device] = []
    after: str | None = None
    while True:
        page = nib.devices_as_of(then, acme, limit=2, after=after)
        found += page.items
        after = page.next_after
        if after is None:
            break
    assert [d.device_id for d in found] == [f"dev_{n}" for n in range(6)]
    assert {d.name for d in found} == {None}
    by_ip = nib.devices_as_of(then, DeviceFilter(ip="10.0.0.5")).items
    assert [d.device_id for d in by_ip] == ["dev_5"]
    assert [d.device_id for d in nib.devices_as_of(moment(nib), acme).items] == [
        "dev_0", "dev_2", "dev_3", "dev_4", "dev_9",
    ]  # fmt: skip


def test_links_are_shown_as_they_were(nib: NIBStore) -> None:
    put(nib, device("dev_1", region="zone-A"), device("dev_2", region="zone-B"))
    kept, cut = link("l1", "dev_1", "dev_2"), link("l2", "dev_1", None)
    with nib.transaction() as tx:
        tx.replace_links([kept, cut])
    then = moment(nib)
    with nib.transaction() as tx:
        tx.replace_links([replace(kept, status=LinkStatus.CONFLICT), link("l3", "dev_2", None)])
    assert nib.links_as_of(then).items == (kept, cut)
    assert nib.links_as_of(then, status=LinkStatus.CONFLICT).items == ()
    assert nib.links_as_of(then, region="zone-B").items == (kept,)
    assert nib.links_as_of(then, device_id="dev_1", limit=1).items == (kept,)
    assert nib.links_as_of(then, limit=1, after="l1").items == (cut,)
    fields = {(e.change.entity_id, e.change.field) for e in nib.history(limit=3)}
    assert fields == {("l1", "status"), ("l2", "*"), ("l3", "*")}


def test_no_picture_is_shown_from_before_the_history_or_of_the_future(nib: NIBStore) -> None:
    put(nib, router())
    begin = nib.history_from()
    assert nib.devices_as_of(begin).items == ()
    for ask in (
        nib.devices_as_of,
        lambda at: nib.device_as_of("dev_1", at),
        nib.links_as_of,
    ):
        with pytest.raises(InputError, match="begins at"):
            ask(begin - timedelta(seconds=1))
        with pytest.raises(InputError, match="yet to come"):
            ask(datetime.now(UTC) + FUTURE)


def test_history_is_forgotten_up_to_a_time_and_no_picture_from_before_is_shown(
    nib: NIBStore,
) -> None:
    first = put(nib, router())
    put(nib, replace(router(), name="x"))
    assert (nib.history_count(first), nib.history_count(datetime.now(UTC))) == (1, 2)
    with nib.transaction() as tx:
        assert tx.prune_history(first) == 1
        assert tx.prune_history(first) == 0
    assert nib.history_from() == first
    shown = nib.device_as_of("dev_1", first)
    assert shown is not None
    assert shown.name == "spine1"
    with pytest.raises(InputError, match="begins at"):
        nib.device_as_of("dev_1", first - timedelta(microseconds=1))


def test_forgetting_ahead_of_time_forgets_until_now(nib: NIBStore) -> None:
    put(nib, router())
    with nib.transaction() as tx:
        assert tx.prune_history(datetime.now(UTC) + FUTURE) == 1
    assert nib.history_from() <= datetime.now(UTC)
    put(nib, replace(router(), name="x"))
    assert nib.device_as_of("dev_1", nib.history_from()) is not None


def test_a_device_that_came_back_was_missing_meanwhile(nib: NIBStore) -> None:
    put(nib, replace(router(), status=DeviceStatus.INACTIVE, last_seen=later(1)))
    then = moment(nib)
    put(nib, replace(router(), last_seen=later(500), interfaces=(Interface(name="eth9"),)))
    shown = nib.device_as_of("dev_1", then)
    assert shown is not None
    assert (shown.status, shown.last_seen) == (DeviceStatus.INACTIVE, later(1))
    assert [i.name for i in shown.interfaces] == ["eth1", "lo"]


def test_looking_after_a_nib_counts_and_forgets_old_history_and_says_so(nib: NIBStore) -> None:
    edge = put(nib, router())
    put(nib, replace(router(), name="x"))
    assert care.prunable(nib, before=edge).history == 1
    done = care.prune(nib, before=edge, now=datetime.now(UTC), actor="root")
    assert done.history == 1
    assert (nib.history_from(), len(nib.history())) == (edge, 1)
    (event,) = nib.events(event_type="HISTORY_PRUNED")
    assert (event.actor, event.data["entries"]) == ("root", 1)
    assert care.prune(nib, before=edge, now=datetime.now(UTC), actor="root").history == 0
    assert len(nib.events(event_type="HISTORY_PRUNED")) == 1
