"""What a cycle leaves in the log."""

import structlog

from pdsno.discovery.cycle import DiscoveryCycleResult

log = structlog.get_logger()


def log_result(result: DiscoveryCycleResult, *, notes_before: tuple[str, ...]) -> None:
    """Log what came of a cycle; what it could not do only when that is news."""
    log.info(
        "discovery_completed",
        cycle_id=result.cycle_id,
        duration_s=round(result.duration_s, 1),
        devices=result.devices_seen,
        new=result.devices_new,
        changed=result.devices_changed,
        inactive=result.devices_inactive,
        endpoints=result.endpoints_seen,
        failures=len(result.failures),
        report=result.report.value,
    )
    for failure in result.failures:
        log.warning("query_failed", address=failure.address, outcome=failure.summary)
    if result.notes != notes_before:
        for note in result.notes:
            log.warning("discovery_limited", note=note)
