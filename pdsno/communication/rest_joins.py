"""How often strangers may ask to be admitted: refusals, and reports of floods of them."""

from collections.abc import Callable
from concurrent.futures import Executor

import structlog

from pdsno.communication.problems import Problem
from pdsno.communication.rate_limit import Flood, SourceLimiter
from pdsno.communication.rest_messages import Answer, problem_answer
from pdsno.domain.errors import Refusal
from pdsno.domain.messages import MessageType

log = structlog.get_logger()

_TYPES = (MessageType.VALIDATION_REQUEST, MessageType.CHALLENGE_RESPONSE)


class JoinLimits:
    """`per_minute` messages of each validation type from each source; None is no limit.

    `on_flood` runs on `executor()`, for it may block; without one, it does not hear of a flood.
    """

    def __init__(
        self,
        per_minute: int | None,
        on_flood: Callable[[Flood], None] | None,
        executor: Callable[[], Executor | None],
    ) -> None:
        self._on_flood = on_flood
        self._executor = executor
        self._limiters = (
            {kind: SourceLimiter(per_minute, on_flood=self._tell) for kind in _TYPES}
            if per_minute is not None
            else {}
        )

    def refusal(self, message_type: MessageType, address: str) -> Answer | None:
        """Return the answer to a message that comes too soon after others; None if it may pass."""
        limiter = self._limiters.get(message_type)
        wait_s = limiter.admit(address) if limiter is not None else None
        if wait_s is None:
            return None
        problem = Problem(
            status=429,
            detail="too many validation messages from your address",
            reason=Refusal.RATE_LIMITED.value,
            retry_after_s=wait_s,
        )
        return problem_answer(problem)

    def _tell(self, flood: Flood) -> None:
        log.warning("validation_flood", source=flood.source, refused=flood.refused)
        executor = self._executor()
        if self._on_flood is not None and executor is not None:
            executor.submit(self._report, self._on_flood, flood)

    def _report(self, on_flood: Callable[[Flood], None], flood: Flood) -> None:
        try:
            on_flood(flood)
        except Exception:
            log.exception("validation_flood_not_recorded", source=flood.source)
