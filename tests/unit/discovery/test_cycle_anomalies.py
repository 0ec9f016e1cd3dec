"""What is unusual in cycles is found, counted, closed and told upwards."""

from dataclasses import replace
from typing import Any

from pdsno.domain.anomalies.entities import Anomaly, Kind, Status
from pdsno.domain.observations import Facts, Outcome
from tests.unit.discovery.cycle_site import CycleSite, asked
from tests.unit.discovery.test_cycle_conflicts import both
from tests.unit.domain.builders import facts, interface, mac, neighbor, sighting


def box(number: int, **values: Any) -> Facts:  # noqa: ANN401 - any field of facts
    ip = f"10.0.0.{number}"
    own = interface("eth0", mac(number), f"{ip}/24")
    return facts(ip, own, **{"name": f"box{number}", "serial": f"SN{number}X", **values})


def rows(site: CycleSite, kind: Kind) -> list[Anomaly]:
    return [row for row in site.nib.anomalies(limit=1000).items if row.kind is kind]


def only(site: CycleSite, kind: Kind) -> Anomaly:
    (row,) = rows(site, kind)
    return row


def test_the_first_devices_are_no_news_and_a_later_one_is(site: CycleSite) -> None:
    site.cycle(box(1), box(2))
    assert site.nib.anomalies().items == ()
    site.cycle(box(1), box(2), box(3))
    site.cycle(box(1), box(2), box(3))
    row = only(site, Kind.NEW_DEVICE)
    device = site.nib.device(row.subject)
    assert device is not None
    assert device.name == "box3"
    assert (row.count, row.status) == (1, Status.OPEN)
    assert len(site.events("ANOMALY_OPENED")) == 1


def test_devices_of_a_subnet_that_was_never_looked_at_are_no_news(site: CycleSite) -> None:
    site.cycle(box(1))
    site.local = replace(site.local, subnets=("10.0.0.0/24", "10.9.0.0/24"))
    there = facts("10.9.0.7", interface("eth0", mac(7), "10.9.0.7/24"), name="r7")
    site.cycle(box(1), there)
    assert rows(site, Kind.NEW_DEVICE) == []


def test_many_new_ones_at_once_are_told_as_one(site: CycleSite) -> None:
    site.cycle(box(1))
    site.cycle(box(1), *(box(n) for n in range(2, 13)))
    row = only(site, Kind.DEVICE_SPIKE)
    assert row.evidence["new"] == 11
    assert rows(site, Kind.NEW_DEVICE) == []


def test_a_mass_disappearance_is_held_and_closed_when_they_return(site: CycleSite) -> None:
    everybody = [box(n) for n in range(1, 13)]
    site.cycle(*everybody)
    for _ in range(3):
        site.cycle(box(1))
    row = only(site, Kind.MASS_DISAPPEARANCE)
    assert (row.subject, row.evidence["missing"], row.evidence["asked"]) == ("lc", 11, 12)
    assert row.evidence["subnets"] == ["10.0.0.0/24"]
    assert all(device.status == "active" for device in site.nib.all_devices())
    site.cycle(box(1), is_complete=False)
    assert only(site, Kind.MASS_DISAPPEARANCE).status is Status.OPEN
    site.cycle(*everybody)
    assert only(site, Kind.MASS_DISAPPEARANCE).status is Status.CLOSED


def test_an_address_of_two_is_closed_when_one_has_it_and_open_while_nobody_looks(
    site: CycleSite,
) -> None:
    site.cycle(*both("10.0.0.7", 7, 8))
    site.cycle(*both("10.0.0.7", 7, 8))
    row = only(site, Kind.ADDRESS_CONFLICT)
    assert (row.subject, row.count) == ("10.0.0.7", 2)
    site.cycle(covered=["10.0.0.128/25"])
    assert only(site, Kind.ADDRESS_CONFLICT).status is Status.OPEN
    site.cycle(*both("10.0.0.7", 7))
    assert only(site, Kind.ADDRESS_CONFLICT).status is Status.CLOSED


def test_another_os_version_is_told(site: CycleSite) -> None:
    site.cycle(box(1, os_version="15.1"))
    site.cycle(box(1, os_version="15.2"))
    row = only(site, Kind.OS_CHANGED)
    assert (row.evidence["from"], row.evidence["to"]) == ("15.1", "15.2")


def test_a_changed_host_key_lasts_until_it_is_asked_and_good_again(site: CycleSite) -> None:
    site.cycle(box(1))
    site.cycle(box(1), outcomes=[asked("10.0.0.1", Outcome.HOST_KEY_CHANGED)])
    assert only(site, Kind.HOST_KEY_CHANGED).evidence["name"] == "box1"
    site.cycle(box(1), outcomes=[])
    assert only(site, Kind.HOST_KEY_CHANGED).status is Status.OPEN
    site.cycle(box(1), outcomes=[asked("10.0.0.1", Outcome.ANSWERED)])
    assert only(site, Kind.HOST_KEY_CHANGED).status is Status.CLOSED


def test_a_cloned_serial_is_an_anomaly_and_no_merge(site: CycleSite) -> None:
    site.cycle(box(1, serial="CLONE77"), box(2, serial="CLONE77"))
    assert len(site.nib.all_devices()) == 2
    row = only(site, Kind.CLONED_SERIAL)
    assert row.subject == "clone77"
    assert {h["name"] for h in row.evidence["holders"]} == {"box1", "box2"}
    for _ in range(3):
        site.cycle(box(1, serial="CLONE77"))
    assert only(site, Kind.CLONED_SERIAL).status is Status.CLOSED


def test_a_cloned_mac_is_an_anomaly(site: CycleSite) -> None:
    first = replace(sighting("10.0.0.7", "06:11:22:33:00:07"), segment="eth1")
    second = replace(sighting("10.0.0.8", "06:11:22:33:00:07"), segment="eth2")
    site.cycle(first, second)
    assert only(site, Kind.CLONED_MAC).subject == "06:11:22:33:00:07"


def wired(number: int, *heard: tuple[str, str, str]) -> Facts:
    told = tuple(neighbor(local, remote, port) for local, remote, port in heard)
    return box(number, neighbors=told)


def test_a_link_that_one_talkative_end_sees_is_told_until_both_do(site: CycleSite) -> None:
    third = wired(3, ("eth0", "box2", "eth9"))
    site.cycle(wired(1, ("eth0", "box2", "eth0")), wired(2, ("eth9", "box3", "eth0")), third)
    row = only(site, Kind.LINK_ONE_ENDED)
    assert {row.evidence["a"]["device"], row.evidence["b"]["device"]} == {"box1", "box2"}
    both_ends = wired(2, ("eth9", "box3", "eth0"), ("eth0", "box1", "eth0"))
    site.cycle(wired(1, ("eth0", "box2", "eth0")), both_ends, third)
    assert only(site, Kind.LINK_ONE_ENDED).status is Status.CLOSED


def test_a_device_on_another_port_of_a_switch_has_moved(site: CycleSite) -> None:
    site.cycle(wired(1, ("eth0", "box2", "eth1")), wired(2, ("eth1", "box1", "eth0")))
    site.cycle(wired(1, ("eth0", "box2", "eth5")), wired(2, ("eth5", "box1", "eth0")))
    found = {row.evidence["name"]: row.evidence for row in rows(site, Kind.DEVICE_MOVED)}
    assert found["box1"]["from"]["interface"] == "eth1"
    assert found["box1"]["to"]["interface"] == "eth5"


def test_anomalies_go_up_with_the_report_and_say_what_was_completed(site: CycleSite) -> None:
    site.cycle(box(1))
    site.cycle(box(1), box(2))
    report = site.reports()[-1]
    assert [row.kind for row in report.anomalies] == [Kind.NEW_DEVICE]
    assert report.completed == ("10.0.0.0/24",)
    site.cycle(box(1), box(2), is_complete=False)
    assert site.reports()[-1].completed == ()
