"""What a controller's NIB holds, as values: for commands that compare or export it."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pdsno.cli.nib_client import NIBClient
from pdsno.domain.compare import Picture
from pdsno.domain.entities import Device, Endpoint, Link
from pdsno.domain.errors import OperationError

T = TypeVar("T")

_DEVICES: TypeAdapter[list[Device]] = TypeAdapter(list[Device])
_ENDPOINTS: TypeAdapter[list[Endpoint]] = TypeAdapter(list[Endpoint])
_LINKS: TypeAdapter[list[Link]] = TypeAdapter(list[Link])


def read_picture(
    client: NIBClient, *, region: str | None = None, with_scope: bool = False
) -> Picture:
    """Read devices, endpoints and links, all or those of a region.

    `with_scope` also asks which subnets are probed. Raises as NIBClient does, and OperationError
    for an answer that is none of ours.
    """
    chosen = {"region": region} if region else {}
    devices = read_devices(client, chosen)
    return Picture(
        devices=devices,
        endpoints=read_endpoints(client, chosen),
        links=read_links(client, devices),
        probed=_probed(client) if with_scope else None,
    )


def read_devices(client: NIBClient, filters: Mapping[str, str]) -> list[Device]:
    """Read devices as they stand in lists: without neighbours and provenance."""
    return _read(client, "devices", filters, _DEVICES)


def read_endpoints(client: NIBClient, filters: Mapping[str, str]) -> list[Endpoint]:
    """Read endpoints as they stand in lists."""
    return _read(client, "endpoints", filters, _ENDPOINTS)


def read_links(client: NIBClient, devices: Iterable[Device]) -> list[Link]:
    """Read the links that have an end at one of these devices."""
    known = {one.device_id for one in devices}
    links = _read(client, "links", {}, _LINKS)
    return [one for one in links if {one.a.device_id, one.b.device_id} & known]


def whole_device(client: NIBClient, device_id: str) -> Device:
    """Read one device with its neighbours, and who told each of its fields."""
    return _typed(client, "devices", [client.device(device_id)], _DEVICES)[0]


def _probed(client: NIBClient) -> dict[str, list[str]] | None:
    controllers = client.items("controllers", {"role": "local"})
    found = {str(one.get("controller_id")): list(one.get("subnets") or []) for one in controllers}
    return found if any(found.values()) else None


def _read(
    client: NIBClient, resource: str, filters: Mapping[str, str], adapter: TypeAdapter[list[T]]
) -> list[T]:
    return _typed(client, resource, list(client.items(resource, filters)), adapter)


def _typed(
    client: NIBClient, resource: str, items: list[dict[str, Any]], adapter: TypeAdapter[list[T]]
) -> list[T]:
    try:
        return adapter.validate_python(items)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise OperationError(
            f"{client.url} gave {resource} that this version does not understand: {place}: "
            f"{first['msg']}"
        ) from error
