"""Every NIB backend behaves the same: new streams, messages good once, operators' API tokens."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pdsno.domain.entities import OperatorRole
from pdsno.domain.errors import ConflictError, InputError, LocalProtocolError
from pdsno.domain.ports import NIBTransaction, SeenMessage
from pdsno.nib import NIBStore
from tests.contract.nib_suite import (
    STORED,
    T0,
    Store,
    api_token,
    device,
    later,
    name_of,
)

stored = pytest.mark.parametrize("store", STORED, ids=name_of)


def seen(message_id: str, at: float = 0, sender_id: str = "lc") -> SeenMessage:
    return SeenMessage(sender_id=sender_id, message_id=message_id, timestamp=later(at))


def note(nib: NIBStore, *messages: SeenMessage, forget_before: float = -300) -> list[bool]:
    """Note messages in one transaction."""
    with nib.transaction() as tx:
        return [tx.note_message(m, forget_before=later(forget_before)) for m in messages]


def fail(nib: NIBStore, change: Callable[[NIBTransaction], object]) -> None:
    """Make a change in a transaction that is then rolled back."""

    def change_and_stumble() -> None:
        with nib.transaction() as tx:
            change(tx)
            tx.put_device(device(), expected_version=9)

    with pytest.raises(ConflictError):
        change_and_stumble()


# --- streams ---------------------------------------------------------------------------------


def test_a_new_stream_begins_empty_and_counts_from_one(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        old = [tx.enqueue("REPORT", {"n": n}) for n in range(3)]
        begun = tx.new_stream()
        assert tx.outbox() == ()
        assert tx.outbox_tail() == begun
    assert begun.stream_id != old[0].stream_id
    assert begun.seq == 0
    assert nib.outbox_tail() == begun
    assert nib.outbox() == ()
    assert nib.counts().outbox == 0
    with nib.transaction() as tx:
        first = tx.enqueue("REPORT", {})
    assert (first.stream_id, first.seq) == (begun.stream_id, 1)
    assert nib.outbox() == (first,)


def test_a_confirmation_of_the_old_stream_takes_nothing_from_the_new_one(nib: NIBStore) -> None:
    old = nib.outbox_tail().stream_id
    with nib.transaction() as tx:
        tx.enqueue("REPORT", {})
        begun = tx.new_stream()
        row = tx.enqueue("REPORT", {})
        assert tx.confirm(old, 9) == 0
    assert nib.outbox() == (row,)
    with nib.transaction() as tx:
        assert tx.confirm(begun.stream_id, 1) == 1


def test_rows_of_an_old_stream_leave_the_file(tmp_path: Path) -> None:
    path = tmp_path / "nib.db"
    with NIBStore(path) as nib, nib.transaction() as tx:
        tx.enqueue("REPORT", {"n": 1})
        tx.new_stream()
        tx.enqueue("REPORT", {"n": 2})
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT payload FROM outbox").fetchall() == [('{"n":2}',)]


def test_streams_never_come_back(nib: NIBStore) -> None:
    ids = {nib.outbox_tail().stream_id}
    for _ in range(3):
        with nib.transaction() as tx:
            ids.add(tx.new_stream().stream_id)
    assert len(ids) == 4


def test_a_new_stream_that_was_rolled_back_never_began(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        row = tx.enqueue("REPORT", {})
    fail(nib, lambda tx: (tx.new_stream(), tx.enqueue("REPORT", {})))
    assert nib.outbox_tail().stream_id == row.stream_id
    assert nib.outbox() == (row,)


# --- messages that are good once -------------------------------------------------------------


def test_a_message_is_noted_once_per_sender(nib: NIBStore) -> None:
    assert note(nib, seen("m1")) == [True]
    assert note(nib, seen("m1"), seen("m2", 1), seen("m1", sender_id="rc")) == [False, True, True]
    assert nib.seen_messages() == (seen("m1"), seen("m1", sender_id="rc"), seen("m2", 1))


def test_the_same_message_under_another_time_is_still_the_same(nib: NIBStore) -> None:
    assert note(nib, seen("m1"), seen("m1", 200)) == [True, False]
    assert nib.seen_messages() == (seen("m1"),)


def test_messages_too_old_to_be_accepted_again_are_forgotten(nib: NIBStore) -> None:
    note(nib, seen("old", 0), seen("edge", 10), seen("new", 20))
    assert note(nib, seen("next", 30), forget_before=10) == [True]
    assert [m.message_id for m in nib.seen_messages()] == ["edge", "new", "next"]


def test_a_message_that_is_itself_too_old_is_noted_all_the_same(nib: NIBStore) -> None:
    assert note(nib, seen("m1"), forget_before=100) == [True]
    assert note(nib, seen("m1"), forget_before=100) == [False]


def test_a_noted_message_that_was_rolled_back_may_come_again(nib: NIBStore) -> None:
    fail(nib, lambda tx: tx.note_message(seen("m1"), forget_before=T0))
    assert note(nib, seen("m1")) == [True]


def test_a_message_without_time_zone_or_of_no_unicode_is_refused(nib: NIBStore) -> None:
    with pytest.raises(LocalProtocolError, match="no time zone"):
        note(nib, replace(seen("m1"), timestamp=T0.replace(tzinfo=None)))
    with pytest.raises(InputError, match="not Unicode"):
        note(nib, seen("\ud800"))
    assert nib.seen_messages() == ()


# --- API tokens ------------------------------------------------------------------------------


def test_api_tokens_are_found_by_their_hash_and_listed_newest_first(nib: NIBStore) -> None:
    old = api_token("b", created_by="root", expires_at=later(60))
    new = api_token("a", created_at=later(1), name="ci", role=OperatorRole.ADMIN)
    same = api_token("c", created_at=later(1), name="zone", region="zone-A")
    with nib.transaction() as tx:
        for record in (old, same, new):
            tx.put_api_token(record)
        assert tx.api_token("a") == new
    assert nib.api_tokens() == (new, same, old)
    assert nib.api_token("b") == old
    assert nib.api_token("x") is None
    revoked = replace(old, revoked_at=later(9))
    with nib.transaction() as tx:
        tx.put_api_token(revoked)
    assert nib.api_token("b") == revoked
    assert len(nib.api_tokens()) == 3


@stored
def test_trust_is_kept_over_a_restart(store: Store, tmp_path: Path) -> None:
    record = api_token("a", role=OperatorRole.APPROVER, region="zone-A", expires_at=later(5))
    with store.open(tmp_path) as nib, nib.transaction() as tx:
        tx.put_api_token(record)
        tx.note_message(seen("m1"), forget_before=T0)
        begun = tx.new_stream()
        row = tx.enqueue("REPORT", {})
    with store.open(tmp_path) as nib:
        assert nib.api_tokens() == (record,)
        assert nib.seen_messages() == (seen("m1"),)
        assert note(nib, seen("m1")) == [False]
        assert nib.outbox_tail().stream_id == begun.stream_id
        assert nib.outbox() == (row,)
