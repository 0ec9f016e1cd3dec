"""Both ends of a stream over real NIBs: gaps told and counted, a new stream after a restore."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pdsno.controllers.stream_intake import StreamIntake
from pdsno.controllers.stream_restart import restart_stream
from pdsno.domain.messages import Message, MessageType, StreamTail
from pdsno.domain.ports import NIBTransaction
from pdsno.domain.reports import is_first_of_stream
from pdsno.nib import NIBStore

LC = "lc"


@pytest.fixture
def nib() -> NIBStore:
    return NIBStore("memory://")


def message(seq: int, stream_id: str = "s1") -> Message:
    return Message(
        message_id=f"m{seq}",
        message_type=MessageType.DISCOVERY_REPORT,
        sender_id=LC,
        recipient_id="rc",
        timestamp=datetime.now(UTC),
        payload={},
        stream_id=stream_id,
        seq=seq,
    )


def nothing(_tx: NIBTransaction) -> None:
    """Apply a message that says nothing."""


class TestIntake:
    def test_a_gap_is_told_until_what_was_missing_has_come(self, nib: NIBStore) -> None:
        streams = StreamIntake(nib)
        take: Callable[[int], StreamTail] = lambda seq: streams.take_in(  # noqa: E731
            message(seq), nothing, is_snapshot=False
        )
        assert take(1) == StreamTail(stream_id="s1", seq=1)
        assert take(3) == StreamTail(stream_id="s1", seq=1, is_gap=True)
        assert streams.position(LC, "s1") == StreamTail(stream_id="s1", seq=1, is_gap=True)
        assert take(2) == StreamTail(stream_id="s1", seq=2)
        assert streams.position(LC, "s1") == StreamTail(stream_id="s1", seq=2)

    def test_what_becomes_of_messages_is_counted_by_sender_and_stream(self, nib: NIBStore) -> None:
        streams = StreamIntake(nib)
        for seq in (1, 1, 3, 2, 3):
            streams.take_in(message(seq), nothing, is_snapshot=False)
        streams.take_in(message(1, "s2"), nothing, is_snapshot=False)
        assert streams.counts() == {
            LC: {"s1": {"applied": 3, "duplicate": 1, "gap": 1}, "s2": {"applied": 1}}
        }


class TestRestart:
    def restart(self, nib: NIBStore, began_at: int, position: StreamTail) -> None:
        restart_stream(
            nib,
            position,
            began_at,
            actor=LC,
            region="zone-A",
            enqueue_snapshot=self.snapshot,
        )

    @staticmethod
    def snapshot(tx: NIBTransaction) -> None:
        tx.enqueue(MessageType.DISCOVERY_REPORT, {"is": "snapshot"})

    @staticmethod
    def queue(nib: NIBStore, *rows: tuple[MessageType, str]) -> StreamTail:
        with nib.transaction() as tx:
            for kind, text in rows:
                tx.enqueue(kind, {"is": text})
        return nib.outbox_tail()

    def test_the_new_stream_begins_with_a_snapshot_and_keeps_what_no_snapshot_holds(
        self, nib: NIBStore
    ) -> None:
        event, report = MessageType.SYSTEM_EVENT, MessageType.DISCOVERY_REPORT
        began_at = self.queue(nib, (event, "applied long ago"), (report, "also")).seq
        old = self.queue(nib, (report, "in the snapshot"), (event, "new"))
        self.restart(nib, began_at, StreamTail(stream_id=old.stream_id, seq=99))
        assert nib.outbox_tail().stream_id != old.stream_id
        assert [(row.seq, row.payload["is"]) for row in nib.outbox()] == [
            (1, "snapshot"),
            (2, "new"),
        ]
        (restarted,) = nib.events(event_type="STREAM_RESTARTED")
        assert restarted.subject == nib.outbox_tail().stream_id
        assert restarted.data["instead_of"] == old.stream_id
        assert restarted.data["applied_by_parent"] == 99

    def test_the_next_report_need_not_be_a_snapshot_again(self, nib: NIBStore) -> None:
        old = self.queue(nib, (MessageType.DISCOVERY_REPORT, "a"))
        self.restart(nib, 1, StreamTail(stream_id=old.stream_id, seq=9))
        with nib.transaction() as tx:
            assert not is_first_of_stream(tx)

    def test_a_second_call_for_the_same_stream_does_nothing(self, nib: NIBStore) -> None:
        old = self.queue(nib, (MessageType.DISCOVERY_REPORT, "a"))
        ahead = StreamTail(stream_id=old.stream_id, seq=9)
        self.restart(nib, 1, ahead)
        new = nib.outbox_tail()
        self.restart(nib, 1, ahead)
        assert nib.outbox_tail() == new
        assert len(nib.events(event_type="STREAM_RESTARTED")) == 1
