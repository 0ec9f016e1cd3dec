"""Whether a local controller may probe now, by whose word, and the end of a cycle that may not."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import structlog

from pdsno.controllers.pausing import in_words
from pdsno.discovery.scope import ProbeScope
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.observations import Authority, Interruption, StopReason
from pdsno.domain.policy import LocalPolicy, Pause, Policy, RegionPolicy, space_of
from pdsno.domain.scan_windows import closes_at, is_open, opens_at

log = structlog.get_logger()

_LOOK_S = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a cycle shall do: from policy, else from the constructor."""

    namespace: str
    local: LocalPolicy
    source: str
    region: RegionPolicy | None = None

    @property
    def scope(self) -> ProbeScope:
        """Whom a cycle may ask."""
        return ProbeScope(
            subnets=self.local.subnets,
            crawl=self.local.crawl,
            exclude=self.local.exclude,
            passive_only=self.local.passive_only,
        )

    def authority(self, requested_by: str, credentials: tuple[str, ...]) -> Authority:
        """Return the record of who allowed which probes."""
        local = self.local
        return Authority(
            source=self.source,
            requested_by=requested_by,
            rate_pps=local.rate_pps,
            exclude=local.exclude,
            passive_only=local.passive_only,
            crawl=local.crawl,
            query=local.query,
            credentials=credentials if local.query else (),
        )


def plan_of(
    policy: Policy | None, *, region: str, controller_id: str, subnets: tuple[str, ...]
) -> Plan:
    """Return the plan by policy; where it does not name us, `subnets` hold.

    Then what policy gives to others is none of ours: it is excluded.
    """
    known = policy.region(region) if policy else None
    local = known.local(controller_id) if known else None
    if policy is not None and known is not None and local is not None:
        return Plan(
            namespace=space_of(known, local),
            local=local,
            source=f"policy {policy.epoch}.{policy.version}",
            region=known,
        )
    own = LocalPolicy(controller_id=controller_id, subnets=subnets)
    if known is None:
        return Plan(namespace=region, local=own, source="settings")
    own = replace(own, exclude=given_to_others(known, own))
    return Plan(namespace=known.space, local=own, source="settings", region=known)


def given_to_others(region: RegionPolicy, own: LocalPolicy) -> tuple[str, ...]:
    """Return what policy gives others of our namespace to probe."""
    return tuple(
        prefix
        for other in region.local_controllers
        if other.controller_id != own.controller_id
        and space_of(region, other) == space_of(region, own)
        for prefix in (*other.subnets, *other.crawl)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """Why no probe may be sent now. `until` is known of windows only."""

    reason: StopReason
    detail: str
    pause: Pause | None = None
    until: datetime | None = None

    def refusal(self) -> RefusedError:
        """Return it as the answer to a request."""
        if self.reason is StopReason.PAUSED:
            return RefusedError(Refusal.PAUSED, f"probing is paused {self.detail}")
        return RefusedError(Refusal.OUTSIDE_WINDOW, self.detail)

    def interruption(self) -> Interruption:
        """Return it as the end of a running cycle."""
        return Interruption(reason=self.reason, detail=self.detail)


def pause_of(plan: Plan, own: Pause | None) -> Hold | None:
    """Return the pause that holds: our own operator's first, then the region's, then policy's."""
    if own is not None:
        return Hold(reason=StopReason.PAUSED, detail=in_words(own), pause=own)
    region = plan.region
    if region is not None and region.is_paused:
        return Hold(reason=StopReason.PAUSED, detail=in_words(region.pause), pause=region.pause)
    if plan.local.is_paused:
        return Hold(reason=StopReason.PAUSED, detail="by policy")
    return None


def hold_of(plan: Plan, own: Pause | None, now: datetime) -> Hold | None:
    """Return why no probe may be sent now, or None."""
    windows = plan.local.windows
    paused = pause_of(plan, own)
    if paused is not None or is_open(windows, now):
        return paused
    until = opens_at(windows, now)
    when = f"; the next one opens at {until.isoformat()}" if until else ""
    text = ", ".join(map(str, windows))
    detail = f"outside of the scan windows of policy ({text}){when}"
    return Hold(reason=StopReason.WINDOW_CLOSED, detail=detail, until=until)


def leave_in_words(plan: Plan, own: Pause | None, now: datetime) -> dict[str, object]:
    """Return, for people, whether probes may be sent, and by whose word not."""
    held = pause_of(plan, own)
    pause = held.pause if held else None
    windows = plan.local.windows
    return {
        "paused": held is not None,
        "paused_by": (pause.by if pause else "policy") if held else None,
        "paused_since": pause.since if pause else None,
        "pause_reason": (pause.reason or None) if pause else None,
        "windows": [str(window) for window in windows],
        "window_is_open": is_open(windows, now),
        "window_closes": closes_at(windows, now),
        "window_opens": opens_at(windows, now),
        "by_word_of": plan.source,
    }


class CycleWatch:
    """Sets `stop` for one cycle when the controller ends or probing is no longer allowed.

    A context manager; its thread ends with it. `hold` is asked several times a second.
    """

    def __init__(self, hold: Callable[[], Hold | None], shutdown: threading.Event) -> None:
        self.stop = threading.Event()
        self._hold = hold
        self._shutdown = shutdown
        self._done = threading.Event()
        self._interruption: Interruption | None = None
        self._thread = threading.Thread(target=self._run, name="cycle-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def interruptions(self) -> tuple[Interruption, ...]:
        """Why the cycle was stopped: one reason, or none."""
        return (self._interruption,) if self._interruption else ()

    def _run(self) -> None:
        while not self._done.wait(_LOOK_S):
            try:
                self._interruption = self._look()
            except Exception:
                log.exception("cycle_watch_crashed")
            if self._interruption is not None:
                self.stop.set()
                return

    def _look(self) -> Interruption | None:
        if self._shutdown.is_set():
            return Interruption(reason=StopReason.SHUTDOWN)
        hold = self._hold()
        return hold.interruption() if hold else None
