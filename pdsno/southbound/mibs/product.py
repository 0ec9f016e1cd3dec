"""What a device is, out of everything that told something of it: the best teller per field."""

import re
from dataclasses import dataclass

from pdsno.domain.entities import DeviceType
from pdsno.southbound.mibs.entity import Entity
from pdsno.southbound.mibs.makes import (
    brand,
    generic_serial,
    make_of,
    phrased_version,
    without_vendor,
)
from pdsno.southbound.mibs.system import System
from pdsno.southbound.mibs.vendor import VendorFacts

_KIND_WORDS = re.compile(
    r"(?i)^(?:switch|router) |(?: (?:intelligent|routing|ethernet|managed|smart))* switch$"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """Maker, model, serial, software; `kind` where the product itself says what it is for."""

    vendor: str | None
    platform: str | None
    os_version: str | None
    model: str | None
    serial: str | None
    kind: DeviceType | None


def product_of(system: System, parts: Entity, own: VendorFacts) -> Product:
    """Weigh system group, ENTITY-MIB and the vendor's own MIB against each other.

    What sysDescr clearly says comes first for the software, what the chassis says for the
    hardware; a guess from free text comes last.
    """
    descr = system.descr or ""
    make = make_of(descr, system.object_id or "")
    vendor = make.vendor or brand(own.vendor) or brand(parts.vendor)
    return Product(
        vendor=vendor,
        platform=make.platform,
        os_version=make.os_version
        or own.version
        or _version(parts.software, f"{vendor} ", system.object_id or "")
        or make.kernel
        or _version(own.spare_version),
        model=_plain(
            vendor,
            make.model or parts.model or own.model or make.hint or parts.hint or make.guess,
        ),
        serial=make.serial or parts.serial or own.serial or generic_serial(descr),
        kind=make.kind or (DeviceType.ENDPOINT if own.is_ups or own.is_printer else None),
    )


def _version(software: str | None, maker: str = "", object_id: str = "") -> str | None:
    """Return the version in a phrase: `RGOS 10.4(3)p4 Release(161753)`, `Build 4.04.004`."""
    if software is None or " " not in software:
        return software
    by_rule = make_of(maker + software, object_id).os_version if maker else None
    return by_rule or phrased_version(software)


def _plain(vendor: str | None, model: str | None) -> str | None:
    """Return a model without its maker's name in front and the word for its kind around it."""
    if model is None:
        return None
    model = without_vendor(model, vendor)
    bare = _KIND_WORDS.sub("", model).strip()
    return bare if any(char.isdigit() for char in bare) else model
