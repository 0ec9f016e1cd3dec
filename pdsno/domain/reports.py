"""Reports of any size travel as several messages of a bounded one."""

from collections.abc import Iterator
from dataclasses import replace

from pdsno.domain.messages import DiscoveryReport

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
