"""What a device says about itself as a whole, out of template rows or text. Pure."""

import re
from collections.abc import Callable, Sequence

from pdsno.domain.observations import Module
from pdsno.southbound.platforms.base import clean_mac
from pdsno.southbound.platforms.readings import Reading
from pdsno.southbound.platforms.rows import Row, first_rows, value, values
from pdsno.southbound.platforms.words import duration_s, said

_NAME = ("hostname", "system_name")
_VERSION = ("version", "os", "image_version", "software_version", "junos_version", "image")
_MODEL = ("hardware", "model", "hardware_model", "product", "pid", "sc_model", "platform")
_SERIAL = ("serial", "serial_number", "system_serial", "sn", "chassis_serial_number")
_MAC = ("sys_mac", "base_mac", "mac_address", "chassis_id", "hw_mac_addr_start")
_SPANS = ("uptime_years", "uptime_weeks", "uptime_days", "uptime_hours", "uptime_minutes")


def system(rows: Sequence[Row], style: str) -> Reading:
    """Read what `show version` and its like say; several rows are the members of a stack."""
    del style
    row = first_rows(rows)
    members = _members(rows)
    return Reading(
        name=value(row, *_NAME),
        model=value(row, *_MODEL),
        os_version=value(row, *_VERSION),
        serial=value(row, *_SERIAL),
        chassis_id=next(filter(None, map(clean_mac, values(row, *_MAC))), None),
        uptime_s=_uptime(row),
        modules=members,
    )


def _uptime(row: Row) -> int | None:
    whole = duration_s(value(row, "uptime"))
    if whole is not None:
        return whole
    spans = ((name.removeprefix("uptime_"), value(row, name)) for name in _SPANS)
    told = [f"{count} {unit}" for unit, count in spans if count]
    return duration_s(", ".join(told)) if told else None


def _members(rows: Sequence[Row]) -> tuple[Module, ...]:
    """Return the members of a stack: lists of equal length in one row, or a row for each."""
    if len(rows) == 1:
        models = list(values(rows[0], *_MODEL[:1]))
        serials = list(values(rows[0], *_SERIAL[:1]))
    else:
        models = [value(row, *_MODEL) or "" for row in rows]
        serials = [value(row, *_SERIAL) or "" for row in rows]
    pairs = [p for p in zip(models, serials, strict=False) if any(p)]
    if len(pairs) <= 1 or len(models) != len(serials):
        return ()
    return tuple(
        Module(name=f"member {index}", model=model or None, serial=serial or None)
        for index, (model, serial) in enumerate(pairs, start=1)
    )


def name_only(*names: str) -> Callable[[Sequence[Row], str], Reading]:
    """Return a mapper for an output that tells the host name under one of `names`."""

    def read(rows: Sequence[Row], style: str) -> Reading:
        del style
        return Reading(name=value(first_rows(rows), *names))

    return read


def matched(*patterns: str) -> Callable[[str], Reading]:
    """Return a reader of plain text: the named groups of `patterns` are the fields they tell.

    Groups: name, model, os_version, serial, vendor, and `uptime` (any span), `mac`. Of two
    patterns that tell the same field the first that matches counts.
    """
    compiled = [re.compile(pattern, re.MULTILINE) for pattern in patterns]

    def read(text: str) -> Reading:
        told: dict[str, str] = {}
        for pattern in compiled:
            found = pattern.search(text)
            for key, part in (found.groupdict() if found else {}).items():
                clean_part = said(part)
                if clean_part is not None:
                    told.setdefault(key, clean_part)
        if not told:
            return Reading(problem="nothing in it was understood")
        return Reading(
            chassis_id=clean_mac(told.get("mac")),
            uptime_s=duration_s(told.get("uptime")),
            name=told.get("name"),
            model=told.get("model"),
            os_version=told.get("os_version"),
            serial=told.get("serial"),
            vendor=told.get("vendor"),
        )

    return read
