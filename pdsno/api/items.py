"""Pages of devices, of which the NIB keeps each as it is answered.

The bytes are those that `answers.DeviceItem` documents; a test holds one to the other.
"""

from collections.abc import Sequence

from fastapi import Response
from pydantic_core import from_json, to_json


def listing(
    items: Sequence[str], next_cursor: str | None, *, shown: frozenset[str] | None
) -> Response:
    """Return a page; `shown` names the fields that are answered, None means all."""
    written = f"[{','.join(items)}]".encode()
    if shown is not None:
        written = to_json([_some(item, shown) for item in from_json(written)])
    content = b'{"items":%b,"next_cursor":%b}' % (written, to_json(next_cursor))
    return Response(content=content, media_type="application/json")


def _some(item: dict[str, object], shown: frozenset[str]) -> dict[str, object]:
    return {name: value for name, value in item.items() if name in shown}
