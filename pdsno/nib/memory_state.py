"""What a NIB in memory holds: one state is committed, a transaction changes a copy of it."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Self

from pdsno.domain.anomalies.entities import Anomaly
from pdsno.domain.chain import Checkpoint
from pdsno.domain.constraints import Word
from pdsno.domain.entities import (
    ApiTokenRecord,
    Claim,
    ControllerRecord,
    Device,
    Endpoint,
    EndpointSighting,
    Event,
    JoinTokenRecord,
    Link,
    OutboxRow,
)
from pdsno.domain.history import HistoryEntry
from pdsno.domain.makings import Making
from pdsno.domain.observations import AddressOutcome, CycleRecord
from pdsno.domain.operator_ports import REVISED, next_revision
from pdsno.domain.policy import Policy
from pdsno.domain.ports import SeenMessage
from pdsno.domain.readers import Reader
from pdsno.domain.record_ports import Covered
from pdsno.domain.webhooks import Delivery, Webhook
from pdsno.nib.codec_endpoints import SightingKey


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerEntry:
    """One cycle with its record per address."""

    record: CycleRecord
    outcomes: tuple[AddressOutcome, ...]


@dataclass(slots=True)
class State:
    """Tables as dicts of immutable values, so a copy of the dicts is a copy of everything."""

    stream_id: str
    devices: dict[str, Device] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    sightings: dict[SightingKey, EndpointSighting] = field(default_factory=dict)
    claims: dict[tuple[str, str], Claim] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    controllers: dict[str, ControllerRecord] = field(default_factory=dict)
    tokens: dict[str, JoinTokenRecord] = field(default_factory=dict)
    api_tokens: dict[str, ApiTokenRecord] = field(default_factory=dict)
    webhooks: dict[str, Webhook] = field(default_factory=dict)
    deliveries: dict[tuple[str, int], Delivery] = field(default_factory=dict)
    readers: dict[str, Reader] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    seen: dict[tuple[str, str], SeenMessage] = field(default_factory=dict)
    policies: dict[tuple[int, int], Policy] = field(default_factory=dict)
    events: dict[int, Event] = field(default_factory=dict)
    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    last_seq: dict[str, int] = field(default_factory=dict)
    outbox: dict[int, OutboxRow] = field(default_factory=dict)
    inbox: dict[tuple[str, str], int] = field(default_factory=dict)
    cycles: dict[str, LedgerEntry] = field(default_factory=dict)
    history: dict[int, HistoryEntry] = field(default_factory=dict)
    retention: dict[str, datetime] = field(default_factory=dict)
    makings: dict[str, Making] = field(default_factory=dict)
    words: dict[str, Word] = field(default_factory=dict)
    anomalies: dict[str, Anomaly] = field(default_factory=dict)
    covered: dict[tuple[str, str], Covered] = field(default_factory=dict)

    @property
    def last_event(self) -> Event | None:
        """The newest event; they are held in order."""
        return next(reversed(self.events.values()), None)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Where the log begins, None if nothing was removed."""
        return next(reversed(self.checkpoints.values()), None)

    def copy(self) -> Self:
        """Return a state that can be changed without changing this one."""
        tables = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "stream_id"}
        copied = {name: dict(table) for name, table in tables.items()}
        return type(self)(stream_id=self.stream_id, **copied)

    def count_changes(self, before: Self) -> None:
        """Let the revision rise of each table that is not what it was."""
        for table in REVISED:
            if getattr(self, table) != getattr(before, table):
                self.revisions[table] = next_revision(before.revisions.get(table, 0))
