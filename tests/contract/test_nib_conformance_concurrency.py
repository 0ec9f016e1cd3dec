"""Every NIB backend behaves the same under several threads, and all do what memory does."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from pdsno.domain.chain import first_fault
from pdsno.domain.entities import Claim, Device
from pdsno.domain.errors import ConflictError, PDSNOError
from pdsno.domain.ports import DeviceFilter, NIBTransaction
from pdsno.nib import NIBStore
from tests.contract.nib_suite import STORED, STORES, Store, device, event, later, name_of, put

T = TypeVar("T")


@pytest.fixture(params=STORES, ids=name_of)
def nib(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NIBStore]:
    with request.param.open(tmp_path) as opened:
        yield opened


def together(count: int, work: Callable[[int], T]) -> list[T]:
    """Run `work` in several threads that start at the same moment."""
    barrier = threading.Barrier(count)

    def start(number: int) -> T:
        barrier.wait(timeout=10)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


@pytest.mark.attack(37)
def test_increments_by_version_lose_nothing(nib: NIBStore) -> None:
    put(nib, device(missed=0))

    def increment(_: int) -> int:
        conflicts = 0
        done = 0
        while done < 25:
            seen = nib.device("dev_1")
            assert seen is not None
            try:
                with nib.transaction() as tx:
                    more = replace(seen, missed=seen.missed + 1)
                    tx.put_device(more, expected_version=seen.version)
            except ConflictError:
                conflicts += 1
            else:
                done += 1
        return conflicts

    together(4, increment)
    held = nib.device("dev_1")
    assert held is not None
    assert (held.missed, held.version) == (100, 101)


@pytest.mark.attack(37)
@pytest.mark.parametrize("store", STORED, ids=name_of)
def test_two_writers_on_one_row_a_thousand_times_lose_no_update(
    store: Store, tmp_path: Path
) -> None:
    """Each has the NIB open for itself, as two processes have: one wins, the other is told."""
    with store.open(tmp_path) as one, store.open(tmp_path) as other:
        put(one, device(missed=0))

        def write(number: int) -> int:
            nib = (one, other)[number]
            won = 0
            for _ in range(500):
                seen = nib.device("dev_1")
                assert seen is not None
                try:
                    with nib.transaction() as tx:
                        more = replace(seen, missed=seen.missed + 1)
                        tx.put_device(more, expected_version=seen.version)
                except ConflictError:
                    continue
                won += 1
            return won

        won = together(2, write)
        held = one.device("dev_1")
    assert held is not None
    assert (held.missed, held.version) == (sum(won), sum(won) + 1)
    assert sum(won) < 1000, "the two never met: the test shows nothing"


def test_numbers_events_and_messages_are_dense_over_threads(nib: NIBStore) -> None:
    def work(number: int) -> list[int]:
        numbers = []
        for _ in range(10):
            with nib.transaction() as tx:
                numbers.append(tx.next_number("id"))
                tx.append_event(event(f"thread {number}"))
                tx.enqueue("REPORT", {"thread": number})
        return numbers

    given = [number for numbers in together(4, work) for number in numbers]
    assert sorted(given) == list(range(1, 41))
    assert [row.seq for row in nib.outbox()] == list(range(1, 41))
    assert [e.seq for e in nib.events()] == list(range(1, 41))
    assert first_fault(nib.events()) is None


def test_readers_neither_wait_for_a_writer_nor_see_half_of_its_work(nib: NIBStore) -> None:
    put(nib, device("dev_0"), device("dev_1"))
    stop = threading.Event()

    def write() -> None:
        version = 1
        while not stop.is_set():
            with nib.transaction() as tx:
                for key in ("dev_0", "dev_1"):
                    tx.put_device(device(key, missed=version), expected_version=version)
                    tx.all_devices()
            version += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(100):
            a, b = nib.all_devices()
            assert (a.missed, a.version) == (b.missed, b.version)
    finally:
        stop.set()
        writer.join(timeout=30)
    assert not writer.is_alive()


def test_a_read_goes_on_while_a_transaction_is_open_elsewhere(nib: NIBStore) -> None:
    put(nib, device())
    with nib.transaction() as tx:
        tx.put_device(device("dev_2"), expected_version=None)
        assert len(tx.all_devices()) == 2
        with ThreadPoolExecutor(1) as pool:
            seen = pool.submit(nib.all_devices).result(timeout=10)
    assert len(seen) == 1


# --- whatever is done, every backend answers as memory does ------------------------------------

KEYS = st.sampled_from(["dev_a", "dev_b", "dev_c", "dev_d"])
MACS = st.sets(st.sampled_from(["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"]))
IPS = st.sets(st.sampled_from(["10.0.0.1", "10.0.0.20", "10.0.1.3", "2001:db8::5"]))
NAMES = st.sampled_from([None, "Spine1", "spine2", "50%_\\"])
VERSIONS = st.sampled_from([None, 1, 2, 3])
SECONDS = st.integers(-5, 5)
QUESTIONS = (
    DeviceFilter(mac="02:00:00:00:00:01"),
    DeviceFilter(ip="10.0.0.0/24"),
    DeviceFilter(ip="2001:db8::/32"),
    DeviceFilter(name="spine2"),
    DeviceFilter(q="SPINE"),
    DeviceFilter(q="%_\\"),
)


class SameAsMemory(RuleBasedStateMachine):
    """Runs each change over both stores and compares results, refusals and what is there."""

    other: Store

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._memory = NIBStore("memory://")
        self._other = NIBStore(self.other.place(Path(self._folder.name)))

    def teardown(self) -> None:
        self._memory.close()
        self._other.close()
        self._folder.cleanup()

    def _both(self, change: Callable[[NIBTransaction], object]) -> None:
        results = []
        for nib in (self._memory, self._other):
            try:
                with nib.transaction() as tx:
                    results.append(change(tx))
            except PDSNOError as error:
                results.append((type(error), str(error)))
        assert results[0] == results[1]

    def _device(
        self, key: str, name: str | None, macs: set[str], ips: set[str], seconds: int
    ) -> Device:
        return device(
            key,
            name=name,
            macs=tuple(sorted(macs)),
            ips=tuple(sorted(ips)),
            last_seen=later(seconds),
        )

    @rule(key=KEYS, name=NAMES, macs=MACS, ips=IPS, version=VERSIONS, seconds=SECONDS)
    def put_device(
        self,
        key: str,
        name: str | None,
        macs: set[str],
        ips: set[str],
        version: int | None,
        seconds: int,
    ) -> None:
        wanted = self._device(key, name, macs, ips, seconds)
        self._both(lambda tx: tx.put_device(wanted, expected_version=version))

    @rule(keys=st.lists(KEYS, max_size=3), seconds=SECONDS)
    def touch(self, keys: list[str], seconds: int) -> None:
        self._both(lambda tx: tx.touch_devices(keys, later(seconds)))

    @rule(absorbed=KEYS, into=KEYS)
    def absorb(self, absorbed: str, into: str) -> None:
        self._both(lambda tx: tx.absorb_device(absorbed, into))

    @rule(key=KEYS, reporter=st.sampled_from(["r1", "r2"]), theirs=KEYS)
    def claim(self, key: str, reporter: str, theirs: str) -> None:
        told = Claim(reporter=reporter, device_id=key, device=device(theirs))
        self._both(lambda tx: tx.put_claim(told))

    @rule(reporter=st.sampled_from(["r1", "r2"]), theirs=KEYS)
    def drop_claim(self, reporter: str, theirs: str) -> None:
        self._both(lambda tx: tx.drop_claim(reporter, theirs))

    @rule(keys=st.lists(KEYS, min_size=1, max_size=2))
    def appear_and_fail(self, keys: list[str]) -> None:
        def change(tx: NIBTransaction) -> None:
            for key in keys:
                tx.append_event(event(key))
                tx.put_device(device(key), expected_version=None)
            tx.put_device(device("dev_x"), expected_version=9)

        self._both(change)

    @rule(key=KEYS)
    def append_event(self, key: str) -> None:
        self._both(lambda tx: tx.append_event(event(key)).hash)

    @rule(seq=st.integers(0, 4), is_snapshot=st.booleans())
    def apply(self, seq: int, *, is_snapshot: bool) -> None:
        def change(tx: NIBTransaction) -> None:
            (tx.restart_applied if is_snapshot else tx.mark_applied)("r1", "s", seq)

        self._both(change)

    @invariant()
    def both_hold_the_same(self) -> None:
        a, b = self._memory, self._other
        assert a.all_devices() == b.all_devices()
        assert a.claims() == b.claims()
        assert a.events() == b.events()
        assert a.applied_seq("r1", "s") == b.applied_seq("r1", "s")
        for key in ("dev_a", "dev_b", "dev_c", "dev_d"):
            assert a.device(key) == b.device(key)
        for where in QUESTIONS:
            assert a.devices(where, limit=2) == b.devices(where, limit=2)


@pytest.mark.parametrize("store", STORED, ids=name_of)
def test_a_stored_nib_answers_as_memory_does(store: Store) -> None:
    class Machine(SameAsMemory):
        other = store

    # Over a socket each of some thousand calls takes its time: the same walk, less often.
    examples = 20 if store.name == "sqlite" else 6
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=examples, stateful_step_count=20, deadline=None)
    )
