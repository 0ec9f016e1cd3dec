"""The names of the MQTT topics.

Regions and controller IDs are checked where they enter the system; neither can hold `/`, `+`
or `#`.
"""

_ROOT = "pdsno"
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


def events_all() -> str:
    """Filter: the events of every region, and those that concern everybody."""
    return f"{_ROOT}/events/+"


def nib_events(region: str | None) -> str:
    """Where a controller publishes its NIB's event log to readers: a region's, or the global one.

    No controller takes anything from there; `events` is where they speak to each other.
    """
    return f"{_ROOT}/nib/{region or 'global'}/events"


def nib_events_all() -> str:
    """Filter: the event logs of all regions, and the global one."""
    return nib_events("+")


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
