"""Changing a NIB by SQLAlchemy Core; what each call promises is written in `domain.ports`."""

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from pdsno.domain.chain import link_event
from pdsno.domain.entities import (
    ControllerRecord,
    Device,
    Endpoint,
    EndpointSighting,
    Event,
    Link,
    LinkStatus,
    NewEvent,
    OutboxRow,
)
from pdsno.domain.identifiers import new_message_id
from pdsno.domain.messages import StreamTail
from pdsno.domain.observations import AddressOutcome, CycleRecord
from pdsno.domain.policy import Policy
from pdsno.domain.ports import (
    Page,
    SeenMessage,
)
from pdsno.nib import (
    codec,
    codec_endpoints,
    codec_log,
    rules,
    schema,
    sql_devices,
    sql_endpoints,
    sql_extras,
    sql_records,
    sql_writes,
)
from pdsno.nib.criteria import PAGE
from pdsno.nib.sequences import HighWater
from pdsno.nib.sql_look_ahead import SQLLookAhead
from pdsno.nib.sql_session import Row, Session, chunks


class SQLTransaction(sql_extras.OperatorWrites, SQLLookAhead):
    """Reads and writes inside the one write transaction. Not for several threads at once."""

    def __init__(self, session: Session, high_water: HighWater) -> None:
        super().__init__(session)
        self._high_water = high_water
        self._last_event: Event | None = None
        self._events: list[dict[str, Any]] = []

    def commit(self) -> None:
        """Write what waits, and commit."""
        self._batch.flush()
        self._claims.flush()
        self._log.flush()
        self._flush_events()
        sql_extras.count_changes(self._session)
        self._session.commit()

    # --- reading: what waits is written first ------------------------------------------------

    def links(
        self,
        *,
        device_id: str | None = None,
        status: LinkStatus | None = None,
        region: str | None = None,
        limit: int = PAGE,
        after: str | None = None,
    ) -> Page[Link]:
        self._batch.flush()
        return super().links(
            device_id=device_id, status=status, region=region, limit=limit, after=after
        )

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
        self._flush_events()
        return super().events(
            after_seq=after_seq,
            limit=limit,
            event_type=event_type,
            subject=subject,
            region=region,
            newest_first=newest_first,
        )

    # --- devices and links -------------------------------------------------------------------

    def put_device(
        self, device: Device, *, expected_version: int | None, actor: str = ""
    ) -> Device:
        held, merged_into = self._held(device.device_id)
        version = rules.next_version(
            f"device {device.device_id}", held, expected_version, merged_into=merged_into
        )
        stored = replace(device, version=version)
        self._batch.put(stored, is_new=held is None, actor=actor)
        return stored

    def _held(self, device_id: str) -> tuple[int | None, str | None]:
        # Only one writer runs: what this transaction read or put is as it was.
        known = self._log.version(device_id)
        if known is not None or self._ahead.is_absent(device_id):
            return known, None
        row = self._session.row(sql_devices.HELD, {"device_id": device_id})
        return (row["version"], row["merged_into"]) if row else (None, None)

    def touch_devices(self, device_ids: Iterable[str], last_seen: datetime) -> None:
        self._batch.touch(device_ids, codec.utc(last_seen))

    def absorb_device(self, absorbed_id: str, into_id: str) -> None:
        self._batch.flush()
        self._claims.flush()
        known = {i for i in (absorbed_id, into_id) if self._held(i)[0] is not None}
        rules.check_absorb(absorbed_id, into_id, known)
        move = {"from_id": absorbed_id, "into_id": into_id}
        for table in (schema.aliases, schema.claims, schema.endpoints):
            self._session.run(sql_writes.repoint(table), move)
        # Interfaces, MACs and addresses go with it (ON DELETE CASCADE).
        self._log.removed(absorbed_id, became={"merged_into": into_id})
        self._session.run(sql_writes.delete_of(schema.devices), {"key_device_id": absorbed_id})
        self._drop_making(absorbed_id)
        alias = {"alias_id": absorbed_id, "device_id": into_id}
        self._session.run(sql_writes.insert_into(schema.aliases), alias)
        self._ahead.drop(absorbed_id)
        self._claims.absorbed(absorbed_id, into_id)

    def retire_device(self, device_id: str) -> None:
        self._batch.flush()
        self._claims.flush()
        rules.check_retire(device_id, is_known=self._held(device_id)[0] is not None)
        key = {"key_device_id": device_id}
        self._session.run(sql_writes.delete_of_device(schema.aliases), key)
        self._session.run(sql_writes.delete_of_device(schema.claims), key)
        self._log.removed(device_id)
        self._session.run(sql_writes.delete_of(schema.devices), key)
        self._drop_making(device_id)
        self._session.run(sql_endpoints.UNPLUG, {"gone_id": device_id})
        self._ahead.drop(device_id)
        self._claims.retired(device_id)

    # --- endpoints ---------------------------------------------------------------------------

    def put_endpoints(self, endpoints: Iterable[Endpoint]) -> None:
        given = {endpoint.endpoint_id: endpoint for endpoint in endpoints}
        rows = [codec_endpoints.endpoint_row(endpoint) for endpoint in given.values()]
        self._session.run(sql_writes.upsert(schema.endpoints), rows)
        for ids in chunks(given):
            self._session.run(sql_endpoints.DROP_ADDRESSES, {"ids": ids})
        addresses = map(codec_endpoints.endpoint_address_rows, given.values())
        insertion = sql_writes.insert_into(schema.endpoint_addresses)
        self._session.run(insertion, list(chain.from_iterable(addresses)))

    def touch_endpoints(self, endpoint_ids: Iterable[str], last_seen: datetime) -> None:
        seen = codec.utc(last_seen)
        for ids in chunks(endpoint_ids):
            self._session.run(sql_endpoints.TOUCH, {"ids": ids, "seen": seen})

    def drop_endpoints(self, endpoint_ids: Iterable[str]) -> None:
        for ids in chunks(endpoint_ids):
            self._session.run(sql_endpoints.DROP_SIGHTINGS, {"ids": ids})
            # Addresses go with it (ON DELETE CASCADE).
            self._session.run(sql_endpoints.DROP, {"ids": ids})

    def put_endpoint_sightings(self, sightings: Iterable[EndpointSighting]) -> None:
        rows = list(codec_endpoints.sighting_rows(sightings).values())
        span = ("first_seen", "last_seen")
        self._session.run(sql_writes.upsert(schema.endpoint_sightings, span), rows)

    def forget_endpoints(
        self, *, before: datetime, random_before: datetime, sightings_before: datetime, most: int
    ) -> int:
        rules.check_most(most)
        old = {"before": codec.utc(before), "random_before": codec.utc(random_before)}
        self._session.run(sql_endpoints.FORGET_SIGHTINGS_OF_OLD, old)
        gone = self._session.run(sql_endpoints.FORGET, old)
        ended = {"sightings_before": codec.utc(sightings_before)}
        self._session.run(sql_endpoints.FORGET_OLD_SIGHTINGS, ended)
        self._session.run(sql_endpoints.FORGET_SURPLUS_SIGHTINGS, {"most": most})
        return gone

    # --- controllers, events, sequences ------------------------------------------------------

    def put_controller(
        self, record: ControllerRecord, *, expected_version: int | None
    ) -> ControllerRecord:
        held = self.controller(record.controller_id)
        version = rules.next_version(
            f"controller {record.controller_id}", held.version if held else None, expected_version
        )
        stored = replace(record, version=version)
        sql_writes.put(self._session, schema.controllers, codec.controller_row(stored))
        return stored

    def append_event(self, event: NewEvent) -> Event:
        if self._last_event is None:
            row = self._session.row(sql_records.LAST_EVENT)
            self._last_event = codec_log.event_of(row) if row else None
        plain, data = codec_log.plain_event(event)
        linked = link_event(plain, self._last_event)
        self._events.append(codec_log.event_row(linked, data))
        self._last_event = linked
        return linked

    def prune_events(self, through_seq: int, *, now: datetime) -> int:
        self._flush_events()
        last = self._session.row(sql_records.PRUNED_LAST, {"through_seq": through_seq})
        if last is None:
            return 0
        kept = {**last, "at": codec.utc(now)}
        self._session.run(sql_writes.insert_into(schema.event_checkpoints), kept)
        return self._session.run(sql_writes.PRUNE_EVENTS, {"through_seq": last["seq"]})

    def _flush_events(self) -> None:
        waiting, self._events = self._events, []
        self._session.run(sql_writes.insert_into(schema.events), waiting)

    def next_number(self, sequence: str) -> int:
        held = self._session.scalar(sql_records.SEQUENCE, {"name": sequence})
        value = self._high_water.next(sequence, int(held or 0))
        sql_writes.put(self._session, schema.sequences, {"name": sequence, "value": value})
        return value

    # --- policy ------------------------------------------------------------------------------

    def put_policy(self, policy: Policy) -> None:
        rules.check_newer(policy, self.policy())
        row = {"epoch": policy.epoch, "version": policy.version, "document": codec.dumps(policy)}
        self._session.run(sql_writes.insert_into(schema.policies), row)

    # --- streams -----------------------------------------------------------------------------

    def enqueue(
        self,
        message_type: str,
        payload: object,
        *,
        correlation_id: str | None = None,
    ) -> OutboxRow:
        stream, document = self._stream(), codec.dumps(payload)
        entry = OutboxRow(
            stream_id=stream["stream_id"],
            seq=stream["last_seq"] + 1,
            message_id=new_message_id(),
            message_type=str(message_type),
            payload=json.loads(document),
            created_at=datetime.now(UTC),
            correlation_id=correlation_id,
        )
        self._session.run(
            sql_writes.insert_into(schema.outbox), codec_log.outbox_row(entry, document)
        )
        moved = dict(stream) | {"last_seq": entry.seq}
        sql_writes.put(self._session, schema.streams, moved)
        return entry

    def confirm(self, stream_id: str, up_to_seq: int) -> int:
        if stream_id != self.outbox_tail().stream_id:
            return 0
        key = {"key_stream_id": stream_id, "up_to_seq": up_to_seq}
        return self._session.run(sql_writes.CONFIRM, key)

    def mark_applied(self, sender: str, stream_id: str, seq: int) -> None:
        rules.check_next(sender, stream_id, self.applied_seq(sender, stream_id), seq)
        self._set_applied(sender, stream_id, seq)

    def restart_applied(self, sender: str, stream_id: str, seq: int) -> None:
        rules.check_restart(sender, stream_id, self.applied_seq(sender, stream_id), seq)
        self._set_applied(sender, stream_id, seq)

    def _set_applied(self, sender: str, stream_id: str, seq: int) -> None:
        row = {"sender": sender, "stream_id": stream_id, "seq": seq}
        sql_writes.put(self._session, schema.inbox, row)

    def new_stream(self) -> StreamTail:
        old = self._stream()
        row = {
            "number": old["number"] + 1,
            "stream_id": str(uuid.uuid4()),
            "last_seq": 0,
            "created_at": datetime.now(UTC),
        }
        self._session.run(sql_writes.insert_into(schema.streams), row)
        self._session.run(sql_writes.FORGET_OUTBOX, {"key_stream_id": old["stream_id"]})
        return self.outbox_tail()

    # --- outcomes, tokens, messages ----------------------------------------------------------

    def put_cycle(
        self, record: CycleRecord, outcomes: Sequence[AddressOutcome], *, keep_cycles: int
    ) -> None:
        rules.check_keep(keep_cycles)
        number = int(self._session.scalar(sql_records.NEXT_CYCLE))
        self._session.run(sql_writes.FORGET_CYCLE, {"key_cycle_id": record.cycle_id})
        row = codec_endpoints.cycle_row(record) | {"number": number}
        self._session.run(sql_writes.insert_into(schema.cycles), row)
        rows = codec.outcome_rows(number, outcomes)
        self._session.run(sql_writes.insert_into(schema.probes), rows)
        self._session.run(sql_writes.FORGET_OLD_CYCLES, {"keep": keep_cycles - 1})

    def note_message(self, seen: SeenMessage, *, forget_before: datetime) -> bool:
        row, oldest = codec_log.seen_row(seen), codec.utc(forget_before)
        if self._session.row(sql_records.SEEN, row) is not None:
            return False
        self._session.run(sql_writes.FORGET_SEEN, {"forget_before": oldest})
        self._session.run(sql_writes.insert_into(schema.seen_messages), row)
        return True

    def _stream(self) -> Row:
        return self._session.rows(sql_records.STREAM)[0]
