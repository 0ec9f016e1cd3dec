import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.communication.rate_limit import OTHERS, Flood, SourceLimiter, source_of


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def make(per_minute: int = 5, capacity: int = 10_000) -> tuple[SourceLimiter, Clock, list[Flood]]:
    clock, floods = Clock(), list[Flood]()
    limiter = SourceLimiter(per_minute, capacity=capacity, on_flood=floods.append, clock=clock)
    return limiter, clock, floods


def test_a_source_has_its_share_at_once_and_then_over_time() -> None:
    limiter, clock, _ = make()
    assert [limiter.admit("a") for _ in range(6)] == [None] * 5 + [12]
    clock.now += 12
    assert [limiter.admit("a") for _ in range(2)] == [None, 12]
    clock.now += 3600
    assert [limiter.admit("a") for _ in range(6)] == [None] * 5 + [12]


def test_sources_do_not_share() -> None:
    limiter, _, _ = make(per_minute=1)
    assert [limiter.admit(name) for name in "abca"] == [None, None, None, 60]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 30)), max_size=200))
def test_no_pattern_gets_more_than_twice_its_share_in_a_minute(
    asks: list[tuple[str, float]],
) -> None:
    limiter, clock, _ = make()
    passed: list[tuple[str, float]] = []
    for source, wait_s in asks:
        clock.now += wait_s
        if limiter.admit(source) is None:
            passed.append((source, clock.now))
    for source, start in passed:
        inside = [at for name, at in passed if name == source and start <= at < start + 60]
        assert len(inside) <= 10


@given(st.floats(0, 59))
def test_who_waits_as_told_is_admitted(wait_s: float) -> None:
    limiter, clock, _ = make()
    for _ in range(5):
        limiter.admit("a")
    clock.now += wait_s
    told = limiter.admit("a")
    clock.now += told or 0
    assert told is None or limiter.admit("a") is None


@pytest.mark.attack(8)
def test_memory_is_bounded_and_forgets_who_was_quiet_longest() -> None:
    limiter, _, _ = make(per_minute=1, capacity=100)
    for number in range(1000):
        limiter.admit(str(number))
    assert len(limiter) == 100
    assert limiter.admit("999") is not None
    assert limiter.admit("0") is None


def test_a_flood_is_told_at_once_and_then_summed_up() -> None:
    limiter, clock, floods = make(per_minute=1)
    for _ in range(50):
        limiter.admit("a")
    assert floods == [Flood(source="a", refused=1)]
    clock.now += 61
    limiter.admit("a")
    limiter.admit("a")
    assert floods[1:] == [Flood(source="a", refused=49)]


@pytest.mark.attack(8)
def test_a_flood_from_many_sources_is_told_of_twenty_and_the_others() -> None:
    limiter, clock, floods = make(per_minute=1)
    for minute in range(2):
        for number in range(1000):
            for _ in range(3):
                limiter.admit(str(number))
        named = [flood.source for flood in floods]
        assert named.count(OTHERS) == minute + 1
        assert len(named) == 21 * (minute + 1)
        clock.now += 120
    assert floods[-1].source == OTHERS
    assert floods[-1].refused > 900


@pytest.mark.attack(64)
@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:0:0:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("", ""),
        ("elsewhere", "elsewhere"),
    ],
)
def test_a_host_counts_as_one_source(address: str, source: str) -> None:
    assert source_of(address) == source
