"""A controller's own small state, and the loops that run it."""

import threading
from pathlib import Path

import pytest

from pdsno.controllers.children import Children
from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.loop import Loop
from pdsno.domain.errors import OperationError, TransientError
from pdsno.domain.messages import DiscoveryRequest, Status


def test_values_survive_in_a_file_that_only_the_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "state" / "context.yaml"
    ContextManager(path).update(controller_id="local_cntl_zone-A_1", parent_id="x")
    again = ContextManager(path)
    again.update(parent_id=None)
    assert ContextManager(path).get("controller_id") == "local_cntl_zone-A_1"
    assert ContextManager(path).get("parent_id", "none") == "none"
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", ["a: [", "- list", "\x00"])
def test_a_damaged_state_stops_the_start_rather_than_joining_as_somebody_new(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "context.yaml"
    path.write_text(content)
    with pytest.raises(OperationError, match="damaged"):
        ContextManager(path)
    assert path.read_text() == content


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    context = ContextManager(tmp_path / "context.yaml")
    context.update(value="before")
    context.path.unlink()
    context.path.mkdir()
    with pytest.raises(OperationError, match="cannot write"):
        context.update(value="after")
    assert context.get("value") == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["context.yaml"]


def test_writers_in_several_threads_lose_nothing(tmp_path: Path) -> None:
    context = ContextManager(tmp_path / "context.yaml")
    threads = [
        threading.Thread(target=lambda n=n: context.update(**{f"key_{n}": n})) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = ContextManager(context.path)
    assert [again.get(f"key_{n}") for n in range(8)] == list(range(8))


def counted(loop_errors: list[Exception], goal: int) -> tuple[Loop, threading.Event, list[int]]:
    reached, steps = threading.Event(), []

    def step() -> None:
        steps.append(1)
        if len(steps) == goal:
            reached.set()
        if loop_errors:
            raise loop_errors.pop()

    return Loop("test", step, interval_s=lambda: 0.01), reached, steps


@pytest.mark.parametrize("error", [TransientError("away"), ValueError("a bug")])
def test_a_loop_goes_on_after_an_error(error: Exception) -> None:
    loop, reached, _ = counted([error], goal=3)
    loop.start()
    assert reached.wait(5)
    loop.stop()


def test_a_stopped_loop_does_nothing_more_and_can_be_stopped_again() -> None:
    loop, reached, steps = counted([], goal=2)
    loop.start()
    assert reached.wait(5)
    loop.stop()
    count = len(steps)
    loop.wake()
    loop.stop()
    assert len(steps) == count


def test_a_woken_loop_does_not_wait_for_its_interval() -> None:
    seen = threading.Semaphore(0)
    loop = Loop("test", seen.release, interval_s=lambda: 3600.0)
    loop.start()
    assert seen.acquire(timeout=5)
    loop.wake()
    assert seen.acquire(timeout=5)
    loop.stop()


def test_commands_wait_for_a_child_and_are_given_out_once() -> None:
    children = Children()
    for number in range(20):
        children.leave_command("lc", DiscoveryRequest(region=str(number)))
    waiting = children.take_commands("lc")
    assert [c.region for c in waiting] == [str(n) for n in range(4, 20)]
    assert children.take_commands("lc") == ()


def test_a_childs_policy_is_what_it_last_said() -> None:
    children = Children()
    assert children.policy_of("lc") == (0, 0)
    children.heard("lc", Status(state="online", role="local", policy_epoch=1, policy_version=7))
    assert children.policy_of("lc") == (1, 7)
