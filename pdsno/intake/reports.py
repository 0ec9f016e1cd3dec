"""Applying a report: translate the reporter's IDs, merge claims, say upwards what changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pdsno.domain.diff import change_event
from pdsno.domain.entities import Claim, Device, DeviceStatus, NewEvent
from pdsno.domain.identifiers import new_device_id
from pdsno.domain.links import derive_links
from pdsno.domain.merge import merge_claims, recognise
from pdsno.domain.messages import Absorbed, DiscoveryReport
from pdsno.domain.ports import DeviceFilter, NIBTransaction

_PAGE = 1000


@dataclass(slots=True)
class Applied:
    """What a report changed here, under our own IDs."""

    changed: dict[str, Device] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    absorbed: list[Absorbed] = field(default_factory=list)

    def summary(self, report: DiscoveryReport) -> DiscoveryReport:
        """Return the report for the tier above."""
        return replace(
            report,
            devices=tuple(self.changed[key] for key in sorted(self.changed)),
            seen=tuple(sorted(set(self.seen) - self.changed.keys())),
            absorbed=tuple(self.absorbed),
            is_full=False,
        )


class ReportIntake:
    """Applies reports inside the caller's transaction.

    `actor` is this controller, who signs the events; times are the reports' own, so applying a
    report late gives the same picture as applying it at once.
    """

    def __init__(self, actor: str) -> None:
        self._actor = actor

    def apply(self, tx: NIBTransaction, reporter: str, report: DiscoveryReport) -> Applied:
        """Apply one report of one reporter and return what it changed here."""
        applied = Applied()
        for merged in report.absorbed:
            self._absorb_claim(tx, reporter, merged, report.finished_at, applied)
        for device in report.devices:
            self._claim(tx, reporter, device, report, applied)
        if report.is_full:
            self._forget_unnamed(tx, reporter, report, applied)
        self._touch(tx, reporter, report, applied)
        if applied.changed or applied.absorbed:
            tx.replace_links(derive_links(tx.all_devices()))
        return applied

    def _claim(
        self,
        tx: NIBTransaction,
        reporter: str,
        theirs: Device,
        report: DiscoveryReport,
        applied: Applied,
    ) -> None:
        now = report.finished_at
        own_id = tx.own_id(reporter, theirs.device_id)
        match = recognise(theirs, lambda where: _find(tx, where))
        alike = [d for d in match.known if not _is_told_apart(tx, reporter, theirs, d, report)]
        if own_id is None:
            own_id = alike[0].device_id if alike else new_device_id()
        for other in alike:
            if other.device_id != own_id and tx.device(own_id) is not None:
                because = [item.detail for item in match.evidence]
                self._merge_own(tx, other, own_id, now, applied, because=because)
        tx.put_claim(Claim(reporter=reporter, device_id=own_id, device=theirs))
        self._rebuild(tx, own_id, now, applied)

    def _rebuild(self, tx: NIBTransaction, own_id: str, now: datetime, applied: Applied) -> None:
        before = tx.device(own_id)
        claims = tx.claims(device_id=own_id)
        after = merge_claims(own_id, claims, version=before.version if before else 0)
        if before is not None:
            after = replace(after, last_seen=max(before.last_seen, after.last_seen))
        event = change_event(before, after, actor=self._actor, now=now)
        if event is None:
            tx.touch_devices([own_id], after.last_seen)
            applied.seen.append(own_id)
            return
        stored = tx.put_device(after, expected_version=before.version if before else None)
        tx.append_event(event)
        applied.changed[own_id] = stored

    def _merge_own(
        self,
        tx: NIBTransaction,
        absorbed: Device,
        into_id: str,
        now: datetime,
        applied: Applied,
        *,
        because: Sequence[str],
    ) -> None:
        """Two devices of ours turned out to be one."""
        tx.absorb_device(absorbed.device_id, into_id)
        tx.append_event(
            NewEvent(
                event_type="DEVICES_MERGED",
                subject=absorbed.device_id,
                actor=self._actor,
                at=now,
                region=absorbed.region,
                data={"into": into_id, "name": absorbed.name, "because": list(because)},
            )
        )
        applied.changed.pop(absorbed.device_id, None)
        applied.absorbed.append(Absorbed(device_id=absorbed.device_id, into_id=into_id))

    def _absorb_claim(
        self, tx: NIBTransaction, reporter: str, merged: Absorbed, now: datetime, applied: Applied
    ) -> None:
        """Follow a reporter's merge, unless somebody else's claim tells the two apart."""
        gone = tx.own_id(reporter, merged.device_id)
        into = tx.own_id(reporter, merged.into_id)
        tx.drop_claim(reporter, merged.device_id)
        if gone is None or gone == into:
            return
        if tx.claims(device_id=gone):
            self._rebuild(tx, gone, now, applied)
            return
        orphan = tx.device(gone)
        if orphan is not None and into is not None:
            because = [f"{reporter} found them to be one"]
            self._merge_own(tx, orphan, into, now, applied, because=because)

    def _forget_unnamed(
        self, tx: NIBTransaction, reporter: str, report: DiscoveryReport, applied: Applied
    ) -> None:
        """Withdraw the reporter's claims on whatever its snapshot does not name."""
        named = {device.device_id for device in report.devices}
        for claim in tx.claims(reporter=reporter):
            if claim.device.device_id in named:
                continue
            gone = replace(claim.device, status=DeviceStatus.INACTIVE)
            tx.put_claim(replace(claim, device=gone))
            self._rebuild(tx, claim.device_id, report.finished_at, applied)

    def _touch(
        self, tx: NIBTransaction, reporter: str, report: DiscoveryReport, applied: Applied
    ) -> None:
        own_ids = []
        for their_id in report.seen:
            own_id = tx.own_id(reporter, their_id)
            if own_id is not None:
                own_ids.append(own_id)
        tx.touch_devices(own_ids, report.finished_at)
        applied.seen.extend(own_ids)


def _find(tx: NIBTransaction, where: DeviceFilter) -> tuple[Device, ...]:
    return tx.devices(where, limit=_PAGE).items


def _is_told_apart(
    tx: NIBTransaction, reporter: str, theirs: Device, ours: Device, report: DiscoveryReport
) -> bool:
    """Tell whether the reporter itself sees another device behind ours: who is there knows best.

    A snapshot names all that its reporter sees; what it does not name is gone.
    """
    named = {device.device_id for device in report.devices} if report.is_full else None
    return any(
        claim.reporter == reporter
        and claim.device.device_id != theirs.device_id
        and claim.device.status is not DeviceStatus.INACTIVE
        and (named is None or claim.device.device_id in named)
        for claim in tx.claims(device_id=ours.device_id)
    )
