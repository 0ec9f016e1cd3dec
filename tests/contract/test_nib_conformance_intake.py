"""Every NIB backend gives a report the same answers, whether it was told of them before or not."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta, timezone
from typing import TypeAlias

import pytest

from pdsno.domain.entities import Claim, Device, Interface, LinkStatus, Neighbor
from pdsno.domain.errors import ConflictError
from pdsno.domain.link_marks import heard_marks, own_marks
from pdsno.domain.makings import Making
from pdsno.domain.ports import DeviceFilter, NIBTransaction
from pdsno.nib import NIBStore
from tests.contract.nib_suite import T0, Store, device, later, link, put

LC = "local_cntl_zone-A_1"
Step: TypeAlias = Callable[[NIBTransaction], None]


class _UndoneError(Exception):
    """Rolls a transaction back."""


def host(number: int, **values: object) -> Device:
    known: dict[str, object] = {
        "namespace": "zone-A",
        "macs": (f"02:00:00:00:00:{number:02x}",),
        "ips": (f"10.0.0.{number}",),
        "serial": f"S-{number}",
        "interfaces": (Interface(name="eth1", ips=(f"10.0.0.{number}/24",)),),
    }
    return device(f"dev_{number}", **(known | values))


def theirs(number: int, own_id: str, reporter: str = LC) -> Claim:
    claimed = replace(host(number), device_id=f"their_{number}")
    return Claim(reporter=reporter, device_id=own_id, device=claimed)


def answers(tx: NIBTransaction) -> list[object]:
    """Ask all that a report asks, of what is there and of what is not."""
    told: list[object] = []
    for number in range(1, 6):
        other = host(number)
        told += [
            tx.device(other.device_id),
            tx.devices(DeviceFilter(mac=other.macs[0])),
            tx.devices(DeviceFilter(serial=other.serial)),
            tx.devices(DeviceFilter(namespace="zone-A", ip=other.ips[0])),
            tx.devices(DeviceFilter(namespace="elsewhere", ip=other.ips[0])),
            tx.own_id(LC, f"their_{number}"),
            tx.own_id("another", f"their_{number}"),
            tx.claims(device_id=other.device_id),
        ]
    told += [tx.claims(reporter=LC), tx.all_devices(), tx.devices_by_id(["dev_1", "dev_9"])]
    return told


def moved(tx: NIBTransaction) -> None:
    held = tx.device("dev_1")
    assert held is not None
    tx.put_device(replace(held, macs=host(5).macs, serial="S-4"), expected_version=held.version)


def found_twice(tx: NIBTransaction) -> None:
    tx.put_device(host(3, ips=("10.0.0.1",)), expected_version=None)
    tx.put_claim(theirs(3, "dev_3"))


def answered(tx: NIBTransaction) -> None:
    tx.touch_devices(["dev_1", "dev_2"], later(50))


def absorbed(tx: NIBTransaction) -> None:
    tx.absorb_device("dev_1", "dev_2")


def given_over(tx: NIBTransaction) -> None:
    tx.put_claim(theirs(1, "dev_2"))


def dropped(tx: NIBTransaction) -> None:
    tx.drop_claim(LC, "their_1")


STEPS: dict[str, Sequence[Step]] = {
    "nothing": (),
    "a device moves to other marks": (moved,),
    "another one comes with a mark that is taken": (found_twice,),
    "one answers": (answered,),
    "it answers and changes": (answered, moved),
    "it changes and answers": (moved, answered),
    "one absorbs the other": (absorbed,),
    "it changes and is absorbed": (moved, absorbed),
    "it answers and is absorbed": (answered, absorbed),
    "one is retired": (lambda tx: tx.retire_device("dev_1"),),
    "a claim goes over to another": (given_over,),
    "a claim of another reporter comes": (lambda tx: tx.put_claim(theirs(1, "dev_1", "another")),),
    "a claim is dropped": (dropped,),
    "a claim goes over and is dropped": (given_over, dropped),
    "claims move along, and one of them goes": (
        lambda tx: tx.put_claim(theirs(4, "dev_1", "another")),
        absorbed,
        dropped,
    ),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("ahead", [[1, 2, 3, 4, 5], [1], [2, 3]])
def test_looking_ahead_changes_no_answer(nib: NIBStore, step: str, ahead: list[int]) -> None:
    put(nib, host(1), host(2))
    with nib.transaction() as tx:
        tx.put_claim(theirs(1, "dev_1"))
        tx.put_claim(theirs(2, "dev_2"))
        tx.put_claim(theirs(5, "dev_2", "another"))
    sent = [replace(host(n), device_id=f"their_{n}") for n in ahead]
    with suppress(_UndoneError), nib.transaction() as tx:
        for change in STEPS[step]:
            change(tx)
        without = answers(tx)
        raise _UndoneError
    with nib.transaction() as tx:
        tx.look_ahead(LC, sent, named=["their_2"], fresh=["dev_3", "dev_8"])
        for change in STEPS[step]:
            change(tx)
        assert answers(tx) == without
    with nib.transaction() as tx:
        assert answers(tx) == without


def test_what_was_looked_ahead_is_refused_as_ever(nib: NIBStore) -> None:
    put(nib, host(1), host(2))
    with nib.transaction() as tx:
        tx.absorb_device("dev_2", "dev_1")
    with nib.transaction() as tx:
        tx.look_ahead(LC, [host(1)], fresh=["dev_1", "dev_2", "dev_3"])
        for number in (1, 2):
            with pytest.raises(ConflictError):
                tx.put_device(host(number), expected_version=None)
        with pytest.raises(ConflictError):
            tx.put_device(host(3), expected_version=1)
        assert tx.put_device(host(3), expected_version=None).version == 1
        with pytest.raises(ConflictError):
            tx.put_device(host(3), expected_version=None)


def test_times_of_other_zones_come_back_in_utc_from_ahead(nib: NIBStore) -> None:
    there = T0.astimezone(timezone(timedelta(hours=5)))
    with nib.transaction() as tx:
        tx.look_ahead(LC, [], fresh=["dev_1"])
        tx.put_device(host(1, first_seen=there, last_seen=there), expected_version=None)
        tx.put_claim(theirs(1, "dev_1"))
        held = tx.device("dev_1")
    assert held is not None
    assert held.first_seen.tzinfo is T0.tzinfo
    assert held == nib.device("dev_1")


@pytest.mark.parametrize("name", ["a\0b", '{"quoted": "\\\\"}', "Zürich-⚡,{NULL}", "NULL", ""])
def test_text_is_kept_when_many_rows_are_written_at_once(
    store: Store, nib: NIBStore, name: str
) -> None:
    for _ in range(2):  # the first time a statement goes another way
        with nib.transaction() as tx:
            for number in (1, 2, 3):
                held = tx.device(f"dev_{number}")
                told = host(number, name=None if number == 2 else name, notes=name)
                tx.put_device(told, expected_version=held.version if held else None)
    kept = name.replace("\0", "␀") if store.name == "postgresql" else name
    assert [d.name for d in nib.all_devices()] == [kept, None, kept]
    assert {d.notes for d in nib.all_devices()} == {name}


# --- who hears whom, and links ---------------------------------------------------------------


def hearing(number: int, **heard: str) -> Device:
    return host(number, neighbors=(Neighbor(local_interface="eth1", **heard),))


def test_devices_are_found_by_what_they_are_called_and_whom_they_hear(nib: NIBStore) -> None:
    called = host(1, name="SW1.example", chassis_id="02:00:00:00:00:aa")
    put(
        nib,
        called,
        hearing(2, remote_name="sw1"),
        hearing(3, remote_chassis_id="02:00:00:00:00:aa"),
        hearing(4, remote_management_ip="10.0.0.1"),
        hearing(5, remote_name="sw2", remote_chassis_id="02:00:00:00:00:01"),
        hearing(6, remote_name="sw9"),
    )
    with nib.transaction() as tx:
        marks = own_marks(called)
        assert set(tx.devices_hearing(marks)) == {"dev_2", "dev_3", "dev_4", "dev_5"}
        for number in range(2, 6):
            teller = tx.device(f"dev_{number}")
            assert teller is not None
            assert "dev_1" in tx.devices_marked(heard_marks(teller))
        stranger = tx.device("dev_6")
        assert stranger is not None
        assert tx.devices_marked(heard_marks(stranger)) == {}
        assert tx.devices_marked(["c:02:00:00:00:00:01"]) == {"dev_1": tx.device("dev_1")}
        tx.put_device(replace(stranger, neighbors=()), expected_version=1)
        fifth = tx.devices_by_id(["dev_5"])["dev_5"]
        tx.put_device(replace(fifth, name="sw9"), expected_version=1)
        assert set(tx.devices_marked(heard_marks(stranger))) == {"dev_5"}
        assert set(tx.devices_hearing(["n:sw9"])) == set()
        tx.retire_device("dev_2")
        assert set(tx.devices_hearing(marks)) == {"dev_3", "dev_4", "dev_5"}


def test_links_change_one_by_one_and_others_stay(nib: NIBStore) -> None:
    kept, changed, gone = (link(f"l{n}", f"dev_{n}", "dev_9") for n in range(3))
    with nib.transaction() as tx:
        tx.replace_links([kept, changed, gone])
    other = replace(changed, status=LinkStatus.CONFLICT)
    new = link("l7", None, "dev_0", status=LinkStatus.CLAIMED)
    with nib.transaction() as tx:
        assert tx.links_of(["dev_9"]) == (kept, changed, gone)
        tx.change_links(["l2", "unknown"], [new, other])
        assert tx.links_of(["dev_0", "dev_9", "dev_8"]) == (kept, other, new)
    assert nib.links().items == (kept, other, new)
    told = [(e.change.entity_id, e.change.field) for e in nib.history(limit=3)]
    assert sorted(told) == [("l1", "status"), ("l2", "*"), ("l7", "*")]


def test_makings_are_found_many_at_once_and_only_their_own(nib: NIBStore) -> None:
    put(nib, host(1), host(2))
    with nib.transaction() as tx:
        tx.put_makings([Making(device_id="dev_1"), Making(device_id="dev_2")])
        found = tx.makings_by_id(["dev_1", "dev_9"])
        assert found == {"dev_1": Making(device_id="dev_1")}
        assert tx.makings_by_id([]) == {}
        tx.absorb_device("dev_1", "dev_2")
        assert tx.makings_by_id(["dev_1"]) == {}
