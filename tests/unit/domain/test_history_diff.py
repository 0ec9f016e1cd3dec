"""What changed between two times, summed up."""

from dataclasses import replace
from itertools import count, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from pdsno.domain.entities import Device, DeviceStatus
from pdsno.domain.history import HistoryEntry, device_changes
from pdsno.domain.history_diff import Became, NetChange, net_changes
from tests.unit.domain.builders import device, interface, later
from tests.unit.domain.test_history import as_shown, places


def entries(*states: Device | None) -> list[HistoryEntry]:
    numbers = count(1)
    return [
        HistoryEntry(seq=next(numbers), at=later(minute), change=change)
        for minute, (a, b) in enumerate(pairwise(states), 1)
        for change in device_changes(a, b)
    ]


def net(*states: Device | None) -> list[NetChange]:
    return list(net_changes(entries(*states)))


def test_what_changed_and_changed_back_is_no_change() -> None:
    one, other = device(name="a", ips=("10.0.0.1",)), device(name="b", ips=("10.0.0.2",))
    assert net(one, other, one) == []
    assert net(None, one, None) == []
    with_port = replace(one, interfaces=(interface("eth0"),))
    assert net(one, with_port, one) == []


def test_several_changes_of_a_field_are_one_from_the_first_to_the_last() -> None:
    (change,) = net(*(device(name=name) for name in "abc"))
    (field,) = change.fields
    assert (field.field, field.old, field.new, field.at) == ("name", "a", "c", later(2))


def test_what_went_and_came_in_a_list_adds_up() -> None:
    (change,) = net(*(device(ips=ips) for ips in (("1", "2"), ("2", "3"), ("3", "4"))))
    (field,) = change.fields
    assert (sorted(field.old), sorted(field.new)) == (["1", "2"], ["3", "4"])


def test_a_new_port_is_told_once_however_it_changed_since() -> None:
    new = interface("eth0")
    (change,) = net(
        device(), device(interfaces=(new,)), device(interfaces=(replace(new, mtu=9000),))
    )
    assert [field.field for field in change.fields] == ["interfaces[eth0]"]


def test_a_port_that_changed_before_it_went_is_told_as_gone() -> None:
    old = interface("eth0")
    (change,) = net(
        device(interfaces=(old,)), device(interfaces=(replace(old, mtu=9000),)), device()
    )
    assert [field.field for field in change.fields] == ["interfaces[eth0]"]


def test_devices_appear_disappear_and_return_also_by_their_status() -> None:
    there = device()
    gone = device(status=DeviceStatus.INACTIVE)
    assert [
        net(*states)[0].became
        for states in ((None, there), (there, None), (there, gone), (gone, there))
    ] == [Became.APPEARED, Became.DISAPPEARED, Became.DISAPPEARED, Became.RETURNED]
    assert net(there, None, there, device(name="x"))[0].became is Became.CHANGED


def test_changes_are_ordered_by_what_became_and_by_name() -> None:
    several = [
        *entries(device("dev_1", name="z"), device("dev_1", name="y")),
        *entries(None, device("dev_2", name="b")),
        *entries(None, device("dev_3", name="a")),
    ]
    found = net_changes(several)
    assert [(c.became, c.label) for c in found] == [
        ("appeared", "a"), ("appeared", "b"), ("changed", "y"),
    ]  # fmt: skip


@settings(max_examples=60)
@given(st.lists(places, min_size=2, max_size=5))
def test_there_is_no_change_in_sum_only_if_first_and_last_are_equal(
    states: list[Device | None],
) -> None:
    was_replaced = any(state is None for state in states[1:-1])
    if net(*states) == []:
        assert as_shown(states[0]) == as_shown(states[-1])
    elif as_shown(states[0]) == as_shown(states[-1]):
        assert was_replaced
