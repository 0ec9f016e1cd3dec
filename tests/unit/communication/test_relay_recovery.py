"""A sender restored from a backup, and what a receiver tells of gaps."""

import pytest

from pdsno.communication.relay_state import RelayState
from pdsno.domain.entities import OutboxRow
from pdsno.domain.errors import TransientError
from pdsno.domain.messages import StreamTail
from tests.unit.communication.relay_fakes import Setting


@pytest.fixture
def world() -> Setting:
    return Setting()


def test_a_restored_sender_begins_a_new_stream_with_a_snapshot(world: Setting) -> None:
    for _ in range(5):
        world.outbox.add()
    world.run(3)
    world.restore(last=2)
    world.outbox.add()
    world.run(3)
    assert world.restarts == [(5, 2)]
    assert world.inbox.applied == {"s1": 5, "s1b": 1}
    assert world.relay.state() is RelayState.CONFIRMED


def test_a_restored_sender_is_found_out_although_it_has_queued_more_than_was_applied(
    world: Setting,
) -> None:
    for _ in range(5):
        world.outbox.add()
    world.run(3)
    world.restore(last=2)
    for _ in range(10):
        world.outbox.add()
    world.run(3)
    assert world.restarts == [(5, 2)]
    assert world.inbox.applied == {"s1": 5, "s1b": 1}


def test_what_a_restored_sender_asks_first_keeps_new_messages_from_old_numbers(
    world: Setting,
) -> None:
    for _ in range(5):
        world.outbox.add()
    world.run(3)
    world.confirm, confirm = _unreachable, world.confirm
    world.restore(last=2)
    for _ in range(10):
        world.outbox.add()
    world.run(100)
    assert world.mqtt.rows == [1, 2, 3, 4, 5]
    world.confirm = confirm
    world.run(3)
    assert world.restarts == [(5, 2)]
    assert world.relay.state() is RelayState.CONFIRMED


def test_a_restored_sender_that_is_restarted_before_the_receiver_is_reached_is_found_out(
    world: Setting,
) -> None:
    for _ in range(5):
        world.outbox.add()
    world.run(3)
    world.confirm, confirm = _unreachable, world.confirm
    world.restore(last=2)
    for _ in range(10):
        world.outbox.add()
        world.relay = world.new_relay(asks_first=True)
        world.run(1)
    world.confirm = confirm
    world.run(40)
    assert world.restarts == [(5, 2)]
    assert world.mark.kept is None
    assert world.inbox.applied == {"s1": 5, "s1b": 1}


def test_a_restored_sender_with_nothing_new_is_told_by_the_answer_to_its_status(
    world: Setting,
) -> None:
    for _ in range(5):
        world.outbox.add()
    world.run(3)
    world.restore(last=2)
    world.relay.heard(world.inbox.position("s1"))
    world.run(3)
    assert world.restarts == [(5, 2)]


def test_a_sender_that_was_not_restored_asks_first_and_goes_on(world: Setting) -> None:
    world.outbox.add()
    world.run(3)
    world.relay = world.new_relay(asks_first=True)
    world.outbox.add()
    world.run(3)
    assert world.restarts == []
    assert world.inbox.log == [1, 2]


def test_a_receiver_that_gets_on_is_waited_for(world: Setting) -> None:
    slow: list[OutboxRow] = []
    world.mqtt.act = slow.append
    for _ in range(6):
        world.outbox.add()
    for _ in range(6):
        world.run(1)
        world.inbox.take(slow.pop(0))
    world.run(3)
    assert world.rest.rows == []
    assert world.relay.state() is RelayState.CONFIRMED


def test_what_is_told_to_be_missing_is_sent_again_at_once(world: Setting) -> None:
    world.mqtt.act = lambda _row: None
    world.outbox.add()
    world.outbox.add()
    world.relay.step()
    world.inbox.take(world.outbox.rows[1])
    world.confirm = lambda: StreamTail(stream_id="s1", seq=1, is_gap=True)
    world.run(2.5)
    assert world.rest.rows[0] == 2


def _unreachable() -> StreamTail | None:
    raise TransientError("REST is away")
