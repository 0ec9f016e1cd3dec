"""Pages of devices from the NIB's summaries to bytes, with nothing made in between.

The bytes are those that `answers.DeviceItem` documents; a test holds one to the other.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from fastapi import Response
from pydantic_core import to_json

from pdsno.api.view import View
from pdsno.domain.operator_ports import Stamp, Summary
from pdsno.domain.ownership import OPERATOR

_MOST_DEVICES = 10_000
"""Some ten megabytes."""


class WrittenDevices:
    """The JSON of devices that were answered lately, each as long as its stamp is the same.

    What an operator may see is none of its business: the page is read anew for each request, and
    only its devices are not written again. Thread-safe.
    """

    def __init__(self, most: int = _MOST_DEVICES) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._written: OrderedDict[str, tuple[Stamp, bytes]] = OrderedDict()

    def of(self, stamps: Sequence[Stamp], view: View) -> list[bytes]:
        """Return the JSON of devices; `view` is where the stamps were read, in the same state."""
        with self._lock:
            held = [self._written.get(stamp.device_id) for stamp in stamps]
        kept = {
            one[0].device_id: one[1]
            for one, stamp in zip(held, stamps, strict=True)
            if one is not None and one[0] == stamp
        }
        missing = [stamp for stamp in stamps if stamp.device_id not in kept]
        if missing:
            summaries = view.device_summaries(missing)
            fresh = {s.device_id: to_json(_item(summaries[s.device_id])) for s in missing}
            kept |= fresh
            self._keep({s.device_id: (s, fresh[s.device_id]) for s in missing})
        return [kept[stamp.device_id] for stamp in stamps]

    def _keep(self, fresh: Mapping[str, tuple[Stamp, bytes]]) -> None:
        with self._lock:
            for device_id, entry in fresh.items():
                self._written[device_id] = entry
                self._written.move_to_end(device_id)
            while len(self._written) > self._most:
                self._written.popitem(last=False)


def listing(items: Sequence[bytes], next_cursor: str | None) -> Response:
    """Return a page of items that are written already."""
    content = b'{"items":[%b],"next_cursor":%b}' % (b",".join(items), to_json(next_cursor))
    return Response(content=content, media_type="application/json")


def written(summaries: Sequence[Summary], shown: frozenset[str] | None) -> list[bytes]:
    """Return the JSON of devices; `shown` names the fields that are answered, None means all."""
    items = map(_item, summaries)
    if shown is None:
        return [to_json(item) for item in items]
    return [to_json({k: v for k, v in item.items() if k in shown}) for item in items]


def _item(summary: Summary) -> Summary:
    item = summary | {"pinned": _pinned(summary["provenance"])}
    del item["provenance"]
    return item


def _pinned(provenance: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the fields that people set, sorted, as `ownership.pinned` does for a device."""
    return sorted([name for name, known in provenance.items() if known["source"] == OPERATOR])
