"""What a NIB keeps beside its devices: why they are one, people's words on that, and anomalies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from pdsno.domain.anomalies.entities import Anomaly, Kind, Severity, Status
from pdsno.domain.constraints import Word
from pdsno.domain.makings import Making

if TYPE_CHECKING:
    from pdsno.domain.ports import Page


@dataclass(frozen=True, kw_only=True, slots=True)
class AnomalyFilter:
    """Conditions that must all hold. `is_ended` False leaves out what is closed."""

    kind: Kind | None = None
    status: Status | None = None
    severity: Severity | None = None
    region: str | None = None
    subject: str | None = None
    found_by: str | None = None
    is_ended: bool | None = None


EVERY_ANOMALY = AnomalyFilter()


@dataclass(frozen=True, kw_only=True, slots=True)
class Covered:
    """When a local controller last completed a look at one of its subnets, by its own clock."""

    controller_id: str
    region: str
    subnet: str
    at: datetime


class RecordReader(Protocol):
    """Reading; each list is ordered by its key."""

    def making(self, device_id: str) -> Making | None:
        """Return why a device is one; an alias resolves to the device that absorbed it."""

    def makings(self) -> Mapping[str, Making]:
        """Return all makings by device ID."""

    def words(self) -> tuple[Word, ...]:
        """Return people's words on who is one, as they were stored."""

    def aliases(self, device_id: str) -> tuple[str, ...]:
        """Return the IDs that were merged into a device."""

    def anomalies(
        self,
        where: AnomalyFilter = ...,
        *,
        limit: int = ...,
        after: str | None = ...,
        order: str | None = ...,
    ) -> "Page[Anomaly]":
        """Return a page of anomalies ordered by ID, or by one of ANOMALY_ORDERS (`-name` down)."""

    def anomalies_by_id(self, anomaly_ids: Iterable[str]) -> Mapping[str, Anomaly]:
        """Return those of these anomalies that are here, by ID; for any number of IDs."""

    def covered(self) -> tuple[Covered, ...]:
        """Return when each subnet was last covered, by (controller, subnet)."""


class RecordTransaction(RecordReader, Protocol):
    """Changing. A making goes with its device."""

    def put_makings(self, makings: Iterable[Making]) -> None:
        """Insert or replace makings by device ID."""

    def put_word(self, word: Word) -> None:
        """Insert or replace a word by its ID."""

    def drop_word(self, word_id: str) -> None:
        """Remove a word, if it is there."""

    def drop_alias(self, alias_id: str) -> None:
        """Let an ID no longer stand for another device, so that a device may have it again."""

    def put_anomalies(self, anomalies: Iterable[Anomaly]) -> None:
        """Insert or replace anomalies by their ID."""

    def forget_anomalies(self, *, closed_before: datetime) -> int:
        """Remove what was closed before a time; returns how many went."""

    def put_covered(self, covered: Iterable[Covered]) -> None:
        """Note when subnets were covered; an earlier time than the one known is ignored."""
