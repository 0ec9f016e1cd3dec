"""Policy at the global controller: applied, numbered, kept, with pauses and withdrawn rights."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from pdsno.controllers.withdrawing import put_into_policy, put_status
from pdsno.domain.entities import ControllerRecord, ControllerStatus, NewEvent
from pdsno.domain.messages import SystemEvent
from pdsno.domain.policy import Pause, Policy, check_policy
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.policy.document import describe_changes
from pdsno.policy.pauses import named_regions, paused, resumed, with_pauses_kept
from pdsno.policy.withdrawals import with_withdrawn_kept

log = structlog.get_logger()


class PolicyDesk:
    """Takes operators' decisions. Thread-safe; each decision is one transaction.

    `on_changed` tells others of a new version, `on_pause` of each region that is paused or goes
    on, `on_withdrawn` of a controller whose rights changed and by whose word.
    """

    def __init__(
        self,
        nib: NIB,
        *,
        actor: str,
        on_changed: Callable[[], None],
        on_pause: Callable[[SystemEvent], None],
        on_withdrawn: Callable[[ControllerRecord, str], None],
    ) -> None:
        self._nib = nib
        self._actor = actor
        self._on_changed = on_changed
        self._on_pause = on_pause
        self._on_withdrawn = on_withdrawn

    def apply(self, policy: Policy, by: str = "") -> Policy:
        """Check, number, keep and publish a policy; the same content again changes nothing.

        A pause in force stays, whatever the file says: only `resume` takes it back. So do
        withdrawn rights. Returns the policy in force. Raises InputError if it is not sound.
        """
        pause = Pause(by=by or self._actor, since=datetime.now(UTC))
        return self._put(
            lambda old: with_withdrawn_kept(old, with_pauses_kept(old, policy, pause)), by
        )

    def pause(self, *, by: str, reason: str, region: str | None) -> tuple[str, ...]:
        """Stop all probing of a region, or of all; returns which. Raises InputError."""
        wanted = named_regions(self._nib.policy(), region)
        pause = Pause(by=by, since=datetime.now(UTC), reason=reason)
        self._put(lambda old: paused(old or Policy(), wanted, pause), by)
        return wanted

    def resume(self, *, by: str, region: str | None) -> tuple[str, ...]:
        """Let a region, or all, be probed again; returns which. Raises InputError.

        What a regional controller, or a local one, paused by itself is for resuming there.
        """
        wanted = named_regions(self._nib.policy(), region)
        self._put(lambda old: resumed(old or Policy(), wanted), by)
        return wanted

    def withdraw(self, controller_id: str, wanted: ControllerStatus, *, by: str) -> bool:
        """Revoke, block or unblock (`active`) a controller; tells whether that changed anything.

        It counts at once for REST here, within seconds at the broker, and below with the policy
        that says so. Raises NotFoundError, InputError.
        """
        with self._nib.transaction() as tx:
            changed = put_status(tx, controller_id, wanted, actor=self._actor, by=by)
            if changed is not None:
                put_into_policy(tx, changed)
        if changed is None:
            return False
        self._on_withdrawn(changed, by)
        return True

    def overtake(self, epoch: int, version: int, *, told_by: str) -> bool:
        """Number our policy anew if somebody below has a newer one than we ever gave out.

        Then our database is a restored one, and nobody would take our policy any more. Content
        stays as it is: who applied or withdrew something since the backup has to do so again,
        which the event says. Tells whether it was so.
        """
        with self._nib.transaction() as tx:
            own = tx.policy()
            if own is None or (epoch, version) <= (own.epoch, own.version):
                return False
            tx.put_policy(replace(own, epoch=epoch + 1, version=1))
            tx.append_event(
                NewEvent(
                    event_type="POLICY_RENUMBERED",
                    subject=f"{epoch + 1}.1",
                    actor=self._actor,
                    at=datetime.now(UTC),
                    data={
                        "was": f"{own.epoch}.{own.version}",
                        "newer": f"{epoch}.{version}",
                        "told_by": told_by,
                        "remedy": "this NIB is older than what it had given out: apply policy and "
                        "revoke or block controllers again, if that was done since the backup",
                    },
                )
            )
        log.error("policy_renumbered", was=f"{own.epoch}.{own.version}", told_by=told_by)
        self._on_changed()
        return True

    def _put(self, make: Callable[[Policy | None], Policy], by: str) -> Policy:
        with self._nib.transaction() as tx:
            old = tx.policy()
            policy = check_policy(make(old))
            if old is not None and old.regions == policy.regions:
                return old
            epoch, version = (old.epoch, old.version + 1) if old else (1, 1)
            policy = replace(policy, epoch=epoch, version=version)
            tx.put_policy(policy)
            tx.append_event(
                NewEvent(
                    event_type="POLICY_APPLIED",
                    subject=f"{epoch}.{version}",
                    actor=self._actor,
                    at=datetime.now(UTC),
                    data={"by": by, "changes": list(describe_changes(old, policy))},
                )
            )
            told = [
                self._noted(tx, event_type, region, by, reason)
                for event_type, region, reason in _pauses(old, policy)
            ]
        for event in told:
            self._on_pause(event)
        log.info("policy_applied", epoch=epoch, version=version)
        self._on_changed()
        return policy

    def _noted(
        self, tx: NIBTransaction, event_type: str, region: str, by: str, reason: str
    ) -> SystemEvent:
        now = datetime.now(UTC)
        data = {"by": by, **({"reason": reason} if event_type == _PAUSED else {})}
        tx.append_event(
            NewEvent(event_type=event_type, subject=region, actor=self._actor, at=now, data=data)
        )
        return SystemEvent(event_type=event_type, subject=region, at=now, data=data)


_PAUSED, _RESUMED = "DISCOVERY_PAUSED", "DISCOVERY_RESUMED"


def _pauses(old: Policy | None, new: Policy) -> Iterator[tuple[str, str, str]]:
    """Yield which regions are paused now and which go on, with the reason."""
    for region in new.regions:
        known = old.region(region.region) if old else None
        if region.is_paused is (known is not None and known.is_paused):
            continue
        reason = region.pause.reason if region.pause else ""
        yield (_PAUSED if region.is_paused else _RESUMED), region.region, reason
