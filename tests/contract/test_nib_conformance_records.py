"""Every NIB backend behaves the same: controllers, events, claims, streams, tokens."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pdsno.domain.chain import GENESIS, first_fault
from pdsno.domain.entities import Claim, ControllerStatus, TokenStatus
from pdsno.domain.errors import ConflictError, InputError
from pdsno.domain.identifiers import Role
from pdsno.domain.policy import Admission, LocalPolicy, Policy, RegionPolicy
from pdsno.domain.ports import NIBTransaction
from pdsno.nib import NIBStore
from pdsno.nib.check import faults
from tests.contract.nib_suite import (
    STORED,
    T0,
    Store,
    controller,
    device,
    event,
    later,
    name_of,
    router,
    token,
)


def fail(nib: NIBStore, change: Callable[[NIBTransaction], object]) -> None:
    """Make a change in a transaction that is then rolled back."""

    def change_and_stumble() -> None:
        with nib.transaction() as tx:
            change(tx)
            tx.put_device(device(), expected_version=9)

    with pytest.raises(ConflictError):
        change_and_stumble()


stored = pytest.mark.parametrize("store", STORED, ids=name_of)


# --- controllers -----------------------------------------------------------------------------


def test_controllers_have_versions_like_devices(nib: NIBStore) -> None:
    record = controller(
        subnets=("10.1.0.0/24",),
        certificate="leaf and CA",
        authority="CA",
        generation=2,
        last_seen=later(3),
    )
    with nib.transaction() as tx:
        first = tx.put_controller(record, expected_version=None)
    assert first == replace(record, version=1)
    assert nib.controller(record.controller_id) == first
    with nib.transaction() as tx:
        second = tx.put_controller(replace(first, state="running"), expected_version=1)
    assert nib.controllers() == (second,)
    for expected, text in ((None, "exists already"), (1, "has version 2, not 1")):
        with pytest.raises(ConflictError, match=text), nib.transaction() as tx:
            tx.put_controller(first, expected_version=expected)
    with pytest.raises(ConflictError, match="does not exist"), nib.transaction() as tx:
        tx.put_controller(controller("x"), expected_version=1)


def test_controllers_are_found_by_role_region_and_key(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        a, b, c = (
            tx.put_controller(record, expected_version=None)
            for record in (
                controller("a", role=Role.REGIONAL),
                controller("b"),
                controller("c", region="zone-B"),
            )
        )
    assert nib.controllers() == (a, b, c)
    assert nib.controllers(role=Role.LOCAL) == (b, c)
    assert nib.controllers(role=Role.LOCAL, region="zone-A") == (b,)
    assert nib.controller_by_key("kid-c") == c
    assert nib.controller_by_key("kid-x") is None
    assert nib.controller("x") is None


def test_of_two_with_one_key_the_active_one_is_found(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        old = controller("a", key_id="k", status=ControllerStatus.REVOKED, validated_at=later(9))
        tx.put_controller(old, expected_version=None)
        assert (tx.controller_by_key("k") or controller()).controller_id == "a"
        active = tx.put_controller(controller("b", key_id="k"), expected_version=None)
        newest = tx.put_controller(
            controller("c", key_id="k", validated_at=later(5)), expected_version=None
        )
    assert active != newest
    assert nib.controller_by_key("k") == newest


# --- events ----------------------------------------------------------------------------------


def test_events_are_chained_from_the_first(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        a = tx.append_event(event(data={"nested": {"list": [1, 2.5, None, True, "ü"]}}))
        b = tx.append_event(event("dev_2", at=later(1), region=None))
        assert tx.events() == (a, b)
    with nib.transaction() as tx:
        c = tx.append_event(event("dev_3"))
    assert nib.events() == (a, b, c)
    assert [e.seq for e in (a, b, c)] == [1, 2, 3]
    assert a.previous_hash == GENESIS
    assert first_fault(nib.events()) is None
    assert faults(nib) == ()


def test_an_event_is_kept_as_json_makes_it(nib: NIBStore) -> None:
    data: dict[str, Any] = {"status": ControllerStatus.ACTIVE, "at": T0, "ips": ("a", "b")}
    with nib.transaction() as tx:
        appended = tx.append_event(event(data=data))
    assert nib.events() == (appended,)
    assert appended.data == {
        "status": "active",
        "at": "2025-03-01T12:00:00.123456Z",
        "ips": ["a", "b"],
    }
    assert first_fault(nib.events()) is None


def test_what_a_reader_does_to_an_event_changes_nothing(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        appended = tx.append_event(event(data={"ips": ["a"]}))
    for held in (appended, *nib.events()):
        held.data["ips"].append("b")
    assert nib.events()[0].data == {"ips": ["a"]}
    assert first_fault(nib.events()) is None


def test_a_rolled_back_event_leaves_no_gap(nib: NIBStore) -> None:
    fail(nib, lambda tx: tx.append_event(event()))
    with nib.transaction() as tx:
        assert tx.append_event(event()).seq == 1


def test_events_are_read_forwards_and_backwards(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        for n in range(1, 7):
            kind = "DEVICE_CHANGED" if n % 2 else "DEVICE_APPEARED"
            tx.append_event(event(f"dev_{n % 3}", event_type=kind, region=f"zone-{n % 2}"))

    def seqs(**filters: Any) -> list[int]:  # noqa: ANN401 - whatever events() takes
        return [e.seq for e in nib.events(**filters)]

    assert seqs() == [1, 2, 3, 4, 5, 6]
    assert seqs(after_seq=4) == [5, 6]
    assert seqs(limit=2) == [1, 2]
    assert seqs(newest_first=True, limit=2) == [6, 5]
    assert seqs(newest_first=True, limit=2, after_seq=5) == [4, 3]
    assert seqs(newest_first=True, after_seq=99) == [6, 5, 4, 3, 2, 1]
    assert seqs(after_seq=6) == []
    assert seqs(event_type="DEVICE_CHANGED") == [1, 3, 5]
    assert seqs(subject="dev_0", newest_first=True) == [6, 3]
    assert seqs(region="zone-1", after_seq=1) == [3, 5]


# --- claims ----------------------------------------------------------------------------------


def test_claims_translate_ids(nib: NIBStore) -> None:
    b2 = Claim(reporter="b", device_id="own_1", device=device("2"))
    b1 = Claim(reporter="b", device_id="own_2", device=router("1"))
    a3 = Claim(reporter="a", device_id="own_1", device=device("3"))
    with nib.transaction() as tx:
        for claim in (b2, b1, a3):
            tx.put_claim(claim)
        assert tx.own_id("b", "1") == "own_2"
    assert nib.claims() == (a3, b1, b2)
    assert nib.claims(device_id="own_1") == (a3, b2)
    assert nib.claims(reporter="b") == (b1, b2)
    assert nib.claims(reporter="b", device_id="own_1") == (b2,)
    moved = replace(b2, device_id="own_2", device=replace(b2.device, name="x"))
    with nib.transaction() as tx:
        tx.put_claim(moved)
        tx.drop_claim("b", "1")
        tx.drop_claim("b", "unknown")
    assert nib.claims() == (a3, moved)
    assert nib.own_id("b", "1") is None


# --- policy ----------------------------------------------------------------------------------


def test_policy_versions_only_rise(nib: NIBStore) -> None:
    assert nib.policy() is None
    local = LocalPolicy(controller_id="local_cntl_zone-A_1", subnets=("10.1.0.0/24",))
    region = RegionPolicy(region="zone-A", admission=Admission.GLOBAL, local_controllers=(local,))
    newest = Policy(epoch=2, version=1, regions=(region,))
    with nib.transaction() as tx:
        tx.put_policy(Policy(epoch=1, version=9))
        tx.put_policy(newest)
        assert tx.policy() == newest
    for old in (Policy(epoch=1, version=10), Policy(epoch=2, version=0), newest):
        with pytest.raises(ConflictError, match=r"not newer than 2\.1"), nib.transaction() as tx:
            tx.put_policy(old)
    assert nib.policy() == newest


# --- streams ---------------------------------------------------------------------------------


def test_the_outbox_is_dense_and_goes_by_confirmation(nib: NIBStore) -> None:
    stream_id = nib.outbox_tail().stream_id
    assert nib.outbox_tail().seq == 0
    with nib.transaction() as tx:
        rows = [tx.enqueue("REPORT", {"n": n, "at": T0}, correlation_id="c") for n in range(5)]
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
    assert {row.stream_id for row in rows} == {stream_id}
    assert len({row.message_id for row in rows}) == 5
    assert nib.outbox() == tuple(rows)
    assert nib.outbox(after_seq=1, limit=2) == tuple(rows[1:3])
    assert nib.outbox()[0].payload == {"n": 0, "at": "2025-03-01T12:00:00.123456Z"}
    with nib.transaction() as tx:
        assert tx.confirm("another stream", 5) == 0
        assert tx.confirm(stream_id, 3) == 3
        assert tx.confirm(stream_id, 3) == 0
    assert nib.outbox() == tuple(rows[3:])
    with nib.transaction() as tx:
        tx.confirm(stream_id, 99)
        assert tx.enqueue("REPORT", {}).seq == 6
    assert nib.outbox_tail().seq == 6


def test_an_outbox_that_was_emptied_goes_on_counting(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        tx.enqueue("REPORT", {})
        tx.confirm(nib.outbox_tail().stream_id, 1)
    assert nib.outbox() == ()
    assert nib.outbox_tail().seq == 1


def test_a_message_is_applied_only_if_it_is_the_next(nib: NIBStore) -> None:
    assert nib.applied_seq("lc", "s1") == 0
    with nib.transaction() as tx:
        tx.mark_applied("lc", "s1", 1)
        tx.mark_applied("lc", "s1", 2)
        tx.mark_applied("lc", "s2", 1)
        tx.mark_applied("other", "s1", 1)
    for seq in (2, 4, 0):
        with pytest.raises(ConflictError, match="applied up to 2"), nib.transaction() as tx:
            tx.mark_applied("lc", "s1", seq)
    assert nib.applied_seq("lc", "s1") == 2


def test_a_snapshot_may_jump_forwards_and_never_back(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        tx.restart_applied("lc", "s1", 7)
        tx.mark_applied("lc", "s1", 8)
    with pytest.raises(ConflictError, match="lies behind"), nib.transaction() as tx:
        tx.restart_applied("lc", "s1", 7)
    assert nib.applied_seq("lc", "s1") == 8


# --- sequences -------------------------------------------------------------------------------


def test_numbers_start_at_one_and_are_never_given_out_again(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        assert [tx.next_number("a"), tx.next_number("a"), tx.next_number("b")] == [1, 2, 1]
    fail(nib, lambda tx: tx.next_number("a"))
    with nib.transaction() as tx:
        assert tx.next_number("a") == 4


# --- tokens ----------------------------------------------------------------------------------


def test_tokens_are_listed_newest_first(nib: NIBStore) -> None:
    old, new = token("b"), token("a", created_at=later(1))
    same = token("c", created_at=later(1), role=Role.REGIONAL, region=None)
    with nib.transaction() as tx:
        for record in (old, same, new):
            tx.put_token(record)
    assert nib.tokens() == (new, same, old)
    assert nib.token("b") == old
    assert nib.token("x") is None
    spent = replace(old, status=TokenStatus.SPENT, spent_by="kid", reserved_until=later(60))
    with nib.transaction() as tx:
        tx.put_token(spent)
    assert nib.token("b") == spent
    assert len(nib.tokens()) == 3


# --- text, and what a file keeps -------------------------------------------------------------


def test_text_that_is_not_unicode_is_refused_everywhere(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        with pytest.raises(InputError):
            tx.append_event(event("\ud800"))
        with pytest.raises(InputError):
            tx.enqueue("REPORT", {"name": "\ud800"})
    with nib.transaction() as tx:
        assert tx.append_event(event()).seq == 1
        assert tx.enqueue("REPORT", {}).seq == 1


@stored
def test_everything_is_there_after_closing_and_opening(store: Store, tmp_path: Path) -> None:
    with store.open(tmp_path) as nib, nib.transaction() as tx:
        stored_device = tx.put_device(router(), expected_version=None)
        appended = tx.append_event(event())
        sent = [tx.enqueue("REPORT", {"n": n}) for n in range(3)]
        tx.confirm(sent[0].stream_id, 3)
        tx.mark_applied("lc", "s", 1)
        tx.next_number("a")
        tx.put_policy(Policy(version=3))
    with store.open(tmp_path) as nib:
        assert nib.all_devices() == (stored_device,)
        assert nib.events() == (appended,)
        assert (nib.outbox_tail().stream_id, nib.outbox_tail().seq) == (sent[0].stream_id, 3)
        assert nib.applied_seq("lc", "s") == 1
        assert nib.policy() == Policy(version=3)
        with nib.transaction() as tx:
            assert tx.next_number("a") == 2
            assert tx.enqueue("REPORT", {}).seq == 4
            assert tx.append_event(event()).seq == 2
        assert faults(nib) == ()


def test_two_nibs_have_two_streams(store: Store, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with store.open(tmp_path) as a, store.open(tmp_path / "other") as b:
        assert a.outbox_tail().stream_id != b.outbox_tail().stream_id
