"""The sender's side of a stream: what is retained, and what a receiver's position makes of it.

Shared by the relay, which hands rows over, and by the source, from which the receiver pulls.
"""

import threading
from collections.abc import Callable
from typing import Protocol

import structlog

from pdsno.communication.relay_state import Outbox, Verdict, judge
from pdsno.domain.entities import OutboxRow
from pdsno.domain.messages import StreamTail
from pdsno.domain.ports import NIB

log = structlog.get_logger()

Restart = Callable[[StreamTail, int], None]
"""Begins a new stream with a snapshot, in one transaction, unless another began meanwhile.

Told: the receiver's position in the old stream, and the last seq of it that was in the database
when we began and had not heard from the receiver since. Rows behind that are new and go into the
new stream, unless the snapshot holds what they say.
"""


class UnheardMark(Protocol):
    """Where our stream was when we last began and had not heard from the receiver since.

    Kept outside the database, lest what was queued since a restore passes for what was restored.
    """

    def load(self) -> StreamTail | None:
        """Return the mark, if there is one."""

    def save(self, mark: StreamTail | None) -> None:
        """Set it, or with None remove it."""


class OutboxStream:
    """The outbox of one NIB as a stream. Thread-safe.

    `on_snapshot_needed` must enqueue a full report before it returns. Made when a process begins:
    a position beyond what this database can have given out by then, or by the `mark` of an earlier
    process that the receiver has not answered either, tells that it was restored from a backup.
    """

    def __init__(
        self,
        nib: NIB,
        *,
        on_snapshot_needed: Callable[[], None],
        on_restart_needed: Restart | None = None,
        mark: UnheardMark | None = None,
    ) -> None:
        self._nib = nib
        self._on_snapshot_needed = on_snapshot_needed
        self._on_restart_needed = on_restart_needed
        self._lock = threading.RLock()
        self._mark = mark
        began = self._begin()
        self._stream_id = began.stream_id
        self._began_at = self._given = began.seq
        self._snapshot_after: int | None = None
        self._lost_at: StreamTail | None = None
        self._was_ahead = False

    def _begin(self) -> StreamTail:
        tail = self._nib.outbox_tail()
        if self._mark is None:
            return tail
        kept = self._mark.load()
        if kept is not None and kept.stream_id == tail.stream_id and kept.seq < tail.seq:
            return kept
        if kept != tail:
            self._mark.save(tail)
        return tail

    def _heard(self) -> None:
        """The receiver knows no more than we gave it: from here on, what we give counts."""
        mark, self._mark = self._mark, None
        if mark is not None:
            mark.save(None)

    def look(self) -> Outbox:
        """Return where the stream stands now."""
        with self._lock:
            # The tail first: rows that come in between only make `first` too small to matter.
            tail = self._nib.outbox_tail()
            rows = self._nib.outbox(after_seq=0, limit=1)
            first = rows[0].seq if rows else tail.seq + 1
            self._follow(tail.stream_id)
            return Outbox(
                stream_id=tail.stream_id,
                tail=max(tail.seq, first - 1),
                first=first,
                given=self._given,
            )

    def hands_over(self, row: OutboxRow) -> None:
        """Note, before it happens, that the receiver may get this row."""
        with self._lock:
            if row.stream_id != self._stream_id:
                self._follow(self._nib.outbox_tail().stream_id)
            if row.stream_id == self._stream_id:
                self._given = max(self._given, row.seq)

    def confirm(self, position: StreamTail) -> None:
        """Let go of rows that the receiver has applied."""
        with self._lock:
            if position.stream_id == self._stream_id:
                self._heard()
                self._lost_at = None
                if self._snapshot_after is not None and position.seq > self._snapshot_after:
                    self._snapshot_after = None
        first = self._nib.outbox(after_seq=0, limit=1)
        if first and first[0].seq <= position.seq:
            with self._nib.transaction() as tx:
                tx.confirm(position.stream_id, position.seq)

    def is_surely_lost(self, position: StreamTail) -> bool:
        """Tell whether the receiver needs rows that are gone: so if it says the same twice.

        What it says once may have been overtaken by what it told by another way meanwhile.
        """
        with self._lock:
            self._heard()
            was, self._lost_at = self._lost_at, position
            return was is not None and (was.stream_id, was.seq) == (
                position.stream_id,
                position.seq,
            )

    def snapshot_start(self) -> int:
        """Return the seq behind which a snapshot stands; has one enqueued if there is none yet.

        It holds all that the rows before it did, so they need not be sent any more.
        """
        with self._lock:
            outbox = self.look()
            if self._snapshot_after is None:
                log.warning(
                    "relay_snapshot_needed", stream_id=outbox.stream_id, first_seq=outbox.first
                )
                self._on_snapshot_needed()
                self._snapshot_after = outbox.tail
            return self._snapshot_after

    def restart(self, position: StreamTail) -> bool:
        """The receiver applied what this database never gave out: begin a new stream.

        Returns whether there is a new one now.
        """
        with self._lock:
            outbox = self.look()
            if outbox.stream_id != position.stream_id:
                return True
            self._tell_ahead(position, outbox)
            if self._on_restart_needed is None:
                return False
            self._on_restart_needed(position, self._began_at)
            return self.look().stream_id != position.stream_id

    def meet(self, position: StreamTail) -> int | None:
        """Act on the position of a receiver that pulls; returns behind which seq it goes on.

        None: not in this stream, or not yet.
        """
        outbox = self.look()
        verdict = judge(position, outbox, 0)
        if verdict is Verdict.OTHER_STREAM:
            return None
        if verdict is Verdict.AHEAD:
            self.restart(position)
            return None
        if verdict is Verdict.LOST:
            return self.snapshot_start() if self.is_surely_lost(position) else None
        self.confirm(position)
        return position.seq

    def _follow(self, stream_id: str) -> None:
        if stream_id != self._stream_id:
            self._stream_id = stream_id
            self._began_at = self._given = 0
            self._snapshot_after = self._lost_at = None

    def _tell_ahead(self, position: StreamTail, outbox: Outbox) -> None:
        if not self._was_ahead:
            self._was_ahead = True
            log.warning(
                "relay_receiver_ahead",
                stream_id=position.stream_id,
                applied=position.seq,
                given_out=outbox.given,
                detail="our database is older than what the parent has applied from it: it was "
                "restored from a backup, so it begins a new stream",
            )
