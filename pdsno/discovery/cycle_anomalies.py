"""The anomalies of a cycle, into the NIB."""

from collections.abc import Sequence

from pdsno.domain.anomalies.cycle import Context, Picture, find, is_looked_at
from pdsno.domain.anomalies.entities import Anomaly
from pdsno.domain.anomalies.writing import write_findings
from pdsno.domain.entities import Device
from pdsno.domain.paging import PAGE, every
from pdsno.domain.ports import NIBTransaction


def picture(tx: NIBTransaction, devices: Sequence[Device]) -> Picture:
    """Return devices with the links that the NIB has now."""
    links = tuple(every(lambda after: tx.links(limit=PAGE, after=after)))
    return Picture(devices={device.device_id: device for device in devices}, links=links)


def write_anomalies(
    tx: NIBTransaction, context: Context, before: Picture, devices: Sequence[Device]
) -> tuple[Anomaly, ...]:
    """Write what the cycle shows, after its devices and links; returns the rows that changed."""
    after = picture(tx, devices)
    return write_findings(
        tx,
        find(before, after, context),
        is_looked_at(context),
        found_by=context.controller_id,
        now=context.now,
    )
