import pytest

from pdsno.communication.backoff import Backoff


def test_delays_double_up_to_a_limit_with_jitter() -> None:
    backoff = Backoff(first_s=1, most_s=30)
    delays = [backoff.next_s() for _ in range(8)]
    for delay, middle in zip(delays, [1, 2, 4, 8, 16, 30, 30, 30], strict=True):
        assert 0.8 * middle <= delay <= min(1.2 * middle, 30)


def test_after_a_success_it_begins_anew() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 1.2


@pytest.mark.attack(44)
def test_two_clients_do_not_come_back_at_the_same_moment() -> None:
    assert len({Backoff().next_s() for _ in range(20)}) > 10
