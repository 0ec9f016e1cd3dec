"""What the API answers: the contract with users, kept apart from what the NIB holds.

OpenAPI is made from these types and the bytes are written from the same types, so that the one
is true of the other. Only pages of devices come written from the NIB (`items`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Generic, TypeVar, cast, get_type_hints

from fastapi import Response
from pydantic import ConfigDict, TypeAdapter, create_model

from pdsno.api.info import Check
from pdsno.domain.entities import (
    Attachment,
    ControllerRecord,
    ControllerStatus,
    Device,
    DeviceStatus,
    DeviceType,
    Endpoint,
    EndpointSighting,
    Interface,
    Neighbor,
)
from pdsno.domain.identifiers import Role
from pdsno.domain.observations import AddressOutcome, Authority, CycleRecord, Interruption, Probe
from pdsno.domain.ownership import is_pinned, pinned
from pdsno.domain.ports import DeviceInterface

T = TypeVar("T")
A = TypeVar("A")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing(Generic[T]):
    """One page of a list; the next one is asked for with `cursor=next_cursor`."""

    items: tuple[T, ...]
    next_cursor: str | None


def json_response(
    adapter: TypeAdapter[A], value: A, *, shown: frozenset[str] | None = None
) -> Response:
    """Return a value as JSON, written in one go and not validated a second time.

    `shown` names the fields of a listing's items that are answered, None means all.
    """
    included: Any = None
    if shown is not None:
        names = [f.name for f in fields(cast("Any", value)) if f.name != "items"]
        included = {"items": {"__all__": set(shown)}, **dict.fromkeys(names, True)}
    return Response(
        content=adapter.dump_json(value, include=included), media_type="application/json"
    )


def sparse(listing: type, item: type) -> Any:  # noqa: ANN401 - a type for FastAPI
    """Return the type of a listing whose items may have all of their fields, or some."""
    known = {f.name: (f.type, None) for f in fields(item)}
    hints = get_type_hints(item)
    shown: dict[str, Any] = {name: (hints[name], None) for name in known}
    some = create_model(f"Some{item.__name__}", __config__=ConfigDict(extra="forbid"), **shown)
    for field in some.model_fields.values():
        # A field that was not asked for is left out: null would say that it is unknown.
        field.json_schema_extra = _without_default
    items: Any = tuple.__class_getitem__((some, ...))
    others = {n: (t, ...) for n, t in get_type_hints(listing).items() if n != "items"}
    return create_model(
        f"Sparse{listing.__name__}Of{item.__name__}",
        __config__=ConfigDict(extra="forbid"),
        items=(items, ...),
        **cast("Any", others),
    )


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceItem:
    """A device. Sorted and without repeats: `macs`, `ips`, `sources`, and `interfaces` by name.

    `notes`, `tags`, `site` and `location` are people's; `pinned` are the fields that people set.
    """

    device_id: str
    name: str | None
    status: DeviceStatus
    device_type: DeviceType
    vendor: str | None
    model: str | None
    platform: str | None
    os_version: str | None
    serial: str | None
    region: str
    namespace: str
    local_controller: str
    management_ip: str | None
    macs: tuple[str, ...]
    ips: tuple[str, ...]
    interfaces: tuple[Interface, ...]
    sources: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime
    version: int
    notes: str | None
    tags: tuple[str, ...]
    site: str | None
    location: str | None
    pinned: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where the value of a field came from, when it was read there, and whether a person set it."""

    source: str
    at: datetime
    pinned: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceDetail(DeviceItem):
    """A device with its neighbours, and where the value of each field came from."""

    chassis_id: str | None
    neighbors: tuple[Neighbor, ...]
    provenance: Mapping[str, Provenance]


_MADE = ("pinned", "provenance")
_ITEM_FIELDS = tuple(f.name for f in fields(DeviceItem) if f.name not in _MADE)
_DETAIL_FIELDS = tuple(f.name for f in fields(DeviceDetail) if f.name not in _MADE)


def device_item(device: Device) -> DeviceItem:
    """Return a device as it stands in a list."""
    shown = {name: getattr(device, name) for name in _ITEM_FIELDS}
    return DeviceItem(**shown, pinned=pinned(device))


def device_detail(device: Device) -> DeviceDetail:
    """Return a device as it stands alone."""
    shown = {name: getattr(device, name) for name in _DETAIL_FIELDS}
    told = {
        name: Provenance(source=known.source, at=known.at, pinned=is_pinned(device, name))
        for name, known in device.provenance.items()
    }
    return DeviceDetail(**shown, pinned=pinned(device), provenance=told)


@dataclass(frozen=True, kw_only=True, slots=True)
class InterfaceItem:
    """An interface, and the device that has it. `ips` are `address/prefixlen`."""

    device_id: str
    device: str | None
    region: str
    name: str
    mac: str | None
    ips: tuple[str, ...]
    oper_status: str | None
    admin_status: str | None
    mtu: int | None
    speed_mbps: int | None
    description: str | None
    vrf: str | None


_INTERFACE_FIELDS = tuple(f.name for f in fields(Interface))


def interface_item(found: DeviceInterface) -> InterfaceItem:
    """Return an interface as it stands in a list."""
    return InterfaceItem(
        device_id=found.device_id,
        device=found.device,
        region=found.region,
        **{name: getattr(found.interface, name) for name in _INTERFACE_FIELDS},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class SightingItem:
    """A stretch of time in which an endpoint had one address at one place."""

    ip: str | None
    attachment: Attachment | None
    source: str
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointItem:
    """A host that is there and told nothing; `attachment` is the switch port, if one is known.

    `sources` name who told of it: sweep methods, `arp-table`, `mac-table`.
    """

    endpoint_id: str
    namespace: str
    mac: str | None
    ips: tuple[str, ...]
    vendor: str | None
    is_random_mac: bool
    region: str
    local_controller: str
    attachment: Attachment | None
    sources: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointDetail(EndpointItem):
    """An endpoint with its sightings, the latest first."""

    sightings: tuple[SightingItem, ...]


_ENDPOINT_FIELDS = tuple(f.name for f in fields(EndpointItem))
_SIGHTING_FIELDS = tuple(f.name for f in fields(SightingItem))


def endpoint_item(endpoint: Endpoint) -> EndpointItem:
    """Return an endpoint as it stands in a list."""
    return EndpointItem(**{name: getattr(endpoint, name) for name in _ENDPOINT_FIELDS})


def endpoint_detail(endpoint: Endpoint, sightings: Iterable[EndpointSighting]) -> EndpointDetail:
    """Return an endpoint as it stands alone."""
    shown: dict[str, Any] = {name: getattr(endpoint, name) for name in _ENDPOINT_FIELDS}
    told = ({name: getattr(seen, name) for name in _SIGHTING_FIELDS} for seen in sightings)
    return EndpointDetail(**shown, sightings=tuple(SightingItem(**values) for values in told))


@dataclass(frozen=True, kw_only=True, slots=True)
class ControllerItem:
    """A controller. `key_id` is the RFC 7638 thumbprint of the key that speaks for it."""

    controller_id: str
    role: Role
    region: str | None
    status: ControllerStatus
    state: str
    url: str | None
    parent_id: str | None
    subnets: tuple[str, ...]
    hostname: str
    key_id: str
    is_delegated: bool
    validated_at: datetime
    decided_by: str
    last_seen: datetime | None
    version: int


def controller_item(record: ControllerRecord) -> ControllerItem:
    """Return a controller without its keys and certificates."""
    shown: dict[str, Any] = {
        f.name: getattr(record, f.name) for f in fields(ControllerItem) if f.name != "is_delegated"
    }
    return ControllerItem(**shown, is_delegated=bool(record.authority))


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeItem:
    """What came of one address in one cycle; `summary` is the line for people."""

    namespace: str
    address: str
    is_answered: bool
    summary: str
    probes: tuple[Probe, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeListing:
    """One page of a cycle's addresses; `cycle_id` is null before the first cycle."""

    cycle_id: str | None
    items: tuple[ProbeItem, ...]
    next_cursor: str | None


def probe_items(outcomes: Iterable[AddressOutcome]) -> tuple[ProbeItem, ...]:
    """Return the records of addresses as they stand in a list."""
    return tuple(
        ProbeItem(
            namespace=outcome.namespace,
            address=outcome.address,
            is_answered=outcome.is_answered,
            summary=outcome.summary,
            probes=outcome.probes,
        )
        for outcome in outcomes
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class CycleItem:
    """One discovery cycle: by whose word it probed, within what limits, and what came of it.

    `counts` are addresses by outcome, `interruptions` say what cut the cycle short.
    """

    cycle_id: str
    region: str
    local_controller: str
    namespace: str
    subnets: tuple[str, ...]
    authority: Authority
    started_at: datetime
    finished_at: datetime
    is_complete: bool
    counts: Mapping[str, int]
    notes: tuple[str, ...]
    interruptions: tuple[Interruption, ...]


_CYCLE_FIELDS = tuple(f.name for f in fields(CycleItem))


def cycle_item(record: CycleRecord) -> CycleItem:
    """Return a cycle as it stands in the ledger."""
    return CycleItem(**{name: getattr(record, name) for name in _CYCLE_FIELDS})


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthStatus:
    """The controller answers and its NIB can be read: all that is said without a token."""

    status: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadyAnswer:
    """Whether the controller does its work: `ready`, or `unready` if a required check fails.

    Without a token `checks` is empty.
    """

    status: str
    checks: Mapping[str, Check]


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthAnswer:
    """The controller answers and its NIB can be read; `health` holds what else it says."""

    status: str
    controller_id: str
    role: Role
    region: str | None
    version: str
    started_at: datetime
    uptime_s: float
    health: Mapping[str, Any]
