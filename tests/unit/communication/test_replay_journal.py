"""Messages are good once, over restarts and clocks that are set."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.communication.codec import MAX_AGE_S, MAX_AHEAD_S
from pdsno.communication.replay import WINDOW_S, ReplayGuard
from pdsno.controllers.seen_journal import SeenJournal
from pdsno.domain.errors import Refusal, RefusedError, TransientError
from pdsno.domain.messages import Message
from pdsno.domain.ports import SeenMessage
from pdsno.nib import NIBStore
from tests.unit.communication.test_replay import NOW, is_admitted, message


class Journal:
    """Keeps what a journal must, and not a message more."""

    def __init__(self, *, fails: bool = False) -> None:
        self.kept: dict[tuple[str, str], SeenMessage] = {}
        self.fails = fails
        self.clock = NOW
        self._lock = threading.Lock()

    def load(self) -> Iterable[SeenMessage]:
        return list(self.kept.values())

    def note(self, seen: SeenMessage) -> bool:
        if self.fails:
            raise TransientError("the disk is full")
        with self._lock:
            before = self.clock - timedelta(seconds=WINDOW_S)
            self.kept = {key: old for key, old in self.kept.items() if old.timestamp >= before}
            key = (seen.sender_id, seen.message_id)
            is_new = key not in self.kept
            self.kept[key] = seen
            return is_new


def is_fresh(item: Message, now: datetime) -> bool:
    """Tell what `open_message` tells before the guard is asked."""
    age_s = (now - item.timestamp).total_seconds()
    return -MAX_AHEAD_S <= age_s <= MAX_AGE_S


STEPS = st.lists(
    st.one_of(
        st.just("restart"),
        st.floats(0, 200),
        st.tuples(st.integers(0, 5), st.floats(-40, 320)),
    ),
    max_size=60,
)


@pytest.mark.attack(19)
@given(STEPS, st.integers(1, 20))
def test_no_message_is_accepted_twice_over_any_order_of_restarts(
    steps: list[str | float | tuple[int, float]], capacity: int
) -> None:
    journal = Journal()
    guard = ReplayGuard(journal=journal, capacity=capacity)
    now, sent, accepted = NOW, list[Message](), list[str]()

    def deliver(item: Message) -> None:
        if is_fresh(item, now) and is_admitted(guard, item, now):
            accepted.append(item.message_id)

    for step in steps:
        if isinstance(step, str):
            guard = ReplayGuard(journal=journal, capacity=capacity)
        elif isinstance(step, float):
            now += timedelta(seconds=step)
            journal.clock = now
        else:
            number, age_s = step
            name = f"m{len(sent)}-{number}"
            sent.append(message(name, at=now - timedelta(seconds=age_s)))
        for item in sent:
            deliver(item)
    assert len(accepted) == len(set(accepted))


@given(STEPS)
def test_without_a_flood_every_fresh_message_is_accepted(
    steps: list[str | float | tuple[int, float]],
) -> None:
    """The twin: a guard that refused everything would pass the test above."""
    journal = Journal()
    guard, now = ReplayGuard(journal=journal), NOW
    for number, step in enumerate(steps):
        if isinstance(step, str):
            guard = ReplayGuard(journal=journal)
        elif isinstance(step, float):
            now += timedelta(seconds=step)
            journal.clock = now
        else:
            item = message(f"m{number}", at=now - timedelta(seconds=step[1]))
            if is_fresh(item, now):
                assert is_admitted(guard, item, now)


@pytest.mark.attack(42)
@given(st.lists(st.floats(-4000, 4000), max_size=20))
def test_a_clock_that_is_set_makes_no_old_message_new(jumps: list[float]) -> None:
    guard, now, accepted = ReplayGuard(), NOW, list[str]()
    sent = [message(f"m{number}", at=NOW + timedelta(seconds=number)) for number in range(5)]
    for jump_s in [0.0, *jumps]:
        now += timedelta(seconds=jump_s)
        for item in sent:
            if is_fresh(item, now) and is_admitted(guard, item, now):
                accepted.append(item.message_id)
    assert len(accepted) == len(set(accepted))


@pytest.mark.attack(42)
def test_a_clock_that_was_wrong_for_a_while_makes_no_new_message_old() -> None:
    guard = ReplayGuard()
    assert is_admitted(guard, message("before", at=NOW), NOW)
    ahead = NOW + timedelta(hours=1)
    assert is_admitted(guard, message("while it was ahead", at=ahead), ahead)
    back = NOW + timedelta(seconds=1)
    assert is_admitted(guard, message("after", at=back), back)
    assert not is_admitted(guard, message("before", at=NOW), back)


def test_what_cannot_be_written_down_is_not_accepted_and_may_come_again() -> None:
    journal = Journal(fails=True)
    guard = ReplayGuard(journal=journal)
    with pytest.raises(TransientError):
        guard.admit(message("m"), NOW)
    journal.fails = False
    assert is_admitted(guard, message("m"))
    assert not is_admitted(guard, message("m"))


def test_strangers_write_nothing_down() -> None:
    journal = Journal()
    guard = ReplayGuard(journal=journal)
    stranger = replace(message("m"), is_trusted=False)
    assert is_admitted(guard, stranger)
    assert not is_admitted(guard, stranger)
    assert journal.kept == {}


def test_two_servers_of_one_controller_accept_a_message_once() -> None:
    journal = Journal()
    guards = [ReplayGuard(journal=journal) for _ in range(2)]
    assert [is_admitted(guard, message("m")) for guard in guards] == [True, False]


def test_many_threads_with_one_message_get_it_through_once(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with NIBStore(tmp_path / "nib.db") as nib:
        guards = [ReplayGuard(journal=SeenJournal(nib)) for _ in range(2)]
        with ThreadPoolExecutor(8) as pool:
            results = list(
                pool.map(lambda n: is_admitted(guards[n % 2], message("m", at=now), now), range(32))
            )
        assert results.count(True) == 1
        restarted = ReplayGuard(journal=SeenJournal(nib))
        with pytest.raises(RefusedError) as caught:
            restarted.admit(message("m", at=now), now)
        assert caught.value.reason is Refusal.REPLAYED
        assert is_admitted(restarted, message("n", at=now), now)
