"""Reading a NIB by SQLAlchemy Core; what each call promises is written in `domain.ports`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Select

from pdsno.domain.chain import Checkpoint
from pdsno.domain.entities import (
    ApiTokenRecord,
    Claim,
    ControllerRecord,
    Device,
    Endpoint,
    EndpointSighting,
    Event,
    Interface,
    JoinTokenRecord,
    Link,
    LinkStatus,
    OutboxRow,
)
from pdsno.domain.errors import OperationError
from pdsno.domain.identifiers import Role, normalise_mac
from pdsno.domain.messages import StreamTail
from pdsno.domain.observations import AddressOutcome, CycleRecord
from pdsno.domain.ordering import ENDPOINT_ORDERS, Keyset, ordering
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
from pdsno.nib import codec, codec_endpoints, codec_log, sql_devices, sql_endpoints, sql_records
from pdsno.nib.criteria import (
    PAGE,
    check_limit,
    endpoint_criteria,
    interface_cursor,
    interface_place,
)
from pdsno.nib.schema import claims, controllers, endpoints
from pdsno.nib.sql_anomalies import SQLRecordReader
from pdsno.nib.sql_extras import OperatorReads
from pdsno.nib.sql_history import SQLHistoryReader
from pdsno.nib.sql_items import ItemReads
from pdsno.nib.sql_pages import device_page
from pdsno.nib.sql_session import Row, Session, chunks
from pdsno.nib.sql_sorting import sorted_page


def _given(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


class SQLReader(SQLHistoryReader, OperatorReads, ItemReads, SQLRecordReader):
    """Reads inside one database transaction, so every call sees the same state."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # --- devices -----------------------------------------------------------------------------

    def device(self, device_id: str) -> Device | None:
        row = self._session.row(sql_devices.BY_ID, {"device_id": device_id})
        if row is None:
            merged_into = self._session.scalar(sql_devices.ALIAS, {"device_id": device_id})
            if merged_into is None:
                return None
            row = self._session.row(sql_devices.BY_ID, {"device_id": merged_into})
        return _with_interfaces(self._session, [row])[0] if row else None

    def devices(
        self,
        where: DeviceFilter = EVERY_DEVICE,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[Device]:
        rows, following = device_page(
            self._session, where, _whole, limit=limit, after=after, order=order
        )
        return Page(items=_with_interfaces(self._session, rows), next_after=following)

    def all_devices(self) -> tuple[Device, ...]:
        rows = self._session.rows(sql_devices.ALL)
        return _devices(rows, self._session.rows(sql_devices.ALL_INTERFACES))

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
        params = _given(limit=limit + 1, region=region, mac=mac and normalise_mac(mac))
        if device_id is not None:
            params["device_id"] = self._resolved(device_id)
        if after is not None:
            params["after_device_id"], params["after_name"] = interface_place(after)
        names = frozenset(_given(device_id=device_id, region=region, mac=mac, after=after))
        statement = sql_devices.interface_page(names)
        rows = self._session.rows(statement, params)
        found = tuple(
            DeviceInterface(
                device_id=row["device_id"],
                device=row["device_name"],
                region=row["region"],
                interface=codec.interface_of(row),
            )
            for row in rows[:limit]
        )
        if len(rows) <= limit:
            return Page(items=found)
        last = found[-1]
        return Page(items=found, next_after=interface_cursor(last.device_id, last.interface.name))

    def _resolved(self, device_id: str) -> str:
        merged_into = self._session.scalar(sql_devices.ALIAS, {"device_id": device_id})
        return device_id if merged_into is None else str(merged_into)

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
        statement, params = sql_endpoints.page(wanted)
        keyset = Keyset(ordering(order, ENDPOINT_ORDERS), "endpoint_id", after)
        rows, following = sorted_page(
            self._session, endpoints, statement, params, keyset, check_limit(limit)
        )
        return Page(items=tuple(map(codec_endpoints.endpoint_of, rows)), next_after=following)

    def endpoints_by_id(self, endpoint_ids: Iterable[str]) -> Mapping[str, Endpoint]:
        return {
            row["endpoint_id"]: codec_endpoints.endpoint_of(row)
            for ids in chunks(endpoint_ids)
            for row in self._session.rows(sql_endpoints.BY_IDS, {"ids": ids})
        }

    def endpoint_sightings(
        self, endpoint_id: str, *, limit: int = PAGE
    ) -> tuple[EndpointSighting, ...]:
        params = {"endpoint_id": endpoint_id, "limit": check_limit(limit)}
        rows = self._session.rows(sql_endpoints.SIGHTINGS, params)
        return tuple(codec_endpoints.sighting_of(row) for row in rows)

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
        if device_id is not None:
            device_id = self._resolved(device_id)
        params = _given(
            device_id=device_id, status=status and status.value, region=region, after=after
        )
        statement = sql_records.link_page(frozenset(params))
        rows = self._session.rows(statement, params | {"limit": limit + 1})
        found = tuple(codec.link_of(row) for row in rows[:limit])
        return Page(items=found, next_after=found[-1].link_id if len(rows) > limit else None)

    def controllers(
        self, *, role: Role | None = None, region: str | None = None
    ) -> tuple[ControllerRecord, ...]:
        params = _given(role=role and role.value, region=region)
        statement = sql_records.listing(controllers, frozenset(params))
        return tuple(codec.controller_of(row) for row in self._session.rows(statement, params))

    def controller(self, controller_id: str) -> ControllerRecord | None:
        row = self._session.row(sql_records.CONTROLLER, {"controller_id": controller_id})
        return codec.controller_of(row) if row else None

    def controller_by_key(self, key_id: str) -> ControllerRecord | None:
        row = self._session.row(sql_records.CONTROLLER_BY_KEY, {"key_id": key_id})
        return codec.controller_of(row) if row else None

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
        params = _given(event_type=event_type, subject=subject, region=region)
        if after_seq > 0:
            params["after_seq"] = after_seq
        statement = sql_records.event_page(frozenset(params), newest_first=newest_first)
        rows = self._session.rows(statement, params | {"limit": limit})
        return tuple(codec_log.event_of(row) for row in rows)

    def checkpoint(self) -> Checkpoint | None:
        row = self._session.row(sql_records.CHECKPOINT)
        return Checkpoint(seq=row["seq"], hash=row["hash"], at=row["at"]) if row else None

    def claims(
        self, *, device_id: str | None = None, reporter: str | None = None
    ) -> tuple[Claim, ...]:
        params = _given(device_id=device_id, reporter=reporter)
        statement = sql_records.listing(claims, frozenset(params))
        return tuple(codec.claim_of(row) for row in self._session.rows(statement, params))

    def own_id(self, reporter: str, their_id: str) -> str | None:
        key = {"reporter": reporter, "their_id": their_id}
        found = self._session.scalar(sql_records.OWN_ID, key)
        return None if found is None else str(found)

    def policy(self) -> Policy | None:
        row = self._session.row(sql_records.NEWEST_POLICY)
        return codec.loads(Policy, row["document"]) if row else None

    # --- streams, outcomes, tokens -----------------------------------------------------------

    def outbox(self, *, after_seq: int = 0, limit: int = PAGE) -> tuple[OutboxRow, ...]:
        params = {"after_seq": after_seq, "limit": check_limit(limit)}
        return tuple(codec_log.outbox_of(r) for r in self._session.rows(sql_records.OUTBOX, params))

    def outbox_tail(self) -> StreamTail:
        row = self._session.row(sql_records.STREAM)
        if row is None:
            raise OperationError("the NIB has lost its stream: restore a backup")
        return StreamTail(stream_id=row["stream_id"], seq=row["last_seq"])

    def has_stream(self) -> bool:
        """Tell whether the NIB has its stream: not yet, if it was just created."""
        return self._session.row(sql_records.STREAM) is not None

    def applied_seq(self, sender: str, stream_id: str) -> int:
        key = {"sender": sender, "stream_id": stream_id}
        return int(self._session.scalar(sql_records.APPLIED, key) or 0)

    def address_outcomes(
        self, cycle_id: str | None = None
    ) -> tuple[str | None, tuple[AddressOutcome, ...]]:
        if cycle_id is None:
            cycle = self._session.row(sql_records.NEWEST_CYCLE)
        else:
            cycle = self._session.row(sql_records.CYCLE, {"cycle_id": cycle_id})
        if cycle is None:
            return None, ()
        rows = self._session.rows(sql_records.PROBES, {"cycle": cycle["number"]})
        found = tuple(codec.loads(AddressOutcome, row["document"]) for row in rows)
        return cycle["cycle_id"], found

    def cycles(self, *, limit: int = PAGE) -> tuple[CycleRecord, ...]:
        rows = self._session.rows(sql_records.CYCLES, {"limit": check_limit(limit)})
        return tuple(codec_endpoints.cycle_of(row) for row in rows)

    def counts(self) -> NIBCounts:
        """Return how much there is."""
        by_status = (
            {row["status"]: row["rows"] for row in self._session.rows(statement)}
            for statement in (sql_records.DEVICES_BY_STATUS, sql_records.LINKS_BY_STATUS)
        )
        devices, links = by_status
        return NIBCounts(
            devices=devices,
            links=links,
            endpoints=int(self._session.scalar(sql_records.ENDPOINT_COUNT)),
            outbox=int(self._session.scalar(sql_records.OUTBOX_COUNT)),
        )

    def token(self, jti_sha256: str) -> JoinTokenRecord | None:
        row = self._session.row(sql_records.TOKEN, {"jti_sha256": jti_sha256})
        return codec.token_of(row) if row else None

    def tokens(self) -> tuple[JoinTokenRecord, ...]:
        return tuple(codec.token_of(row) for row in self._session.rows(sql_records.TOKENS))

    def api_token(self, token_sha256: str) -> ApiTokenRecord | None:
        row = self._session.row(sql_records.API_TOKEN, {"token_sha256": token_sha256})
        return codec.api_token_of(row) if row else None

    def api_tokens(self) -> tuple[ApiTokenRecord, ...]:
        return tuple(codec.api_token_of(r) for r in self._session.rows(sql_records.API_TOKENS))

    def seen_messages(self) -> tuple[SeenMessage, ...]:
        return tuple(
            codec_log.seen_of(row) for row in self._session.rows(sql_records.SEEN_MESSAGES)
        )


def _whole(statement: Select[tuple[object, ...]], _field: str) -> Select[tuple[object, ...]]:
    return statement


def read_devices(session: Session, device_ids: Iterable[str]) -> list[Device]:
    """Return those of these devices that are stored; any number of IDs, and no aliases."""
    found: list[Device] = []
    for ids in chunks(device_ids):
        found += _with_interfaces(session, session.rows(sql_devices.BY_IDS, {"ids": ids}))
    return found


def _with_interfaces(session: Session, rows: Sequence[Row]) -> tuple[Device, ...]:
    if len(rows) == 1:
        one = {"device_id": rows[0]["device_id"]}
        return _devices(rows, session.rows(sql_devices.INTERFACES_OF, one))
    told: list[Row] = []
    for ids in chunks(row["device_id"] for row in rows):
        told += session.rows(sql_devices.INTERFACES_OF_MANY, {"ids": ids})
    return _devices(rows, told)


def _devices(rows: Sequence[Row], interfaces: Iterable[Row]) -> tuple[Device, ...]:
    """Return devices with their interfaces; these come in order of name."""
    told: dict[str, list[Interface]] = defaultdict(list)
    for entry in interfaces:
        told[entry["device_id"]].append(codec.interface_of(entry))
    return tuple(codec.device_of(row, told.get(row["device_id"], ())) for row in rows)
