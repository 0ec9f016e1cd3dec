"""How filters with wildcards match MQTT topics (MQTT 5 section 4.7), beside the topics' names."""

from pdsno.domain.errors import InputError
from pdsno.domain.topics import (
    discovery,
    discovery_all,
    events,
    events_all,
    events_system,
    nib_events,
    nib_events_all,
    owner_of,
    policy,
    policy_global,
    status,
    status_all,
)

__all__ = [
    "check_filter",
    "check_topic",
    "discovery",
    "discovery_all",
    "events",
    "events_all",
    "events_system",
    "matches",
    "nib_events",
    "nib_events_all",
    "owner_of",
    "policy",
    "policy_global",
    "status",
    "status_all",
]

_MAX_BYTES = 65535


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a topic is selected by a filter: `+` is one level, a final `#` any number.

    A `#` also selects the level above it; wildcards in front never select topics with `$`.
    """
    wanted = topic_filter.split("/")
    levels = topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index == len(levels) or level not in ("+", levels[index]):
            return False
    return len(wanted) == len(levels)


def check_filter(topic_filter: str) -> str:
    """Return a valid filter; raises InputError otherwise."""
    levels = topic_filter.split("/")
    has_stray = any(len(x) > 1 and ("+" in x or "#" in x) for x in levels) or "#" in levels[:-1]
    if has_stray or not _is_sound(topic_filter):
        raise InputError(f"{topic_filter!r} is no topic filter: + and # stand alone, # only last")
    return topic_filter


def check_topic(topic: str) -> str:
    """Return a topic that one may publish on; raises InputError otherwise."""
    if "+" in topic or "#" in topic or not _is_sound(topic):
        raise InputError(f"{topic!r} is no topic to publish on: wildcards are for subscriptions")
    return topic


def _is_sound(text: str) -> bool:
    return bool(text) and "\0" not in text and len(text.encode(errors="replace")) <= _MAX_BYTES
