"""Reads everything that one agent tells, table by table, within bounds."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from pdsno.southbound.mibs import bridge, cdp, lldp, own_protocols, vendor, vrfs
from pdsno.southbound.mibs.system import SCALARS, SYS_OBJECT_ID, System, parse_system
from pdsno.southbound.mibs.varbinds import Value, Varbinds
from pdsno.southbound.snmp_facts import LLDP_2, OPTIONAL, OWN_PROTOCOLS, VRFS, WALKS
from pdsno.southbound.snmp_session import (
    SnmpAuthenticationError,
    SnmpEndlessError,
    SnmpProtocolError,
    SnmpSession,
    SnmpTimeoutError,
)

IDENTITY = (*SCALARS, *lldp.V1.local_chassis)
_MORE_SCALARS = (*lldp.V2.local_chassis, lldp.V1.local_name, lldp.V2.local_name, cdp.GLOBAL_RUN)
_OIDS_PER_GET = 16
_MAX_SILENT = 2
_MAX_CONTEXTS = 128
_ENTERPRISES = "1.3.6.1.4.1"
_MIB_2 = "1.3.6.1.2.1"
_ENTERPRISE_ARCS = 7
_NOBODYS = (f"{_ENTERPRISES}.2021", f"{_ENTERPRISES}.8072")  # UCD-SNMP, Net-SNMP
# IOS and CatOS keep a forwarding table per VLAN; NX-OS and the small switches do not.
_VTP_SPEAKERS = (f"{_ENTERPRISES}.9.1.", f"{_ENTERPRISES}.9.5.")
VENDOR = "vendor"


class Walker(Protocol):
    """What can read a table."""

    async def walk(self, root: str) -> Varbinds:
        """Return everything beneath `root`; raises as `SnmpSession.walk`."""


OpenContext = Callable[[int], AbstractAsyncContextManager[Walker]]
"""Opens a session in the context of one VLAN."""


@dataclass(kw_only=True, slots=True)
class Collected:
    """What was read so far.

    A table is here whole or not at all: half of one would look like a device that lost the
    other half.
    """

    varbinds: dict[str, Value] = field(default_factory=dict)
    contexts: dict[int, Varbinds] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)


async def read_identity(session: SnmpSession) -> tuple[System, Varbinds]:
    """Return who the agent says it is.

    An agent without a sysObjectID is known by the first vendor whose MIB it has. Raises as
    `SnmpSession.get`.
    """
    varbinds: dict[str, Value] = dict(await session.get(IDENTITY))
    if parse_system(varbinds).object_id is None:
        own = await session.first(_ENTERPRISES)
        if own is not None:
            maker = ".".join(own.split(".")[:_ENTERPRISE_ARCS])
            varbinds[SYS_OBJECT_ID] = None if maker in _NOBODYS else maker
    return parse_system(varbinds), varbinds


async def shows_anything(session: SnmpSession) -> bool:
    """Tell whether the agent has any object of the standard MIBs for this credential."""
    return await session.first(_MIB_2) is not None


async def collect(session: SnmpSession, into: Collected, open_context: OpenContext) -> None:
    """Read every table; one that fails is named with its reason, and the others go on.

    Two silent tables in a row mean that the agent is gone, and the rest is not asked. Raises as
    `SnmpSession.get`; what was read before is in `into`.
    """
    system, varbinds = await read_identity(session)
    into.varbinds |= varbinds
    object_id = system.object_id or ""
    silent = 0
    for name, columns in _plan(object_id):
        if name == LLDP_2 and lldp.V2.local_chassis[1] not in into.varbinds:
            continue
        try:
            rows: Varbinds = {}
            if name == VENDOR:
                rows = await _get_all(session, (*vendor.scalars_of(object_id), *_MORE_SCALARS))
            into.varbinds |= {**rows, **await _walk_all(session, name, columns, into)}
            into.told.add(name)
            silent = 0
        except SnmpTimeoutError as error:
            into.problems[name] = str(error)
            silent += 1
            if silent >= _MAX_SILENT:
                raise
    await _read_contexts(into, open_context)


def _plan(object_id: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield VENDOR, vendor.columns_of(object_id)
    yield from WALKS.items()
    yield VRFS, vrfs.columns_of(object_id)
    if own := own_protocols.columns_of(object_id):
        yield OWN_PROTOCOLS, own
    if object_id.startswith(_VTP_SPEAKERS):
        yield "vtp", bridge.VTP_COLUMNS


async def _get_all(session: SnmpSession, oids: Sequence[str]) -> Varbinds:
    """Get in small requests; an agent that cannot answer one of them has nothing there."""
    rows: dict[str, Value] = {}
    for start in range(0, len(oids), _OIDS_PER_GET):
        try:
            rows |= await session.get(oids[start : start + _OIDS_PER_GET])
        except SnmpProtocolError:
            continue
    return rows


async def _walk_all(
    session: Walker, name: str, columns: tuple[str, ...], into: Collected
) -> Varbinds:
    """Walk the columns; where the first of an optional table is empty, so are the others."""
    rows: dict[str, Value] = {}
    for number, oid in enumerate(columns):
        try:
            rows |= await session.walk(oid)
        except SnmpEndlessError as error:
            rows |= error.rows
            into.problems[name] = str(error)
        except SnmpProtocolError as error:
            into.problems[name] = str(error)
        if number == 0 and not rows and name in OPTIONAL:
            break
    return rows


async def _read_contexts(into: Collected, open_context: OpenContext) -> None:
    """Read the forwarding table of each VLAN of a bridge that keeps one for each.

    A bridge that does not know contexts is silent at the first, and no other is asked.
    """
    for vlan in bridge.vlans_with_contexts(into.varbinds)[:_MAX_CONTEXTS]:
        try:
            async with open_context(vlan) as session:
                into.contexts[vlan] = await _walk_all(
                    session, f"VLAN {vlan}", bridge.CONTEXT_COLUMNS, into
                )
        except (SnmpTimeoutError, SnmpAuthenticationError):
            into.problems[f"VLAN {vlan}"] = "no answer in its context"
            return
