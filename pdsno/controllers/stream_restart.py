"""A new stream for a database that was restored from a backup."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import structlog

from pdsno.controllers.context_manager import ContextManager
from pdsno.domain.entities import NewEvent, OutboxRow
from pdsno.domain.messages import MessageType, StreamTail
from pdsno.domain.ports import NIB, NIBReader, NIBTransaction
from pdsno.domain.reports import is_first_of_stream

log = structlog.get_logger()

_ROWS = 500
_MARK = "unheard_since"


class KeptMark:
    """Where a stream was when we began, in the controller's own small state (`UnheardMark`)."""

    def __init__(self, context: ContextManager) -> None:
        self._context = context

    def load(self) -> StreamTail | None:
        """Return the mark, if there is one."""
        kept = self._context.get(_MARK)
        if kept is None:
            return None
        return StreamTail(stream_id=str(kept["stream_id"]), seq=int(kept["seq"]))

    def save(self, mark: StreamTail | None) -> None:
        """Set it, or with None remove it."""
        value = None if mark is None else {"stream_id": mark.stream_id, "seq": mark.seq}
        self._context.update(**{_MARK: value})


def restart_stream(
    nib: NIB,
    position: StreamTail,
    began_at: int,
    *,
    actor: str,
    region: str | None,
    enqueue_snapshot: Callable[[NIBTransaction], None],
) -> None:
    """Begin a stream with a snapshot, in one transaction; nothing if another began meanwhile.

    The parent has applied, up to `position`, what a later state of this database had told it. What
    was queued after we began (behind `began_at`) it has not: reports are held by the snapshot,
    everything else moves to the new stream.
    """
    with nib.transaction() as tx:
        old = tx.outbox_tail()
        if old.stream_id != position.stream_id:
            return
        kept = [
            row for row in _rows(tx, began_at) if row.message_type == MessageType.SYSTEM_EVENT.value
        ]
        new = tx.new_stream()
        is_first_of_stream(tx)  # the snapshot is: the next report need not be one
        enqueue_snapshot(tx)
        for row in kept:
            tx.enqueue(row.message_type, row.payload, correlation_id=row.correlation_id)
        tx.append_event(
            NewEvent(
                event_type="STREAM_RESTARTED",
                subject=new.stream_id,
                actor=actor,
                at=datetime.now(UTC),
                region=region,
                data={
                    "instead_of": old.stream_id,
                    "last": old.seq,
                    "applied_by_parent": position.seq,
                    "reason": "the database is older than what the parent has of it",
                },
            )
        )
    log.warning("stream_restarted", stream_id=new.stream_id, instead_of=old.stream_id)


def _rows(nib: NIBReader, after: int) -> Iterator[OutboxRow]:
    while rows := nib.outbox(after_seq=after, limit=_ROWS):
        yield from rows
        after = rows[-1].seq
