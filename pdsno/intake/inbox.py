"""Durable messages, applied once and in order of their stream, whatever the transport did."""

from collections.abc import Callable
from enum import StrEnum

from pdsno.domain.errors import RemoteProtocolError
from pdsno.domain.messages import Message, StreamTail
from pdsno.domain.ports import NIB, NIBTransaction


class Intake(StrEnum):
    """What became of a durable message."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    GAP = "gap"


def take_in(
    nib: NIB, message: Message, apply: Callable[[NIBTransaction], None], *, is_snapshot: bool
) -> tuple[Intake, StreamTail]:
    """Apply a durable message in one transaction with its place in the stream.

    Returns what became of it and how far its stream is applied now: the sender goes on from
    there, so a message beyond a gap is dropped here and comes again. A snapshot holds everything
    before it, so it may jump a gap. Raises RemoteProtocolError if the message is not durable.
    """
    stream_id, seq = message.stream_id, message.seq
    if stream_id is None or seq is None or seq < 1:
        msg = f"{message.message_type} without stream_id and seq"
        raise RemoteProtocolError(msg)
    with nib.transaction() as tx:
        applied = tx.applied_seq(message.sender_id, stream_id)
        if seq <= applied:
            return Intake.DUPLICATE, StreamTail(stream_id=stream_id, seq=applied)
        if seq > applied + 1 and not is_snapshot:
            return Intake.GAP, StreamTail(stream_id=stream_id, seq=applied)
        apply(tx)
        if seq == applied + 1:
            tx.mark_applied(message.sender_id, stream_id, seq)
        else:
            tx.restart_applied(message.sender_id, stream_id, seq)
    return Intake.APPLIED, StreamTail(stream_id=stream_id, seq=seq)
