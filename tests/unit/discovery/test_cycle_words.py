"""A person merges or splits at a local controller, and discovery keeps to it."""

from dataclasses import replace
from typing import Any

import pytest

from pdsno.domain.constraints import Verb
from pdsno.domain.entities import Device
from pdsno.domain.errors import InputError
from pdsno.domain.observations import Facts
from pdsno.domain.ownership import edit
from pdsno.domain.parts import parts_of
from tests.unit.discovery.cycle_site import CycleSite
from tests.unit.domain.builders import facts, interface, later, mac, sighting
from tests.unit.domain.persons import merge, split


def box(number: int, **values: Any) -> Facts:  # noqa: ANN401 - any field of facts
    """A device with a MAC and an address of its own."""
    ip = f"10.0.0.{number}"
    return facts(
        ip,
        interface("eth0", mac(number), f"{ip}/24"),
        **{"name": f"box{number}", "serial": f"SN{number}X", **values},
    )


def one_chassis(*, serial: str = "CHASSIS9") -> tuple[Facts, Facts]:
    """Two accounts that are taken for one device, by serial and chassis ID, without a MAC shared.

    One told no table of its own.
    """
    chassis = mac(77)
    first = facts(
        "10.0.0.1", interface("eth0", mac(1), "10.0.0.1/24"), serial=serial, chassis_id=chassis
    )
    second = facts("10.0.0.2", serial=serial, chassis_id=chassis, name="box2", source="ssh")
    return first, second


def named(site: CycleSite) -> dict[str, Device]:
    return {device.name or "": device for device in site.nib.all_devices()}


def test_merged_devices_stay_one_over_the_next_cycles_whoever_of_both_answers(
    site: CycleSite,
) -> None:
    site.cycle(box(1), box(2))
    found = named(site)
    a, b = found["box1"].device_id, found["box2"].device_id
    merge(site.nib, a, b, at=later(11))
    for told in ((box(1), box(2)), (box(2),), (box(1),), (box(2), box(1))):
        site.cycle(*told)
        (device,) = site.nib.all_devices()
        assert device.device_id == a
    assert site.nib.device(b) == site.nib.device(a)
    assert site.nib.aliases(a) == (b,)


def test_without_a_merge_both_are_devices_again_in_the_next_cycle(site: CycleSite) -> None:
    for _ in range(2):
        site.cycle(box(1), box(2))
    assert len(site.nib.all_devices()) == 2


def test_a_third_device_is_not_drawn_into_a_merge(site: CycleSite) -> None:
    site.cycle(box(1), box(2))
    found = named(site)
    merge(site.nib, found["box1"].device_id, found["box2"].device_id, at=later(11))
    # Who has an address of the two now shows a MAC that neither had.
    other = facts("10.0.0.2", interface("eth0", mac(9), "10.0.0.2/24"), name="box9", serial="SN9X")
    site.cycle(box(1), other)
    assert {device.name for device in site.nib.all_devices()} == {"box1", "box9"}


def test_why_a_device_is_one_is_kept_and_told_upwards(site: CycleSite) -> None:
    site.cycle(*one_chassis())
    (device,) = site.nib.all_devices()
    making = site.nib.making(device.device_id)
    assert making is not None
    lines = " ".join(making.told[0].lines)
    assert "same serial chassis9 by snmp at 10.0.0.1 and ssh at 10.0.0.2" in lines
    (report,) = site.reports()
    (told,) = report.makings
    assert told.told[0].lines == making.told[0].lines
    assert told.told[0].accounts == ()


def test_evidence_of_a_query_stays_when_a_device_only_answers(site: CycleSite) -> None:
    site.cycle(*one_chassis())
    (device,) = site.nib.all_devices()
    before = site.nib.making(device.device_id)
    site.cycle(sighting("10.0.0.1", mac(1)))
    assert site.nib.making(device.device_id) == before


def test_a_split_device_is_two_for_good_though_all_evidence_says_one(site: CycleSite) -> None:
    site.cycle(*one_chassis())
    (device,) = site.nib.all_devices()
    done = split(site.nib, device.device_id, "10.0.0.1", at=later(11))
    kept, new = done.devices
    assert (kept.ips, new.ips) == (("10.0.0.1",), ("10.0.0.2",))
    for _ in range(3):
        site.cycle(*one_chassis())
        assert {d.device_id for d in site.nib.all_devices()} == {kept.device_id, new.device_id}
    assert not site.events("DEVICES_MERGED")


def test_a_split_holds_while_only_one_of_the_two_answers(site: CycleSite) -> None:
    first, second = one_chassis()
    site.cycle(first, second)
    (device,) = site.nib.all_devices()
    kept, new = split(site.nib, device.device_id, "10.0.0.1", at=later(11)).devices
    # With the hardware of the other in it, which all evidence takes for that one.
    moved = replace(second, interfaces=(interface("eth0", mac(2), "10.0.0.2/24"),))
    for told in ((first, moved), (moved,), (first,), (moved,)):
        site.cycle(*told)
        assert {d.device_id for d in site.nib.all_devices()} == {kept.device_id, new.device_id}
    (there,) = (d for d in site.nib.all_devices() if d.device_id == new.device_id)
    assert there.macs == (mac(2),)


def test_merged_again_they_are_one_and_the_earlier_word_is_lifted(site: CycleSite) -> None:
    site.cycle(*one_chassis())
    (device,) = site.nib.all_devices()
    kept, new = split(site.nib, device.device_id, "10.0.0.1", at=later(11)).devices
    site.cycle(*one_chassis())
    done = merge(site.nib, kept.device_id, new.device_id, at=later(21))
    assert [word.verb for word in done.lifted] == [Verb.APART]
    site.cycle(*one_chassis())
    assert [d.device_id for d in site.nib.all_devices()] == [kept.device_id]


def test_a_split_that_takes_a_merge_back_gives_the_old_id_back(site: CycleSite) -> None:
    site.cycle(box(1), box(2))
    found = named(site)
    a, b = found["box1"].device_id, found["box2"].device_id
    merge(site.nib, a, b, at=later(11))
    site.cycle(box(1), box(2))
    split(site.nib, a, "box1", at=later(21))
    site.cycle(box(1), box(2))
    assert {k: d.device_id for k, d in named(site).items()} == {"box1": a, "box2": b}
    assert site.nib.aliases(a) == ()


def test_of_three_merged_one_is_split_off_and_the_other_two_stay_one(site: CycleSite) -> None:
    site.cycle(box(1), box(2), box(3))
    ids = {name: d.device_id for name, d in named(site).items()}
    merge(site.nib, ids["box1"], ids["box2"], at=later(11))
    merge(site.nib, ids["box1"], ids["box3"], at=later(12))
    site.cycle(box(1), box(2), box(3))
    split(site.nib, ids["box1"], "box1", "box3", at=later(21))
    for _ in range(2):
        site.cycle(box(1), box(2), box(3))
        assert {d.device_id for d in site.nib.all_devices()} == {ids["box1"], ids["box2"]}


def test_what_shares_a_mac_cannot_be_split_and_the_message_says_why(site: CycleSite) -> None:
    site.cycle(box(1), box(1, source="ssh"))
    (device,) = site.nib.all_devices()
    assert len(parts_of(site.nib, device)) == 1
    with pytest.raises(InputError, match="shares a MAC"):
        split(site.nib, device.device_id)


def test_a_part_that_is_none_is_refused_with_the_choices(site: CycleSite) -> None:
    site.cycle(*one_chassis())
    (device,) = site.nib.all_devices()
    with pytest.raises(InputError, match=r"no part of .* snmp at 10.0.0.1"):
        split(site.nib, device.device_id, "10.9.9.9")


def test_a_device_cannot_be_merged_with_itself(site: CycleSite) -> None:
    site.cycle(box(1), box(2))
    a = named(site)["box1"]
    with pytest.raises(InputError, match="one device already"):
        merge(site.nib, a.device_id, a.device_id)


def test_what_people_set_stays_through_a_merge_and_a_split(site: CycleSite) -> None:
    site.cycle(box(1), box(2))
    found = named(site)
    a, b = found["box1"], found["box2"]
    with site.nib.transaction() as tx:
        for device, tag in ((a, "core"), (b, "old")):
            pinned = edit(device, {"tags": (tag,)}, by="bob", at=later(10))
            tx.put_device(pinned, expected_version=device.version)
    merge(site.nib, a.device_id, b.device_id, at=later(11))
    site.cycle(box(1), box(2))
    assert named(site)["box1"].tags == ("core", "old")
    split(site.nib, a.device_id, "box1", at=later(21))
    site.cycle(box(1), box(2))
    assert {name: d.tags for name, d in named(site).items()} == {
        "box1": ("core", "old"),
        "box2": (),
    }


def test_what_a_person_did_goes_up_with_its_reasons(site: CycleSite) -> None:
    site.cycle(box(1), box(2))
    found = named(site)
    a, b = found["box1"].device_id, found["box2"].device_id
    merge(site.nib, a, b, at=later(11))
    report = site.reports()[-1]
    assert [(m.device_id, m.into_id) for m in report.absorbed] == [(b, a)]
    (making,) = report.makings
    assert making.joined[0].because == ("alice said so: same box",)
