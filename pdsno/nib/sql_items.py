"""Pages of devices as they are answered: each is kept as JSON beside its device."""

from functools import cache

from sqlalchemy import Select, Text, select, type_coerce

from pdsno.domain.ports import EVERY_DEVICE, DeviceFilter, Page
from pdsno.nib.codec_items import shown
from pdsno.nib.criteria import PAGE
from pdsno.nib.schema import device_items, devices
from pdsno.nib.sql_pages import device_page
from pdsno.nib.sql_session import Session

# A question for each device of the page, and no join: that lets nobody choose to begin with it.
_ITEM = (
    select(device_items.c.item)
    .where(device_items.c.device_id == devices.c.device_id)
    .correlate(devices)
    .scalar_subquery()
    .label("item")
)
_SEEN = type_coerce(devices.c.last_seen, Text).label("seen")
"""As it is stored."""


@cache
def _items(statement: Select[tuple[object, ...]], field: str) -> Select[tuple[object, ...]]:
    """Return a statement that reads items, and what they are sorted by."""
    names = dict.fromkeys(("device_id", field))
    return statement.with_only_columns(*(devices.c[name] for name in names), _SEEN, _ITEM)


class ItemReads:
    """The part of a reader that is here."""

    _session: Session

    def device_items(
        self,
        where: DeviceFilter = EVERY_DEVICE,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[str]:
        rows, following = device_page(
            self._session, where, _items, limit=limit, after=after, order=order
        )
        items = tuple([shown(row["item"], row["seen"]) for row in rows])
        return Page(items=items, next_after=following)
