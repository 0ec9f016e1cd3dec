from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.communication.topics import matches
from pdsno.domain import topics
from pdsno.domain.broker_rights import BrokerRights, rights_of
from pdsno.domain.entities import ControllerRecord, ControllerStatus
from pdsno.domain.identifiers import Role
from pdsno.domain.peers import subject_text
from pdsno.domain.readers import Reader
from tests.unit.domain.builders import NOW


def record(
    controller_id: str,
    role: Role,
    region: str | None = None,
    status: ControllerStatus = ControllerStatus.ACTIVE,
) -> ControllerRecord:
    return ControllerRecord(
        controller_id=controller_id,
        role=role,
        region=region,
        status=status,
        public_key="key",
        key_id=f"key of {controller_id}",
        validated_at=NOW,
    )


GC = record("global_cntl_1", Role.GLOBAL)
RC = record("regional_cntl_zone-A_1", Role.REGIONAL, "zone-A")
LC = record("local_cntl_zone-A_1", Role.LOCAL, "zone-A")
LC2 = record("local_cntl_zone-A_2", Role.LOCAL, "zone-A")
RC_B = record("regional_cntl_zone-B_1", Role.REGIONAL, "zone-B")
LC_B = record("local_cntl_zone-B_1", Role.LOCAL, "zone-B")
BROKER = record("broker_cntl_global_1", Role.BROKER)
BROKER_A = record("broker_cntl_zone-A_1", Role.BROKER, "zone-A")
ALL = (GC, RC, LC, LC2, RC_B, LC_B, BROKER, BROKER_A)


def of(one: ControllerRecord, rights: BrokerRights) -> tuple[set[str], set[str]]:
    """Return what a controller may publish and read."""
    subject = subject_text(one.controller_id, one.role, one.region)
    found = [right for right in rights.subjects if right.subject == subject]
    assert len(found) <= 1
    return (set(found[0].publish), set(found[0].read)) if found else (set(), set())


def test_each_role_publishes_and_reads_what_is_its_own() -> None:
    rights = rights_of(ALL)
    assert of(GC, rights) == (
        {
            "pdsno/policy/global",
            "pdsno/events/system",
            "pdsno/nib/global/events",
            "pdsno/status/global_cntl_1",
        },
        {"pdsno/status/#", "pdsno/events/+"},
    )
    assert of(RC, rights) == (
        {
            "pdsno/policy/zone-A",
            "pdsno/events/zone-A",
            "pdsno/nib/zone-A/events",
            "pdsno/status/regional_cntl_zone-A_1",
        },
        {
            "pdsno/discovery/zone-A/+",
            "pdsno/policy/global",
            "pdsno/events/system",
            "pdsno/status/local_cntl_zone-A_1",
            "pdsno/status/local_cntl_zone-A_2",
        },
    )
    assert of(LC, rights) == (
        {"pdsno/discovery/zone-A/local_cntl_zone-A_1", "pdsno/status/local_cntl_zone-A_1"},
        {"pdsno/policy/zone-A", "pdsno/events/zone-A", "pdsno/events/system"},
    )


def test_the_global_broker_has_no_rights_and_a_region_s_those_of_its_bridge() -> None:
    rights = rights_of(ALL)
    assert of(BROKER, rights) == (set(), set())
    assert of(BROKER_A, rights) == (
        {
            "pdsno/events/zone-A",
            "pdsno/nib/zone-A/events",
            "pdsno/status/regional_cntl_zone-A_1",
            "pdsno/status/local_cntl_zone-A_1",
            "pdsno/status/local_cntl_zone-A_2",
        },
        {"pdsno/policy/global", "pdsno/events/system"},
    )


def test_at_a_region_s_broker_only_its_own_and_the_global_controller_have_rights() -> None:
    here, everywhere = rights_of(ALL, broker_region="zone-A"), rights_of(ALL)
    for one in (GC, RC, LC, LC2):
        assert of(one, here) == of(one, everywhere)
    assert [of(one, here) for one in (RC_B, LC_B, BROKER, BROKER_A)] == [(set(), set())] * 4


def reader(name: str, region: str | None = None, key: str = "aa") -> Reader:
    return Reader(
        name=name,
        region=region,
        key_sha256=key * 32,
        certificate_sha256="c",
        not_after=NOW,
        created_at=NOW,
    )


NOC, NOC_A, NOC_B = reader("noc"), reader("noc-a", "zone-A"), reader("noc-b", "zone-B")


def reads(one: Reader, rights: BrokerRights) -> set[str] | None:
    found = [right for right in rights.subjects if right.subject == one.subject]
    assert all(right.publish == () for right in found)
    return set(found[0].read) if found else None


def test_a_reader_reads_events_of_its_region_or_of_all_and_publishes_nothing() -> None:
    rights = rights_of(ALL, [NOC_B, NOC, NOC_A])
    assert reads(NOC, rights) == {"pdsno/nib/+/events"}
    assert reads(NOC_A, rights) == {"pdsno/nib/zone-A/events"}
    assert rights.subjects[: -len((NOC, NOC_A, NOC_B))] == rights_of(ALL).subjects
    assert rights == rights_of(ALL, [NOC_A, NOC_B, NOC])


def test_at_a_region_s_broker_are_its_readers_and_those_of_all_regions() -> None:
    here = rights_of(ALL, [NOC, NOC_A, NOC_B], broker_region="zone-A")
    assert [reads(one, here) is not None for one in (NOC, NOC_A, NOC_B)] == [True, True, False]


def test_another_key_of_a_reader_is_another_subject() -> None:
    rights = rights_of(ALL, [reader("noc", key="bb")])
    assert reads(NOC, rights) is None
    assert rights.version != rights_of(ALL, [NOC]).version


@given(st.builds(reader, st.sampled_from(["a", "b"]), st.sampled_from([None, "zone-A"])))
def test_no_reader_s_topic_is_one_that_controllers_read(one: Reader) -> None:
    rights = rights_of(ALL, [one])
    (topic_filter,) = reads(one, rights) or {""}
    read = {
        topic for right in rights.subjects if right.subject != one.subject for topic in right.read
    }
    written = {topic for right in rights.subjects for topic in right.publish}
    assert any(matches(topic_filter, topic) for topic in written)
    for other in read:
        assert not any(matches(other, t) for t in written if matches(topic_filter, t)), other


@pytest.mark.parametrize("status", [s for s in ControllerStatus if s.value != "active"])
def test_who_is_not_active_has_no_right_and_nobody_reads_its_status(
    status: ControllerStatus,
) -> None:
    rights = rights_of([GC, RC, replace(LC, status=status), LC2, BROKER_A])
    assert of(LC, rights) == (set(), set())
    assert not [right for right in rights.subjects if "local_cntl_zone-A_1" in str(right)]


def test_the_version_tells_contents_apart_and_nothing_else() -> None:
    version = rights_of(ALL).version
    heard = [replace(one, last_seen=NOW, state="online", version=7) for one in reversed(ALL)]
    assert rights_of(heard).version == version
    assert rights_of(ALL[:-1]).version != version
    assert rights_of([]).version != version


CONTROLLERS = st.lists(
    st.builds(
        lambda number, role, region, status: record(
            f"{role.value}_{number}",
            role,
            None if role is Role.GLOBAL else region,
            status,
        ),
        st.integers(0, 9),
        st.sampled_from(Role),
        st.sampled_from(["zone-A", "zone-B", "zone-a"]),
        st.sampled_from(ControllerStatus),
    ),
    unique_by=lambda one: one.controller_id,
)


@given(CONTROLLERS)
def test_no_topic_that_has_an_owner_is_given_to_another(
    records: Iterable[ControllerRecord],
) -> None:
    records = tuple(records)
    rights = rights_of(records)
    for one in records:
        publish, _ = of(one, rights)
        assert not any("+" in topic or "#" in topic for topic in publish)
        for topic in publish:
            owner = topics.owner_of(topic)
            speaks_for = {
                other.controller_id
                for other in records
                if one.role is Role.BROKER and other.region == one.region
            }
            assert owner is None or owner in {one.controller_id, *speaks_for}
