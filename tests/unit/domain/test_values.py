"""Identifiers, coverage, policy, the event chain, JSON."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.chain import GENESIS, first_fault, link_event
from pdsno.domain.coverage import coverage_of
from pdsno.domain.entities import Event, NewEvent
from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import (
    Role,
    check_region,
    controller_id,
    is_identifying_mac,
    normalise_mac,
    uuid7,
)
from pdsno.domain.observations import AddressOutcome, Method, Outcome, Probe
from pdsno.domain.policy import LocalPolicy, Policy, RegionPolicy, check_policy, check_subnet
from tests.unit.domain.builders import NOW


@pytest.mark.parametrize(
    "text", ["00:11:22:33:44:55", "0011.2233.4455", "00-11-22-33-44-55", "001122334455"]
)
def test_every_usual_notation_of_a_mac_is_understood(text: str) -> None:
    assert normalise_mac(text.upper()) == "00:11:22:33:44:55"


@pytest.mark.parametrize("text", ["", "00:11:22:33:44", "00:11:22:33:44:5g", "host", "²" * 12])
def test_what_is_no_mac_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a MAC"):
        normalise_mac(text)


@pytest.mark.parametrize(
    "shared",
    ["00:00:5e:00:01:01", "00:00:0c:07:ac:01", "00:00:00:00:00:00", "01:80:c2:00:00:0e"],
)
def test_macs_that_several_devices_share_identify_none(shared: str) -> None:
    assert not is_identifying_mac(shared)
    assert is_identifying_mac("00:11:22:33:44:55")


@pytest.mark.parametrize(
    "name",
    ["", "a/b", "a+", "#", "global", "SYSTEM", "-a", "a-", "zone A", "z\u043ene", "x" * 33, "a\n"],
)
def test_a_name_that_could_break_a_topic_or_a_certificate_is_no_region(name: str) -> None:
    with pytest.raises(InputError):
        check_region(name)


def test_assigned_ids_read_as_the_contract_says() -> None:
    assert controller_id(Role.GLOBAL, None, 1) == "global_cntl_1"
    assert controller_id(Role.REGIONAL, "zone-A", 1) == "regional_cntl_zone-A_1"
    assert controller_id(Role.LOCAL, "zone-A", 2) == "local_cntl_zone-A_2"


def test_ids_sort_by_the_time_of_their_making() -> None:
    made = [uuid7() for _ in range(3)]
    assert {value.version for value in made} == {7}
    assert [v.int >> 80 for v in made] == sorted(v.int >> 80 for v in made)


def test_coverage_knows_what_was_asked_and_in_which_namespace() -> None:
    coverage = coverage_of("zone-A", ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.0"])
    assert coverage.prefixes == ("10.0.0.0/30",)
    assert coverage.covers("zone-A", "10.0.0.2")
    assert not coverage.covers("zone-A", "10.0.0.4")
    assert not coverage.covers("zone-B", "10.0.0.2")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10.0.0.5/24", "did you mean 10.0.0.0/24"),
        ("10.0.0.0/33", "not a subnet"),
        ("lan", "not a subnet"),
        ("10.0.0.0/8", "--force"),
    ],
)
def test_a_bad_subnet_is_explained(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_subnet(text)


def test_force_allows_a_subnet_larger_than_a_16() -> None:
    assert str(check_subnet("10.0.0.0/8", force=True)) == "10.0.0.0/8"


def local(name: str, *subnets: str) -> LocalPolicy:
    return LocalPolicy(controller_id=name, subnets=subnets)


def test_overlapping_targets_of_two_local_controllers_are_refused() -> None:
    region = RegionPolicy(
        region="a", local_controllers=(local("x", "10.0.0.0/24"), local("y", "10.0.0.128/25"))
    )
    with pytest.raises(InputError, match="overlap"):
        check_policy(Policy(regions=(region,)))


def test_the_same_subnet_in_two_namespaces_is_fine() -> None:
    regions = (
        RegionPolicy(region="a", local_controllers=(local("x", "10.0.0.0/24"),)),
        RegionPolicy(region="b", local_controllers=(local("y", "10.0.0.0/24"),)),
    )
    assert check_policy(Policy(regions=regions)).regions == regions


def test_regions_that_differ_only_by_case_are_refused() -> None:
    with pytest.raises(InputError, match="same name"):
        check_policy(Policy(regions=(RegionPolicy(region="A"), RegionPolicy(region="a"))))


_texts = st.text(max_size=20)
_events = st.builds(
    NewEvent,
    event_type=_texts,
    subject=_texts,
    actor=_texts,
    at=st.just(NOW),
    region=st.none() | _texts,
    data=st.dictionaries(_texts, st.integers() | _texts, max_size=3),
)


def chained(events: list[NewEvent]) -> list[Event]:
    log: list[Event] = []
    for event in events:
        log.append(link_event(event, log[-1] if log else None))
    return log


@given(st.lists(_events, max_size=6))
def test_an_untouched_log_has_no_fault(events: list[NewEvent]) -> None:
    log = chained(events)
    assert first_fault(log) is None
    assert not log or log[0].previous_hash == GENESIS


@given(st.lists(_events, min_size=3, max_size=6), st.data())
def test_a_changed_removed_or_swapped_event_is_named(
    events: list[NewEvent], data: st.DataObject
) -> None:
    log = chained(events)
    place = data.draw(st.integers(min_value=0, max_value=len(log) - 2))
    altered = [*log]
    altered[place] = replace(log[place], subject=log[place].subject + "x")
    removed = log[:place] + log[place + 1 :]
    swapped = [*log]
    swapped[place], swapped[place + 1] = log[place + 1], log[place]
    for tampered in (altered, removed, swapped):
        fault = first_fault(tampered)
        assert fault is not None
        assert fault.seq == place + 1


def test_the_record_of_an_address_reads_as_one_line() -> None:
    record = AddressOutcome(
        namespace="zone-A",
        address="10.0.0.1",
        probes=(
            Probe(method=Method.ARP, outcome=Outcome.ANSWERED),
            Probe(method=Method.SNMP, outcome=Outcome.TIMEOUT),
            Probe(method=Method.SSH, outcome=Outcome.AUTHENTICATION_FAILED),
        ),
    )
    assert record.summary == "answered ARP; SNMP timeout; SSH authentication failed"
