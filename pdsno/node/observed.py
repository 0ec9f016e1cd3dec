"""What one controller tells of itself: who it is, whether it is well, and what it has counted."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pdsno
from pdsno.api import Check, ControllerInfo, Measures
from pdsno.controllers.base_controller import BaseController
from pdsno.controllers.global_controller import GlobalController
from pdsno.controllers.member_controller import MemberController
from pdsno.controllers.regional_controller import RegionalController

_NIB_FILES = ("nib.sqlite", "nib.sqlite-wal", "nib.sqlite-shm")


def info_of(controller: BaseController, started_at: datetime) -> ControllerInfo:
    """Return what the API says of a controller."""
    client = controller.mqtt_client
    return ControllerInfo(
        controller_id=controller.controller_id,
        role=controller.role,
        region=controller.region,
        version=pdsno.__version__,
        started_at=started_at,
        health={
            "validated": controller.is_validated,
            "mqtt_connected": bool(client and client.is_connected),
            "outbox_waiting": controller.reports_waiting,
        },
        checks=checks_of(controller, datetime.now(UTC)),
    )


def checks_of(controller: BaseController, now: datetime) -> Mapping[str, Check]:
    """Return what a controller needs to do its work, and whether it has it."""
    is_in = controller.is_validated
    checks = {
        "admitted": Check(
            is_ok=is_in,
            detail="" if is_in else "hand over a join token: pdsno token create at its parent",
        )
    }
    tls = controller.options.tls
    if tls is not None:
        is_good = tls.has_certificate and now < tls.not_after
        remedy = "it has ended, or there is none yet: the controller asks its parent by itself"
        checks["certificate"] = Check(is_ok=is_good, detail="" if is_good else remedy)
    client = controller.mqtt_client
    if client is not None:
        is_up = client.is_connected
        checks["broker"] = Check(
            is_ok=is_up,
            is_required=False,
            detail="" if is_up else "not connected: reports and policy go over REST meanwhile",
        )
    return checks


def measures_of(controller: BaseController, state_dir: Path) -> Measures:
    """Return what a controller has counted since its start."""
    tls = controller.options.tls
    client = controller.mqtt_client
    events = controller.published_events
    return Measures(
        version=pdsno.__version__,
        role=controller.role.value,
        nib_bytes=_size_of(state_dir),
        refused=controller.refused_counts,
        sent=_sent(controller),
        received=_received(controller),
        certificate_until=tls.not_after if tls is not None and tls.has_certificate else None,
        is_mqtt_connected=client.is_connected if client is not None else None,
        mqtt=client.durations if client is not None else None,
        mqtt_events=events.count if events is not None else None,
        mqtt_events_waiting=events.waiting if events is not None else None,
        rest=controller.http_client.durations,
    )


def _size_of(state_dir: Path) -> int | None:
    sizes = [path.stat().st_size for name in _NIB_FILES if (path := state_dir / name).exists()]
    return sum(sizes) if sizes else None


def _sent(controller: BaseController) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    if isinstance(controller, MemberController):
        for counts in controller.streams_out.values():
            total.update(counts)
    return total


def _received(controller: BaseController) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    if isinstance(controller, GlobalController | RegionalController):
        for streams in controller.streams_in.values():
            for counts in streams.values():
                total.update(counts)
    return total
