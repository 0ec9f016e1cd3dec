"""Statements over devices and what hangs on them, built once and run often."""

from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Text,
    UnaryExpression,
    bindparam,
    select,
    tuple_,
)
from sqlalchemy.sql.operators import custom_op

from pdsno.nib.criteria import Criteria
from pdsno.nib.schema import addresses, aliases, devices, interfaces, macs

_ID: BindParameter[Any] = bindparam("device_id")

BY_ID = select(devices).where(devices.c.device_id == _ID)
BY_IDS = select(devices).where(devices.c.device_id.in_(bindparam("ids", expanding=True)))
ALL = select(devices).order_by(devices.c.device_id)
ALIAS = select(aliases.c.device_id).where(aliases.c.alias_id == _ID)
HELD = select(
    select(devices.c.version).where(devices.c.device_id == _ID).scalar_subquery().label("version"),
    ALIAS.scalar_subquery().label("merged_into"),
)
"""The version that a device has, and into what it was merged: each may be None."""

INTERFACES_OF = select(interfaces).where(interfaces.c.device_id == _ID).order_by(interfaces.c.name)
INTERFACES_OF_MANY = (
    select(interfaces)
    .where(interfaces.c.device_id.in_(bindparam("ids", expanding=True)))
    .order_by(interfaces.c.device_id, interfaces.c.name)
)
ALL_INTERFACES = select(interfaces).order_by(interfaces.c.device_id, interfaces.c.name)

_HAS_IP = select(addresses.c.device_id).where(
    addresses.c.ip_key >= bindparam("ip_from"), addresses.c.ip_key <= bindparam("ip_to")
)

_SOUGHT = {
    "mac": devices.c.device_id.in_(select(macs.c.device_id).where(macs.c.mac == bindparam("mac"))),
    "ip_from": devices.c.device_id.in_(_HAS_IP),
    "ip_namespace": devices.c.device_id.in_(
        _HAS_IP.where(addresses.c.namespace == bindparam("ip_namespace"))
    ),
    "q": devices.c.search.like(bindparam("q"), escape="\\"),
}


@cache
def _page(names: frozenset[str], aside: frozenset[str]) -> Select[tuple[object, ...]]:
    implied = {"ip_from", "ip_to"} if "ip_namespace" in names else {"ip_to"}
    conditions = [
        _SOUGHT[name] if name in _SOUGHT else _value(name, aside) == bindparam(name)
        for name in sorted(names - implied)
    ]
    return select(devices).where(*conditions)


def _value(name: str, aside: frozenset[str]) -> ColumnElement[Any]:
    column = devices.c[name]
    # SQLite's own way of saying so; a text stays what it is.
    plus = custom_op[Any]("+")
    return UnaryExpression(column, operator=plus, type_=column.type) if name in aside else column


def page(
    wanted: Criteria, *, aside: frozenset[str]
) -> tuple[Select[tuple[object, ...]], dict[str, object]]:
    """Return the statement of what is wanted, in no order yet, and its parameters.

    `aside` names exact fields whose index is not used; SQLite alone can be told.
    """
    sought = {
        "mac": wanted.mac,
        "ip_from": wanted.ips.first if wanted.ips else None,
        "ip_to": wanted.ips.last if wanted.ips else None,
        "ip_namespace": wanted.ip_namespace,
        "q": like_pattern(wanted.q) if wanted.q is not None else None,
    }
    params: dict[str, object] = {k: v for k, v in sought.items() if v is not None}
    params |= wanted.exact
    return _page(frozenset(params), aside), params


def like_pattern(text: str) -> str:
    """Return the LIKE pattern (escaped by a backslash) of what contains a text."""
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"


@cache
def interface_page(names: frozenset[str]) -> Select[tuple[object, ...]]:
    """Return the statement of one page of interfaces with their device's name and region.

    `names` are of the conditions: `device_id`, `region`, `mac`, `after`.
    """
    ordered = (interfaces.c.device_id, interfaces.c.name)
    place = bindparam("after_device_id", type_=Text), bindparam("after_name", type_=Text)
    conditions = {
        "device_id": interfaces.c.device_id == _ID,
        "region": devices.c.region == bindparam("region"),
        "mac": interfaces.c.mac == bindparam("mac"),
        "after": tuple_(*ordered) > tuple_(*place),
    }
    return (
        select(interfaces, devices.c.name.label("device_name"), devices.c.region.label("region"))
        .join_from(interfaces, devices)
        .where(*(conditions[name] for name in sorted(names)))
        .order_by(*ordered)
        .limit(bindparam("limit"))
    )
