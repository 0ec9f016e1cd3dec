"""Why our devices are one: what reporters say of theirs, and what we found out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pdsno.domain.makings import Joined, Making, united, with_joined, with_told
from pdsno.domain.messages import DiscoveryReport
from pdsno.domain.ports import NIBTransaction
from pdsno.intake.applied import Applied


def take_makings(
    tx: NIBTransaction, reporter: str, report: DiscoveryReport, applied: Applied
) -> None:
    """Keep a reporter's reasons, after its devices; what it found itself goes by its own IDs."""
    changed: dict[str, Making] = {}
    ours = [(tx.own_id(reporter, theirs.device_id), theirs) for theirs in report.makings]
    known = tx.makings_by_id(own_id for own_id, _ in ours if own_id)
    for own_id, theirs in ours:
        if own_id is None:
            continue
        held = changed.get(own_id) or known.get(own_id) or Making(device_id=own_id)
        making = held
        for told in theirs.told:
            making = with_told(making, replace(told, accounts=()))
        news = [item for item in theirs.joined if item not in making.joined]
        making = with_joined(making, *news) if news else making
        # What its reporter absorbed has no reasons of its own any more.
        absorbed = {item.other for item in theirs.joined}
        left = tuple(t for t in making.told if t.device_id not in absorbed)
        making = replace(making, told=left)
        if making != held:
            changed[own_id] = making
    tx.put_makings(changed.values())
    applied.makings.update(changed)


def join_making(
    tx: NIBTransaction,
    own_id: str,
    other: str,
    because: Sequence[str],
    actor: str,
    now: datetime,
    applied: Applied,
) -> None:
    """Keep why a reporter's device is one that we knew."""
    part = Joined(at=now, other=other, because=tuple(because), by=actor)
    making = with_joined(_held(tx, own_id), part)
    tx.put_makings([making])
    applied.makings[own_id] = making


def unite_makings(
    tx: NIBTransaction,
    absorbed_id: str,
    into_id: str,
    because: Sequence[str],
    actor: str,
    now: datetime,
    applied: Applied,
) -> None:
    """Keep why two devices of ours are one; before one absorbs the other."""
    part = Joined(at=now, other=absorbed_id, because=tuple(because), by=actor)
    absorbed = tx.making(absorbed_id)
    making = united(_held(tx, into_id), [absorbed] if absorbed else [], part)
    tx.put_makings([making])
    applied.makings.pop(absorbed_id, None)
    applied.makings[into_id] = making


def _held(tx: NIBTransaction, own_id: str) -> Making:
    return tx.making(own_id) or Making(device_id=own_id)
