"""(RC, GC) Looks once a minute whether local controllers discover as often as they should."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.pausing import OwnPause
from pdsno.domain.anomalies.entities import Kind
from pdsno.domain.anomalies.overdue import Watched, overdue
from pdsno.domain.anomalies.writing import write_findings
from pdsno.domain.entities import ControllerRecord, ControllerStatus
from pdsno.domain.identifiers import Role
from pdsno.domain.persons_report import Tier, tell_above
from pdsno.domain.policy import LocalPolicy, Policy
from pdsno.domain.ports import NIB, NIBReader

LOOK_S = 60.0
_ALIVE = timedelta(minutes=5)
"""A regional controller that was heard within watches its own local ones."""
_KINDS = frozenset({Kind.DISCOVERY_OVERDUE})


class OverdueWatch:
    """Opens and closes `discovery_overdue` in the NIB, and tells the tier above.

    The global controller watches only where no regional one is heard of. `started_at` counts as a
    look at everything: who was off cannot say what happened meanwhile.
    """

    def __init__(self, nib: NIB, tier: Tier, context: ContextManager, started_at: datetime) -> None:
        self._nib = nib
        self._tier = tier
        self._context = context
        self._started_at = started_at

    def look(self, now: datetime | None = None) -> None:
        """Look once."""
        now = now or datetime.now(UTC)
        me = self._tier.controller_id
        with self._nib.transaction() as tx:
            found = tuple(overdue(self._watched(tx, now), tx.covered(), now))
            rows = write_findings(tx, found, lambda _: True, found_by=me, now=now, kinds=_KINDS)
            news = [row for row in rows if now in (row.opened_at, row.closed_at)]
            if news:
                tell_above(tx, self._tier, now, anomalies=news)

    def _watched(self, reader: NIBReader, now: datetime) -> Iterator[Watched]:
        policy = reader.policy() or Policy()
        if OwnPause(self._context).pause is not None:
            return
        for record in reader.controllers(role=Role.LOCAL, region=self._tier.region):
            if record.status is ControllerStatus.ACTIVE and not self._is_watched_below(
                reader, record, now
            ):
                watched = self._one(policy, record)
                if watched is not None:
                    yield watched

    def _is_watched_below(self, reader: NIBReader, record: ControllerRecord, now: datetime) -> bool:
        if self._tier.role is not Role.GLOBAL:
            return False
        above = reader.controllers(role=Role.REGIONAL, region=record.region)
        return any(rc.last_seen and now - rc.last_seen < _ALIVE for rc in above)

    def _one(self, policy: Policy, record: ControllerRecord) -> Watched | None:
        region = policy.region(record.region or "")
        local = region.local(record.controller_id) if region else None
        if (region and region.is_paused) or (local and local.is_paused):
            return None
        local = local or LocalPolicy(controller_id=record.controller_id, subnets=record.subnets)
        return Watched(
            controller_id=record.controller_id,
            region=record.region or "",
            subnets=tuple(str(ip_network(subnet)) for subnet in local.subnets),
            interval_s=local.interval_s,
            has_windows=bool(local.windows),
            since=max(record.validated_at, self._started_at),
        )
