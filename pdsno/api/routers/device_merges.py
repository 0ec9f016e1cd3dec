"""`/devices/{id}/evidence`, `/merge`, `/split`: why a device is one, and a person's word on it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from pdsno.api.actions import Actions
from pdsno.api.answers import DeviceDetail, device_detail, json_response
from pdsno.api.auth import Operator, may_see, region_for
from pdsno.api.conditional import unless_same
from pdsno.api.etags import versions_in
from pdsno.api.info import ControllerInfo
from pdsno.api.queries import Id, IfMatch, no_parameters
from pdsno.api.read_route import ReadRoute
from pdsno.api.view import operators
from pdsno.controllers.device_edits import check_version
from pdsno.domain.constraints import Word
from pdsno.domain.entities import Device, OperatorRole
from pdsno.domain.errors import NotFoundError
from pdsno.domain.makings import Joined, Making, Told
from pdsno.domain.parts import Part, parts_of
from pdsno.domain.persons_report import tell_above
from pdsno.domain.persons_word import Person, do_merge, find, plan_merge, words_of
from pdsno.domain.ports import NIB, NIBReader
from pdsno.domain.relink import relink
from pdsno.domain.splitting import SplitPlan, do_split, plan_split


class MergeOrder(BaseModel):
    """Which device becomes part of the one in the path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    with_id: str = Field(alias="with", min_length=1, max_length=128, examples=["dev_0002"])
    note: str = Field(default="", max_length=500)
    dry_run: bool = Field(default=False, description="Only say what would happen.")


class SplitOrder(BaseModel):
    """What the device keeps; the rest becomes another one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: tuple[Annotated[str, Field(min_length=1, max_length=128)], ...] = Field(
        default=(),
        max_length=100,
        description="Names, MACs, addresses, serials, reporters; of two parts, which one is left "
        "out stays with the management address.",
        examples=[["00:50:56:aa:bb:01"]],
    )
    note: str = Field(default="", max_length=500)
    dry_run: bool = Field(default=False, description="Only say what would happen.")


@dataclass(frozen=True, kw_only=True, slots=True)
class PartItem:
    """Something a device is made of, and cannot be divided further."""

    label: str
    macs: tuple[str, ...]
    ips: tuple[str, ...]
    serials: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceAnswer:
    """Why a device is one.

    `told` are the reasons of each controller, the most telling first, `joined` what became part of
    it since, the newest first; `parts` is what it could be split into, `words` what people said,
    `merged_ids` the IDs that mean this device as well.
    """

    device_id: str
    merged_ids: tuple[str, ...]
    told: tuple[Told, ...]
    joined: tuple[Joined, ...]
    parts: tuple[PartItem, ...]
    words: tuple[Word, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeAnswer:
    """The survivor, the ID that is its alias now, and earlier words that this merge lifts."""

    is_dry_run: bool
    device: DeviceDetail
    merged_id: str
    lifted: tuple[Word, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitAnswer:
    """Both devices. In a dry run `new_id` is null unless the new one had an ID before."""

    is_dry_run: bool
    kept: DeviceDetail
    new: DeviceDetail
    new_id: str | None
    kept_parts: tuple[PartItem, ...]
    new_parts: tuple[PartItem, ...]
    lifted: tuple[Word, ...]


_EVIDENCE = TypeAdapter(EvidenceAnswer)
_MERGE = TypeAdapter(MergeAnswer)
_SPLIT = TypeAdapter(SplitAnswer)


def _visible(
    reader: NIBReader,
    operator: Operator,
    device_id: str,
    versions: frozenset[int] | None = None,
) -> Device:
    device = find(reader, device_id)
    if not may_see(operator, device.region):
        raise NotFoundError(f"there is no device {device_id}")
    check_version(device, versions)
    return device


def _seen_whole(operator: Operator, plan: SplitPlan) -> SplitPlan:
    """Return a plan of which the operator may see both devices, else raise RefusedError."""
    for device in plan.outcome.devices:
        region_for(operator, device.region)
    return plan


def router(nib: NIB, controller: Callable[[], ControllerInfo], actions: Actions) -> APIRouter:
    """Return the routes; writing needs the role operator."""
    routes = APIRouter(
        prefix="/devices",
        tags=["devices"],
        dependencies=[Depends(no_parameters)],
        route_class=ReadRoute,
    )
    reads = Depends(operators(OperatorRole.VIEWER))
    writes = Depends(operators(OperatorRole.OPERATOR))

    def person(operator: Operator, note: str) -> Person:
        me = controller().controller_id
        return Person(name=operator.name, controller_id=me, at=datetime.now(UTC), note=note)

    @routes.get("/{device_id}/evidence", response_model=EvidenceAnswer)
    def get_device_evidence(
        request: Request, device_id: Id, operator: Annotated[Operator, reads]
    ) -> Response:
        """Why this is one device, what it is made of, and what people said of it."""
        device = _visible(nib, operator, device_id)
        return unless_same(request, json_response(_EVIDENCE, _evidence(nib, device)))

    @routes.post("/{device_id}/merge", response_model=MergeAnswer)
    def merge_devices(
        device_id: Id,
        order: MergeOrder,
        operator: Annotated[Operator, writes],
        if_match: IfMatch = None,
    ) -> Response:
        """Make another device part of this one, for good: discovery does not part them again."""
        who, versions = person(operator, order.note), versions_in(if_match)
        if order.dry_run:
            keeper = _visible(nib, operator, device_id, versions)
            plan = plan_merge(nib, keeper, _visible(nib, operator, order.with_id), who)
        else:
            with nib.transaction() as tx:
                keeper = _visible(tx, operator, device_id, versions)
                plan = plan_merge(tx, keeper, _visible(tx, operator, order.with_id), who)
                plan = do_merge(tx, plan, who)
                relink(tx, tx.all_devices(), actor=who.controller_id, now=who.at)
                tier = controller().tier
                tell_above(tx, tier, who.at, devices=plan.devices, absorbed=plan.absorbed)
            actions.tell_above()
        answer = MergeAnswer(
            is_dry_run=order.dry_run,
            device=device_detail(plan.devices[0]),
            merged_id=plan.absorbed[0].device_id,
            lifted=plan.lifted,
        )
        return json_response(_MERGE, answer)

    @routes.post("/{device_id}/split", response_model=SplitAnswer)
    def split_device(
        device_id: Id,
        order: SplitOrder,
        operator: Annotated[Operator, writes],
        if_match: IfMatch = None,
    ) -> Response:
        """Make two devices of one, for good: discovery does not join them again."""
        who, versions = person(operator, order.note), versions_in(if_match)
        if order.dry_run:
            device = _visible(nib, operator, device_id, versions)
            plan = _seen_whole(operator, plan_split(nib, device, who, order.keep))
            return json_response(_SPLIT, _split_answer(plan, plan.outcome.devices, is_dry_run=True))
        with nib.transaction() as tx:
            device = _visible(tx, operator, device_id, versions)
            plan = _seen_whole(operator, plan_split(tx, device, who, order.keep))
            devices = do_split(tx, plan, who).devices
            relink(tx, tx.all_devices(), actor=who.controller_id, now=who.at)
            tell_above(tx, controller().tier, who.at, devices=devices)
        actions.tell_above()
        return json_response(_SPLIT, _split_answer(plan, devices, is_dry_run=False))

    return routes


def _evidence(nib: NIBReader, device: Device) -> EvidenceAnswer:
    making = nib.making(device.device_id) or Making(device_id=device.device_id)
    merged_ids = nib.aliases(device.device_id)
    return EvidenceAnswer(
        device_id=device.device_id,
        merged_ids=merged_ids,
        told=making.told,
        joined=making.joined,
        parts=tuple(map(_part, parts_of(nib, device))),
        words=words_of(nib).about({device.device_id, *merged_ids}),
    )


def _part(part: Part) -> PartItem:
    marks = part.marks
    return PartItem(label=part.label, macs=marks.macs, ips=marks.ips, serials=marks.serials)


def _split_answer(plan: SplitPlan, devices: tuple[Device, ...], *, is_dry_run: bool) -> SplitAnswer:
    kept, new = devices
    is_old_id = any(word.b_id == new.device_id for word in plan.outcome.lifted)
    return SplitAnswer(
        is_dry_run=is_dry_run,
        kept=device_detail(kept),
        new=device_detail(new),
        new_id=None if is_dry_run and not is_old_id else new.device_id,
        kept_parts=tuple(map(_part, plan.kept)),
        new_parts=tuple(map(_part, plan.parted)),
        lifted=plan.outcome.lifted,
    )
