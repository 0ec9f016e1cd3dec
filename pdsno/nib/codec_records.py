"""Makings, words, anomalies and coverage to stored rows and back."""

from typing import Any

from pdsno.domain.anomalies.entities import Anomaly, Status
from pdsno.domain.constraints import Word
from pdsno.domain.makings import Making
from pdsno.domain.record_ports import AnomalyFilter, Covered
from pdsno.nib.codec import Row, dumps, loads, text, utc

_COLUMNS = ("anomaly_id", "kind", "status", "severity", "region", "subject", "found_by")
_EXACT = ("kind", "status", "severity", "region", "subject", "found_by")


def making_row(making: Making) -> dict[str, Any]:
    """Return a making as a row."""
    return {"device_id": making.device_id, "document": dumps(making)}


def making_of(row: Row) -> Making:
    """Return the making of a row."""
    return loads(Making, row["document"])


def word_row(word: Word) -> dict[str, Any]:
    """Return a word as a row."""
    utc(word.at)
    return {"word_id": word.word_id, "verb": word.verb.value, "document": dumps(word)}


def word_of(row: Row) -> Word:
    """Return the word of a row."""
    return loads(Word, row["document"])


def anomaly_row(anomaly: Anomaly) -> dict[str, Any]:
    """Return an anomaly as a row; the document holds the whole."""
    utc(anomaly.first_seen)
    row: dict[str, Any] = {name: getattr(anomaly, name) for name in _COLUMNS}
    for name in ("kind", "status", "severity"):
        row[name] = str(row[name])
    closed_at = utc(anomaly.closed_at) if anomaly.closed_at else None
    return row | {
        "subject": text(anomaly.subject),
        "opened_at": utc(anomaly.opened_at),
        "last_seen": utc(anomaly.last_seen),
        "closed_at": closed_at,
        "document": dumps(anomaly),
    }


def anomaly_of(row: Row) -> Anomaly:
    """Return the anomaly of a row."""
    return loads(Anomaly, row["document"])


def exact_of(where: AnomalyFilter) -> dict[str, str]:
    """Return the columns that must have a value."""
    asked = {name: getattr(where, name) for name in _EXACT}
    return {name: str(value) for name, value in asked.items() if value is not None}


def is_wanted(anomaly: Anomaly, where: AnomalyFilter) -> bool:
    """Tell whether all conditions hold."""
    if where.is_ended is not None and where.is_ended is not (anomaly.status is Status.CLOSED):
        return False
    row = {name: getattr(anomaly, name) for name in _EXACT}
    return all(str(row[name]) == value for name, value in exact_of(where).items())


def covered_row(covered: Covered) -> dict[str, Any]:
    """Return a coverage as a row."""
    return {
        "controller_id": covered.controller_id,
        "subnet": covered.subnet,
        "region": covered.region,
        "at": utc(covered.at),
    }


def covered_of(row: Row) -> Covered:
    """Return the coverage of a row."""
    return Covered(
        controller_id=row["controller_id"],
        subnet=row["subnet"],
        region=row["region"],
        at=row["at"],
    )
