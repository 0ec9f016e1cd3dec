"""A page of devices from the NIB's summaries to bytes, with nothing made in between.

The bytes are those that `answers.DeviceItem` documents; a test holds one to the other.
"""

from collections.abc import Mapping, Sequence

from fastapi import Response
from pydantic_core import to_json

from pdsno.domain.operator_ports import Summary
from pdsno.domain.ownership import OPERATOR


def device_listing(
    devices: Sequence[Summary], next_cursor: str | None, shown: frozenset[str] | None
) -> Response:
    """Return a page of devices; `shown` names the fields that are answered, None means all.

    The summaries are used up.
    """
    for device in devices:
        device["pinned"] = _pinned(device.pop("provenance"))
    items = devices if shown is None else [_some(device, shown) for device in devices]
    content = to_json({"items": items, "next_cursor": next_cursor})
    return Response(content=content, media_type="application/json")


def _pinned(provenance: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the fields that people set, sorted, as `ownership.pinned` does for a device."""
    return sorted([name for name, known in provenance.items() if known["source"] == OPERATOR])


def _some(device: Summary, shown: frozenset[str]) -> Summary:
    return {name: value for name, value in device.items() if name in shown}
