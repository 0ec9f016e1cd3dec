"""What a person did to devices and anomalies of a tier, on its way to the tier above."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pdsno.domain.anomalies.entities import Anomaly
from pdsno.domain.entities import Device
from pdsno.domain.identifiers import Role, uuid7
from pdsno.domain.makings import without_accounts
from pdsno.domain.messages import Absorbed, DiscoveryReport, MessageType
from pdsno.domain.ports import NIBTransaction
from pdsno.domain.reports import queue_report

_TYPES = {
    Role.LOCAL: MessageType.DISCOVERY_REPORT,
    Role.REGIONAL: MessageType.DISCOVERY_SUMMARY,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """Which controller's NIB it is."""

    controller_id: str
    role: Role
    region: str | None


def tell_above(
    tx: NIBTransaction,
    tier: Tier,
    now: datetime,
    *,
    devices: Iterable[Device] = (),
    absorbed: Iterable[Absorbed] = (),
    anomalies: Iterable[Anomaly] = (),
) -> bool:
    """Queue it in the same transaction; False where there is no tier above."""
    message_type = _TYPES.get(tier.role)
    if message_type is None:
        return False
    devices = tuple(devices)
    makings = (tx.making(device.device_id) for device in devices)
    report = DiscoveryReport(
        cycle_id=f"word_{uuid7()}",
        region=tier.region or "",
        local_controller=tier.controller_id if tier.role is Role.LOCAL else "",
        started_at=now,
        finished_at=now,
        coverage=(),
        devices=devices,
        absorbed=tuple(absorbed),
        makings=tuple(without_accounts(making) for making in makings if making),
        anomalies=tuple(anomalies),
    )
    queue_report(tx, message_type, report, correlation_id=report.cycle_id)
    return True
