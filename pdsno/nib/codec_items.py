"""What a list shows of a device, as JSON that is made when the device is written.

Whoever changes it needs a migration that makes the kept ones anew, as `v0011_device_items` does.
"""

from datetime import datetime

from pdsno.domain.entities import Device
from pdsno.domain.jsonable import jsonable
from pdsno.domain.operator_ports import LISTED
from pdsno.domain.ownership import pinned
from pdsno.nib.codec import as_stored, device_document, dumps

_KEPT = set(LISTED) - {"last_seen"}
_AFTER_LAST_SEEN = ',"version":'
"""In text of a device this would have backslashes before its quotes."""
_HOLE = "\n"
"""Stands for the time that moves while the device stays as it is; JSON escapes it in text."""
_WHOLE_SECOND = ".000000Z"


def device_item(device: Device) -> str:
    """Return what a list shows of a device."""
    return shown(item_row(device)["item"], device.last_seen)


def item_row(device: Device) -> dict[str, str]:
    """Return the row of `device_items` of a device."""
    device = as_stored(device)
    head, _, tail = device_document(device, _KEPT).partition(_AFTER_LAST_SEEN)
    names = pinned(device)
    told = dumps(names) if names else "[]"
    item = f'{head},"last_seen":"{_HOLE}"{_AFTER_LAST_SEEN}{tail[:-1]},"pinned":{told}}}'
    return {"device_id": device.device_id, "item": item}


def shown(item: str, last_seen: str | datetime) -> str:
    """Return a kept item with its time: as stored, which is text in SQLite."""
    if not isinstance(last_seen, str):
        last_seen = str(jsonable(last_seen))
    elif last_seen.endswith(_WHOLE_SECOND):
        last_seen = f"{last_seen.removesuffix(_WHOLE_SECOND)}Z"
    return item.replace(_HOLE, last_seen)
