"""What became of links between two cycles."""

from dataclasses import replace

from pdsno.domain.entities import Device, Link, LinkStatus, NewEvent
from pdsno.domain.links import derive_links, link_events
from tests.unit.domain.builders import NOW, later, mac, neighbor
from tests.unit.domain.test_links_rules import PORTS, hears, switch


def told(before: tuple[Link, ...], after: tuple[Link, ...]) -> tuple[NewEvent, ...]:
    return link_events(before, after, actor="lc", now=NOW, region_of={"dev_1": "zone-A"}.get)


def kinds(before: tuple[Link, ...], after: tuple[Link, ...]) -> list[str]:
    return [event.event_type for event in told(before, after)]


ONE = switch(1, hears(PORTS[0], 2, PORTS[0]))
GHOST = derive_links([ONE])
CLAIMED = derive_links([ONE, switch(2)])
CONFIRMED = derive_links([ONE, switch(2, hears(PORTS[0], 1, PORTS[0]))])


def test_a_link_appears_is_confirmed_and_goes() -> None:
    (appeared,) = told((), CLAIMED)
    assert (appeared.event_type, appeared.region, appeared.subject) == (
        "LINK_APPEARED",
        "zone-A",
        CLAIMED[0].link_id,
    )
    assert {appeared.data["a"]["device"], appeared.data["b"]["device"]} == {"sw1", "sw2"}
    (changed,) = told(CLAIMED, CONFIRMED)
    assert (changed.event_type, changed.data["status"]) == (
        "LINK_CHANGED",
        ["claimed", "confirmed"],
    )
    assert kinds(CONFIRMED, ()) == ["LINK_GONE"]


def test_links_that_stayed_as_they_were_are_no_news() -> None:
    aged = tuple(replace(link, last_seen=later(60)) for link in CONFIRMED)
    assert told(CONFIRMED, aged) == ()
    assert told(CONFIRMED, CONFIRMED) == ()


def test_a_ghost_that_is_found_changes_its_link() -> None:
    (event,) = told(GHOST, CONFIRMED)
    assert event.event_type == "LINK_CHANGED"
    assert event.data["was"] == GHOST[0].link_id
    assert event.data["status"] == ["claimed", "confirmed"]
    (old, new) = event.data["b"] if isinstance(event.data["b"], list) else event.data["a"]
    assert (old["device_id"], new["device_id"]) == (None, "dev_2")


def test_a_ghost_known_by_its_mac_alone_is_absorbed_too() -> None:
    nameless = switch(1, neighbor(PORTS[0], None, "Gi0/1", remote_chassis_id=mac(200)))
    assert kinds(derive_links([nameless]), derive_links([nameless, switch(2)])) == ["LINK_CHANGED"]


def test_a_ghost_keeps_its_link_from_cycle_to_cycle() -> None:
    assert derive_links([replace(ONE, last_seen=later(5))])[0].link_id == GHOST[0].link_id


def test_another_neighbour_on_the_port_is_another_link() -> None:
    other = switch(1, hears(PORTS[0], 3, PORTS[0]))
    after = derive_links([other, switch(2), switch(3)])
    assert kinds(CLAIMED, after) == ["LINK_APPEARED", "LINK_GONE"]
    assert kinds(GHOST, after) == ["LINK_APPEARED", "LINK_GONE"]


def test_a_cable_moved_at_one_end_changes_the_link() -> None:
    moved = derive_links([switch(1, hears(PORTS[0], 2, PORTS[2])), switch(2)])
    (event,) = told(CLAIMED, moved)
    assert event.event_type == "LINK_CHANGED"
    changed = [event.data[side] for side in ("a", "b") if isinstance(event.data[side], list)]
    assert [[end["interface"] for end in pair] for pair in changed] == [[PORTS[0], PORTS[2]]]


def test_cables_crossed_between_two_switches_are_not_guessed() -> None:
    def two(first: str, second: str) -> list[Device]:
        return [switch(1, hears(PORTS[0], 2, first), hears(PORTS[1], 2, second)), switch(2)]

    before, after = (derive_links(two(*p)) for p in ((PORTS[0], PORTS[1]), (PORTS[1], PORTS[0])))
    assert kinds(before, after) == ["LINK_APPEARED"] * 2 + ["LINK_GONE"] * 2


def test_a_conflict_is_told_when_it_begins_and_when_it_ends() -> None:
    strange = derive_links([ONE, switch(2, hears(PORTS[0], 9, PORTS[0]))])
    begins = [e for e in told(CONFIRMED, strange) if e.event_type == "LINK_CHANGED"]
    assert [e.data["status"] for e in begins] == [["confirmed", "conflict"]]
    ends = [e for e in told(strange, CONFIRMED) if e.event_type == "LINK_CHANGED"]
    assert [e.data["status"] for e in ends] == [["conflict", "confirmed"]]
    assert {k.status for k in strange} == {LinkStatus.CONFLICT, LinkStatus.CLAIMED}


def test_a_link_whose_device_was_merged_into_another_stays_one_link() -> None:
    other = replace(switch(2, hears(PORTS[0], 1, PORTS[0])), device_id="dev_0")
    after = derive_links([ONE, other])
    merged = tuple(
        replace(
            link,
            a=replace(link.a, device_id={"dev_2": "dev_0"}.get(link.a.device_id or "", "dev_1")),
            b=replace(link.b, device_id={"dev_2": "dev_0"}.get(link.b.device_id or "", "dev_1")),
        )
        for link in CONFIRMED
    )
    assert kinds(merged, after) == ["LINK_CHANGED"]
