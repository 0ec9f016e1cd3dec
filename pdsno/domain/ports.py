"""Protocols by which the packages meet; `controllers` puts implementations together.

Semantics that types cannot say are written here once, and one conformance suite runs over
every implementation.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from pdsno.domain.chain import Checkpoint
from pdsno.domain.entities import (
    ApiTokenRecord,
    Claim,
    ControllerRecord,
    Device,
    DeviceStatus,
    DeviceType,
    Endpoint,
    EndpointSighting,
    Event,
    Interface,
    JoinTokenRecord,
    Link,
    LinkStatus,
    NewEvent,
    OutboxRow,
)
from pdsno.domain.history_ports import HistoryReader, HistoryWriter
from pdsno.domain.identifiers import Role
from pdsno.domain.intake_ports import IntakeTransaction
from pdsno.domain.messages import StreamTail
from pdsno.domain.observations import AddressOutcome, CycleRecord
from pdsno.domain.operator_ports import OperatorCalls, OperatorReads, OperatorWrites
from pdsno.domain.policy import Policy
from pdsno.domain.record_ports import RecordReader, RecordTransaction

T = TypeVar("T")


# --- the NIB ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[T]):
    """A keyset page, ordered by the entity's key; go on from `next_after` unless it is None."""

    items: tuple[T, ...]
    next_after: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceFilter:
    """Conditions that must all hold.

    `mac` is normalised; `ip` is an address or a prefix; `q` is looked for, caseless, in name,
    vendor, model, platform, serial, MACs and addresses.
    """

    region: str | None = None
    namespace: str | None = None
    status: DeviceStatus | None = None
    device_type: DeviceType | None = None
    vendor: str | None = None
    platform: str | None = None
    name: str | None = None
    serial: str | None = None
    local_controller: str | None = None
    mac: str | None = None
    ip: str | None = None
    q: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointFilter:
    """Conditions that must all hold.

    `mac` is normalised; `ip` is an address or a prefix; `device_id` and `interface` are the
    switch port; `q` is looked for, caseless, in vendor, MAC, addresses, switch and port.
    """

    region: str | None = None
    namespace: str | None = None
    local_controller: str | None = None
    vendor: str | None = None
    mac: str | None = None
    ip: str | None = None
    device_id: str | None = None
    interface: str | None = None
    vlan: int | None = None
    is_random_mac: bool | None = None
    seen_since: datetime | None = None
    q: str | None = None


EVERY_DEVICE = DeviceFilter()
EVERY_ENDPOINT = EndpointFilter()


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceInterface:
    """An interface together with the device that has it."""

    device_id: str
    device: str | None
    region: str
    interface: Interface


@dataclass(frozen=True, kw_only=True, slots=True)
class NIBCounts:
    """How much a NIB holds; a status that nothing has is left out.

    `outbox` counts the durable messages that the parent has not confirmed yet.
    """

    devices: Mapping[str, int]
    links: Mapping[str, int]
    endpoints: int
    outbox: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenMessage:
    """A message that must not be accepted twice, also after a restart."""

    sender_id: str
    message_id: str
    timestamp: datetime


class NIBReader(HistoryReader, OperatorReads, RecordReader, Protocol):
    """Reading a NIB. Every call sees one committed state (inside a transaction: its own writes)."""

    def device(self, device_id: str) -> Device | None:
        """Return a device; an ID that was merged away resolves to the device that absorbed it."""

    def devices(
        self,
        where: DeviceFilter = ...,
        *,
        limit: int = ...,
        after: str | None = ...,
        order: str | None = ...,
    ) -> Page[Device]:
        """Return devices ordered by device_id, or by an indexed field (`name`, `-name`).

        Of equal ones device_id decides; what has no value comes first, descending last. `after`
        holds for the order that gave it. Raises InputError for another order.
        """

    def all_devices(self) -> tuple[Device, ...]:
        """Return every device ordered by device_id (rules that need the whole picture)."""

    def interfaces(
        self,
        *,
        device_id: str | None = ...,
        region: str | None = ...,
        mac: str | None = ...,
        limit: int = ...,
        after: str | None = ...,
    ) -> Page[DeviceInterface]:
        """Return interfaces ordered by (device_id, name); `after` is opaque.

        `region` is that of the device.
        """

    def endpoints(
        self,
        where: EndpointFilter = ...,
        *,
        limit: int = ...,
        after: str | None = ...,
        order: str | None = ...,
    ) -> Page[Endpoint]:
        """Return endpoints ordered by endpoint_id, or as `devices` by an indexed field."""

    def endpoints_by_id(self, endpoint_ids: Iterable[str]) -> Mapping[str, Endpoint]:
        """Return those of these endpoints that are here, by ID; for any number of IDs."""

    def endpoint_sightings(
        self, endpoint_id: str, *, limit: int = ...
    ) -> tuple[EndpointSighting, ...]:
        """Return where and with which addresses an endpoint was seen, the latest first."""

    def links(
        self,
        *,
        device_id: str | None = ...,
        status: LinkStatus | None = ...,
        region: str | None = ...,
        limit: int = ...,
        after: str | None = ...,
    ) -> Page[Link]:
        """Return links ordered by link_id; `region` is that of a device at one end at least."""

    def controllers(
        self, *, role: Role | None = ..., region: str | None = ...
    ) -> tuple[ControllerRecord, ...]:
        """Return controllers ordered by controller_id."""

    def controller(self, controller_id: str) -> ControllerRecord | None:
        """Return one controller."""

    def controller_by_key(self, key_id: str) -> ControllerRecord | None:
        """Return the controller whose active key has this thumbprint."""

    def events(
        self,
        *,
        after_seq: int = ...,
        limit: int = ...,
        event_type: str | None = ...,
        subject: str | None = ...,
        region: str | None = ...,
        newest_first: bool = ...,
    ) -> tuple[Event, ...]:
        """Return events with seq > after_seq, in order of seq.

        With newest_first the order is reversed, and after_seq, if > 0, is an upper bound:
        seq < after_seq.
        """

    def checkpoint(self) -> Checkpoint | None:
        """Return where the log of events begins, None if it is all there."""

    def claims(
        self, *, device_id: str | None = ..., reporter: str | None = ...
    ) -> tuple[Claim, ...]:
        """Return claims ordered by (reporter, reporter's device ID)."""

    def own_id(self, reporter: str, their_id: str) -> str | None:
        """Translate a reporter's device ID into ours."""

    def policy(self) -> Policy | None:
        """Return the newest policy that this tier holds."""

    def outbox(self, *, after_seq: int = ..., limit: int = ...) -> tuple[OutboxRow, ...]:
        """Return unconfirmed rows of the current stream, in order of seq."""

    def outbox_tail(self) -> StreamTail:
        """Return the current stream and the last seq given out in it (0: none yet)."""

    def applied_seq(self, sender: str, stream_id: str) -> int:
        """Return the last seq of this stream that was applied here (0: none)."""

    def address_outcomes(
        self, cycle_id: str | None = ...
    ) -> tuple[str | None, tuple[AddressOutcome, ...]]:
        """Return (cycle_id, outcomes ordered by address) of one cycle, by default the newest."""

    def cycles(self, *, limit: int = ...) -> tuple[CycleRecord, ...]:
        """Return the ledger's cycles, the newest first."""

    def token(self, jti_sha256: str) -> JoinTokenRecord | None:
        """Return a join token's record."""

    def tokens(self) -> tuple[JoinTokenRecord, ...]:
        """Return all join tokens' records, newest first."""

    def api_token(self, token_sha256: str) -> ApiTokenRecord | None:
        """Return an operator's API token's record."""

    def api_tokens(self) -> tuple[ApiTokenRecord, ...]:
        """Return all API tokens' records, newest first."""

    def seen_messages(self) -> tuple[SeenMessage, ...]:
        """Return the messages noted as accepted once, ordered by time."""

    def counts(self) -> NIBCounts:
        """Return how much there is: cheap enough for a scrape every few seconds."""


class NIBTransaction(
    NIBReader, HistoryWriter, IntakeTransaction, OperatorWrites, RecordTransaction, Protocol
):
    """One atomic change. Leaving the context commits; an exception rolls everything back."""

    def put_device(
        self, device: Device, *, expected_version: int | None, actor: str = ...
    ) -> Device:
        """Insert (expected_version None) or replace a device with its interfaces and addresses.

        What changed goes into the history, by the doing of `actor`, or of whoever told it.
        Returns it with its new version (1, 2, …). Raises ConflictError if it exists on insert,
        is missing on replace, or its version is not the expected one.
        """

    def touch_devices(self, device_ids: Iterable[str], last_seen: datetime) -> None:
        """Advance last_seen (never back) and reset `missed`, leaving version and history alone."""

    def absorb_device(self, absorbed_id: str, into_id: str) -> None:
        """Remove a device and keep its ID as an alias of another; its claims move along."""

    def retire_device(self, device_id: str) -> None:
        """Remove a device with its claims, aliases, interfaces and addresses; events stay.

        Raises NotFoundError if there is none.
        """

    def put_endpoints(self, endpoints: Iterable[Endpoint]) -> None:
        """Insert or replace endpoints by their ID."""

    def touch_endpoints(self, endpoint_ids: Iterable[str], last_seen: datetime) -> None:
        """Advance last_seen, never back; unknown IDs are ignored."""

    def drop_endpoints(self, endpoint_ids: Iterable[str]) -> None:
        """Remove endpoints with their sightings; unknown IDs are ignored."""

    def put_endpoint_sightings(self, sightings: Iterable[EndpointSighting]) -> None:
        """Insert sightings, or lengthen the known ones (earlier first_seen, later last_seen)."""

    def forget_endpoints(
        self, *, before: datetime, random_before: datetime, sightings_before: datetime, most: int
    ) -> int:
        """Apply retention; returns how many endpoints went.

        Goes: an endpoint last seen before `before` (`random_before` if its MAC is random), a
        sighting that ended before `sightings_before`, and of each endpoint all but the latest
        `most` sightings.
        """

    def replace_links(self, links: Iterable[Link]) -> None:
        """Make these the links of the NIB: those not named go."""

    def put_controller(
        self, record: ControllerRecord, *, expected_version: int | None
    ) -> ControllerRecord:
        """Insert or replace a controller; versions and errors as for put_device."""

    def append_event(self, event: NewEvent) -> Event:
        """Append to the chained log."""

    def prune_events(self, through_seq: int, *, now: datetime) -> int:
        """Remove the events up to `through_seq` and keep a checkpoint; returns how many went.

        The newest event always stays: the next one is chained to it.
        """

    def next_number(self, sequence: str) -> int:
        """Return the next number (from 1) of a persistent sequence; never returned again."""

    def put_claim(self, claim: Claim) -> None:
        """Insert or replace the claim of (reporter, reporter's device ID)."""

    def drop_claim(self, reporter: str, their_id: str) -> None:
        """Remove a claim, if it is there."""

    def put_policy(self, policy: Policy) -> None:
        """Keep a policy. Raises ConflictError unless (epoch, version) is higher than the newest."""

    def enqueue(
        self, message_type: str, payload: object, *, correlation_id: str | None = ...
    ) -> OutboxRow:
        """Append a message (mapping or dataclass) for the parent, with the stream's next seq."""

    def confirm(self, stream_id: str, up_to_seq: int) -> int:
        """Delete rows up to and including a seq; another stream's confirmation is ignored.

        Returns how many rows went.
        """

    def mark_applied(self, sender: str, stream_id: str, seq: int) -> None:
        """Record that seq was applied. Raises ConflictError unless it is exactly the next one."""

    def restart_applied(self, sender: str, stream_id: str, seq: int) -> None:
        """Record that everything up to seq is contained in a snapshot just applied."""

    def put_cycle(
        self, record: CycleRecord, outcomes: Sequence[AddressOutcome], *, keep_cycles: int
    ) -> None:
        """Keep one cycle and its record per address; forget all but the newest `keep_cycles`."""

    def put_token(self, record: JoinTokenRecord) -> None:
        """Insert or replace a join token's record."""

    def put_api_token(self, record: ApiTokenRecord) -> None:
        """Insert or replace an API token's record."""

    def note_message(self, seen: SeenMessage, *, forget_before: datetime) -> bool:
        """Note a message that is good once; False if it was noted before.

        Forgets those with a timestamp before `forget_before`.
        """

    def new_stream(self) -> StreamTail:
        """Begin a new stream (seq 0): rows of the old one are no longer sent."""


class NIB(NIBReader, OperatorCalls, Protocol):
    """A Network Information Base. Safe to use from several threads; writers are serialised."""

    def transaction(self) -> AbstractContextManager[NIBTransaction]:
        """Begin the one write transaction (waits for another to end); never nests."""

    def close(self) -> None:
        """Release files and connections; idempotent."""
