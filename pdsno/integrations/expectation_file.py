"""Expectations as files: what `pdsno netbox import --expect` writes and `pdsno verify` reads.

YAML that people may edit: a list of devices and one of links, only what is known of each.
"""

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from pdsno.domain.errors import InputError
from pdsno.domain.expectation import (
    Expectation,
    ExpectedDevice,
    ExpectedInterface,
    ExpectedLink,
    LinkEnd,
)
from pdsno.domain.identifiers import normalise_mac
from pdsno.domain.jsonable import jsonable
from pdsno.strict_yaml import yaml_of

KIND = "pdsno-expectation"
_FORMAT = 1
_MOST_BYTES = 128 << 20
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_DEVICES: TypeAdapter[tuple[ExpectedDevice, ...]] = TypeAdapter(tuple[ExpectedDevice, ...])
_DEFAULTS = {
    f.name: f.default for f in (*dataclasses.fields(ExpectedDevice),
                                *dataclasses.fields(ExpectedInterface))
}  # fmt: skip
_TOP = frozenset({"kind", "format", "source", "taken_at", "devices", "links"})


def dump_expectation(expectation: Expectation, *, taken_at: datetime) -> str:
    """Return an expectation as text, in an order that is the same each time."""
    document = {
        "kind": KIND,
        "format": _FORMAT,
        "source": expectation.source,
        "taken_at": jsonable(taken_at),
        "devices": [_plain(one) for one in sorted(expectation.devices, key=lambda d: d.name)],
    }
    if expectation.links is not None:
        document["links"] = [_plain_link(one) for one in expectation.links]
        document["links"].sort(key=lambda link: link["ends"])
    return yaml.dump(document, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=100)


def _plain(value: ExpectedDevice | ExpectedInterface) -> dict[str, Any]:
    """Return what is known, without what is left at its default."""
    found = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if item == field.default or item in ((), frozenset()):
            continue
        if isinstance(item, frozenset):
            item = sorted(item)
        is_nested = isinstance(item, tuple) and dataclasses.is_dataclass(item[0])
        found[field.name] = [_plain(one) for one in item] if is_nested else jsonable(item)
    return found


def _plain_link(link: ExpectedLink) -> dict[str, Any]:
    ends = [[end.device, end.interface] for end in sorted(link.ends)]
    plain: dict[str, Any] = {"ends": ends}
    if link.place:
        plain["place"] = link.place
    return plain if link.is_told else {**plain, "is_told": False}


def load_yaml(path: Path) -> object:
    """Return a YAML or JSON file as plain values. Raises InputError, naming file and line."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: larger than {_MOST_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text") from error
    with yaml_of(path):
        return yaml.load(text, Loader=_LOADER)  # noqa: S506 - the safe one


def is_expectation(document: object) -> bool:
    """Tell whether a document says of itself that it is an expectation."""
    return isinstance(document, dict) and document.get("kind") == KIND


def parse_expectation(document: Mapping[str, Any], path: Path) -> Expectation:
    """Return the expectation in a document. Raises InputError, naming the place of the fault."""
    unknown = sorted(map(str, document.keys() - _TOP))
    if unknown:
        raise InputError(f"{path}: there is no such field: {', '.join(unknown)}")
    if document.get("format") != _FORMAT:
        raise InputError(f"{path}: format {document.get('format')!r} is not known, only {_FORMAT}")
    devices = _devices(document.get("devices"), path)
    links = document.get("links")
    return Expectation(
        source=str(document.get("source") or path),
        devices=devices,
        links=None if links is None else tuple(_link(one, path) for one in _list(links, path)),
    )


def _devices(value: object, path: Path) -> tuple[ExpectedDevice, ...]:
    items = _list(value, path)
    for index, item in enumerate(items):
        known = {f.name for f in dataclasses.fields(ExpectedDevice)}
        unknown = sorted(map(str, item.keys() - known)) if isinstance(item, dict) else []
        if unknown:
            raise InputError(f"{path}: devices[{index}]: there is no such field: {unknown[0]}")
    try:
        found = _DEVICES.validate_python(items)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: devices.{place}: {first['msg'].lower()}") from error
    if not found:
        raise InputError(f"{path}: expects no device at all")
    return tuple(_checked(one, path) for one in found)


def _checked(device: ExpectedDevice, path: Path) -> ExpectedDevice:
    """Return a device whose MACs and addresses can be compared."""
    try:
        for text in (*device.addresses, *filter(None, [device.management_ip])):
            ip_address(text)
        interfaces = []
        for one in device.interfaces:
            for text in one.ips:
                ip_interface(text)
            mac = normalise_mac(one.mac) if one.mac else None
            interfaces.append(dataclasses.replace(one, mac=mac))
        macs = frozenset(normalise_mac(mac) for mac in device.macs)
    except (ValueError, InputError) as error:
        raise InputError(f"{path}: {device.name}: {error}") from error
    return dataclasses.replace(device, macs=macs, interfaces=tuple(interfaces))


def _list(value: object, path: Path) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{path}: 'devices' and 'links' are lists")
    return value


def _link(value: Any, path: Path) -> ExpectedLink:  # noqa: ANN401 - a fault is said below
    try:
        a, b = value["ends"]
        ends = frozenset(LinkEnd(device=str(one[0]), interface=str(one[1])) for one in (a, b))
        return ExpectedLink(
            ends=ends,
            place=str(value.get("place", "")),
            is_told=bool(value.get("is_told", True)),
        )
    except (TypeError, KeyError, ValueError, IndexError, AttributeError) as error:
        raise InputError(
            f"{path}: a link is written as 'ends: [[DEVICE, INTERFACE], [DEVICE, INTERFACE]]'"
        ) from error
