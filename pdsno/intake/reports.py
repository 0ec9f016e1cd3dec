"""Applying a report: translate the reporter's IDs, merge claims, say upwards what changed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pdsno.domain.constraints import NO_WORDS
from pdsno.domain.entities import Claim, Device, DeviceStatus
from pdsno.domain.identifiers import Role, new_device_id
from pdsno.domain.life_cycle import change_events, event_of, is_changed
from pdsno.domain.merge import alike, merge_claims, recognise
from pdsno.domain.messages import Absorbed, DiscoveryReport
from pdsno.domain.ownership import adopt
from pdsno.domain.persons_word import words_of
from pdsno.domain.ports import DeviceFilter, NIBTransaction
from pdsno.domain.profiles import of_device
from pdsno.domain.relink import relink_touched
from pdsno.domain.reports import is_opening
from pdsno.intake.anomalies import find_anomalies, take_anomalies, take_coverage
from pdsno.intake.applied import Applied
from pdsno.intake.endpoints import apply_endpoints
from pdsno.intake.makings import join_making, take_makings, unite_makings

__all__ = ["Applied", "ReportIntake"]

_PAGE = 1000
_ALIKE = "the same MACs and addresses"


class ReportIntake:
    """Applies reports inside the caller's transaction.

    `actor` is this controller, with its `role`, who signs the events; times are the reports' own,
    so applying a report late gives the same picture as applying it at once.
    """

    def __init__(self, actor: str, role: Role = Role.REGIONAL) -> None:
        self._actor = actor
        self._role = role
        self._words = NO_WORDS
        self._fresh: list[str] = []

    def apply(self, tx: NIBTransaction, reporter: str, report: DiscoveryReport) -> Applied:
        """Apply one report of one reporter and return what it changed here."""
        applied = Applied()
        self._words = words_of(tx)
        self._fresh = [new_device_id() for _ in report.devices]
        tx.look_ahead(reporter, report.devices, named=_all_named(report), fresh=self._fresh)
        for merged in report.absorbed:
            self._absorb_claim(tx, reporter, merged, report.finished_at, applied)
        if is_opening(report):
            _suspend_unnamed(tx, reporter, report)
        for device in report.devices:
            self._claim(tx, reporter, device, report, applied)
        for their_id in report.retired:
            self._retire(tx, reporter, their_id, report.finished_at, applied)
        if not report.is_full:
            self._touch(tx, reporter, report, applied)
        elif not is_opening(report):
            self._forget_unnamed(tx, reporter, report, applied)
        apply_endpoints(tx, reporter, report, applied)
        take_makings(tx, reporter, report, applied)
        relink_touched(tx, applied.touched, actor=self._actor, now=report.finished_at)
        take_anomalies(tx, self._actor, reporter, report, applied)
        take_coverage(tx, report)
        find_anomalies(tx, self._actor, self._role, report, applied)
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
        known = alike(theirs, lambda where: _find(tx, where))
        if known.keys() - {own_id}:
            own_id = self._recognised(tx, reporter, theirs, own_id, known, report, applied)
        # Else who it is goes without saying: nobody else of ours has anything of it.
        if own_id is None:
            own_id = self._said_to_be(tx, theirs) or self._fresh.pop()
        tx.put_claim(Claim(reporter=reporter, device_id=own_id, device=theirs))
        self._rebuild(tx, own_id, now, applied)

    def _recognised(
        self,
        tx: NIBTransaction,
        reporter: str,
        theirs: Device,
        own_id: str | None,
        known: Mapping[str, Device],
        report: DiscoveryReport,
        applied: Applied,
    ) -> str | None:
        """Return which device of ours it is, one with those that it shows to be the same."""
        now = report.finished_at
        match = recognise(theirs, known, self._words)
        same = [d for d in match.known if not _is_told_apart(tx, reporter, theirs, d, report)]
        because = [item.detail for item in match.evidence] or [_ALIKE]
        if own_id is None:
            own_id = self._said_to_be(tx, theirs)
        if own_id is None and same:
            own_id = same[0].device_id
            what = f"{theirs.device_id} of {reporter}"
            join_making(tx, own_id, what, because, self._actor, now, applied)
        for other in same:
            if own_id and other.device_id != own_id and tx.device(own_id) is not None:
                self._merge_own(tx, other, own_id, now, applied, because=because)
        return own_id

    def _said_to_be(self, tx: NIBTransaction, theirs: Device) -> str | None:
        """Return the device of ours that a person said this one is, though no map knows it."""
        word = self._words.survivor(of_device(theirs, is_past=False))
        device = tx.device(word.a_id) if word else None
        return device.device_id if device else None

    def _rebuild(self, tx: NIBTransaction, own_id: str, now: datetime, applied: Applied) -> None:
        before = tx.device(own_id)
        claims = tx.claims(device_id=own_id)
        after = merge_claims(
            own_id,
            claims,
            version=before.version if before else 0,
            pins=before.pins if before else {},
        )
        if before is not None and before.last_seen > after.last_seen:
            after = replace(after, last_seen=before.last_seen)
        if before is not None and not is_changed(before, after):
            tx.touch_devices([own_id], after.last_seen)
            applied.touched.answers([own_id], after.last_seen)
            if after.status is not DeviceStatus.INACTIVE:
                applied.seen.append(own_id)
            return
        applied.touched.changes(own_id, before)
        stored = tx.put_device(after, expected_version=before.version if before else None)
        for event in change_events(before, after, actor=self._actor, now=now):
            tx.append_event(event)
        applied.changed[own_id] = stored
        if before is not None:
            applied.moves.append((before, stored))

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
        """Two devices of ours turned out to be one, unless a person told them apart."""
        if self._words.keeps_ids_apart(absorbed.device_id, into_id):
            return
        into = tx.device(into_id)
        if absorbed.pins and into is not None:
            kept = adopt(into, [absorbed])
            applied.touched.changes(into_id, into)
            applied.changed[into_id] = tx.put_device(kept, expected_version=into.version)
        unite_makings(tx, absorbed.device_id, into_id, because, self._actor, now, applied)
        applied.touched.changes(absorbed.device_id, absorbed)
        tx.absorb_device(absorbed.device_id, into_id)
        self._words = words_of(tx)
        tx.append_event(
            event_of(
                "DEVICES_MERGED",
                absorbed,
                actor=self._actor,
                now=now,
                data={"into": into_id, "because": list(because)},
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
        if gone and into and self._words.keeps_ids_apart(gone, into):
            self._keep_apart(tx, reporter, merged, gone, now, applied)
            return
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

    def _keep_apart(
        self,
        tx: NIBTransaction,
        reporter: str,
        merged: Absorbed,
        own_id: str,
        now: datetime,
        applied: Applied,
    ) -> None:
        """Keep what a reporter merged and a person here told apart: as not there any more."""
        for claim in tx.claims(device_id=own_id):
            if (claim.reporter, claim.device.device_id) == (reporter, merged.device_id):
                tx.put_claim(_withdrawn(claim))
        device = tx.device(own_id)
        if device is not None:
            told = {"reporter": reporter, "into": merged.into_id}
            event = event_of("MERGE_NOT_FOLLOWED", device, actor=self._actor, now=now, data=told)
            tx.append_event(event)
        self._rebuild(tx, own_id, now, applied)

    def _retire(
        self, tx: NIBTransaction, reporter: str, their_id: str, now: datetime, applied: Applied
    ) -> None:
        """Drop a claim on a device that its reporter forgot; without any claim it goes here too."""
        own_id = tx.own_id(reporter, their_id)
        tx.drop_claim(reporter, their_id)
        device = tx.device(own_id) if own_id else None
        if device is None or device.device_id != own_id:
            return
        if tx.claims(device_id=own_id):
            self._rebuild(tx, own_id, now, applied)
            return
        applied.touched.changes(own_id, device)
        tx.retire_device(own_id)
        event = event_of("DEVICE_RETIRED", device, actor=self._actor, now=now, data=_was(device))
        tx.append_event(event)
        applied.changed.pop(own_id, None)
        applied.retired.append(own_id)

    def _forget_unnamed(
        self, tx: NIBTransaction, reporter: str, report: DiscoveryReport, applied: Applied
    ) -> None:
        """Withdraw the reporter's claims on whatever its snapshot does not name.

        A claim under an ID that the reporter no longer uses goes if others tell of the device.
        """
        named = _named(report)
        for claim in tx.claims(reporter=reporter):
            if claim.device.device_id in named:
                continue
            if len(tx.claims(device_id=claim.device_id)) > 1:
                tx.drop_claim(reporter, claim.device.device_id)
            else:
                tx.put_claim(_withdrawn(claim))
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
        applied.touched.answers(own_ids, report.finished_at)
        applied.seen.extend(own_ids)


def _named(report: DiscoveryReport) -> set[str]:
    """Return the IDs of all that a reporter has, by any part of its snapshot that names them."""
    return {device.device_id for device in report.devices} | set(report.seen)


def _all_named(report: DiscoveryReport) -> list[str]:
    """Return the reporter's IDs of all that a report speaks of, but of its devices."""
    merged = (key for item in report.absorbed for key in (item.device_id, item.into_id))
    plugged = {e.attachment.device_id for e in report.endpoints if e.attachment}
    makings = (making.device_id for making in report.makings)
    told = (*makings, *(row.subject for row in report.anomalies), *filter(None, plugged))
    return [*report.seen, *report.retired, *merged, *told]


def _withdrawn(claim: Claim) -> Claim:
    return replace(claim, device=replace(claim.device, status=DeviceStatus.INACTIVE))


def _suspend_unnamed(tx: NIBTransaction, reporter: str, report: DiscoveryReport) -> None:
    """Make room for the parts of a snapshot: what it does not name may follow under another ID.

    Our devices stay as they are until the snapshot's end.
    """
    named = _named(report)
    for claim in tx.claims(reporter=reporter):
        if claim.device.device_id not in named:
            tx.put_claim(_withdrawn(claim))


def _was(device: Device) -> dict[str, object]:
    return {
        "vendor": device.vendor,
        "model": device.model,
        "serial": device.serial,
        "macs": list(device.macs[:10]),
        "first_seen": device.first_seen,
        "last_seen": device.last_seen,
    }


def _find(tx: NIBTransaction, where: DeviceFilter) -> tuple[Device, ...]:
    return tx.devices(where, limit=_PAGE).items


def _is_told_apart(
    tx: NIBTransaction, reporter: str, theirs: Device, ours: Device, report: DiscoveryReport
) -> bool:
    """Tell whether the reporter itself sees another device behind ours: who is there knows best.

    A snapshot names all that its reporter sees; what it does not name is gone.
    """
    named = _named(report) if report.is_full else None
    return any(
        claim.reporter == reporter
        and claim.device.device_id != theirs.device_id
        and claim.device.status is not DeviceStatus.INACTIVE
        and (named is None or claim.device.device_id in named)
        for claim in tx.claims(device_id=ours.device_id)
    )
