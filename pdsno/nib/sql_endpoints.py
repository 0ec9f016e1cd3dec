"""Statements over endpoints and their sightings, built once and run often."""

from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Select,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)

from pdsno.nib.criteria import EndpointCriteria
from pdsno.nib.schema import endpoint_addresses, endpoint_sightings, endpoints
from pdsno.nib.sql_devices import like_pattern

_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_LATEST_FIRST = (
    endpoint_sightings.c.last_seen.desc(),
    endpoint_sightings.c.first_seen.desc(),
    endpoint_sightings.c.ip,
    endpoint_sightings.c.place,
)

BY_IDS = select(endpoints).where(endpoints.c.endpoint_id.in_(_IDS))
SIGHTINGS = (
    select(endpoint_sightings)
    .where(endpoint_sightings.c.endpoint_id == bindparam("endpoint_id"))
    .order_by(*_LATEST_FIRST)
    .limit(bindparam("limit"))
)

TOUCH = (
    update(endpoints)
    .where(endpoints.c.endpoint_id.in_(_IDS), endpoints.c.last_seen < bindparam("seen"))
    .values(last_seen=bindparam("seen"))
)
UNPLUG = (
    update(endpoints).where(endpoints.c.device_id == bindparam("gone_id")).values(device_id=None)
)
"""Lets the endpoints of a device that is no longer here say so."""

DROP = delete(endpoints).where(endpoints.c.endpoint_id.in_(_IDS))
DROP_ADDRESSES = delete(endpoint_addresses).where(endpoint_addresses.c.endpoint_id.in_(_IDS))
DROP_SIGHTINGS = delete(endpoint_sightings).where(endpoint_sightings.c.endpoint_id.in_(_IDS))

_OLD = or_(
    and_(endpoints.c.is_random_mac == 0, endpoints.c.last_seen < bindparam("before")),
    and_(endpoints.c.is_random_mac == 1, endpoints.c.last_seen < bindparam("random_before")),
)
FORGET = delete(endpoints).where(_OLD)
FORGET_SIGHTINGS_OF_OLD = delete(endpoint_sightings).where(
    endpoint_sightings.c.endpoint_id.in_(select(endpoints.c.endpoint_id).where(_OLD))
)
FORGET_OLD_SIGHTINGS = delete(endpoint_sightings).where(
    endpoint_sightings.c.last_seen < bindparam("sightings_before")
)
_KEY = (
    endpoint_sightings.c.endpoint_id,
    endpoint_sightings.c.ip,
    endpoint_sightings.c.place,
)
_CROWDED = (
    select(endpoint_sightings.c.endpoint_id)
    .group_by(endpoint_sightings.c.endpoint_id)
    .having(func.count() > bindparam("most"))
)
_RANKED = (
    select(
        *_KEY,
        func.row_number()
        .over(partition_by=endpoint_sightings.c.endpoint_id, order_by=_LATEST_FIRST)
        .label("rank"),
    )
    .where(endpoint_sightings.c.endpoint_id.in_(_CROWDED))
    .subquery()
)
FORGET_SURPLUS_SIGHTINGS = delete(endpoint_sightings).where(
    tuple_(*_KEY).in_(
        select(_RANKED.c.endpoint_id, _RANKED.c.ip, _RANKED.c.place).where(
            _RANKED.c.rank > bindparam("most")
        )
    )
)

_SOUGHT = {
    "ip_from": endpoints.c.endpoint_id.in_(
        select(endpoint_addresses.c.endpoint_id).where(
            endpoint_addresses.c.ip_key >= bindparam("ip_from"),
            endpoint_addresses.c.ip_key <= bindparam("ip_to"),
        )
    ),
    "seen_since": endpoints.c.last_seen >= bindparam("seen_since"),
    "q": endpoints.c.search.like(bindparam("q"), escape="\\"),
}


@cache
def _page(names: frozenset[str]) -> Select[tuple[object, ...]]:
    conditions = [
        _SOUGHT[name] if name in _SOUGHT else endpoints.c[name] == bindparam(name)
        for name in sorted(names - {"ip_to"})
    ]
    return select(endpoints).where(*conditions)


def page(wanted: EndpointCriteria) -> tuple[Select[tuple[object, ...]], dict[str, object]]:
    """Return the statement of what is wanted, in no order yet, and its parameters."""
    sought = {
        "ip_from": wanted.ips.first if wanted.ips else None,
        "ip_to": wanted.ips.last if wanted.ips else None,
        "seen_since": wanted.seen_since,
        "q": like_pattern(wanted.q) if wanted.q is not None else None,
    }
    params: dict[str, object] = {k: v for k, v in sought.items() if v is not None}
    params |= wanted.exact
    params |= wanted.port
    return _page(frozenset(params)), params
