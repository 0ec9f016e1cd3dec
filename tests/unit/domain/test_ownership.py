"""Whose word counts: pins survive all reports, null overwrites nothing, silence clears nothing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdsno.domain.entities import Claim, Device, DeviceStatus, DeviceType, FieldSource, Neighbor
from pdsno.domain.errors import ConflictError
from pdsno.domain.merge import merge_claims
from pdsno.domain.observations import Facts, Sighting
from pdsno.domain.ownership import (
    PINNABLE,
    TOLD,
    Value,
    adopt,
    beneath,
    edit,
    is_pinned,
    overlay,
    pinned,
)
from tests.unit.domain.builders import (
    NOW,
    Site,
    device,
    facts,
    interface,
    later,
    mac,
    sighting,
)

VALUES: dict[str, Value] = {
    "name": "core",
    "device_type": "firewall",
    "notes": "rack 4",
    "tags": ("edge", "prod"),
    "site": "Berlin",
    "location": "room 2",
}
names = st.none() | st.sampled_from(["r1", "r2"])
told = st.builds(
    lambda source, name, os_version, kind, has_table: facts(
        "10.0.0.1",
        *((interface("eth1", mac(1), "10.0.0.1/30"),) if has_table else ()),
        source=source,
        name=name,
        os_version=os_version,
        device_type=kind,
    ),
    st.sampled_from(["ssh", "snmp"]),
    names,
    st.none() | st.sampled_from(["8.4", "9.0"]),
    st.sampled_from([DeviceType.UNKNOWN, DeviceType.ROUTER, DeviceType.SWITCH]),
    st.booleans(),
)
cycles = st.lists(st.lists(told, max_size=2), min_size=1, max_size=4)
edits = st.dictionaries(st.sampled_from(PINNABLE), st.just(None), min_size=1).map(
    lambda chosen: {field: VALUES[field] for field in chosen}
)
ARP = sighting("10.0.0.1", mac(1))


def shown(one: Device, field: str) -> object:
    value = getattr(one, field)
    return value.value if isinstance(value, DeviceType) else value


def in_cycles(site: Site, rounds: Sequence[Sequence[Facts | Sighting]]) -> None:
    for findings in rounds:
        site.cycle(ARP, *findings)


@settings(max_examples=40)
@given(cycles, edits, cycles)
def test_pins_survive_any_sequence_of_cycles_and_a_release_shows_what_was_told(
    before: list[list[Facts]], changes: dict[str, Value], after: list[list[Facts]]
) -> None:
    site, plain = Site(), Site()
    in_cycles(site, before)
    in_cycles(plain, before)
    site.put(edit(site.only, changes, by="alice", at=NOW))
    in_cycles(site, after)
    in_cycles(plain, after)
    for field, value in changes.items():
        assert shown(site.only, field) == value
        assert is_pinned(site.only, field)
    released = edit(site.only, dict.fromkeys(changes), by="alice", at=NOW)
    assert replace(released, version=0) == replace(plain.only, version=0)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["lc1", "lc2"]), told), min_size=1, max_size=5), edits)
def test_pins_of_an_upper_tier_survive_any_reports_from_below(
    reports: list[tuple[str, Facts]], changes: dict[str, Value]
) -> None:
    claims: dict[str, Claim] = {}
    ours = edit(
        merge_claims("dev_own", [claim_of("lc0", facts("10.0.0.1"))]), changes, by="a", at=NOW
    )
    for reporter, item in reports:
        claims[reporter] = claim_of(reporter, item)
        plain = merge_claims("dev_own", list(claims.values()))
        ours = merge_claims("dev_own", list(claims.values()), pins=ours.pins)
        for field, value in changes.items():
            assert shown(ours, field) == value
        assert beneath(ours) == plain


def claim_of(reporter: str, item: Facts) -> Claim:
    site = Site()
    site.cycle(ARP, item)
    return Claim(reporter=reporter, device_id="dev_own", device=site.only)


@settings(max_examples=40)
@given(cycles)
def test_null_never_overwrites(rounds: list[list[Facts]]) -> None:
    site = Site()
    known: dict[str, Any] = {}
    for findings in rounds:
        site.cycle(ARP, *findings)
        for field in TOLD:
            value = getattr(site.only, field)
            assert value is not None or field not in known
            if value is not None:
                known[field] = value
        if site.only.device_type not in (DeviceType.UNKNOWN, DeviceType.ENDPOINT):
            known["device_type"] = site.only.device_type
        assert "device_type" not in known or site.only.device_type == known["device_type"]


def test_a_lesser_source_changes_no_type_and_a_better_one_does() -> None:
    site = Site()
    site.cycle(ARP, facts("10.0.0.1", source="ssh", name="r", device_type=DeviceType.ROUTER))
    site.cycle(ARP, facts("10.0.0.1", source="snmp", name="r", device_type=DeviceType.SWITCH))
    assert shown(site.only, "device_type") == "router"
    site.cycle(ARP, facts("10.0.0.1", source="ssh", name="r", device_type=DeviceType.FIREWALL))
    assert shown(site.only, "device_type") == "firewall"


# --- pins ------------------------------------------------------------------------------------


def test_setting_what_is_set_already_and_releasing_what_is_not_change_nothing() -> None:
    one = edit(device(name="r1"), {"name": "core"}, by="alice", at=NOW)
    assert edit(one, {"name": "core"}, by="bob", at=later(1)) == one
    assert edit(one, {"notes": None}, by="bob", at=later(1)) == one


def test_what_was_set_at_a_tier_below_holds_until_it_is_released_there() -> None:
    below = edit(device("dev_lc", name="r1"), {"name": "core"}, by="alice", at=NOW)
    newer = device("dev_x", name="r1", last_seen=later(9))
    claims = [
        Claim(reporter="lc1", device_id="d", device=replace(below, status=DeviceStatus.INACTIVE)),
        Claim(reporter="lc2", device_id="d", device=newer),
    ]
    ours = merge_claims("d", claims)
    assert (ours.name, pinned(ours), dict(ours.pins)) == ("core", ("name",), {})
    with pytest.raises(ConflictError, match="below"):
        edit(ours, {"name": None}, by="bob", at=NOW)
    over = edit(ours, {"name": "mine"}, by="bob", at=NOW)
    assert over.name == "mine"
    assert edit(over, {"name": None}, by="bob", at=NOW).name == "core"


def test_two_devices_that_are_one_keep_what_was_set_on_either() -> None:
    one = edit(device("dev_1"), {"notes": "a", "tags": ("x",), "name": "n"}, by="alice", at=NOW)
    two = edit(
        device("dev_2"), {"notes": "b", "tags": ("y",), "name": "m", "site": "s"}, by="bob", at=NOW
    )
    both = adopt(one, [two])
    assert (both.name, both.notes, both.tags, both.site) == ("n", "a\nb", ("x", "y"), "s")
    assert adopt(both, [two]) == both
    assert adopt(one, []) == one


def test_without_pins_nothing_lies_over_a_device() -> None:
    plain = device(name="r1")
    assert overlay(plain, {}) is plain
    assert beneath(plain) is plain


# --- tables ----------------------------------------------------------------------------------

SSH = facts(
    "10.0.0.1",
    interface("eth1", mac(1), "10.0.0.1/30"),
    interface("eth2", mac(2), "10.9.0.1/24"),
    source="ssh",
    name="r1",
)


def snmp(*, first: str | None = "to core") -> Facts:
    table = (
        replace(interface("eth1", mac(1), "10.0.0.1/30"), description=first),
        replace(interface("eth2", mac(2), "10.9.0.1/24"), description=None),
    )
    return facts("10.0.0.1", *table, source="snmp", name="r1")


def test_a_column_of_a_silent_source_stays_and_goes_when_that_source_says_so() -> None:
    site = Site()
    site.cycle(SSH, snmp())
    assert site.only.provenance["interfaces.description"].source == "snmp"
    assert site.cycle(SSH).events == ()  # SNMP timed out
    assert site.only.interfaces[0].description == "to core"
    site.cycle(SSH, snmp(first=None))
    assert site.only.interfaces[0].description is None


def test_the_owner_of_a_column_is_who_told_it_last() -> None:
    site = Site()
    site.cycle(SSH, snmp())
    by_ssh = replace(SSH.interfaces[0], description="to core")
    site.cycle(replace(SSH, interfaces=(by_ssh, SSH.interfaces[1])), snmp())
    assert "interfaces.description" not in site.only.provenance
    site.cycle(SSH)
    assert site.only.interfaces[0].description is None


def test_an_interface_that_a_lesser_source_does_not_know_stays_until_the_better_one_drops_it() -> (
    None
):
    site = Site()
    site.cycle(SSH)
    short = facts("10.0.0.1", SSH.interfaces[0], source="snmp", name="r1")
    site.cycle(short)
    assert ([i.name for i in site.only.interfaces], site.only.ips) == (
        ["eth1", "eth2"],
        ("10.0.0.1", "10.9.0.1"),
    )
    site.cycle(replace(SSH, interfaces=SSH.interfaces[:1]))
    assert ([i.name for i in site.only.interfaces], site.only.ips) == (["eth1"], ("10.0.0.1",))


def test_an_interface_under_another_name_is_not_kept_beside_itself() -> None:
    site = Site()
    site.cycle(facts("10.0.0.1", interface("Gi0/1", mac(1), "10.0.0.1/30"), source="ssh"))
    long_name = interface("GigabitEthernet0/1", mac(1), "10.0.0.1/30")
    site.cycle(facts("10.0.0.1", long_name, source="snmp"))
    assert [i.name for i in site.only.interfaces] == ["GigabitEthernet0/1"]


def test_neighbours_go_when_who_told_them_has_none_and_not_before() -> None:
    heard = (Neighbor(local_interface="eth1", remote_name="r2"),)
    site = Site()
    site.cycle(replace(SSH, neighbors=heard))
    site.cycle(replace(snmp(), neighbors=()))
    assert [n.remote_name for n in site.only.neighbors] == ["r2"]
    site.cycle(replace(SSH, neighbors=()))
    assert not site.only.neighbors


def test_the_source_of_a_pinned_field_is_kept_beneath_it() -> None:
    site = Site()
    site.cycle(SSH)
    site.put(edit(site.only, {"name": "core"}, by="alice", at=NOW))
    pin = site.only.pins["name"]
    assert (pin.told, pin.told_by) == ("r1", FieldSource(source="ssh", at=NOW))
    assert site.cycle(SSH).changed == ()
