import pytest

from pdsno.communication import topics
from pdsno.domain.errors import InputError


def test_the_topics_are_those_of_the_seed() -> None:
    assert topics.discovery("zone-A", "lc") == "pdsno/discovery/zone-A/lc"
    assert topics.discovery_all("zone-A") == "pdsno/discovery/zone-A/+"
    assert topics.policy_global() == "pdsno/policy/global"
    assert topics.policy("zone-A") == "pdsno/policy/zone-A"
    assert topics.events_system() == "pdsno/events/system"
    assert topics.events("zone-A") == "pdsno/events/zone-A"
    assert topics.status("gc") == "pdsno/status/gc"
    assert topics.status_all() == "pdsno/status/#"


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("a/+/c", "a//c", True),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("#", "a/b", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("a", "b", False),
        ("a/b", "a", False),
    ],
)
def test_filters_match_as_mqtt_says(topic_filter: str, topic: str, expected: bool) -> None:
    assert topics.matches(topic_filter, topic) is expected


@pytest.mark.parametrize("bad", ["", "a/#/b", "a+", "a/b#", "a\0b", "x" * 70_000])
def test_a_wrong_filter_is_refused(bad: str) -> None:
    with pytest.raises(InputError):
        topics.check_filter(bad)


@pytest.mark.parametrize("bad", ["", "a/+", "a/#", "a\0"])
def test_nothing_is_published_on_a_filter(bad: str) -> None:
    with pytest.raises(InputError):
        topics.check_topic(bad)


def test_topics_of_one_controller_have_an_owner_and_shared_ones_have_none() -> None:
    assert topics.owner_of("pdsno/discovery/zone-A/lc") == "lc"
    assert topics.owner_of("pdsno/status/gc") == "gc"
    assert topics.owner_of("pdsno/policy/global") is None
    assert topics.owner_of("pdsno/events/zone-A") is None
    assert topics.owner_of("status") is None
