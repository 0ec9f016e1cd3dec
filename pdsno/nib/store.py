"""`NIBStore`: the Network Information Base as everybody else sees it, wherever it is kept."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from pdsno.domain.chain import Checkpoint
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
    LinkStatus,
    OutboxRow,
)
from pdsno.domain.errors import LocalProtocolError
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import StreamTail
from pdsno.domain.observations import AddressOutcome, CycleRecord
from pdsno.domain.policy import Policy
from pdsno.domain.ports import (
    EVERY_DEVICE,
    EVERY_ENDPOINT,
    DeviceFilter,
    DeviceInterface,
    EndpointFilter,
    NIBCounts,
    NIBReader,
    NIBTransaction,
    Page,
    SeenMessage,
)
from pdsno.domain.readers import Reader
from pdsno.domain.webhooks import Delivery, Webhook
from pdsno.nib.backend import Backend
from pdsno.nib.criteria import PAGE
from pdsno.nib.place import open_backend
from pdsno.nib.store_history import HistoryCalls
from pdsno.nib.store_records import RecordCalls


class NIBStore(HistoryCalls, RecordCalls):
    """A NIB (`ports.NIB`), opened or created at a path or URL.

    A file path or `sqlite:///PATH` is kept in SQLite, `postgresql+psycopg://USER@HOST/DATABASE` in
    PostgreSQL (its password from `password_file`, or from where libpq looks), `memory://` in this
    process only. Raises InputError for any other URL, OperationError with one line for a database
    that cannot be used. Safe to use from several threads; may be used as a context manager, which
    closes it.
    """

    def __init__(
        self, path_or_url: str | os.PathLike[str], *, password_file: Path | None = None
    ) -> None:
        self._backend: Backend | None = open_backend(path_or_url, password_file=password_file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for a transaction to end and release files and connections; idempotent."""
        if self._backend is not None:
            self._backend.close()
            self._backend = None

    def integrity_faults(self) -> tuple[str, ...]:
        """Return what is wrong with the file itself, one line each; reads all of it."""
        return self._open.integrity_faults()

    @contextmanager
    def transaction(self) -> Iterator[NIBTransaction]:
        """Begin the one write transaction; see `ports.NIB`."""
        with self._open.transaction() as transaction:
            yield transaction

    @contextmanager
    def reading(self) -> Iterator[NIBReader]:
        """Read several things of one and the same committed state."""
        with self._open.reading() as reader:
            yield reader

    def state_mark(self) -> int | None:
        """Return a number that is another one after anything was committed; see `ports.NIB`."""
        # Whoever goes on to ask a NIB that is closed hears of it there.
        return None if self._backend is None else self._backend.state_mark()

    @property
    def _open(self) -> Backend:
        if self._backend is None:
            raise LocalProtocolError("this NIB is closed")
        return self._backend

    def counts(self) -> NIBCounts:
        """Return how much the newest committed state holds."""
        with self._open.reading() as reader:
            return reader.counts()

    # --- each call reads the newest committed state ------------------------------------------

    def device(self, device_id: str) -> Device | None:
        with self.reading() as reader:
            return reader.device(device_id)

    def devices(
        self,
        where: DeviceFilter = EVERY_DEVICE,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[Device]:
        with self.reading() as reader:
            return reader.devices(where, limit=limit, after=after, order=order)

    def all_devices(self) -> tuple[Device, ...]:
        with self.reading() as reader:
            return reader.all_devices()

    def interfaces(
        self,
        *,
        device_id: str | None = None,
        region: str | None = None,
        mac: str | None = None,
        limit: int = PAGE,
        after: str | None = None,
    ) -> Page[DeviceInterface]:
        with self.reading() as reader:
            return reader.interfaces(
                device_id=device_id, region=region, mac=mac, limit=limit, after=after
            )

    def endpoints(
        self,
        where: EndpointFilter = EVERY_ENDPOINT,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[Endpoint]:
        with self.reading() as reader:
            return reader.endpoints(where, limit=limit, after=after, order=order)

    def endpoints_by_id(self, endpoint_ids: Iterable[str]) -> Mapping[str, Endpoint]:
        with self.reading() as reader:
            return reader.endpoints_by_id(endpoint_ids)

    def endpoint_sightings(
        self, endpoint_id: str, *, limit: int = PAGE
    ) -> tuple[EndpointSighting, ...]:
        with self.reading() as reader:
            return reader.endpoint_sightings(endpoint_id, limit=limit)

    def links(
        self,
        *,
        device_id: str | None = None,
        status: LinkStatus | None = None,
        region: str | None = None,
        limit: int = PAGE,
        after: str | None = None,
    ) -> Page[Link]:
        with self.reading() as reader:
            return reader.links(
                device_id=device_id, status=status, region=region, limit=limit, after=after
            )

    def controllers(
        self, *, role: Role | None = None, region: str | None = None
    ) -> tuple[ControllerRecord, ...]:
        with self.reading() as reader:
            return reader.controllers(role=role, region=region)

    def controller(self, controller_id: str) -> ControllerRecord | None:
        with self.reading() as reader:
            return reader.controller(controller_id)

    def controller_by_key(self, key_id: str) -> ControllerRecord | None:
        with self.reading() as reader:
            return reader.controller_by_key(key_id)

    def events(
        self,
        *,
        after_seq: int = 0,
        limit: int = PAGE,
        event_type: str | None = None,
        subject: str | None = None,
        region: str | None = None,
        newest_first: bool = False,
    ) -> tuple[Event, ...]:
        with self.reading() as reader:
            return reader.events(
                after_seq=after_seq,
                limit=limit,
                event_type=event_type,
                subject=subject,
                region=region,
                newest_first=newest_first,
            )

    def checkpoint(self) -> Checkpoint | None:
        with self.reading() as reader:
            return reader.checkpoint()

    def claims(
        self, *, device_id: str | None = None, reporter: str | None = None
    ) -> tuple[Claim, ...]:
        with self.reading() as reader:
            return reader.claims(device_id=device_id, reporter=reporter)

    def own_id(self, reporter: str, their_id: str) -> str | None:
        with self.reading() as reader:
            return reader.own_id(reporter, their_id)

    def policy(self) -> Policy | None:
        with self.reading() as reader:
            return reader.policy()

    def outbox(self, *, after_seq: int = 0, limit: int = PAGE) -> tuple[OutboxRow, ...]:
        with self.reading() as reader:
            return reader.outbox(after_seq=after_seq, limit=limit)

    def outbox_tail(self) -> StreamTail:
        with self.reading() as reader:
            return reader.outbox_tail()

    def applied_seq(self, sender: str, stream_id: str) -> int:
        with self.reading() as reader:
            return reader.applied_seq(sender, stream_id)

    def address_outcomes(
        self, cycle_id: str | None = None
    ) -> tuple[str | None, tuple[AddressOutcome, ...]]:
        with self.reading() as reader:
            return reader.address_outcomes(cycle_id)

    def cycles(self, *, limit: int = PAGE) -> tuple[CycleRecord, ...]:
        with self.reading() as reader:
            return reader.cycles(limit=limit)

    def token(self, jti_sha256: str) -> JoinTokenRecord | None:
        with self.reading() as reader:
            return reader.token(jti_sha256)

    def tokens(self) -> tuple[JoinTokenRecord, ...]:
        with self.reading() as reader:
            return reader.tokens()

    def api_token(self, token_sha256: str) -> ApiTokenRecord | None:
        with self.reading() as reader:
            return reader.api_token(token_sha256)

    def api_tokens(self) -> tuple[ApiTokenRecord, ...]:
        with self.reading() as reader:
            return reader.api_tokens()

    def webhooks(self) -> tuple[Webhook, ...]:
        with self.reading() as reader:
            return reader.webhooks()

    def webhook_deliveries(self, webhook_id: str, *, limit: int = PAGE) -> tuple[Delivery, ...]:
        with self.reading() as reader:
            return reader.webhook_deliveries(webhook_id, limit=limit)

    def readers(self) -> tuple[Reader, ...]:
        with self.reading() as reader:
            return reader.readers()

    def device_items(
        self,
        where: DeviceFilter = EVERY_DEVICE,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[str]:
        with self.reading() as reader:
            return reader.device_items(where, limit=limit, after=after, order=order)

    def revisions(self) -> Mapping[str, int]:
        with self.reading() as reader:
            return reader.revisions()

    def seen_messages(self) -> tuple[SeenMessage, ...]:
        with self.reading() as reader:
            return reader.seen_messages()
