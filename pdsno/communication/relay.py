"""The outbox on its way to the parent: in order, by one transport at a time, nothing lost.

A row leaves the outbox only when the receiver said that it has applied it. What a broker
acknowledged and lost, what a parent forgot: the relay hears of it and sends again, or asks for a
snapshot.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import structlog

from pdsno.communication.backoff import Backoff
from pdsno.communication.relay_outbox import OutboxStream, Restart, UnheardMark
from pdsno.communication.relay_state import RelayState, Verdict, judge
from pdsno.communication.transports import DurableTransport
from pdsno.domain.entities import OutboxRow
from pdsno.domain.errors import PDSNOError, TransientError
from pdsno.domain.messages import StreamTail
from pdsno.domain.ports import NIB

log = structlog.get_logger()

Confirm = Callable[[], StreamTail | None]
"""Asks the parent how far it has applied our stream; None if it does not know the stream.

Raises TransientError if it cannot be asked.
"""

_BATCH = 50
_IDLE_S = 5.0
_URGENT_S = 0.25


class OutboxRelay:
    """Delivers `nib.outbox()` through the first of `transports` that works.

    A transport that does not say what was applied (MQTT) is followed, `confirm_after_s` later, by
    `confirm`; if the receiver lacks something, it is sent again, the last transport first. Every
    `check_every_s` without traffic `confirm` is asked as well, so that a parent that lost its
    database is found out. What it needs and we no longer have: `on_snapshot_needed` must enqueue
    a full report before it returns. What it has and we never sent, for our database was restored
    from a backup: `on_restart_needed` begins a new stream. With `asks_first` nothing is handed over
    until the receiver has told once how far it is, lest it takes new messages for the old ones of
    the same numbers. After a failure the relay waits 1, 2, 4, … 30 s, or for `wake`.
    """

    def __init__(  # noqa: PLR0913 - what it stands on, then times by name
        self,
        nib: NIB,
        transports: Sequence[DurableTransport],
        confirm: Confirm,
        *,
        on_snapshot_needed: Callable[[], None],
        on_restart_needed: Restart | None = None,
        asks_first: bool = False,
        mark: UnheardMark | None = None,
        confirm_after_s: float = 2.0,
        resend_after_s: float = 60.0,
        check_every_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nib = nib
        self._transports = tuple(transports)
        self._confirm = confirm
        self.stream = OutboxStream(
            nib,
            on_snapshot_needed=on_snapshot_needed,
            on_restart_needed=on_restart_needed,
            mark=mark,
        )
        self._confirm_after_s = confirm_after_s
        self._resend_after_s = resend_after_s
        self._check_every_s = check_every_s
        self._clock = clock
        self._backoff = Backoff(first_s=1, most_s=30)
        # Where we are; only `step` touches these, under the lock.
        self._stepping = threading.Lock()
        self._stream_id = ""
        self._sent = 0
        self._again_until = 0
        self._snapshot_until = 0
        self._unconfirmed_since: float | None = None
        self._checked_at = clock()
        self._setback: int | None = None
        self._was_at = 0
        self._must_ask = asks_first
        self._counts: dict[str, Counter[str]] = {}
        # The thread.
        self._changed = threading.Condition()
        self._is_woken = False
        self._is_urgent = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    # --- for others ------------------------------------------------------------------------

    def start(self) -> None:
        """Relay in the background; idempotent."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Finish the delivery under way and join; idempotent. Rows stay in the outbox."""
        thread, self._thread = self._thread, None
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def wake(self) -> None:
        """Try now: something was enqueued, or a transport has come back."""
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def heard(self, position: StreamTail) -> None:
        """Take the receiver's word for what it applied, come by another way (its status)."""
        verdict = judge(position, self.stream.look(), 0)
        if verdict is Verdict.GOOD:
            self._confirmed(position)
        if position.is_gap or verdict in (Verdict.LOST, Verdict.AHEAD):
            self._checked_at = -math.inf  # so it is asked at once
            self.wake()

    def pulled(self, position: StreamTail) -> int | None:
        """Act on the position of a receiver that pulls; returns behind which seq it goes on.

        None: not in this stream, or not yet.
        """
        after = self.stream.meet(position)
        with self._changed:
            self._changed.notify_all()
        if after is not None:
            self._must_ask = False
        self.wake()
        return after

    def count(self, row: OutboxRow) -> None:
        """Count a row that left, by whatever way."""
        counts = self._counts.setdefault(row.stream_id, Counter())
        counts["sent_again" if row.seq <= counts["last"] else "sent"] += 1
        counts["last"] = max(counts["last"], row.seq)

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Return, by stream, how many messages were `sent` and `sent_again` since we began."""
        kept = ("sent", "sent_again")
        return {key: {name: at[name] for name in kept} for key, at in list(self._counts.items())}

    def state(self) -> RelayState:
        """Return how far the outbox has come."""
        outbox = self.stream.look()
        if outbox.first > outbox.tail:
            return RelayState.CONFIRMED
        is_sent = self._stream_id == outbox.stream_id and self._sent >= outbox.tail
        return RelayState.DELIVERED if is_sent else RelayState.QUEUED

    def flush(self, timeout_s: float) -> RelayState:
        """Wait, at most so long, until all is confirmed; returns how far it came."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._is_urgent = self._is_woken = True
            self._changed.notify_all()
        try:
            while (state := self.state()) is not RelayState.CONFIRMED:
                left = deadline - time.monotonic()
                if left <= 0 or self._stopping.is_set():
                    break
                with self._changed:
                    self._changed.wait(min(left, 0.1))
        finally:
            self._is_urgent = False
        return state

    def step(self) -> float:
        """Do what can be done now; returns in how many seconds there is something to do.

        Raises PDSNOError after a failure: wait longer then. One caller at a time.
        """
        with self._stepping:
            self._follow_stream()
            self._ask_first()
            if self._deliver_rows():
                self._backoff.reset()
            wait_s = self._settle()
            return 0.0 if self._nib.outbox(after_seq=self._sent, limit=1) else wait_s

    # --- delivery --------------------------------------------------------------------------

    def _follow_stream(self) -> None:
        stream_id = self._nib.outbox_tail().stream_id
        if stream_id != self._stream_id:
            self._stream_id = stream_id
            self._sent = self._again_until = self._snapshot_until = self._was_at = 0
            self._unconfirmed_since = self._setback = None

    def _ask_first(self) -> None:
        """Hear how far the receiver is before it gets anything from us; raises if it is away."""
        if not self._must_ask or not self._nib.outbox(after_seq=0, limit=1):
            return
        while self._take(self._asked()) and not self._stopping.is_set():
            self._follow_stream()

    def _deliver_rows(self) -> bool:
        """Hand over what was not yet, until it is time to ask; True if anything was."""
        delivered = False
        while not self._stopping.is_set():
            rows = self._nib.outbox(after_seq=self._sent, limit=_BATCH)
            for row in rows:
                if self._stopping.is_set() or (delivered and self._clock() >= self._due()):
                    return delivered
                position = self._deliver(row)
                delivered = True
                self._sent = row.seq
                if position is None:
                    self._unconfirmed_since = self._unconfirmed_since or self._clock()
                elif self._take(position):
                    break
            if not rows:
                return delivered
        return delivered

    def _deliver(self, row: OutboxRow) -> StreamTail | None:
        # What got lost by the first transport goes by the last one.
        order = self._transports[::-1] if row.seq <= self._again_until else self._transports
        failures: list[str] = []
        for transport in order:
            if not transport.is_available():
                continue
            self.stream.hands_over(row)
            try:
                position = transport.deliver(row)
            except PDSNOError as error:
                failures.append(f"{transport.name}: {error}")
            else:
                self.count(row)
                return position
        raise TransientError("; ".join(failures) or "no transport to the parent is available")

    # --- what the receiver says ------------------------------------------------------------

    def _settle(self) -> float:
        """Ask the receiver when it is time to; returns when to look again."""
        now = self._clock()
        due = self._due()
        if now < due:
            return min(due - now, _IDLE_S)
        if self._nib.outbox_tail().seq == 0:
            self._checked_at = now
            return _IDLE_S
        try:
            position = self._asked()
        except PDSNOError:
            self._resend_if_overdue(now)
            raise
        if self._is_under_way(position):
            return self._confirm_after_s
        self._unconfirmed_since = None
        return 0.0 if self._take(position) else _IDLE_S

    def _asked(self) -> StreamTail:
        """Ask the receiver; what it does not know, it has nothing of."""
        position = self._confirm()
        self._must_ask = False
        self._backoff.reset()
        if position is None or position.stream_id != self._stream_id:
            return StreamTail(stream_id=self._stream_id, seq=0)
        return position

    def _is_under_way(self, position: StreamTail) -> bool:
        """Tell whether the receiver just needs more time: it gets on, and misses nothing."""
        was, self._was_at = self._was_at, position.seq
        verdict = judge(position, self.stream.look(), self._sent)
        if verdict is not Verdict.BEHIND or position.is_gap or position.seq <= was:
            return False
        self._confirmed(position)
        self._checked_at = self._unconfirmed_since = self._clock()
        return True

    def _due(self) -> float:
        if self._unconfirmed_since is None:
            return self._checked_at + self._check_every_s
        wait_s = min(self._confirm_after_s, _URGENT_S) if self._is_urgent else self._confirm_after_s
        return self._unconfirmed_since + wait_s

    def _resend_if_overdue(self, now: float) -> None:
        since = self._unconfirmed_since
        if since is not None and now - since >= self._resend_after_s:
            self._go_back_to(0)

    def _take(self, position: StreamTail) -> bool:
        """Act on the receiver's position; True if there is something to send again or anew."""
        self._checked_at = self._clock()
        verdict = judge(position, self.stream.look(), self._sent)
        if verdict is Verdict.AHEAD:
            return self.stream.restart(position)
        if verdict is Verdict.OTHER_STREAM:
            return False
        if verdict is not Verdict.LOST:
            self._confirmed(position)
        if verdict is Verdict.GOOD:
            self._sent = position.seq
            self._unconfirmed_since = self._setback = None
            return False
        if self._sent < self._snapshot_until:
            return False  # the snapshot that helps is still to be sent
        if verdict is Verdict.LOST:
            if not self.stream.is_surely_lost(position):
                self._checked_at = -math.inf  # asks once more, at once
                return True
            self._go_back_to(self.stream.snapshot_start())
            self._snapshot_until = max(self._nib.outbox_tail().seq, self._sent + 1)
        else:
            self._go_back_to(position.seq)
        self._check_progress(position.seq)
        return True

    def _check_progress(self, seq: int) -> None:
        """Raise TransientError, to wait before sending, if the receiver has not moved since."""
        was, self._setback = self._setback, seq
        if was == seq:
            raise TransientError(f"the parent stays at message {seq} of our stream")

    def _go_back_to(self, seq: int) -> None:
        log.info("relay_sends_again", after_seq=seq, up_to_seq=self._sent)
        self._again_until = max(self._again_until, self._sent)
        self._sent = seq
        self._unconfirmed_since = None

    def _confirmed(self, position: StreamTail) -> None:
        self._must_ask = False
        self.stream.confirm(position)
        with self._changed:
            self._changed.notify_all()

    # --- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                self._is_woken = False
            self._pause(self._guarded_step())

    def _guarded_step(self) -> float:
        try:
            wait_s = self.step()
        except PDSNOError as error:
            wait_s = self._backoff.next_s()
            log.info("relay_waits", error=str(error), in_s=round(wait_s, 1))
        except Exception:
            wait_s = self._backoff.next_s()
            log.exception("relay_crashed", in_s=round(wait_s, 1))
        return wait_s

    def _pause(self, wait_s: float) -> None:
        with self._changed:
            deadline = time.monotonic() + wait_s
            while not (self._stopping.is_set() or self._is_woken):
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)
