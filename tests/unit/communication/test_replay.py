from datetime import UTC, datetime, timedelta

import pytest

from pdsno.communication.replay import ReplayGuard
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.messages import Message, MessageType

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def message(name: str, *, sender: str = "a", at: datetime = NOW) -> Message:
    return Message(
        message_id=name,
        message_type=MessageType.SYSTEM_EVENT,
        sender_id=sender,
        recipient_id="b",
        timestamp=at,
        payload={},
    )


def is_admitted(guard: ReplayGuard, item: Message, now: datetime = NOW) -> bool:
    try:
        guard.admit(item, now)
    except RefusedError as error:
        return error.reason is not Refusal.REPLAYED
    return True


@pytest.mark.attack(19)
def test_a_message_is_admitted_once() -> None:
    guard = ReplayGuard()
    assert is_admitted(guard, message("m"))
    assert not is_admitted(guard, message("m"))
    assert is_admitted(guard, message("m", sender="other"))


def test_messages_beyond_the_window_are_forgotten() -> None:
    guard = ReplayGuard(window_s=330)
    guard.admit(message("m"), NOW)
    guard.admit(message("n", at=NOW + timedelta(seconds=331)), NOW + timedelta(seconds=331))
    assert len(guard) == 1


@pytest.mark.attack(19)
def test_a_flood_opens_no_hole() -> None:
    guard = ReplayGuard(capacity=10)
    first = message("first")
    guard.admit(first, NOW)
    for number in range(50):
        at = NOW + timedelta(milliseconds=number + 1)
        assert is_admitted(guard, message(f"m{number}", at=at))
    assert len(guard) == 10
    assert not is_admitted(guard, first)
    assert not is_admitted(guard, message("m0", at=NOW + timedelta(milliseconds=1)))
    assert is_admitted(guard, message("new", at=NOW + timedelta(seconds=1)))


def test_the_order_of_arrival_does_not_matter() -> None:
    guard = ReplayGuard(capacity=3)
    times = [5, 1, 4, 2, 3]
    items = [message(f"m{t}", at=NOW + timedelta(seconds=t)) for t in times]
    admitted = [item for item in items if is_admitted(guard, item)]
    assert all(not is_admitted(guard, item) for item in admitted)


def test_the_refusal_names_the_message() -> None:
    guard = ReplayGuard()
    guard.admit(message("m-7"), NOW)
    with pytest.raises(RefusedError, match="m-7 came before"):
        guard.admit(message("m-7"), NOW)
