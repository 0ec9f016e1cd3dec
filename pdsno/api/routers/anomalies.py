"""`/anomalies`: what a person should look at, and the person's word that they did."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from pdsno.api.actions import Actions
from pdsno.api.answers import Listing, json_response, sparse
from pdsno.api.auth import Operator, may_see, region_for
from pdsno.api.conditional import unless_same
from pdsno.api.info import ControllerInfo
from pdsno.api.queries import Id, ListQuery, Text, no_parameters
from pdsno.api.read_route import ReadRoute
from pdsno.api.view import operators
from pdsno.domain.anomalies.entities import Anomaly, Kind, Severity, Status
from pdsno.domain.anomalies.ledger import ACKNOWLEDGED, Change, acknowledged, event_of
from pdsno.domain.entities import NewEvent, OperatorRole
from pdsno.domain.errors import InputError, NotFoundError
from pdsno.domain.messages import DiscoveryRequest
from pdsno.domain.ordering import ANOMALY_ORDERS
from pdsno.domain.persons_report import tell_above
from pdsno.domain.ports import NIB, NIBReader
from pdsno.domain.record_ports import AnomalyFilter


@dataclass(frozen=True, kw_only=True, slots=True)
class AnomalyItem:
    """Something unusual. `found_by` is the controller that sees it; `evidence` depends on kind.

    A condition is closed when it ends, an incident (new_device, device_spike, device_moved,
    os_changed) when somebody acknowledges it.
    """

    anomaly_id: str
    kind: Kind
    severity: Severity
    status: Status
    subject: str
    region: str | None
    found_by: str
    first_seen: datetime
    opened_at: datetime
    last_seen: datetime
    count: int
    evidence: dict[str, Any]
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    note: str | None
    closed_at: datetime | None


class AnomalyQuery(ListQuery):
    """All conditions must hold; without any, all anomalies, the closed ones too."""

    kind: Kind | None = None
    status: Status | None = None
    severity: Severity | None = None
    region: Text | None = None
    subject: Text | None = Field(default=None, description="A device's ID, a MAC, an address, ...")
    found_by: Text | None = Field(default=None, description="The controller that sees it.")
    is_ended: bool | None = Field(default=None, description="false leaves out what is closed.")

    sorts = ANOMALY_ORDERS
    item = AnomalyItem


class Acknowledgement(BaseModel):
    """That somebody knows of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    note: str = Field(default="", max_length=500, examples=["the new printer of room 12"])


_ITEM_FIELDS = tuple(f.name for f in fields(AnomalyItem))
_FILTERS = tuple(f.name for f in fields(AnomalyFilter))
_LISTING = TypeAdapter(Listing[AnomalyItem])
_ANSWER: Any = Listing[AnomalyItem] | sparse(Listing, AnomalyItem)
_ITEM = TypeAdapter(AnomalyItem)


def anomaly_item(row: Anomaly) -> AnomalyItem:
    """Return an anomaly as it is shown."""
    values = {name: getattr(row, name) for name in _ITEM_FIELDS}
    return AnomalyItem(**values | {"evidence": dict(row.evidence)})


def _visible(reader: NIBReader, operator: Operator, anomaly_id: str) -> Anomaly:
    row = reader.anomalies_by_id([anomaly_id]).get(anomaly_id)
    if row is None or not may_see(operator, row.region):
        raise NotFoundError(f"there is no anomaly {anomaly_id}")
    return row


def router(nib: NIB, controller: Callable[[], ControllerInfo], actions: Actions) -> APIRouter:
    """Return the routes; acknowledging needs the role operator, approving the role approver."""
    routes = APIRouter(prefix="/anomalies", tags=["anomalies"], route_class=ReadRoute)
    reads = Depends(operators(OperatorRole.VIEWER))
    alone = [Depends(no_parameters)]

    @routes.get("", response_model=_ANSWER)
    def list_anomalies(
        request: Request,
        query: Annotated[AnomalyQuery, Query()],
        operator: Annotated[Operator, reads],
    ) -> Response:
        """Anomalies, by default in order of their IDs, which is no order that means anything."""
        asked: dict[str, Any] = {name: getattr(query, name) for name in _FILTERS}
        asked["region"] = region_for(operator, query.region)
        where = AnomalyFilter(**asked)
        page = nib.anomalies(where, limit=query.limit, after=query.place(), order=query.sort)
        items = tuple(map(anomaly_item, page.items))
        listing = Listing(items=items, next_cursor=query.cursor_to(page.next_after))
        return unless_same(request, json_response(_LISTING, listing, shown=query.shown))

    @routes.get("/{anomaly_id}", response_model=AnomalyItem, dependencies=alone)
    def get_anomaly(
        request: Request, anomaly_id: Id, operator: Annotated[Operator, reads]
    ) -> Response:
        """One anomaly."""
        found = anomaly_item(_visible(nib, operator, anomaly_id))
        return unless_same(request, json_response(_ITEM, found))

    @routes.post("/{anomaly_id}/acknowledge", response_model=AnomalyItem, dependencies=alone)
    def acknowledge_anomaly(
        anomaly_id: Id,
        given: Acknowledgement,
        operator: Annotated[Operator, Depends(operators(OperatorRole.OPERATOR))],
    ) -> Response:
        """Say that somebody knows of it; said again, the later note counts."""
        row = _acknowledge(nib, operator, anomaly_id, given.note, controller())
        actions.tell_above()
        return json_response(_ITEM, anomaly_item(row))

    @routes.post("/{anomaly_id}/approve", response_model=AnomalyItem, dependencies=alone)
    def approve_anomaly(
        anomaly_id: Id,
        given: Acknowledgement,
        operator: Annotated[Operator, Depends(operators(OperatorRole.APPROVER))],
    ) -> Response:
        """Believe a mass disappearance: a cycle runs now that makes the missing ones inactive."""
        row = _visible(nib, operator, anomaly_id)
        actions.request_discovery(_release(row, operator))
        row = _acknowledge(nib, operator, anomaly_id, given.note, controller(), "ANOMALY_APPROVED")
        actions.tell_above()
        return json_response(_ITEM, anomaly_item(row))

    return routes


def _release(row: Anomaly, operator: Operator) -> DiscoveryRequest:
    """Return the request that releases what is held. Raises InputError if nothing is."""
    if row.kind is not Kind.MASS_DISAPPEARANCE or row.status is Status.CLOSED:
        raise InputError(
            f"nothing is held by {row.anomaly_id} ({row.kind}, {row.status}): only a "
            "mass_disappearance that lasts can be approved; acknowledge the others"
        )
    return DiscoveryRequest(
        subnets=tuple(row.evidence.get("subnets", ())),
        region=row.region,
        accept_missing=True,
        requested_by=operator.name,
    )


def _acknowledge(
    nib: NIB,
    operator: Operator,
    anomaly_id: str,
    note: str,
    me: ControllerInfo,
    event_type: str = ACKNOWLEDGED,
) -> Anomaly:
    now = datetime.now(UTC)
    with nib.transaction() as tx:
        row = _visible(tx, operator, anomaly_id)
        if row.status is Status.CLOSED:
            raise InputError(f"{anomaly_id} is closed already: there is nothing to acknowledge")
        row = acknowledged(row, by=operator.name, note=note, now=now)
        tx.put_anomalies([row])
        told = event_of(Change(row=row, event=ACKNOWLEDGED), actor=operator.name, now=now)
        if told is not None:
            tx.append_event(_as(event_type, told))
        tell_above(tx, me.tier, now, anomalies=[row])
    return row


def _as(event_type: str, told: NewEvent) -> NewEvent:
    return NewEvent(
        event_type=event_type,
        subject=told.subject,
        actor=told.actor,
        at=told.at,
        region=told.region,
        data=told.data,
    )
