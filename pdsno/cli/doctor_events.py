"""What `pdsno doctor` finds out of events over MQTT: whether readers hear them, and until when."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pdsno.cli.doctor_report import Finding, failed, ok, span, warning
from pdsno.domain.readers import ENDS_SOON

_MANY_WAITING = 10_000


def look_at(status: Mapping[str, Any], now: datetime) -> Iterator[Finding]:
    """Judge what a running controller says of its readers; nothing if it publishes no events."""
    published = status.get("events_published")
    if published:
        yield judge_publishing(published)
    for name, until in sorted((status.get("readers") or {}).items()):
        yield judge_reader(name, datetime.fromisoformat(until), now)


def judge_publishing(published: Mapping[str, Any]) -> Finding:
    """Tell whether the broker takes events for readers."""
    waiting = published["waiting"]
    if published["failure"] is not None:
        detail = f"{waiting} events wait for readers: {published['failure']}"
        return warning("events", detail, "see the broker above; they are sent when it takes them")
    if waiting > _MANY_WAITING:
        remedy = "see the broker above: it is away, or slower than what happens"
        return warning("events", f"{waiting} events wait for readers", remedy)
    return ok("events", f"published for readers up to {published['cursor']}")


def judge_reader(name: str, until: datetime, now: datetime) -> Finding:
    """Tell whether a reader's certificate holds for some time."""
    left = until - now
    remedy = f"pdsno reader add {name} --csr FILE, or pdsno reader remove {name}"
    if left.total_seconds() <= 0:
        return failed(
            "reader", f"{name}'s certificate ended {span(-left.total_seconds())} ago", remedy
        )
    told = f"{name}'s certificate ends in {span(left.total_seconds())}"
    return warning("reader", told, remedy) if left < ENDS_SOON else ok("reader", told)
