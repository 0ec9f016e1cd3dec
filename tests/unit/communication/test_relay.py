import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.communication.relay_state import Outbox, RelayState, Verdict, judge
from pdsno.domain.entities import OutboxRow
from pdsno.domain.errors import Refusal, RefusedError, TransientError
from pdsno.domain.messages import StreamTail
from tests.unit.communication.relay_fakes import Killed, Setting, fail


@pytest.fixture
def world() -> Setting:
    return Setting()


def test_a_row_leaves_the_outbox_when_the_receiver_has_applied_it(world: Setting) -> None:
    world.mqtt.is_up = False
    world.outbox.add()
    world.relay.step()
    assert world.inbox.log == [1]
    assert world.relay.state() is RelayState.CONFIRMED
    assert not world.outbox.rows


def test_an_acknowledgement_of_the_broker_confirms_nothing(world: Setting) -> None:
    world.outbox.add()
    world.relay.step()
    assert world.mqtt.rows == [1]
    assert world.relay.state() is RelayState.DELIVERED
    assert list(world.outbox.rows) == [1]


def test_after_a_while_the_parent_is_asked_what_it_applied(world: Setting) -> None:
    world.outbox.add()
    world.run(1.9)
    assert world.relay.state() is RelayState.DELIVERED
    world.run(1)
    assert world.relay.state() is RelayState.CONFIRMED


@pytest.mark.attack(25)
def test_what_the_broker_lost_is_sent_again_by_rest(world: Setting) -> None:
    world.mqtt.act = lambda _row: None
    for _ in range(3):
        world.outbox.add()
    world.run(3)
    assert world.mqtt.rows == [1, 2, 3]
    assert world.rest.rows == [1, 2, 3]
    assert world.inbox.log == [1, 2, 3]


def test_mqtt_is_preferred_again_after_what_was_lost(world: Setting) -> None:
    world.mqtt.act = lambda _row: None
    world.outbox.add()
    world.run(3)
    world.mqtt.act = world.by_mqtt
    world.outbox.add()
    world.run(3)
    assert world.mqtt.rows == [1, 2]
    assert world.rest.rows == [1]


def test_a_transport_that_fails_is_replaced_for_the_same_row(world: Setting) -> None:
    world.mqtt.act = fail
    world.outbox.add()
    world.relay.step()
    assert world.inbox.log == [1]
    assert world.rest.rows == [1]


def test_without_any_transport_everything_stays_queued(world: Setting) -> None:
    world.mqtt.is_up = world.rest.is_up = False
    world.outbox.add()
    with pytest.raises(TransientError, match="no transport"):
        world.relay.step()
    assert world.relay.state() is RelayState.QUEUED


def test_a_refused_row_is_kept_and_the_reason_told(world: Setting) -> None:
    def refuse(_row: OutboxRow) -> StreamTail | None:
        raise RefusedError(Refusal.NOT_ALLOWED, "not yet admitted")

    world.mqtt.is_up = False
    world.rest.act = refuse
    world.outbox.add()
    with pytest.raises(TransientError, match="NOT_ALLOWED: not yet admitted"):
        world.relay.step()
    assert list(world.outbox.rows) == [1]


def test_rows_sent_before_a_restart_of_the_sender_are_sent_again(world: Setting) -> None:
    world.mqtt.act = lambda _row: None
    world.outbox.add()
    world.relay.step()
    world.relay = world.new_relay()
    world.mqtt.is_up = False
    world.relay.step()
    assert world.inbox.log == [1]


def test_a_parent_that_lost_its_database_gets_one_snapshot(world: Setting) -> None:
    for _ in range(3):
        world.outbox.add()
    world.run(3)
    world.inbox.forget_everything()
    world.run(70)
    assert world.snapshots == 1
    assert world.inbox.log == [4]
    assert world.relay.state() is RelayState.CONFIRMED
    assert world.inbox.known_upto == world.outbox.last


def test_a_snapshot_lost_on_the_way_is_sent_again_and_not_made_again(world: Setting) -> None:
    world.outbox.add()
    world.run(3)
    world.inbox.forget_everything()
    world.rest.is_up = False
    world.mqtt.act = lambda _row: None
    world.run(70)
    assert world.snapshots == 1
    world.mqtt.act = world.by_mqtt
    world.run(10)
    assert world.inbox.log == [2]
    assert world.snapshots == 1


def test_rows_older_than_the_snapshot_are_not_sent_any_more(world: Setting) -> None:
    world.outbox.add()
    world.run(3)
    world.inbox.forget_everything()
    world.mqtt.is_up = False
    world.outbox.add()
    world.outbox.add()
    world.run(3)
    assert world.inbox.log == [4]
    assert not world.outbox.rows


def test_a_parent_that_does_not_know_the_stream_gets_all_of_it(world: Setting) -> None:
    world.mqtt.act = lambda _row: None
    world.outbox.add()
    world.confirm = lambda: None
    world.run(3)
    assert world.inbox.log == [1]


def test_a_parent_that_never_moves_on_is_not_flooded(world: Setting) -> None:
    world.mqtt.is_up = False
    world.rest.act = lambda row: StreamTail(stream_id=row.stream_id, seq=0)
    world.outbox.add()
    world.run(20)
    assert 2 <= len(world.rest.rows) <= 45
    assert list(world.outbox.rows) == [1]


def test_a_new_stream_starts_from_its_first_row(world: Setting) -> None:
    world.outbox.add()
    world.run(3)
    world.outbox.stream_id, world.outbox.last = "s2", 0
    world.outbox.add()
    world.run(3)
    assert world.inbox.applied == {"s1": 1, "s2": 1}


def test_without_an_answer_for_long_rows_are_sent_again(world: Setting) -> None:
    def unreachable() -> StreamTail | None:
        raise TransientError("REST is away")

    world.confirm = unreachable
    world.rest.is_up = False
    world.mqtt.act = lambda _row: None
    world.outbox.add()
    world.run(50)
    assert world.mqtt.rows == [1]
    world.mqtt.act = world.by_mqtt
    world.run(20)
    assert world.inbox.log == [1]
    world.relay.heard(world.inbox.position("s1"))
    assert world.relay.state() is RelayState.CONFIRMED


def test_an_old_position_heard_elsewhere_does_no_harm(world: Setting) -> None:
    world.mqtt.is_up = False
    world.outbox.add()
    world.outbox.add()
    world.run(1)
    world.relay.heard(StreamTail(stream_id="s1", seq=1))
    world.relay.heard(StreamTail(stream_id="other", seq=7))
    world.outbox.add()
    world.run(1)
    assert world.rest.rows == [1, 2, 3]
    assert world.snapshots == 0


@pytest.mark.parametrize(
    ("stream", "seq", "sent", "verdict"),
    [
        ("s", 5, 5, Verdict.GOOD),
        ("s", 4, 5, Verdict.BEHIND),
        ("s", 2, 5, Verdict.BEHIND),
        ("s", 1, 5, Verdict.LOST),
        ("s", 6, 5, Verdict.AHEAD),
        ("t", 5, 5, Verdict.OTHER_STREAM),
    ],
)
def test_what_a_position_means(stream: str, seq: int, sent: int, verdict: Verdict) -> None:
    outbox = Outbox(stream_id="s", tail=7, first=3, given=5)
    assert judge(StreamTail(stream_id=stream, seq=seq), outbox, sent) is verdict


def test_flush_returns_once_all_is_confirmed() -> None:
    world = Setting()
    world.clock = time.monotonic  # type: ignore[assignment]
    world.relay = world.new_relay()
    world.relay.start()
    try:
        world.outbox.add()
        started = time.monotonic()
        assert world.relay.flush(10) is RelayState.CONFIRMED
        assert time.monotonic() - started < 5
        world.mqtt.is_up = world.rest.is_up = False
        world.outbox.add()
        assert world.relay.flush(0.2) is RelayState.QUEUED
    finally:
        world.relay.stop()
    assert not [t for t in threading.enumerate() if t.name == "relay"]


def test_wake_ends_the_wait_after_a_failure() -> None:
    world = Setting()
    world.mqtt.is_up = world.rest.is_up = False
    world.relay.start()
    try:
        world.outbox.add()
        world.relay.flush(0.3)
        world.rest.is_up = True
        deadline = time.monotonic() + 10
        while world.outbox.rows and time.monotonic() < deadline:
            world.relay.wake()
            time.sleep(0.02)
        assert world.inbox.log == [1]
    finally:
        world.relay.stop()


class Chaos(Setting):
    """Every delivery and every question meets the next fate of a plan; then all goes well."""

    def __init__(self, plan: list[int]) -> None:
        self.plan = plan
        self.late: list[OutboxRow] = []
        super().__init__()
        self.rest.act = self.by_rest
        self.confirm = self.ask

    def fate(self) -> int:
        return self.plan.pop(0) if self.plan else 0

    def by_mqtt(self, row: OutboxRow) -> None:
        fate = self.fate()
        if fate == 2:
            self.late.append(row)
        elif fate == 6:
            for old in reversed(self.late):
                self.inbox.take(old)
        if fate in (0, 3, 5, 6):
            self.inbox.take(row)
        if fate == 3:
            self.inbox.take(row)
        if fate == 7:
            self.relay = self.new_relay()
            raise Killed
        if fate in (4, 5):
            raise TransientError("no acknowledgement")

    def by_rest(self, row: OutboxRow) -> StreamTail | None:
        match self.fate():
            case 1 | 4 | 2:
                raise TransientError("unreachable")
            case 3 | 5:
                self.inbox.take(row)
                raise TransientError("reply lost")
            case _:
                return self.inbox.take(row)

    def ask(self) -> StreamTail | None:
        match self.fate():
            case 1 | 2 | 3:
                raise TransientError("unreachable")
            case 4 if not self.inbox.log:
                return None
            case 5 if not self.inbox.log:
                return StreamTail(stream_id="another", seq=9)
            case _:
                return self.inbox.position(self.outbox.stream_id)


@pytest.mark.attack(25)
@given(
    plan=st.lists(st.integers(0, 7), max_size=60),
    rows=st.integers(1, 12),
    spread=st.lists(st.floats(0, 8), max_size=12),
)
def test_whatever_happens_on_the_way_all_rows_are_applied_once_and_in_order(
    plan: list[int], rows: int, spread: list[float]
) -> None:
    world = Chaos(plan)
    for number in range(rows):
        world.outbox.add()
        if number < len(spread):
            world.run(spread[number])
    world.run(600)
    assert world.inbox.log == list(range(1, rows + 1))
    assert world.relay.state() is RelayState.CONFIRMED
    assert world.snapshots == 0


@given(plan=st.lists(st.integers(0, 7), max_size=30), rows=st.integers(1, 6))
def test_a_parent_that_forgets_everything_midway_ends_complete(plan: list[int], rows: int) -> None:
    world = Chaos([])
    for _ in range(rows):
        world.outbox.add()
    world.run(5)
    world.inbox.forget_everything()
    world.plan.extend(plan)
    for _ in range(rows):
        world.outbox.add()
    world.run(900)
    assert world.relay.state() is RelayState.CONFIRMED
    assert world.inbox.known_upto == world.outbox.last
    assert world.inbox.log == sorted(set(world.inbox.log))
