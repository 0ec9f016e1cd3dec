"""When the log goes out, and how far the cursor on the disk follows; the broker is made up."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.event_publisher import (
    CURSOR,
    SAFE_AFTER_S,
    SAVED_AFTER_S,
    EventPublisher,
    body_of,
)
from pdsno.controllers.global_controller import GlobalController
from pdsno.domain.entities import NewEvent
from pdsno.domain.errors import PDSNOError, Refusal, RefusedError, TransientError
from pdsno.domain.jsonable import jsonable
from pdsno.nib import NIBStore

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TOPIC = "pdsno/nib/zone-A/events"


@dataclass
class Broker:
    """Takes what is published, unless it is told otherwise."""

    is_connected: bool = True
    generation: int = 1
    taken: list[dict[str, Any]] = field(default_factory=list)
    topics: set[str] = field(default_factory=set)
    error: PDSNOError | None = None
    on_publish: Callable[[], None] = lambda: None

    def publish_plain(self, topic: str, bodies: Sequence[bytes]) -> None:
        self.on_publish()
        if self.error is not None:
            raise self.error
        self.topics.add(topic)
        self.taken += [json.loads(body) for body in bodies]

    @property
    def seqs(self) -> list[int]:
        return [item["seq"] for item in self.taken]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Scene:
    nib: NIBStore
    folder: Path
    broker: Broker = field(default_factory=Broker)
    clock: Clock = field(default_factory=Clock)

    def publisher(self) -> EventPublisher:
        """Return a publisher as after a start: what it knows is on the disk."""
        return EventPublisher(
            self.nib,
            ContextManager(self.folder / "context.yaml"),
            self.broker,
            region="zone-A",
            actor=lambda: "regional_cntl_zone-A_1",
            clock=self.clock,
        )

    @property
    def cursor(self) -> int:
        kept = ContextManager(self.folder / "context.yaml").get(CURSOR)
        return int(str(kept).partition("-")[0])

    def note(self, count: int = 1, event_type: str = "HAPPENED") -> None:
        with self.nib.transaction() as tx:
            for _ in range(count):
                event = NewEvent(event_type=event_type, subject="s", actor="test", at=NOW)
                tx.append_event(event)

    def prune(self, through_seq: int) -> None:
        with self.nib.transaction() as tx:
            tx.prune_events(through_seq, now=NOW)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with NIBStore("memory://") as nib:
        yield Scene(nib=nib, folder=tmp_path)


def test_the_first_run_begins_with_what_happens_from_now_on(scene: Scene) -> None:
    scene.note(3)
    publisher = scene.publisher()
    publisher.step()
    assert (scene.broker.seqs, scene.cursor) == ([], 3)
    scene.note(2)
    publisher.step()
    assert scene.broker.seqs == [4, 5]
    assert scene.broker.topics == {TOPIC}
    assert scene.broker.taken == [jsonable(one) for one in scene.nib.events(after_seq=3)]


def test_a_backlog_goes_out_whole_and_in_order(scene: Scene) -> None:
    scene.broker.is_connected = False
    publisher = scene.publisher()
    publisher.step()
    scene.note(250)
    assert publisher.published().waiting == 250
    publisher.step()
    assert scene.broker.seqs == []
    scene.broker.is_connected = True
    publisher.step()
    assert scene.broker.seqs == list(range(1, 251))
    assert (publisher.published().waiting, publisher.published().count) == (0, 250)


def test_the_cursor_on_the_disk_follows_when_the_broker_still_answers_later(scene: Scene) -> None:
    publisher = scene.publisher()
    publisher.step()
    scene.note(5)
    publisher.step()
    assert scene.cursor == 0
    scene.clock.now += SAVED_AFTER_S - 1
    scene.note()
    publisher.step()
    assert scene.cursor == 0
    scene.clock.now += 1
    scene.note()
    publisher.step()
    assert scene.cursor == 5


def test_without_an_answer_the_cursor_waits_longer(scene: Scene) -> None:
    publisher = scene.publisher()
    publisher.step()
    scene.note(5)
    publisher.step()
    scene.clock.now += SAFE_AFTER_S - 1
    publisher.step()
    assert scene.cursor == 0
    scene.clock.now += 1
    publisher.step()
    assert scene.cursor == 5


def test_another_connection_or_start_goes_on_from_the_cursor_on_the_disk(scene: Scene) -> None:
    publisher = scene.publisher()
    publisher.step()
    scene.note(3)
    publisher.step()
    scene.broker.generation += 1
    scene.note()
    publisher.step()
    assert scene.broker.seqs == [1, 2, 3, 1, 2, 3, 4]
    scene.publisher().step()
    assert scene.broker.seqs[7:] == [1, 2, 3, 4]


def test_what_an_earlier_connection_acknowledged_is_not_safe_by_a_later_one_s_answer(
    scene: Scene,
) -> None:
    publisher = scene.publisher()
    publisher.step()
    scene.note(3)
    publisher.step()
    scene.clock.now += SAFE_AFTER_S
    scene.note()

    def reconnect() -> None:
        scene.broker.generation += 1
        scene.broker.on_publish = lambda: None

    scene.broker.on_publish = reconnect
    publisher.step()
    assert scene.cursor == 0
    assert scene.broker.seqs == [1, 2, 3, 4, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "error", [TransientError("no answer"), RefusedError(Refusal.NOT_ALLOWED, "no right yet")]
)
def test_what_the_broker_does_not_take_comes_again_ever_later(
    scene: Scene, error: PDSNOError
) -> None:
    publisher = scene.publisher()
    publisher.step()
    scene.note(2)
    scene.broker.error = error
    pauses = []
    for _ in range(3):
        publisher.step()
        pauses.append(publisher.pause_s)
    assert pauses == sorted(pauses)
    assert pauses[0] > 0.5
    assert publisher.published().failure == str(error)
    assert publisher.published().waiting == 2
    scene.broker.error = None
    publisher.step()
    assert scene.broker.seqs == [1, 2]
    assert (publisher.published().failure, publisher.pause_s) == (None, 0.5)


def test_what_was_pruned_before_it_went_out_is_told_of(scene: Scene) -> None:
    scene.broker.is_connected = False
    publisher = scene.publisher()
    publisher.step()
    scene.note(10)
    scene.prune(6)
    scene.broker.is_connected = True
    publisher.step()
    assert scene.broker.seqs == [7, 8, 9, 10, 11]
    told = scene.broker.taken[-1]
    assert told["event_type"] == "EVENTS_SKIPPED"
    assert told["data"] == {"topic": TOPIC, "after": 0, "next": 7}
    scene.publisher().step()
    types = [one.event_type for one in scene.nib.events()]
    assert types.count("EVENTS_SKIPPED") == 1


def test_what_was_published_and_then_pruned_is_no_gap(scene: Scene) -> None:
    publisher = scene.publisher()
    publisher.step()
    scene.note(3)
    publisher.step()
    scene.prune(2)
    scene.note()
    publisher.step()
    assert scene.broker.seqs == [1, 2, 3, 4]


def test_a_restored_log_goes_out_from_its_restore_on(scene: Scene, tmp_path: Path) -> None:
    scene.publisher().step()
    scene.note(5)
    publisher = scene.publisher()
    publisher.step()
    scene.clock.now += SAFE_AFTER_S
    publisher.step()
    assert scene.cursor == 5
    with NIBStore("memory://") as restored:
        other = Scene(nib=restored, folder=tmp_path)
        other.note(2, "OTHER")
        other.note(1, "NIB_RESTORED")
        other.note(4, "OTHER")
        other.publisher().step()
    assert other.broker.seqs == [3, 4, 5, 6, 7]


def test_closing_ends_a_step_after_what_is_under_way(scene: Scene) -> None:
    publisher = scene.publisher()
    publisher.step()
    scene.note(250)
    scene.broker.on_publish = publisher.close
    publisher.step()
    assert scene.broker.seqs == list(range(1, 101))


def test_an_event_that_no_broker_takes_goes_out_without_its_data(scene: Scene) -> None:
    with scene.nib.transaction() as tx:
        data = {"text": "x" * (9 * 1024 * 1024)}
        tx.append_event(
            NewEvent(event_type="HAPPENED", subject="s", actor="test", at=NOW, data=data)
        )
    (event,) = scene.nib.events()
    told = json.loads(body_of(event))
    assert told["data"]["omitted_bytes"] > 9 * 1024 * 1024
    assert (told["seq"], told["hash"]) == (event.seq, event.hash)


def test_who_publishes_no_events_forgets_where_it_was(scene: Scene) -> None:
    context = ContextManager(scene.folder / "context.yaml")
    context.update(**{CURSOR: "7-00ff00ff"})
    controller = GlobalController("global_cntl_1", context, scene.nib, enable_rest=False)
    controller.serve()
    controller.close()
    assert context.get(CURSOR) is None
    assert controller.published_events is None
