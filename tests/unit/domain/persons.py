"""A person who merges and splits in a NIB, as the API does it."""

from datetime import datetime

from pdsno.domain.identifiers import Role
from pdsno.domain.persons_report import Tier, tell_above
from pdsno.domain.persons_word import Outcome, Person, do_merge, find, plan_merge
from pdsno.domain.ports import NIB
from pdsno.domain.splitting import do_split, plan_split
from tests.unit.domain.builders import NOW

LOCAL = Tier(controller_id="lc", role=Role.LOCAL, region="zone-A")


def merge(nib: NIB, keeper: str, other: str, *, tier: Tier = LOCAL, at: datetime = NOW) -> Outcome:
    """Merge two devices."""
    alice = Person(name="alice", controller_id=tier.controller_id, at=at, note="same box")
    with nib.transaction() as tx:
        plan = plan_merge(tx, find(tx, keeper), find(tx, other), alice)
        done = do_merge(tx, plan, alice)
        tell_above(tx, tier, at, devices=done.devices, absorbed=done.absorbed)
    return done


def split(nib: NIB, device_id: str, *keep: str, tier: Tier = LOCAL, at: datetime = NOW) -> Outcome:
    """Split a device."""
    alice = Person(name="alice", controller_id=tier.controller_id, at=at, note="two boxes")
    with nib.transaction() as tx:
        plan = plan_split(tx, find(tx, device_id), alice, keep)
        done = do_split(tx, plan, alice)
        tell_above(tx, tier, at, devices=done.devices)
    return done
