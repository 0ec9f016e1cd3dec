"""`/probes`: what came of every address in a discovery cycle, and who allowed the cycle."""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field, TypeAdapter

from pdsno.api.answers import (
    CycleItem,
    Listing,
    ProbeItem,
    ProbeListing,
    cycle_item,
    json_response,
    probe_items,
    sparse,
)
from pdsno.api.conditional import unless_known
from pdsno.api.queries import IpOrPrefix, ListQuery, Text
from pdsno.api.read_route import ReadRoute
from pdsno.api.view import View, ViewOf, WholeView
from pdsno.domain.errors import InputError, NotFoundError
from pdsno.domain.observations import AddressOutcome, CycleRecord

_LISTING = TypeAdapter(ProbeListing)
_CYCLES = TypeAdapter(Listing[CycleItem])
_ANSWER: Any = ProbeListing | sparse(ProbeListing, ProbeItem)
_CYCLES_ANSWER: Any = Listing[CycleItem] | sparse(Listing, CycleItem)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where a page starts: so many records into a cycle, whose record never changes."""

    cycle_id: str | None
    index: int


class ProbeQuery(ListQuery):
    """The filters of `/probes`."""

    cycle_id: Text | None = Field(default=None, description="By default the newest cycle.")
    namespace: Text | None = None
    ip: IpOrPrefix | None = Field(default=None, description="An address, or a prefix around it.")
    answered: bool | None = Field(default=None, description="Whether anything answered from it.")

    sorts = ("address",)
    item = ProbeItem

    def start(self) -> _Place:
        """Return where the page starts: a cursor stays in the cycle it was given out in."""
        place = self.place()
        if place is None:
            return _Place(cycle_id=self.cycle_id, index=0)
        index, _, cycle_id = place.partition(":")
        if not index.isdecimal() or not cycle_id:
            raise InputError("the cursor is damaged: start again without it")
        return _Place(cycle_id=cycle_id, index=int(index))

    def matching(self, outcomes: Sequence[AddressOutcome], index: int) -> Iterator[int]:
        """Yield the indices, from one on, of the records for which all conditions hold."""
        network = ipaddress.ip_network(self.ip, strict=False) if self.ip else None
        for number in range(index, len(outcomes)):
            outcome = outcomes[number]
            if self.namespace is not None and outcome.namespace != self.namespace:
                continue
            if self.answered is not None and outcome.is_answered is not self.answered:
                continue
            if network is None or ipaddress.ip_address(outcome.address) in network:
                yield number


class CycleQuery(ListQuery):
    """The ledger has no filters: it is short."""

    item = CycleItem


def router(view_of: ViewOf) -> APIRouter:
    """Return the routes of `/probes`."""
    routes = APIRouter(prefix="/probes", tags=["probes"], route_class=ReadRoute)

    @routes.get("", response_model=_ANSWER)
    def list_probes(
        request: Request,
        query: Annotated[ProbeQuery, Query()],
        view: Annotated[WholeView, Depends(view_of)],
    ) -> Response:
        """Addresses in order, each with its probes and with one line for people."""

        def answer(view: View) -> Response:
            start = query.start()
            cycle_id, outcomes = view.outcomes(start.cycle_id)
            if cycle_id is None and start.cycle_id is not None:
                raise NotFoundError(
                    f"the record of cycle {start.cycle_id!r} is not kept (any more)"
                )
            page = _page(query, cycle_id, outcomes, start.index)
            return json_response(_LISTING, page, shown=query.shown)

        return unless_known(request, view, ("cycles",), answer)

    @routes.get("/cycles", response_model=_CYCLES_ANSWER)
    def list_cycles(
        request: Request,
        query: Annotated[CycleQuery, Query()],
        view: Annotated[WholeView, Depends(view_of)],
    ) -> Response:
        """The ledger: cycles that are kept, the newest first, each with who allowed what."""

        def answer(view: View) -> Response:
            rest = _cycles_after(query.place(), view.cycles())
            page = rest[: query.limit]
            last = page[-1].cycle_id if len(rest) > query.limit else None
            items = tuple(cycle_item(record) for record in page)
            listing = Listing(items=items, next_cursor=query.cursor_to(last))
            return json_response(_CYCLES, listing, shown=query.shown)

        return unless_known(request, view, ("cycles",), answer)

    return routes


def _cycles_after(
    cycle_id: str | None, newest_first: Sequence[CycleRecord]
) -> Sequence[CycleRecord]:
    """Return what follows a cycle. One that was forgotten took all that is older along."""
    if cycle_id is None:
        return newest_first
    ids = [record.cycle_id for record in newest_first]
    return newest_first[ids.index(cycle_id) + 1 :] if cycle_id in ids else ()


def _page(
    query: ProbeQuery, cycle_id: str | None, outcomes: Sequence[AddressOutcome], index: int
) -> ProbeListing:
    numbers: list[int] = []
    following = None
    for number in query.matching(outcomes, index):
        if len(numbers) == query.limit:
            following = f"{number}:{cycle_id}"
            break
        numbers.append(number)
    return ProbeListing(
        cycle_id=cycle_id,
        items=probe_items(outcomes[number] for number in numbers),
        next_cursor=query.cursor_to(following),
    )
