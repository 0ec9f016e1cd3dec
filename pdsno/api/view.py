"""What one operator may see of a NIB. Routers read through here, so that none can forget a scope.

A token without region sees everything; one with a region that region's devices, interfaces,
endpoints, controllers, events, cycles, and the links that have an end there. What is of no region
(the global controller, policy, operators' tokens) and whatever sums up regions is for the former.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from fastapi import Request

from pdsno.api.auth import Operator, check_role, check_whole, may_see, region_for
from pdsno.domain.entities import (
    ControllerRecord,
    Device,
    Endpoint,
    EndpointSighting,
    Event,
    Link,
    LinkStatus,
    OperatorRole,
)
from pdsno.domain.identifiers import Role
from pdsno.domain.observations import AddressOutcome, CycleRecord
from pdsno.domain.policy import Policy
from pdsno.domain.ports import NIB, DeviceFilter, DeviceInterface, EndpointFilter, NIBReader, Page

_MOST_SIGHTINGS = 1000
_ALL_CYCLES = 100_000
"""More than a policy may keep."""


class View:
    """A NIB as far as one operator may see it.

    Raises RefusedError if another region is asked for by name; else what may not be seen is as if
    it were not there.
    """

    def __init__(self, nib: NIBReader, operator: Operator) -> None:
        self._nib = nib
        self._operator = operator

    @property
    def operator(self) -> Operator:
        """Who asks."""
        return self._operator

    def check_region(self, region: str | None) -> None:
        """Raise RefusedError if this operator may not see a region (None: all they may see)."""
        region_for(self._operator, region)

    def check_whole(self) -> None:
        """Raise RefusedError if this operator may see one region only."""
        check_whole(self._operator)

    def revisions(self) -> Mapping[str, int]:
        """Return what says whether tables changed; read it before what it shall tell of."""
        return self._nib.revisions()

    def devices(self, *, region: str | None, limit: int, after: str | None) -> Page[Device]:
        """Return a page in order of IDs."""
        where = DeviceFilter(region=region_for(self._operator, region))
        return self._nib.devices(where, limit=limit, after=after)

    def device_items(
        self, where: DeviceFilter, *, limit: int, after: str | None, order: str | None
    ) -> Page[str]:
        where = replace(where, region=region_for(self._operator, where.region))
        return self._nib.device_items(where, limit=limit, after=after, order=order)

    def devices_as_of(
        self, at: datetime, where: DeviceFilter, *, limit: int, after: str | None
    ) -> Page[Device]:
        where = replace(where, region=region_for(self._operator, where.region))
        return self._nib.devices_as_of(at, where, limit=limit, after=after)

    def device(self, device_id: str, *, as_of: datetime | None = None) -> Device | None:
        nib = self._nib
        device = nib.device_as_of(device_id, as_of) if as_of else nib.device(device_id)
        return device if device and may_see(self._operator, device.region) else None

    def interfaces(
        self,
        *,
        device_id: str | None,
        region: str | None,
        mac: str | None,
        limit: int,
        after: str | None,
    ) -> Page[DeviceInterface]:
        region = region_for(self._operator, region)
        return self._nib.interfaces(
            device_id=device_id, region=region, mac=mac, limit=limit, after=after
        )

    def endpoints(
        self, where: EndpointFilter, *, limit: int, after: str | None, order: str | None = None
    ) -> Page[Endpoint]:
        where = replace(where, region=region_for(self._operator, where.region))
        return self._nib.endpoints(where, limit=limit, after=after, order=order)

    def endpoint(self, endpoint_id: str) -> tuple[Endpoint, tuple[EndpointSighting, ...]] | None:
        """Return an endpoint with its sightings."""
        endpoint = self._nib.endpoints_by_id([endpoint_id]).get(endpoint_id)
        if endpoint is None or not may_see(self._operator, endpoint.region):
            return None
        return endpoint, self._nib.endpoint_sightings(endpoint_id, limit=_MOST_SIGHTINGS)

    def links(
        self,
        *,
        device_id: str | None,
        status: LinkStatus | None,
        region: str | None,
        limit: int,
        after: str | None,
        as_of: datetime | None = None,
    ) -> Page[Link]:
        region = region_for(self._operator, region)
        if as_of is not None:
            return self._nib.links_as_of(
                as_of, device_id=device_id, status=status, region=region, limit=limit, after=after
            )
        return self._nib.links(
            device_id=device_id, status=status, region=region, limit=limit, after=after
        )

    def controllers(self, *, role: Role | None, region: str | None) -> tuple[ControllerRecord, ...]:
        return self._nib.controllers(role=role, region=region_for(self._operator, region))

    def events(
        self,
        *,
        after_seq: int,
        limit: int,
        event_type: str | None,
        subject: str | None,
        region: str | None,
        newest_first: bool,
    ) -> tuple[Event, ...]:
        return self._nib.events(
            after_seq=after_seq,
            limit=limit,
            event_type=event_type,
            subject=subject,
            region=region_for(self._operator, region),
            newest_first=newest_first,
        )

    def policy(self) -> Policy | None:
        """Return the newest policy; it is of all regions, so ask `check_whole` first."""
        return self._nib.policy()

    def first_event(self, *, at_or_after: int) -> Event | None:
        """Return the first event from a seq on, of whatever region: to compare a cursor with."""
        found = self._nib.events(after_seq=at_or_after - 1, limit=1)
        return found[0] if found else None

    def cycles(self) -> Sequence[CycleRecord]:
        """Return all cycles that are kept, the newest first."""
        kept = self._nib.cycles(limit=_ALL_CYCLES)
        return [record for record in kept if may_see(self._operator, record.region)]

    def outcomes(self, cycle_id: str | None) -> tuple[str | None, tuple[AddressOutcome, ...]]:
        """Return a cycle and its outcomes, by default the newest; (None, ()) if there is none."""
        if self._operator.region is None:
            return self._nib.address_outcomes(cycle_id)
        ids = [record.cycle_id for record in self.cycles()]
        wanted = next(iter(ids), None) if cycle_id is None else cycle_id
        return self._nib.address_outcomes(wanted) if wanted in ids else (None, ())


class WholeView(View):
    """The view of a NIB in which each call reads the newest committed state."""

    def __init__(self, nib: NIB, operator: Operator) -> None:
        super().__init__(nib, operator)
        self._whole = nib

    @contextmanager
    def reading(self) -> Iterator[View]:
        """Give the view of one committed state: several reads of it cost hardly more than one."""
        with self._whole.reading() as reader:
            yield View(reader, self._operator)


ViewOf: TypeAlias = Callable[[Request], Awaitable[WholeView]]
"""A dependency of handlers."""


def operators(needed: OperatorRole) -> Callable[[Request], Awaitable[Operator]]:
    """Return the dependency that gives a handler whoever asks, with a role at least."""

    # A coroutine so that it costs no thread.
    async def operator(request: Request) -> Operator:
        found: Operator = request.state.operator
        check_role(found, needed)
        return found

    return operator


def views(nib: NIB, needed: OperatorRole = OperatorRole.VIEWER) -> ViewOf:
    """Return the dependency that gives a handler the view of whoever asks, with a role at least."""
    operator = operators(needed)

    async def view(request: Request) -> WholeView:
        return WholeView(nib, await operator(request))

    return view
