"""A sender's outbox, a receiver's inbox and ways between them that lose, repeat and reorder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import cast

from pdsno.communication.relay import OutboxRelay
from pdsno.domain.entities import OutboxRow
from pdsno.domain.errors import PDSNOError, TransientError
from pdsno.domain.messages import Message, StreamTail
from pdsno.domain.ports import NIB

SNAPSHOT = "DISCOVERY_REPORT"
DELTA = "SYSTEM_EVENT"


class FakeOutbox:
    """The part of a NIB that a relay sees."""

    def __init__(self, stream_id: str = "s1") -> None:
        self.stream_id = stream_id
        self.last = 0
        self.rows: dict[int, OutboxRow] = {}

    def add(self, message_type: str = DELTA) -> OutboxRow:
        self.last += 1
        row = OutboxRow(
            stream_id=self.stream_id,
            seq=self.last,
            message_id=f"m{self.last}",
            message_type=message_type,
            payload={"upto": self.last},
            created_at=datetime.now(UTC),
        )
        self.rows[self.last] = row
        return row

    def outbox(self, *, after_seq: int = 0, limit: int = 100) -> tuple[OutboxRow, ...]:
        return tuple(self.rows[s] for s in sorted(self.rows) if s > after_seq)[:limit]

    def outbox_tail(self) -> StreamTail:
        return StreamTail(stream_id=self.stream_id, seq=self.last)

    @contextmanager
    def transaction(self) -> Iterator["FakeOutbox"]:
        yield self

    def confirm(self, stream_id: str, up_to_seq: int) -> int:
        gone = [s for s in self.rows if stream_id == self.stream_id and s <= up_to_seq]
        for seq in gone:
            del self.rows[seq]
        return len(gone)

    def as_nib(self) -> NIB:
        return cast("NIB", self)


class FakeInbox:
    """Applies in order, once; a snapshot may jump a gap and holds all before it."""

    def __init__(self) -> None:
        self.applied: dict[str, int] = {}
        self.log: list[int] = []
        self.known_upto = 0

    def take(self, row: OutboxRow) -> StreamTail:
        self._apply(row.stream_id, row.seq, row.message_type, row.payload["upto"])
        return self.position(row.stream_id)

    def take_message(self, message: Message) -> None:
        stream_id, seq = message.stream_id or "", message.seq or 0
        self._apply(stream_id, seq, message.message_type.value, message.payload["upto"])

    def _apply(self, stream_id: str, seq: int, message_type: str, upto: int) -> None:
        at = self.applied.get(stream_id, 0)
        if seq == at + 1 or (seq > at and message_type == SNAPSHOT):
            self.applied[stream_id] = seq
            self.log.append(seq)
            self.known_upto = upto

    def position(self, stream_id: str) -> StreamTail:
        return StreamTail(stream_id=stream_id, seq=self.applied.get(stream_id, 0))

    def forget_everything(self) -> None:
        self.applied.clear()
        self.log.clear()
        self.known_upto = 0


class Clock:
    """Time that only moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeTransport:
    """Does with each row what `act` does; counts and remembers them."""

    def __init__(self, name: str, act: Callable[[OutboxRow], StreamTail | None]) -> None:
        self.name = name
        self.act = act
        self.is_up = True
        self.rows: list[int] = []

    def is_available(self) -> bool:
        return self.is_up

    def deliver(self, row: OutboxRow) -> StreamTail | None:
        self.rows.append(row.seq)
        return self.act(row)


def fail(_row: OutboxRow) -> StreamTail | None:
    raise TransientError("away")


class Killed(BaseException):
    """The sender's process ends here."""


class FakeMark:
    """A mark that outlives a process."""

    def __init__(self) -> None:
        self.kept: StreamTail | None = None

    def load(self) -> StreamTail | None:
        return self.kept

    def save(self, mark: StreamTail | None) -> None:
        self.kept = mark


class Setting:
    """A relay between a fake outbox and a fake inbox, by MQTT (no word back) and REST."""

    def __init__(self) -> None:
        self.outbox = FakeOutbox()
        self.inbox = FakeInbox()
        self.clock = Clock()
        self.mqtt = FakeTransport("mqtt", self.by_mqtt)
        self.rest = FakeTransport("rest", self.inbox.take)
        self.confirm: Callable[[], StreamTail | None] = lambda: self.inbox.position(
            self.outbox.stream_id
        )
        self.snapshots = 0
        self.restarts: list[tuple[int, int]] = []
        self.mark = FakeMark()
        self.relay = self.new_relay()

    def by_mqtt(self, row: OutboxRow) -> None:
        self.inbox.take(row)

    def ask_parent(self) -> StreamTail | None:
        return self.confirm()

    def snapshot(self) -> None:
        self.snapshots += 1
        self.outbox.add(SNAPSHOT)

    def restart(self, position: StreamTail, began_at: int) -> None:
        self.restarts.append((position.seq, began_at))
        self.outbox.stream_id, self.outbox.last = position.stream_id + "b", 0
        self.outbox.rows.clear()
        self.outbox.add(SNAPSHOT)

    def restore(self, last: int) -> None:
        """Put the sender's database back to where this seq was its last, all of it confirmed."""
        self.outbox.last, self.outbox.rows = last, {}
        self.relay = self.new_relay(asks_first=True)

    def new_relay(self, *, asks_first: bool = False) -> OutboxRelay:
        return OutboxRelay(
            self.outbox.as_nib(),
            [self.mqtt, self.rest],
            self.ask_parent,
            on_snapshot_needed=self.snapshot,
            on_restart_needed=self.restart,
            asks_first=asks_first,
            mark=self.mark if asks_first else None,
            clock=self.clock,
        )

    def run(self, seconds: float) -> None:
        end = self.clock.now + seconds
        while self.clock.now < end:
            try:
                wait_s = self.relay.step()
            except (PDSNOError, Killed):
                wait_s = 1.0
            self.clock.now += max(wait_s, 0.01)
