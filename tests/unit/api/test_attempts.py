"""How many failed log-ins are heard, and what is told of them."""

from pdsno.api.attempts import OTHERS, Attempts, Failures


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(attempts: Attempts, source: str, times: int = 1) -> list[Failures]:
    told = [attempts.failed(source, "INVALID_TOKEN") for _ in range(times)]
    return [failures for failures in told if failures is not None]


def test_a_source_is_heard_until_it_failed_too_often_and_again_later() -> None:
    clock = Clock()
    attempts = Attempts(10, clock=clock)
    fail(attempts, "192.0.2.1", 9)
    assert attempts.wait_s("192.0.2.1") is None
    fail(attempts, "192.0.2.1")
    assert attempts.wait_s("192.0.2.1") == 6
    assert attempts.wait_s("192.0.2.2") is None
    clock.now += 6
    assert attempts.wait_s("192.0.2.1") is None
    fail(attempts, "192.0.2.1")
    assert attempts.wait_s("192.0.2.1") == 6


def test_the_first_failure_is_told_at_once_and_then_a_sum_a_minute() -> None:
    clock = Clock()
    attempts = Attempts(10, clock=clock)
    (first,) = fail(attempts, "192.0.2.1", 4)
    assert (first.source, first.count) == ("192.0.2.1", 1)
    clock.now += 59
    assert attempts.due() == ()
    attempts.failed("192.0.2.1", "REVOKED", token="noc")
    attempts.failed("192.0.2.1", "REVOKED", token="noc")
    clock.now += 1
    (told,) = attempts.due()
    assert told.reasons == {"INVALID_TOKEN": 3, "REVOKED": 2}
    assert told.count == 5
    assert told.tokens == ("noc",)
    assert fail(attempts, "192.0.2.1") == []
    clock.now += 60
    assert [failures.count for failures in attempts.due()] == [1]


def test_every_failure_is_told_once() -> None:
    clock = Clock()
    attempts = Attempts(10, clock=clock)
    told = []
    for _ in range(300):
        told += fail(attempts, "a") + fail(attempts, "b")
        clock.now += 1
    clock.now += 60
    told += attempts.due()
    sums = {source: [f.count for f in told if f.source == source] for source in ("a", "b")}
    assert {source: sum(counts) for source, counts in sums.items()} == {"a": 300, "b": 300}
    assert all(len(counts) <= 7 for counts in sums.values())


def test_many_sources_are_told_and_limited_as_one() -> None:
    clock = Clock()
    attempts = Attempts(10, clock=clock)
    told = [failures for n in range(5000) for failures in fail(attempts, f"source {n}")]
    assert len(told) == 201
    assert told[-1].source == OTHERS
    assert attempts.wait_s("source 9999") is not None
    assert attempts.wait_s("source 1") is None
    clock.now += 60
    (rest,) = attempts.due()
    assert (rest.source, rest.count) == (OTHERS, 5000 - 201)


def test_sources_that_became_quiet_are_forgotten() -> None:
    clock = Clock()
    attempts = Attempts(10, clock=clock)
    fail(attempts, "192.0.2.1", 50)
    assert not attempts.is_quiet
    clock.now += 60
    assert len(attempts.due()) == 1
    assert not attempts.is_quiet
    clock.now += 60
    assert attempts.due() == ()
    assert attempts.is_quiet
