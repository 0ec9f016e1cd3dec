"""Changing a NIB in memory; what each call promises is written in `domain.ports`."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pdsno.domain.chain import Checkpoint, link_event
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
    NewEvent,
    OutboxRow,
)
from pdsno.domain.history import Change, device_changes, link_changes
from pdsno.domain.identifiers import new_message_id
from pdsno.domain.link_marks import heard_marks, own_marks
from pdsno.domain.makings import Making
from pdsno.domain.messages import StreamTail
from pdsno.domain.observations import AddressOutcome, CycleRecord
from pdsno.domain.policy import Policy
from pdsno.domain.ports import SeenMessage
from pdsno.domain.readers import Reader
from pdsno.domain.webhooks import Delivery, Webhook
from pdsno.nib import codec, codec_endpoints, codec_log, memory_history, rules
from pdsno.nib.memory_anomalies import MemoryRecordWriter
from pdsno.nib.memory_reader import MemoryReader, latest_first
from pdsno.nib.memory_state import LedgerEntry, State
from pdsno.nib.sequences import HighWater


class MemoryTransaction(MemoryReader, MemoryRecordWriter):
    """Reads and changes a state that nobody else sees yet. Not for several threads at once."""

    def __init__(self, state: State, high_water: HighWater) -> None:
        super().__init__(state)
        self._high_water = high_water
        self._learnt_at: datetime | None = None

    def _record(self, changes: Iterable[Change]) -> None:
        # All of one transaction at one time, so that no picture shows half of it.
        self._learnt_at = self._learnt_at or memory_history.time_after(self._state)
        memory_history.record(self._state, changes, self._learnt_at)

    # --- devices and links -------------------------------------------------------------------

    def put_device(
        self, device: Device, *, expected_version: int | None, actor: str = ""
    ) -> Device:
        held = self._state.devices.get(device.device_id)
        version = rules.next_version(
            f"device {device.device_id}",
            held.version if held else None,
            expected_version,
            merged_into=self._state.aliases.get(device.device_id),
        )
        stored = replace(device, version=version)
        self._state.devices[device.device_id] = codec.stored_device(stored)
        self._record(device_changes(held, stored, actor=actor))
        return stored

    def look_ahead(
        self,
        reporter: str,
        devices: Sequence[Device],
        *,
        named: Iterable[str] = (),
        fresh: Iterable[str] = (),
    ) -> None:
        """Do nothing: all is here."""

    def touch_devices(self, device_ids: Iterable[str], last_seen: datetime) -> None:
        seen = codec.utc(last_seen)
        held = self._state.devices
        for device_id in device_ids:
            device = held.get(device_id)
            if device is not None:
                latest = max(device.last_seen, seen)
                held[device_id] = replace(device, last_seen=latest, missed=0)

    def absorb_device(self, absorbed_id: str, into_id: str) -> None:
        state = self._state
        rules.check_absorb(absorbed_id, into_id, {absorbed_id, into_id} & state.devices.keys())
        became = {"merged_into": into_id}
        gone = device_changes(state.devices.pop(absorbed_id), None, became=became)
        self._record(gone)
        state.makings.pop(absorbed_id, None)
        for alias, device_id in state.aliases.items():
            if device_id == absorbed_id:
                state.aliases[alias] = into_id
        state.aliases[absorbed_id] = into_id
        for key, claim in state.claims.items():
            if claim.device_id == absorbed_id:
                state.claims[key] = replace(claim, device_id=into_id)
        self._replug(absorbed_id, into_id)

    def retire_device(self, device_id: str) -> None:
        state = self._state
        rules.check_retire(device_id, is_known=device_id in state.devices)
        self._record(device_changes(state.devices.pop(device_id), None))
        state.makings.pop(device_id, None)
        state.aliases = {k: v for k, v in state.aliases.items() if v != device_id}
        state.claims = {k: v for k, v in state.claims.items() if v.device_id != device_id}
        self._replug(device_id, None)

    def _replug(self, from_id: str, into_id: str | None) -> None:
        """Let the endpoints at one device be at another, or at one that is no longer here."""
        held = self._state.endpoints
        for key, endpoint in held.items():
            port = endpoint.attachment
            if port is not None and port.device_id == from_id:
                held[key] = replace(endpoint, attachment=replace(port, device_id=into_id))

    def devices_by_id(self, device_ids: Iterable[str]) -> Mapping[str, Device]:
        held = self._state.devices
        return {key: held[key] for key in device_ids if key in held}

    def devices_marked(self, marks: Iterable[str]) -> Mapping[str, Device]:
        wanted, held = set(marks), self._state.devices
        return {k: d for k, d in held.items() if not wanted.isdisjoint(own_marks(d))}

    def devices_hearing(self, marks: Iterable[str]) -> Collection[str]:
        wanted, held = set(marks), self._state.devices
        return {k for k, d in held.items() if not wanted.isdisjoint(heard_marks(d))}

    def makings_by_id(self, device_ids: Iterable[str]) -> Mapping[str, Making]:
        held = self._state.makings
        return {key: held[key] for key in device_ids if key in held}

    def links_of(self, device_ids: Iterable[str]) -> tuple[Link, ...]:
        ids, held = set(device_ids), self._state.links
        return tuple(
            held[key]
            for key in sorted(held)
            if not ids.isdisjoint((held[key].a.device_id, held[key].b.device_id))
        )

    def change_links(self, gone: Iterable[str], links: Iterable[Link]) -> None:
        held = self._state.links
        leaving = set(gone)
        kept = [link for key, link in held.items() if key not in leaving]
        self.replace_links([*kept, *links])

    def replace_links(self, links: Iterable[Link]) -> None:
        state, rows = self._state, [codec.link_row(link) for link in links]
        before, after = state.links, {row["link_id"]: codec.link_of(row) for row in rows}
        regions = {key: device.region for key, device in state.devices.items()}
        for key in sorted(before.keys() | after.keys()):
            was, now = before.get(key), after.get(key)
            self._record(link_changes(was, now, regions=regions))
        state.links = after

    def prune_history(self, before: datetime) -> int:
        return memory_history.prune(self._state, before)

    # --- endpoints ---------------------------------------------------------------------------

    def put_endpoints(self, endpoints: Iterable[Endpoint]) -> None:
        for endpoint in endpoints:
            row = codec_endpoints.endpoint_row(endpoint)
            self._state.endpoints[endpoint.endpoint_id] = codec_endpoints.endpoint_of(row)

    def touch_endpoints(self, endpoint_ids: Iterable[str], last_seen: datetime) -> None:
        seen = codec.utc(last_seen)
        held = self._state.endpoints
        for key in endpoint_ids:
            if key in held and held[key].last_seen < seen:
                held[key] = replace(held[key], last_seen=seen)

    def drop_endpoints(self, endpoint_ids: Iterable[str]) -> None:
        state, gone = self._state, set(endpoint_ids)
        state.endpoints = {k: v for k, v in state.endpoints.items() if k not in gone}
        state.sightings = {k: v for k, v in state.sightings.items() if k[0] not in gone}

    def put_endpoint_sightings(self, sightings: Iterable[EndpointSighting]) -> None:
        held = self._state.sightings
        for key, row in codec_endpoints.sighting_rows(sightings).items():
            known = codec_endpoints.sighting_row(held[key]) if key in held else row
            held[key] = codec_endpoints.sighting_of(codec_endpoints.lengthened(known, row))

    def forget_endpoints(
        self, *, before: datetime, random_before: datetime, sightings_before: datetime, most: int
    ) -> int:
        rules.check_most(most)
        ages = {False: codec.utc(before), True: codec.utc(random_before)}
        ended = codec.utc(sightings_before)
        held = self._state.endpoints.values()
        gone = [e.endpoint_id for e in held if e.last_seen < ages[e.is_random_mac]]
        self.drop_endpoints(gone)
        kept: dict[str, list[EndpointSighting]] = defaultdict(list)
        for sighting in self._state.sightings.values():
            if sighting.last_seen >= ended:
                kept[sighting.endpoint_id].append(sighting)
        latest = (s for sightings in kept.values() for s in _latest(sightings, most))
        self._state.sightings = {codec_endpoints.sighting_key(s): s for s in latest}
        return len(gone)

    # --- controllers, events, sequences ------------------------------------------------------

    def put_controller(
        self, record: ControllerRecord, *, expected_version: int | None
    ) -> ControllerRecord:
        held = self._state.controllers.get(record.controller_id)
        version = rules.next_version(
            f"controller {record.controller_id}", held.version if held else None, expected_version
        )
        stored = replace(record, version=version)
        row = codec.controller_row(stored)
        self._state.controllers[record.controller_id] = codec.controller_of(row)
        return stored

    def append_event(self, event: NewEvent) -> Event:
        plain, _ = codec_log.plain_event(event)
        linked = link_event(plain, self._state.last_event)
        self._state.events[linked.seq] = linked
        return replace(linked, data=codec.plain(linked.data))

    def prune_events(self, through_seq: int, *, now: datetime) -> int:
        held = self._state.events
        gone = [seq for seq in held if seq <= through_seq][: max(0, len(held) - 1)]
        if gone:
            last = held[gone[-1]]
            kept = Checkpoint(seq=last.seq, hash=last.hash, at=codec.utc(now))
            self._state.checkpoints[last.seq] = kept
        for seq in gone:
            del held[seq]
        return len(gone)

    def next_number(self, sequence: str) -> int:
        held = self._state.sequences
        held[sequence] = self._high_water.next(sequence, held.get(sequence, 0))
        return held[sequence]

    # --- claims and policy -------------------------------------------------------------------

    def put_claim(self, claim: Claim) -> None:
        row = codec.claim_row(replace(claim, device=codec.settled(claim.device)))
        self._state.claims[row["reporter"], row["their_id"]] = codec.claim_of(row)

    def drop_claim(self, reporter: str, their_id: str) -> None:
        self._state.claims.pop((reporter, their_id), None)

    def put_policy(self, policy: Policy) -> None:
        rules.check_newer(policy, self.policy())
        stored = codec.loads(Policy, codec.dumps(policy))
        self._state.policies[policy.epoch, policy.version] = stored

    # --- streams -----------------------------------------------------------------------------

    def enqueue(
        self,
        message_type: str,
        payload: object,
        *,
        correlation_id: str | None = None,
    ) -> OutboxRow:
        tail = self.outbox_tail()
        entry = OutboxRow(
            stream_id=tail.stream_id,
            seq=tail.seq + 1,
            message_id=new_message_id(),
            message_type=str(message_type),
            payload=codec.plain(payload),
            created_at=datetime.now(UTC),
            correlation_id=correlation_id,
        )
        self._state.outbox[entry.seq] = replace(entry, payload=codec.plain(payload))
        self._state.last_seq[tail.stream_id] = entry.seq
        return entry

    def confirm(self, stream_id: str, up_to_seq: int) -> int:
        held = self._state.outbox
        if stream_id != self._state.stream_id:
            return 0
        gone = [seq for seq in held if seq <= up_to_seq]
        for seq in gone:
            del held[seq]
        return len(gone)

    def mark_applied(self, sender: str, stream_id: str, seq: int) -> None:
        rules.check_next(sender, stream_id, self.applied_seq(sender, stream_id), seq)
        self._state.inbox[sender, stream_id] = seq

    def restart_applied(self, sender: str, stream_id: str, seq: int) -> None:
        rules.check_restart(sender, stream_id, self.applied_seq(sender, stream_id), seq)
        self._state.inbox[sender, stream_id] = seq

    def new_stream(self) -> StreamTail:
        self._state.stream_id = str(uuid.uuid4())
        self._state.outbox.clear()
        return self.outbox_tail()

    # --- outcomes, tokens, messages ----------------------------------------------------------

    def put_cycle(
        self, record: CycleRecord, outcomes: Sequence[AddressOutcome], *, keep_cycles: int
    ) -> None:
        rules.check_keep(keep_cycles)
        rows = codec.outcome_rows(0, outcomes)
        rows.sort(key=lambda row: (row["ip_key"], row["namespace"], row["address"]))
        held = self._state.cycles
        held.pop(record.cycle_id, None)
        held[record.cycle_id] = LedgerEntry(
            record=codec_endpoints.cycle_of(codec_endpoints.cycle_row(record)),
            outcomes=tuple(codec.loads(AddressOutcome, row["document"]) for row in rows),
        )
        for old in list(held)[:-keep_cycles]:
            del held[old]

    def put_token(self, record: JoinTokenRecord) -> None:
        row = codec.token_row(record)
        self._state.tokens[row["jti_sha256"]] = codec.token_of(row)

    def put_api_token(self, record: ApiTokenRecord) -> None:
        row = codec.api_token_row(record)
        self._state.api_tokens[row["token_sha256"]] = codec.api_token_of(row)

    def put_webhook(self, record: Webhook) -> None:
        self._state.webhooks[record.webhook_id] = codec.loads(Webhook, codec.dumps(record))

    def drop_webhook(self, webhook_id: str) -> None:
        self._state.webhooks.pop(webhook_id, None)
        held = self._state.deliveries
        self._state.deliveries = {k: d for k, d in held.items() if k[0] != webhook_id}

    def note_delivery(self, delivery: Delivery, *, keep: int) -> None:
        held = self._state.deliveries
        held[delivery.webhook_id, delivery.seq] = codec.loads(Delivery, codec.dumps(delivery))
        held.pop((delivery.webhook_id, delivery.seq - keep), None)

    def put_reader(self, record: Reader) -> None:
        self._state.readers[record.name] = codec.loads(Reader, codec.dumps(record))

    def drop_reader(self, name: str) -> None:
        self._state.readers.pop(name, None)

    def note_message(self, seen: SeenMessage, *, forget_before: datetime) -> bool:
        noted = codec_log.seen_of(codec_log.seen_row(seen))
        oldest = codec.utc(forget_before)
        key = (noted.sender_id, noted.message_id)
        if key in self._state.seen:
            return False
        kept = {k: v for k, v in self._state.seen.items() if v.timestamp >= oldest}
        self._state.seen = kept | {key: noted}
        return True


def _latest(sightings: list[EndpointSighting], most: int) -> list[EndpointSighting]:
    return latest_first(sightings)[:most] if len(sightings) > most else sightings
