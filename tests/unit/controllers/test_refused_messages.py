"""What was refused is in the log of events, and nobody can fill the log with it."""

from collections.abc import Iterator

import pytest

from pdsno.communication.rate_limit import Flood
from pdsno.controllers.refused_messages import MOST_IN_ALL, RefusedMessages
from pdsno.nib import NIBStore


class Hands:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        yield store


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def refused(nib: NIBStore, hands: Hands) -> RefusedMessages:
    return RefusedMessages(nib, actor=lambda: "global_cntl_1", region=None, clock=hands)


def told(nib: NIBStore) -> list[tuple[str, str, int]]:
    found = nib.events(event_type="MESSAGE_REFUSED", limit=1000)
    return sorted((e.subject, e.data["reason"], e.data["suppressed"]) for e in found)


def test_the_first_of_a_kind_is_told_at_once_and_the_others_as_a_number(
    nib: NIBStore, refused: RefusedMessages, hands: Hands
) -> None:
    for _ in range(5):
        refused.note("192.0.2.1", "STATUS", "REPLAYED", "seen before")
    refused.note("192.0.2.1", "STATUS", "STALE", "old")
    assert told(nib) == [("192.0.2.1", "REPLAYED", 0), ("192.0.2.1", "STALE", 0)]
    (event,) = nib.events(event_type="MESSAGE_REFUSED", limit=1)
    assert (event.actor, event.data["message_type"]) == ("global_cntl_1", "STATUS")
    hands.now_s += 61
    refused.note("192.0.2.1", "STATUS", "REPLAYED", "seen before")
    assert ("192.0.2.1", "REPLAYED", 4) in told(nib)


def test_many_sources_do_not_fill_the_log_and_are_counted(
    nib: NIBStore, refused: RefusedMessages, hands: Hands
) -> None:
    for number in range(3000):
        refused.note(f"10.0.{number // 250}.{number % 250}", "STATUS", "UNSIGNED", "")
    assert len(told(nib)) == MOST_IN_ALL
    hands.now_s += 61
    refused.note("192.0.2.1", "STATUS", "UNSIGNED", "")
    assert ("192.0.2.1", "UNSIGNED", 3000 - MOST_IN_ALL) in told(nib)


def test_addresses_of_one_ipv6_network_are_one_source(
    nib: NIBStore, refused: RefusedMessages
) -> None:
    for number in range(10):
        refused.note(f"2001:db8::{number}", "STATUS", "UNSIGNED", "")
    assert told(nib) == [("2001:db8::/64", "UNSIGNED", 0)]


def test_a_flood_is_told_with_its_number(nib: NIBStore, refused: RefusedMessages) -> None:
    refused.flood(Flood(source="192.0.2.1", refused=17))
    (event,) = nib.events(event_type="VALIDATION_FLOOD", limit=10)
    assert (event.subject, event.data) == ("192.0.2.1", {"refused": 17})


def test_what_cannot_be_written_is_no_second_failure(
    nib: NIBStore, refused: RefusedMessages
) -> None:
    nib.close()
    refused.note("192.0.2.1", "STATUS", "UNSIGNED", "")
