"""Statements over everything that is not a device, built once and run often."""

from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Select, Table, bindparam, case, func, or_, select

from pdsno.domain.entities import ControllerStatus
from pdsno.nib.schema import (
    api_tokens,
    claims,
    controllers,
    cycles,
    devices,
    endpoints,
    event_checkpoints,
    events,
    inbox,
    join_tokens,
    links,
    outbox,
    policies,
    probes,
    seen_messages,
    sequences,
    streams,
)

_LIMIT: BindParameter[Any] = bindparam("limit")

CONTROLLER = select(controllers).where(controllers.c.controller_id == bindparam("controller_id"))
CONTROLLER_BY_KEY = (
    select(controllers)
    .where(controllers.c.key_id == bindparam("key_id"))
    .order_by(
        case((controllers.c.status == ControllerStatus.ACTIVE.value, 0), else_=1),
        controllers.c.validated_at.desc(),
        controllers.c.controller_id,
    )
    .limit(1)
)
OWN_ID = select(claims.c.device_id).where(
    claims.c.reporter == bindparam("reporter"), claims.c.their_id == bindparam("their_id")
)
NEWEST_POLICY = (
    select(policies).order_by(policies.c.epoch.desc(), policies.c.version.desc()).limit(1)
)
STREAM = select(streams).order_by(streams.c.number.desc()).limit(1)
OUTBOX = (
    select(outbox)
    .where(outbox.c.stream_id == STREAM.with_only_columns(streams.c.stream_id).scalar_subquery())
    .where(outbox.c.seq > bindparam("after_seq"))
    .order_by(outbox.c.seq)
    .limit(_LIMIT)
)
OUTBOX_COUNT = (
    select(func.count())
    .select_from(outbox)
    .where(outbox.c.stream_id == STREAM.with_only_columns(streams.c.stream_id).scalar_subquery())
)
ENDPOINT_COUNT = select(func.count()).select_from(endpoints)
DEVICES_BY_STATUS = select(devices.c.status, func.count().label("rows")).group_by(devices.c.status)
LINKS_BY_STATUS = select(links.c.status, func.count().label("rows")).group_by(links.c.status)
APPLIED = select(inbox.c.seq).where(
    inbox.c.sender == bindparam("sender"), inbox.c.stream_id == bindparam("stream_id")
)
CYCLE = select(cycles).where(cycles.c.cycle_id == bindparam("cycle_id"))
NEWEST_CYCLE = select(cycles).order_by(cycles.c.number.desc()).limit(1)
CYCLES = select(cycles).order_by(cycles.c.number.desc()).limit(_LIMIT)
PROBES = (
    select(probes)
    .where(probes.c.cycle == bindparam("cycle"))
    .order_by(probes.c.ip_key, probes.c.namespace, probes.c.address)
)
TOKEN = select(join_tokens).where(join_tokens.c.jti_sha256 == bindparam("jti_sha256"))
TOKENS = select(join_tokens).order_by(join_tokens.c.created_at.desc(), join_tokens.c.jti_sha256)
API_TOKEN = select(api_tokens).where(api_tokens.c.token_sha256 == bindparam("token_sha256"))
API_TOKENS = select(api_tokens).order_by(api_tokens.c.created_at.desc(), api_tokens.c.token_sha256)
SEEN = select(seen_messages.c.timestamp).where(
    seen_messages.c.sender_id == bindparam("sender_id"),
    seen_messages.c.message_id == bindparam("message_id"),
)
SEEN_MESSAGES = select(seen_messages).order_by(
    seen_messages.c.timestamp, seen_messages.c.sender_id, seen_messages.c.message_id
)
LINKS = select(links)
SEQUENCE = select(sequences.c.value).where(sequences.c.name == bindparam("name"))
LAST_EVENT = select(events).order_by(events.c.seq.desc()).limit(1)
PRUNED_LAST = (
    select(events.c.seq, events.c.hash)
    .where(events.c.seq <= bindparam("through_seq"))
    .where(events.c.seq < select(func.max(events.c.seq)).scalar_subquery())
    .order_by(events.c.seq.desc())
    .limit(1)
)
"""The last event that goes: the newest one of all always stays."""
CHECKPOINT = select(event_checkpoints).order_by(event_checkpoints.c.seq.desc()).limit(1)
NEXT_CYCLE = select(func.coalesce(func.max(cycles.c.number), 0) + 1)


@cache
def listing(table: Table, names: frozenset[str]) -> Select[tuple[object, ...]]:
    """Return a listing in order of the key, with an equality for each of `names`."""
    conditions = [table.c[name] == bindparam(name) for name in sorted(names)]
    return select(table).where(*conditions).order_by(*table.primary_key.columns)


@cache
def link_page(names: frozenset[str]) -> Select[tuple[object, ...]]:
    """Return the statement of one page of links; `names` are of the conditions."""
    device_id: BindParameter[Any] = bindparam("device_id")
    of_region = select(devices.c.device_id).where(devices.c.region == bindparam("region"))
    conditions = {
        "device_id": or_(links.c.a_device_id == device_id, links.c.b_device_id == device_id),
        "status": links.c.status == bindparam("status"),
        "region": or_(links.c.a_device_id.in_(of_region), links.c.b_device_id.in_(of_region)),
        "after": links.c.link_id > bindparam("after"),
    }
    wanted = [conditions[name] for name in sorted(names)]
    return select(links).where(*wanted).order_by(links.c.link_id).limit(_LIMIT)


@cache
def event_page(names: frozenset[str], *, newest_first: bool) -> Select[tuple[object, ...]]:
    """Return the statement of one page of events; `names` of columns, `after_seq`."""
    conditions = [events.c[name] == bindparam(name) for name in sorted(names - {"after_seq"})]
    if "after_seq" in names:
        after: BindParameter[Any] = bindparam("after_seq")
        conditions.append(events.c.seq < after if newest_first else events.c.seq > after)
    order = events.c.seq.desc() if newest_first else events.c.seq
    return select(events).where(*conditions).order_by(order).limit(_LIMIT)
