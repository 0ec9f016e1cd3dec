"""Pages of devices as they are answered: each is kept as JSON beside its device."""

from functools import cache

from sqlalchemy import Select, Text, select, type_coerce

from pdsno.domain.ordering import DEVICE_ORDERS, Keyset, ordering
from pdsno.domain.ports import EVERY_DEVICE, DeviceFilter, Page
from pdsno.nib import sql_devices
from pdsno.nib.codec_items import shown
from pdsno.nib.criteria import PAGE, check_limit, criteria
from pdsno.nib.schema import device_items, devices
from pdsno.nib.sql_session import Session
from pdsno.nib.sql_sorting import sorted_page

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
        statement, params = sql_devices.page(criteria(where))
        keyset = Keyset(ordering(order, DEVICE_ORDERS), "device_id", after)
        wanted = _items(statement, keyset.order.field)
        rows, following = sorted_page(
            self._session, devices, wanted, params, keyset, check_limit(limit)
        )
        items = tuple([shown(row["item"], row["seen"]) for row in rows])
        return Page(items=items, next_after=following)
