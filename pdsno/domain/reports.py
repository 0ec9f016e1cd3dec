"""Reports of any size travel as several messages of a bounded one."""

from collections.abc import Iterator
from dataclasses import replace

from pdsno.domain.messages import DiscoveryReport
from pdsno.domain.ports import NIBTransaction

MOST_DEVICES = 500
"""Devices in one message: with their interfaces some hundred kilobytes, far below the limit."""


def in_parts(report: DiscoveryReport, most: int = MOST_DEVICES) -> Iterator[DiscoveryReport]:
    """Yield the report in parts to be applied in this order; a small one or a snapshot as it is.

    Merges go first, for later parts name what absorbed; devices seen unchanged go last.
    """
    if report.is_full or len(report.devices) <= most:
        yield report
        return
    for start in range(0, len(report.devices), most):
        is_first, is_last = start == 0, start + most >= len(report.devices)
        yield replace(
            report,
            devices=report.devices[start : start + most],
            absorbed=report.absorbed if is_first else (),
            seen=report.seen if is_last else (),
        )


def is_first_of_stream(tx: NIBTransaction) -> bool:
    """Tell, once for each stream, that no report went into it before.

    The first one is a snapshot: the parent may know us from a stream of an earlier database, under
    device IDs that we do not use any more.
    """
    return tx.next_number(f"reports:{tx.outbox_tail().stream_id}") == 1


def as_snapshot(tx: NIBTransaction, report: DiscoveryReport) -> DiscoveryReport:
    """Return the report with everything that the NIB has."""
    return replace(report, devices=tx.all_devices(), seen=(), absorbed=(), is_full=True)
