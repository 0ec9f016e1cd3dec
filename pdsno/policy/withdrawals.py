"""Controllers whose rights were taken back, as a part of policy on its way down. Pure.

Only `revoke`, `block` and `unblock` decide on these: what a policy file says of them counts for
nothing. A revocation is for good.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pdsno.domain.entities import ControllerRecord, ControllerStatus
from pdsno.domain.errors import InputError
from pdsno.domain.policy import Policy, Withdrawn


def decided(record: ControllerRecord, wanted: ControllerStatus) -> ControllerRecord:
    """Return the record with the status that an operator wants.

    Raises InputError: for the revoked nothing else is possible, and only the blocked and the
    locked can be unblocked.
    """
    if record.status is ControllerStatus.REVOKED and wanted is not ControllerStatus.REVOKED:
        msg = (
            f"{record.controller_id} is revoked for good: let it join with a new key and a new "
            "token"
        )
        raise InputError(msg)
    return replace(record, status=wanted)


def with_withdrawn(policy: Policy, record: ControllerRecord) -> Policy:
    """Return the policy with the word on one controller, which its record now holds."""
    others = tuple(w for w in policy.withdrawn if w.key_id != record.key_id)
    if record.status is ControllerStatus.ACTIVE:
        return replace(policy, withdrawn=others)
    entry = Withdrawn(
        controller_id=record.controller_id, key_id=record.key_id, status=record.status.value
    )
    return replace(policy, withdrawn=(*others, entry))


def with_withdrawn_kept(old: Policy | None, new: Policy) -> Policy:
    """Return `new` with the withdrawals of `old`, whatever a file says."""
    return replace(new, withdrawn=old.withdrawn if old else ())


def changed_by(
    old: Policy | None, new: Policy, records: Iterable[ControllerRecord]
) -> Iterator[ControllerRecord]:
    """Yield the records of this tier that a new policy gives another status.

    Whoever is not withdrawn any more is active again; one that only this tier blocked or locked
    stays so.
    """
    before = {w.key_id for w in (old.withdrawn if old else ())}
    now = {w.key_id: ControllerStatus(w.status) for w in new.withdrawn}
    for record in records:
        wanted = now.get(record.key_id)
        if wanted is None and record.key_id in before:
            wanted = ControllerStatus.ACTIVE
        if wanted is None or record.status in (wanted, ControllerStatus.REVOKED):
            continue
        yield replace(record, status=wanted)
