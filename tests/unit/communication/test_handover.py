import threading
import time
from concurrent.futures import ThreadPoolExecutor

from pdsno.communication.handover import Handover
from tests.integration.waiting import wait_until


def test_users_pass_side_by_side_and_nobody_while_one_is_alone() -> None:
    handover, inside, lock = Handover(), [0], threading.Lock()
    together: list[int] = []
    alone: list[int] = []

    def use(_number: int) -> None:
        with handover.using(10):
            with lock:
                inside[0] += 1
            together.append(inside[0])
            time.sleep(0.001)
            with lock:
                inside[0] -= 1

    def be_alone() -> None:
        for _ in range(20):
            with handover.alone(10):
                alone.append(inside[0])

    with ThreadPoolExecutor(8) as pool:
        exclusive = pool.submit(be_alone)
        list(pool.map(use, range(400)))
        exclusive.result()
    assert max(together) > 1
    assert alone == [0] * 20


def test_who_waits_for_too_long_goes_on_and_is_told_that_no_time_is_left() -> None:
    handover = Handover()
    with handover.alone(1), handover.using(0.05) as left_s:
        assert left_s == 0.0


def test_being_alone_waits_for_users_only_so_long() -> None:
    handover, release = Handover(), threading.Event()

    def hold() -> None:
        with handover.using(1):
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    wait_until(lambda: handover._users == 1)
    started = time.monotonic()
    with handover.alone(0.05):
        assert time.monotonic() - started < 5
    release.set()
    thread.join()
    with handover.using(1) as left_s:
        assert left_s > 0
