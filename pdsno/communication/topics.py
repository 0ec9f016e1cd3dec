"""The MQTT topics, and how filters with wildcards match them (MQTT 5 section 4.7).

Regions and controller IDs are checked where they enter the system; neither can hold `/`, `+`
or `#`.
"""

from pdsno.domain.errors import InputError

_ROOT = "pdsno"
_MAX_BYTES = 65535
_OWNED = frozenset({"discovery", "status"})


def discovery(region: str, controller_id: str) -> str:
    """Where one local controller publishes its reports."""
    return f"{_ROOT}/discovery/{region}/{controller_id}"


def discovery_all(region: str) -> str:
    """Filter: the reports of every local controller of a region."""
    return f"{_ROOT}/discovery/{region}/+"


def policy_global() -> str:
    """Where the global controller keeps the policy, retained."""
    return f"{_ROOT}/policy/global"


def policy(region: str) -> str:
    """Where a regional controller keeps its region's policy, retained."""
    return f"{_ROOT}/policy/{region}"


def events_system() -> str:
    """Where events that concern everybody are published."""
    return f"{_ROOT}/events/system"


def events(region: str) -> str:
    """Where events of one region are published."""
    return f"{_ROOT}/events/{region}"


def status(controller_id: str) -> str:
    """Where a controller keeps its liveness, retained, with a Last Will."""
    return f"{_ROOT}/status/{controller_id}"


def status_all() -> str:
    """Filter: the liveness of every controller."""
    return f"{_ROOT}/status/#"


def owner_of(topic: str) -> str | None:
    """Return the only controller that may publish on a topic, or None if rights go by role."""
    levels = topic.split("/")
    if len(levels) > 2 and levels[0] == _ROOT and levels[1] in _OWNED:  # noqa: PLR2004 - pdsno/KIND/…/ID
        return levels[-1]
    return None


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
