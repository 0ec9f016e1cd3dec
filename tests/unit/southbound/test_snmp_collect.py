import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from gufo.snmp import SnmpError

from pdsno.southbound.mibs.system import SYS_NAME, SYS_OBJECT_ID
from pdsno.southbound.mibs.varbinds import Value
from pdsno.southbound.snmp_collect import Collected, collect, read_identity
from pdsno.southbound.snmp_session import (
    SnmpEndlessError,
    SnmpOptions,
    SnmpProtocolError,
    SnmpSession,
    SnmpTimeoutError,
)

Row = tuple[str, Value]
OPTIONS = SnmpOptions(tries=1, max_rows=100, max_bytes=10_000)
IF_DESCR, IF_TYPE = "1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.2.2.1.3"
IP_INDEX = "1.3.6.1.2.1.4.20.1.2"


class FakeAgent:
    """Stands where gufo-snmp's session stands; `answers` yields the rows beneath a root."""

    def __init__(
        self,
        answers: Callable[[str, int], Iterator[Row]],
        scalars: dict[str, Value] | None = None,
    ) -> None:
        self._answers = answers
        self._scalars = scalars or {}
        self.walked: list[str] = []

    async def get_many(self, oids: list[str]) -> dict[str, Value]:
        return {oid: self._scalars[oid] for oid in oids if oid in self._scalars}

    def getnext(self, root: str) -> AsyncIterator[Row]:
        return self.getbulk(root, 1)

    def getbulk(self, root: str, max_repetitions: int) -> AsyncIterator[Row]:
        self.walked.append(root)

        async def rows() -> AsyncIterator[Row]:
            for row in self._answers(root, max_repetitions):
                yield row

        return rows()


def session_of(agent: FakeAgent) -> SnmpSession:
    return SnmpSession(agent, OPTIONS, None)  # type: ignore[arg-type]


def walk(answers: Callable[[str, int], Iterator[Row]]) -> dict[str, Value]:
    return dict(asyncio.run(session_of(FakeAgent(answers)).walk("1.3")))


def test_a_walk_that_goes_in_circles_ends_with_what_came_before() -> None:
    def circle(_root: str, _size: int) -> Iterator[Row]:
        while True:
            yield from (("1.3.1", b"a"), ("1.3.2", b"b"))

    with pytest.raises(SnmpEndlessError) as raised:
        walk(circle)
    assert set(raised.value.rows) == {"1.3.1", "1.3.2"}


def test_a_walk_without_end_is_cut_by_rows_and_by_bytes() -> None:
    def endless(size: int) -> Callable[[str, int], Iterator[Row]]:
        def rows(_root: str, _size: int) -> Iterator[Row]:
            number = 0
            while True:
                number += 1
                yield f"1.3.{number}", b"x" * size

        return rows

    with pytest.raises(SnmpEndlessError) as many:
        walk(endless(1))
    assert len(many.value.rows) == OPTIONS.max_rows
    with pytest.raises(SnmpEndlessError) as large:
        walk(endless(4000))
    assert len(large.value.rows) < 4


def test_what_an_agent_garbles_in_large_answers_is_asked_in_small_ones() -> None:
    def rows(_root: str, size: int) -> Iterator[Row]:
        yield "1.3.1", 1
        if size > 10:
            raise SnmpError
        yield "1.3.2", 2

    assert walk(rows) == {"1.3.1": 1, "1.3.2": 2}


def no_context(vlan: int) -> AbstractAsyncContextManager[SnmpSession]:
    raise AssertionError(f"VLAN {vlan} is asked for")


def collected(agent: FakeAgent) -> Collected:
    into = Collected()
    asyncio.run(collect(session_of(agent), into, no_context))
    return into


def test_a_table_that_is_broken_off_is_left_out_whole_and_the_others_are_read() -> None:
    def rows(root: str, _size: int) -> Iterator[Row]:
        if root == IF_DESCR:
            yield f"{IF_DESCR}.1", b"eth0"
        if root == IF_TYPE:
            raise TimeoutError
        if root == IP_INDEX:
            yield f"{IP_INDEX}.192.0.2.1", 1

    into = collected(FakeAgent(rows, {SYS_NAME: b"x", SYS_OBJECT_ID: "1.3.6.1.4.1.9.1.1"}))
    assert "interfaces" in into.problems
    assert "interfaces" not in into.told
    assert f"{IF_DESCR}.1" not in into.varbinds
    assert f"{IP_INDEX}.192.0.2.1" in into.varbinds
    assert "addresses" in into.told


def test_a_column_that_the_agent_cannot_answer_leaves_the_others() -> None:
    def rows(root: str, _size: int) -> Iterator[Row]:
        if root == IF_TYPE:
            raise SnmpError
        if root == IF_DESCR:
            yield f"{IF_DESCR}.1", b"eth0"

    into = collected(FakeAgent(rows, {SYS_NAME: b"x"}))
    assert "interfaces" in into.told
    assert f"{IF_DESCR}.1" in into.varbinds
    assert "interfaces" in into.problems


def test_an_agent_that_falls_silent_is_given_up_after_two_tables() -> None:
    def rows(_root: str, _size: int) -> Iterator[Row]:
        raise TimeoutError

    agent = FakeAgent(rows, {SYS_NAME: b"x", SYS_OBJECT_ID: "1.3.6.1.4.1.30065.1"})
    with pytest.raises(SnmpTimeoutError):
        collected(agent)
    assert len(agent.walked) == 2


def test_an_agent_without_a_sysobjectid_is_known_by_the_mib_it_has() -> None:
    def rows(root: str, _size: int) -> Iterator[Row]:
        if root == "1.3.6.1.4.1":
            yield "1.3.6.1.4.1.50001.1.1.0", b"x"

    system, _ = asyncio.run(read_identity(session_of(FakeAgent(rows))))
    assert system.object_id == "1.3.6.1.4.1.50001"


def test_the_vlans_of_a_bridge_are_asked_in_their_contexts_until_one_is_silent() -> None:
    vtp = "1.3.6.1.4.1.9.9.46.1.3.1.1"

    def rows(root: str, _size: int) -> Iterator[Row]:
        if root in (f"{vtp}.2", f"{vtp}.3"):
            yield from ((f"{root}.1.{vlan}", 1) for vlan in (1, 20, 30))

    def in_context(root: str, _size: int) -> Iterator[Row]:
        if root == "1.3.6.1.2.1.17.4.3.1.2":
            yield f"{root}.0.17.34.51.68.85", 3

    def silent(_root: str, _size: int) -> Iterator[Row]:
        raise TimeoutError

    asked = []

    @asynccontextmanager
    async def context(vlan: int) -> AsyncIterator[SnmpSession]:
        asked.append(vlan)
        yield session_of(FakeAgent(in_context if vlan == 1 else silent))

    into = Collected()
    agent = FakeAgent(rows, {SYS_NAME: b"x", SYS_OBJECT_ID: "1.3.6.1.4.1.9.1.1"})
    asyncio.run(collect(session_of(agent), into, context))
    assert asked == [1, 20]
    assert set(into.contexts) == {1}
    assert "VLAN 20" in into.problems


def test_garbage_stays_an_error_when_small_answers_are_garbled_too() -> None:
    def rows(_root: str, _size: int) -> Iterator[Row]:
        raise SnmpError

    with pytest.raises(SnmpProtocolError):
        walk(rows)
