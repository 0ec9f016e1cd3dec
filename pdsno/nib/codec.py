"""Entities to stored rows and back.

Both backends go through here, so that what memory returns is what a file would return: tuples,
enums and UTC times, and nothing that the caller could still change.
"""

import ipaddress
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any, Protocol, TypeVar

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from pdsno.domain.entities import (
    ApiTokenRecord,
    Claim,
    ControllerRecord,
    Device,
    FieldSource,
    Interface,
    JoinTokenRecord,
    Link,
    LinkEnd,
    LinkStatus,
    Pin,
)
from pdsno.domain.errors import InputError, LocalProtocolError
from pdsno.domain.jsonable import one_level
from pdsno.domain.observations import AddressOutcome

T = TypeVar("T")


class Row(Protocol):
    """Column names to values: nested values as JSON text, times as aware datetimes."""

    def __getitem__(self, column: str, /) -> Any:  # noqa: ANN401 - each column has its own type
        """Return the value of a column."""


DEVICE_COLUMNS = (
    "device_id",
    "version",
    "name",
    "status",
    "device_type",
    "vendor",
    "platform",
    "serial",
    "region",
    "namespace",
    "local_controller",
    "first_seen",
    "last_seen",
    "missed",
)
_DEVICE_DOCUMENT = {f.name for f in fields(Device) if f.name not in (*DEVICE_COLUMNS, "interfaces")}
_INTERFACE_COLUMNS = tuple(f.name for f in fields(Interface) if f.name != "ips")
_CONTROLLER_COLUMNS = ("controller_id", "version", "role", "region", "status", "key_id")


_adapters: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    # Made at first use: making one takes milliseconds. Twice by two threads does no harm.
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=one_level).encode


def dumps(value: object) -> str:
    """Return a value as JSON text. Raises InputError if a string in it is not Unicode text."""
    return text(_encode(value))


def text(value: str) -> str:
    """Return a string. Raises InputError if it is not Unicode text."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"text that is not Unicode (a lone surrogate): {value!r:.80}") from error
    return value


def loads(kind: type[T], document: str) -> T:
    """Return the value of JSON text that `dumps` wrote."""
    return _adapter(kind).validate_json(document)


def plain(value: object) -> dict[str, Any]:
    """Return what JSON makes of a mapping or dataclass: a copy that nobody else holds."""
    copied: dict[str, Any] = json.loads(dumps(value))
    return copied


def utc(at: datetime) -> datetime:
    """Return a time in UTC. Raises LocalProtocolError if it names no time zone."""
    if at.tzinfo is None:
        raise LocalProtocolError(f"the time {at.isoformat()} has no time zone: NIB times are aware")
    return at.astimezone(UTC)


# --- addresses and text search ---------------------------------------------------------------


@lru_cache(maxsize=65_536)
def ip_key(ip: str) -> str | None:
    """Return a text that sorts as the address does (IPv4 first), or None if it is no address.

    Prefix length and zone are left out.
    """
    try:
        address = ipaddress.ip_address(ip.partition("/")[0])
    except ValueError:
        return None
    return _key_of(address.version, int(address))


@lru_cache(maxsize=65_536)
def ip_range(ip: str) -> tuple[str, str]:
    """Return first and last key of an address or prefix. Raises ValueError if it is neither."""
    network = ipaddress.ip_network(ip, strict=False)
    first, last = int(network.network_address), int(network.broadcast_address)
    return _key_of(network.version, first), _key_of(network.version, last)


def _key_of(version: int, value: int) -> str:
    return f"{version}{value:0{8 if version == 4 else 32}x}"  # noqa: PLR2004 - IP version 4


def search_text(device: Device) -> str:
    """Return what `q` looks in: one casefolded line per value."""
    values = (device.name, device.vendor, device.model, device.platform, device.serial)
    told = [value for value in values if value]
    return text("\n".join((*told, *device.macs, *device.ips)).casefold())


# --- devices ---------------------------------------------------------------------------------


def placed_addresses(device: Device) -> frozenset[tuple[str, str]]:
    """Return (namespace, address) of a device: an address of a VRF is in `NAMESPACE/VRF` alone.

    Unless we reach the device by it: then it is ours, in the device's own namespace. An address
    that an interface outside of any VRF has as well is in both.
    """
    inside: set[tuple[str, str]] = set()
    outside: set[str] = set()
    for interface in device.interfaces:
        bare = {ip.partition("/")[0] for ip in interface.ips}
        if interface.vrf is None:
            outside |= bare
        else:
            space = f"{device.namespace}/{interface.vrf}"
            inside |= {(space, ip) for ip in bare if ip != device.management_ip}
    only_inside = {ip for _, ip in inside} - outside
    return frozenset(
        inside | {(device.namespace, ip) for ip in device.ips if ip not in only_inside}
    )


def address_rows(device: Device) -> list[dict[str, Any]]:
    """Return a device's addresses as rows of `addresses`."""
    return [
        {
            "device_id": device.device_id,
            "namespace": namespace,
            "address": ip,
            "ip_key": ip_key(ip),
        }
        for namespace, ip in sorted(placed_addresses(device))
    ]


def settled(device: Device) -> Device:
    """Return a device with all its times in UTC, as JSON gives it back."""
    if all(at.tzinfo is UTC for at in _times_of(device)):
        return device
    return replace(
        device,
        first_seen=utc(device.first_seen),
        last_seen=utc(device.last_seen),
        provenance={k: _settled_source(v) for k, v in device.provenance.items()},
        pins={k: _settled_pin(v) for k, v in device.pins.items()},
    )


def _times_of(device: Device) -> Iterator[datetime]:
    yield device.first_seen
    yield device.last_seen
    for source in device.provenance.values():
        yield source.at
    for pin in device.pins.values():
        yield pin.at
        if pin.told_by is not None:
            yield pin.told_by.at


def _settled_source(source: FieldSource) -> FieldSource:
    return FieldSource(source=source.source, at=utc(source.at))


def _settled_pin(pin: Pin) -> Pin:
    told_by = _settled_source(pin.told_by) if pin.told_by else None
    return replace(pin, at=utc(pin.at), told_by=told_by)


def as_stored(device: Device) -> Device:
    """Return what `stored_device` does, of a device whose row was made: without the detour."""
    names = [interface.name for interface in device.interfaces]
    if any(one >= other for one, other in pairwise(names)):
        named = {i.name: i for i in device.interfaces}
        device = replace(device, interfaces=tuple(named[name] for name in sorted(named)))
    return settled(device)


def device_row(device: Device) -> dict[str, Any]:
    """Return a device as a row of `devices`, without its interfaces."""
    row = {name: getattr(device, name) for name in DEVICE_COLUMNS}
    row["status"], row["device_type"] = str(device.status), str(device.device_type)
    row["first_seen"], row["last_seen"] = utc(device.first_seen), utc(device.last_seen)
    row["search"] = search_text(device)
    row["document"] = device_document(settled(device), _DEVICE_DOCUMENT)
    return row


def device_document(device: Device, names: set[str] | None = None) -> str:
    """Return a settled device, or some of its fields, as `dumps` would, and many times as fast."""
    try:
        return _adapter(Device).dump_json(device, include=names, warnings=False).decode()
    except PydanticSerializationError:
        # What it cannot say `dumps` explains.
        return dumps({n: getattr(device, n) for n in names} if names else device)


def interface_row(device_id: str, interface: Interface) -> dict[str, Any]:
    """Return an interface as a row of `interfaces`."""
    row: dict[str, Any] = {name: getattr(interface, name) for name in _INTERFACE_COLUMNS}
    return row | {"device_id": device_id, "ips": _list_text(interface.ips)}


def interface_of(row: Row) -> Interface:
    """Return the interface of a row."""
    named = {name: row[name] for name in _INTERFACE_COLUMNS}
    return Interface(**named, ips=_list_of(row["ips"]))


# Addresses come back at every report, so that their text need not be made and read each time.
@lru_cache(maxsize=65_536)
def _list_text(values: tuple[str, ...]) -> str:
    return dumps(values)


@lru_cache(maxsize=65_536)
def _list_of(document: str) -> tuple[str, ...]:
    return tuple(json.loads(document))


def device_of(row: Row, interfaces: Sequence[Interface]) -> Device:
    """Return the device of a row and its interfaces in order of name."""
    values = {name: row[name] for name in DEVICE_COLUMNS}
    values |= json.loads(row["document"])
    values["interfaces"] = tuple(interfaces)
    return _adapter(Device).validate_python(values)


def interface_rows(device: Device) -> list[dict[str, Any]]:
    """Return a device's interfaces as rows ordered by name; of two with one name, the last."""
    named = {i.name: i for i in device.interfaces}
    return [interface_row(device.device_id, named[name]) for name in sorted(named)]


def stored_device(device: Device) -> Device:
    """Return the device as it would come back from a store."""
    interfaces = [interface_of(row) for row in interface_rows(device)]
    return device_of(device_row(device), interfaces)


# --- the rest --------------------------------------------------------------------------------


def claim_row(claim: Claim) -> dict[str, Any]:
    """Return a claim of a settled device as a row."""
    return {
        "reporter": claim.reporter,
        "their_id": claim.device.device_id,
        "device_id": claim.device_id,
        "document": device_document(claim.device),
    }


def claim_of(row: Row) -> Claim:
    """Return the claim of a row."""
    device = loads(Device, row["document"])
    return Claim(reporter=row["reporter"], device_id=row["device_id"], device=device)


def link_row(link: Link) -> dict[str, Any]:
    """Return a link as a row."""
    row: dict[str, Any] = {
        f"{side}_{name}": getattr(end, name)
        for side, end in (("a", link.a), ("b", link.b))
        for name in ("device_id", "device", "interface")
    }
    return row | {
        "link_id": link.link_id,
        "source": link.source,
        "status": str(link.status),
        "last_seen": utc(link.last_seen),
    }


def link_of(row: Row) -> Link:
    """Return the link of a row."""
    a, b = (
        LinkEnd(**{name: row[f"{side}_{name}"] for name in ("device_id", "device", "interface")})
        for side in ("a", "b")
    )
    return Link(
        link_id=row["link_id"],
        a=a,
        b=b,
        source=row["source"],
        status=LinkStatus(row["status"]),
        last_seen=row["last_seen"],
    )


def controller_row(record: ControllerRecord) -> dict[str, Any]:
    """Return a controller as a row; the document holds the whole record."""
    row: dict[str, Any] = {name: getattr(record, name) for name in _CONTROLLER_COLUMNS}
    row["role"], row["status"] = str(record.role), str(record.status)
    return row | {"validated_at": utc(record.validated_at), "document": dumps(record)}


def controller_of(row: Row) -> ControllerRecord:
    """Return the controller of a row."""
    return loads(ControllerRecord, row["document"])


def token_row(record: JoinTokenRecord) -> dict[str, Any]:
    """Return a join token's record as a row."""
    created_at = utc(record.created_at)
    return {
        "jti_sha256": record.jti_sha256,
        "created_at": created_at,
        "document": dumps(record),
    }


def token_of(row: Row) -> JoinTokenRecord:
    """Return the join token's record of a row."""
    return loads(JoinTokenRecord, row["document"])


def api_token_row(record: ApiTokenRecord) -> dict[str, Any]:
    """Return an API token's record as a row."""
    return {
        "token_sha256": record.token_sha256,
        "created_at": utc(record.created_at),
        "document": dumps(record),
    }


def api_token_of(row: Row) -> ApiTokenRecord:
    """Return the API token's record of a row."""
    return loads(ApiTokenRecord, row["document"])


def outcome_rows(cycle: int, outcomes: Iterable[AddressOutcome]) -> list[dict[str, Any]]:
    """Return the record of one cycle as rows; of two of one address, the last."""
    unique = {(o.namespace, o.address): o for o in outcomes}
    return [
        {
            "cycle": cycle,
            "ip_key": ip_key(outcome.address) or "",
            "namespace": outcome.namespace,
            "address": outcome.address,
            "document": dumps(outcome),
        }
        for outcome in unique.values()
    ]
