"""Reading a NIB in memory; what each call promises is written in `domain.ports`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from pdsno.domain.chain import Checkpoint
from pdsno.domain.entities import (
    ApiTokenRecord,
    Claim,
    ControllerRecord,
    ControllerStatus,
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
from pdsno.domain.identifiers import Role, normalise_mac
from pdsno.domain.messages import StreamTail
from pdsno.domain.observations import AddressOutcome, CycleRecord
from pdsno.domain.ordering import DEVICE_ORDERS, ENDPOINT_ORDERS, Keyset, ordering
from pdsno.domain.policy import Policy
from pdsno.domain.ports import (
    EVERY_DEVICE,
    EVERY_ENDPOINT,
    DeviceFilter,
    DeviceInterface,
    EndpointFilter,
    NIBCounts,
    Page,
    SeenMessage,
)
from pdsno.domain.readers import Reader
from pdsno.domain.webhooks import Delivery, Webhook
from pdsno.nib import codec, codec_endpoints
from pdsno.nib.codec_items import device_item
from pdsno.nib.criteria import (
    PAGE,
    check_limit,
    criteria,
    endpoint_criteria,
    interface_cursor,
    interface_place,
)
from pdsno.nib.memory_anomalies import MemoryRecordReader
from pdsno.nib.memory_history import MemoryHistoryReader
from pdsno.nib.memory_state import State

T = TypeVar("T")


class MemoryReader(MemoryHistoryReader, MemoryRecordReader):
    """Reads one state. Safe to use from several threads as long as nobody changes that state."""

    def __init__(self, state: State) -> None:
        self._state_or_none: State | None = state

    @property
    def _state(self) -> State:
        if self._state_or_none is None:
            raise LocalProtocolError("this NIB transaction has ended")
        return self._state_or_none

    def end(self) -> None:
        """Refuse everything from now on; idempotent."""
        self._state_or_none = None

    # --- devices -----------------------------------------------------------------------------

    def device(self, device_id: str) -> Device | None:
        return self._state.devices.get(self._resolved(device_id))

    def devices(
        self,
        where: DeviceFilter = EVERY_DEVICE,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[Device]:
        wanted = criteria(where)
        keyset = Keyset(ordering(order, DEVICE_ORDERS), "device_id", after)
        found = (device for device in self._state.devices.values() if wanted.match(device))
        return keyset.page(found, check_limit(limit))

    def device_items(
        self,
        where: DeviceFilter = EVERY_DEVICE,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[str]:
        page = self.devices(where, limit=limit, after=after, order=order)
        return Page(items=tuple(map(device_item, page.items)), next_after=page.next_after)

    def all_devices(self) -> tuple[Device, ...]:
        return _in_order(self._state.devices)

    def interfaces(
        self,
        *,
        device_id: str | None = None,
        region: str | None = None,
        mac: str | None = None,
        limit: int = PAGE,
        after: str | None = None,
    ) -> Page[DeviceInterface]:
        limit = check_limit(limit)
        mac = mac and normalise_mac(mac)
        place = interface_place(after) if after is not None else None
        only = self._resolved(device_id) if device_id is not None else None
        found = [
            DeviceInterface(
                device_id=device.device_id, device=device.name, region=device.region, interface=i
            )
            for device in self.all_devices()
            if only in (None, device.device_id) and region in (None, device.region)
            for i in device.interfaces
            if mac in (None, i.mac)
            if place is None or (device.device_id, i.name) > place
        ]
        items = tuple(found[:limit])
        if len(found) <= limit:
            return Page(items=items)
        last = items[-1]
        return Page(items=items, next_after=interface_cursor(last.device_id, last.interface.name))

    def _resolved(self, device_id: str) -> str:
        return self._state.aliases.get(device_id, device_id)

    # --- endpoints ---------------------------------------------------------------------------

    def endpoints(
        self,
        where: EndpointFilter = EVERY_ENDPOINT,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[Endpoint]:
        if where.device_id is not None:
            where = replace(where, device_id=self._resolved(where.device_id))
        wanted = endpoint_criteria(where)
        keyset = Keyset(ordering(order, ENDPOINT_ORDERS), "endpoint_id", after)
        found = (held for held in self._state.endpoints.values() if wanted.match(held))
        return keyset.page(found, check_limit(limit))

    def endpoints_by_id(self, endpoint_ids: Iterable[str]) -> Mapping[str, Endpoint]:
        held = self._state.endpoints
        return {key: held[key] for key in endpoint_ids if key in held}

    def endpoint_sightings(
        self, endpoint_id: str, *, limit: int = PAGE
    ) -> tuple[EndpointSighting, ...]:
        limit = check_limit(limit)
        found = (s for key, s in self._state.sightings.items() if key[0] == endpoint_id)
        return tuple(latest_first(found)[:limit])

    # --- links and controllers ---------------------------------------------------------------

    def links(
        self,
        *,
        device_id: str | None = None,
        status: LinkStatus | None = None,
        region: str | None = None,
        limit: int = PAGE,
        after: str | None = None,
    ) -> Page[Link]:
        limit = check_limit(limit)
        only = self._resolved(device_id) if device_id is not None else None
        held = self._state.links
        found = [
            held[key]
            for key in sorted(_after(held, after))
            if (only is None or only in (held[key].a.device_id, held[key].b.device_id))
            and (status is None or held[key].status is status)
            and (region is None or self._touches(held[key], region))
        ]
        items = tuple(found[:limit])
        return Page(items=items, next_after=items[-1].link_id if len(found) > limit else None)

    def _touches(self, link: Link, region: str) -> bool:
        ends = (self._state.devices.get(end.device_id or "") for end in (link.a, link.b))
        return any(device is not None and device.region == region for device in ends)

    def controllers(
        self, *, role: Role | None = None, region: str | None = None
    ) -> tuple[ControllerRecord, ...]:
        return tuple(
            record
            for record in _in_order(self._state.controllers)
            if (role is None or record.role is role) and (region is None or record.region == region)
        )

    def controller(self, controller_id: str) -> ControllerRecord | None:
        return self._state.controllers.get(controller_id)

    def controller_by_key(self, key_id: str) -> ControllerRecord | None:
        holders = [r for r in _in_order(self._state.controllers) if r.key_id == key_id]

        def rank(record: ControllerRecord) -> tuple[bool, float]:
            is_active = record.status is ControllerStatus.ACTIVE
            return (not is_active, -record.validated_at.timestamp())

        return min(holders, key=rank, default=None)

    # --- events, claims, policy --------------------------------------------------------------

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
        limit = check_limit(limit)
        held = self._state.events
        last = newest.seq if (newest := self._state.last_event) else 0
        gone = kept.seq if (kept := self._state.checkpoint) else 0
        if newest_first:
            seqs = range(min(last, after_seq - 1) if after_seq > 0 else last, gone, -1)
        else:
            seqs = range(max(after_seq, gone) + 1, last + 1)
        found = (
            held[seq]
            for seq in seqs
            if event_type in (None, held[seq].event_type)
            and subject in (None, held[seq].subject)
            and region in (None, held[seq].region)
        )
        return tuple(replace(e, data=deepcopy(e.data)) for e in islice(found, limit))

    def checkpoint(self) -> Checkpoint | None:
        return self._state.checkpoint

    def claims(
        self, *, device_id: str | None = None, reporter: str | None = None
    ) -> tuple[Claim, ...]:
        found = {
            key: claim
            for key, claim in self._state.claims.items()
            if device_id in (None, claim.device_id) and reporter in (None, claim.reporter)
        }
        return _in_order(found)

    def own_id(self, reporter: str, their_id: str) -> str | None:
        claim = self._state.claims.get((reporter, their_id))
        return claim.device_id if claim else None

    def policy(self) -> Policy | None:
        held = self._state.policies
        return held[max(held)] if held else None

    # --- streams, outcomes, tokens -----------------------------------------------------------

    def outbox(self, *, after_seq: int = 0, limit: int = PAGE) -> tuple[OutboxRow, ...]:
        limit = check_limit(limit)
        rows = [row for seq, row in self._state.outbox.items() if seq > after_seq][:limit]
        return tuple(replace(row, payload=deepcopy(row.payload)) for row in rows)

    def outbox_tail(self) -> StreamTail:
        stream_id = self._state.stream_id
        return StreamTail(stream_id=stream_id, seq=self._state.last_seq.get(stream_id, 0))

    def applied_seq(self, sender: str, stream_id: str) -> int:
        return self._state.inbox.get((sender, stream_id), 0)

    def address_outcomes(
        self, cycle_id: str | None = None
    ) -> tuple[str | None, tuple[AddressOutcome, ...]]:
        held = self._state.cycles
        if cycle_id is None:
            cycle_id = next(reversed(held), None)
        return (cycle_id, held[cycle_id].outcomes) if cycle_id in held else (None, ())

    def cycles(self, *, limit: int = PAGE) -> tuple[CycleRecord, ...]:
        limit = check_limit(limit)
        newest = islice(reversed(self._state.cycles.values()), limit)
        return tuple(codec.loads(CycleRecord, codec.dumps(entry.record)) for entry in newest)

    def counts(self) -> NIBCounts:
        """Return how much there is."""
        state = self._state
        return NIBCounts(
            devices=Counter(str(device.status) for device in state.devices.values()),
            links=Counter(str(link.status) for link in state.links.values()),
            endpoints=len(state.endpoints),
            outbox=len(state.outbox),
        )

    def token(self, jti_sha256: str) -> JoinTokenRecord | None:
        return self._state.tokens.get(jti_sha256)

    def tokens(self) -> tuple[JoinTokenRecord, ...]:
        return tuple(
            sorted(_in_order(self._state.tokens), key=lambda t: t.created_at, reverse=True)
        )

    def api_token(self, token_sha256: str) -> ApiTokenRecord | None:
        return self._state.api_tokens.get(token_sha256)

    def api_tokens(self) -> tuple[ApiTokenRecord, ...]:
        held = _in_order(self._state.api_tokens)
        return tuple(sorted(held, key=lambda t: t.created_at, reverse=True))

    def webhooks(self) -> tuple[Webhook, ...]:
        return tuple(sorted(_in_order(self._state.webhooks), key=lambda hook: hook.created_at))

    def webhook_deliveries(self, webhook_id: str, *, limit: int = PAGE) -> tuple[Delivery, ...]:
        limit = check_limit(limit)
        tries = [d for key, d in self._state.deliveries.items() if key[0] == webhook_id]
        return tuple(sorted(tries, key=lambda d: -d.seq)[:limit])

    def readers(self) -> tuple[Reader, ...]:
        return _in_order(self._state.readers)

    def revisions(self) -> Mapping[str, int]:
        return dict(self._state.revisions)

    def seen_messages(self) -> tuple[SeenMessage, ...]:
        return tuple(sorted(_in_order(self._state.seen), key=lambda s: s.timestamp))


def latest_first(sightings: Iterable[EndpointSighting]) -> list[EndpointSighting]:
    """Return sightings in the order in which they are shown, and kept."""

    def rank(sighting: EndpointSighting) -> tuple[float, float, str, str]:
        row = codec_endpoints.sighting_row(sighting)
        times = -sighting.last_seen.timestamp(), -sighting.first_seen.timestamp()
        return (*times, row["ip"], row["place"])

    return sorted(sightings, key=rank)


def _in_order(table: dict[str, T] | dict[tuple[str, str], T]) -> tuple[T, ...]:
    return tuple(value for _, value in sorted(table.items(), key=lambda item: item[0]))


def _after(keys: Iterable[str], after: str | None) -> Iterable[str]:
    return (key for key in keys if after is None or key > after)
