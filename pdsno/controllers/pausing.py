"""A controller's own word on whether probes may be sent; it survives restarts."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError

from pdsno.controllers.context_manager import ContextManager
from pdsno.domain.errors import OperationError
from pdsno.domain.jsonable import jsonable
from pdsno.domain.policy import Pause, Policy, RegionPolicy
from pdsno.policy.pauses import overlaid

_PAUSE = TypeAdapter(Pause)


class OwnPause:
    """The pause that an operator ordered at this controller. Thread-safe.

    `overlay` rises with every change, also over a lost state file (it is the time, in seconds):
    who had the last one takes the next one.
    """

    def __init__(self, context: ContextManager, *, clock: Callable[[], float] = time.time) -> None:
        """Read the state. Raises OperationError if what stands there is no pause."""
        self._context = context
        self._clock = clock
        self._lock = threading.Lock()
        # One value, so that nobody sees a new number with the pause of before.
        self._state = (self._read(), int(context.get("overlay", 0)))

    def _read(self) -> Pause | None:
        value = self._context.get("pause")
        if value is None:
            return None
        try:
            return _PAUSE.validate_python(value)
        except ValidationError as error:
            msg = f"{self._context.path} is damaged (pause): restore it, or remove that entry"
            raise OperationError(msg) from error

    @property
    def pause(self) -> Pause | None:
        """The pause in force, or None."""
        return self._state[0]

    @property
    def overlay(self) -> int:
        """The number of the last change; 0 for none."""
        return self._state[1]

    def begin(self, by: str, reason: str) -> bool:
        """Pause from now on; False if it was paused already (that pause stands)."""
        with self._lock:
            if self.pause is not None:
                return False
            self._keep(Pause(by=by, since=datetime.now(UTC), reason=reason))
            return True

    def end(self) -> bool:
        """Go on; False if there was no pause."""
        with self._lock:
            if self.pause is None:
                return False
            self._keep(None)
            return True

    def _keep(self, pause: Pause | None) -> None:
        overlay = max(self.overlay + 1, int(self._clock()))
        self._context.update(pause=jsonable(pause), overlay=overlay)
        self._state = (pause, overlay)

    def forget_overlay(self) -> None:
        """Begin anew under a newer policy, unless the pause still holds."""
        with self._lock:
            if self.pause is None and self.overlay:
                self._context.update(overlay=None)
                self._state = (None, 0)

    def over(self, region: RegionPolicy) -> RegionPolicy:
        """Return a region's policy with our word added."""
        pause, overlay = self._state
        return overlaid(region, pause, overlay)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Word:
    """What a regional controller said last of pausing, on top of one version of policy."""

    epoch: int
    version: int
    overlay: int
    is_paused: bool
    pause: Pause | None = None


_WORD = TypeAdapter(_Word)


class RegionsWord:
    """The regional controller's word, as a local controller keeps it. Thread-safe.

    Of one version of policy the highest overlay holds, whatever is replayed; with a newer version
    it begins anew.
    """

    def __init__(self, context: ContextManager) -> None:
        """Read the state. Raises OperationError if what stands there is no such word."""
        self._context = context
        self._lock = threading.Lock()
        value = context.get("region_pause")
        try:
            self._word = None if value is None else _WORD.validate_python(value)
        except ValidationError as error:
            msg = f"{context.path} is damaged (region_pause): restore it, or remove that entry"
            raise OperationError(msg) from error

    def take(self, policy: Policy, region: RegionPolicy) -> bool:
        """Keep what came with the version that we have; False if that is nothing new."""
        with self._lock:
            if region.overlay <= self.over(policy, region.region).overlay:
                return False
            word = _Word(
                epoch=policy.epoch,
                version=policy.version,
                overlay=region.overlay,
                is_paused=region.is_paused,
                pause=region.pause,
            )
            self._context.update(region_pause=jsonable(word))
            self._word = word
            return True

    def over(self, policy: Policy, name: str) -> RegionPolicy:
        """Return a region's policy with that word in it."""
        region, word = policy.region(name) or RegionPolicy(region=name), self._word
        if word is None or (word.epoch, word.version) != (policy.epoch, policy.version):
            return region
        if word.overlay <= region.overlay:
            return region
        return replace(region, is_paused=word.is_paused, pause=word.pause, overlay=word.overlay)


def in_words(pause: Pause | None) -> str:
    """Return a pause for people: `by root at … since …: reason`."""
    if pause is None:
        return "by policy"
    since = pause.since.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    reason = f": {pause.reason}" if pause.reason else ""
    return f"by {pause.by} since {since}{reason}"


def pauses_of(regions: Iterable[RegionPolicy]) -> dict[str, str]:
    """Return the paused regions, and by whom, since when and why, for people."""
    return {entry.region: in_words(entry.pause) for entry in regions if entry.is_paused}
