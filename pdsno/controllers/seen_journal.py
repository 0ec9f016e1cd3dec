"""Which messages were accepted, kept in the NIB: they are refused also after a restart."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from pdsno.communication.codec import MAX_AGE_S, MAX_AHEAD_S
from pdsno.domain.ports import NIB, SeenMessage

_KEPT = timedelta(seconds=MAX_AGE_S + MAX_AHEAD_S)


class SeenJournal:
    """Implements `pdsno.communication.replay.MessageJournal` over a NIB."""

    def __init__(self, nib: NIB) -> None:
        self._nib = nib

    def load(self) -> Iterable[SeenMessage]:
        """Return what was accepted before this start and is still fresh enough to come again."""
        return self._nib.seen_messages()

    def note(self, seen: SeenMessage) -> bool:
        """Note a message; False if it was noted before."""
        with self._nib.transaction() as tx:
            return tx.note_message(seen, forget_before=datetime.now(UTC) - _KEPT)
