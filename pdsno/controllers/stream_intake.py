"""What a parent keeps of the streams that come up: counts, and where one has a gap."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeAlias

import structlog

from pdsno.communication.gap_puller import GapPuller, Pull
from pdsno.domain.messages import Message, StreamTail
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.intake.inbox import Intake, take_in

log = structlog.get_logger()

Key: TypeAlias = tuple[str, str]
"""Sender and stream."""


class StreamIntake:
    """Takes durable messages in, counts them, and has gaps filled. Thread-safe."""

    def __init__(self, nib: NIB) -> None:
        self._nib = nib
        self._lock = threading.Lock()
        self._counts: dict[Key, Counter[str]] = {}
        self._gaps: dict[Key, int] = {}
        self._puller: GapPuller | None = None

    def pull_by(self, pull: Pull, take: Callable[[Message], object]) -> None:
        """Fill gaps by asking senders that can be called; `take` is the messages' handler."""
        self._puller = GapPuller(pull, take, self._nib.applied_seq)

    def look(self, sender_id: str) -> None:
        """See in the background whether something is missing of a sender that stands still."""
        if self._puller is not None:
            self._puller.look(sender_id)

    def close(self) -> None:
        """Stop pulling; idempotent."""
        if self._puller is not None:
            self._puller.close()

    def take_in(
        self, message: Message, apply: Callable[[NIBTransaction], None], *, is_snapshot: bool
    ) -> StreamTail:
        """Apply a durable message once and in order; returns how far its stream is applied."""
        intake, tail = take_in(self._nib, message, apply, is_snapshot=is_snapshot)
        key = (message.sender_id, tail.stream_id)
        with self._lock:
            self._counts.setdefault(key, Counter())[intake.value] += 1
            if intake is Intake.GAP:
                self._gaps[key] = tail.seq
        if intake is not Intake.APPLIED:
            log.info(
                "durable_message_skipped",
                why=intake.value,
                sender_id=message.sender_id,
                seq=message.seq,
                applied_seq=tail.seq,
            )
        if intake is Intake.GAP and self._puller is not None:
            self._puller.fill(*key)
        return self._with_gap(message.sender_id, tail)

    def position(self, sender_id: str, stream_id: str) -> StreamTail:
        """Return how far a stream is applied, and whether something behind that came already."""
        seq = self._nib.applied_seq(sender_id, stream_id)
        return self._with_gap(sender_id, StreamTail(stream_id=stream_id, seq=seq))

    def _with_gap(self, sender_id: str, tail: StreamTail) -> StreamTail:
        with self._lock:
            is_gap = self._gaps.get((sender_id, tail.stream_id)) == tail.seq
        return StreamTail(stream_id=tail.stream_id, seq=tail.seq, is_gap=is_gap)

    def counts(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        """Return, by sender and stream, what became of its messages since we began.

        `applied`, `duplicate` (dropped), `gap` (dropped, as something before it was missing) and
        `pulled`: those of the applied that were missing and fetched.
        """
        with self._lock:
            found = {key: dict(counter) for key, counter in self._counts.items()}
        for key, pulled in (self._puller.counts() if self._puller else {}).items():
            found[key] = {**found.get(key, {}), **pulled}
        told: dict[str, dict[str, Mapping[str, int]]] = {}
        for (sender, stream), counter in found.items():
            told.setdefault(sender, {})[stream] = counter
        return told
