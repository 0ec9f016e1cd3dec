"""A controller that has not joined yet: waits for its join token and presents it."""

import stat
import threading
from pathlib import Path

import structlog

from pdsno.communication.backoff import Backoff
from pdsno.controllers.member_controller import MemberController
from pdsno.domain.errors import (
    ConflictError,
    PDSNOError,
    Refusal,
    RefusedError,
    RemoteProtocolError,
    TransientError,
)
from pdsno.domain.messages import ValidationResult

log = structlog.get_logger()

_POLL_S = 0.25
_FIRST_RETRY_S = 5.0
_MOST_RETRY_S = 60.0
_PASSING = frozenset(
    {
        Refusal.CHALLENGE_EXPIRED,
        Refusal.CHANNEL_MISMATCH,
        Refusal.FUTURE,
        Refusal.GLOBAL_UNREACHABLE,
        Refusal.NO_DELEGATION,
        Refusal.RATE_LIMITED,
        Refusal.STALE,
        Refusal.UNKNOWN_CHALLENGE,
        Refusal.UNKNOWN_REGION,
    }
)
"""What a parent on its way up says, or one whose clock or policy comes later: nobody decided."""


def join_when_possible(
    controller: MemberController,
    token_file: Path | None,
    *,
    subnets: tuple[str, ...],
    stop: threading.Event,
) -> bool:
    """Wait for the token file, join with it, delete it; returns False if stopped meanwhile.

    The same token is presented again as long as its parent is away or not ready to decide. Once
    somebody refused it, it is kept and not presented again until there is another one.
    """
    if token_file is None:
        log.error("join_impossible", remedy="set join_token_file and hand over a token")
        stop.wait()
        return False
    log.info("waiting_for_join_token", file=str(token_file))
    refused: str | None = None
    backoff = Backoff(first_s=_FIRST_RETRY_S, most_s=_MOST_RETRY_S)
    while not stop.wait(_POLL_S):
        token = _read(token_file)
        if token is None or token == refused:
            continue
        try:
            result = _join(controller, token, subnets)
        except PDSNOError as error:
            if _passes(error):
                retry_s = backoff.next_s()
                log.warning("join_postponed", why=str(error), retry_s=round(retry_s, 1))
                stop.wait(retry_s)
                continue
            remedy = "mend what it names, then hand over a fresh token"
            log.error("join_refused", why=str(error), remedy=remedy)  # noqa: TRY400 - no crash
            refused = token
            backoff.reset()
            continue
        token_file.unlink(missing_ok=True)
        log.info(
            "controller_validated", controller_id=result.assigned_id, decided_by=result.decided_by
        )
        return True
    return False


def _join(controller: MemberController, token: str, subnets: tuple[str, ...]) -> ValidationResult:
    """Return an approval; raises RefusedError also for what was refused after the challenge."""
    result = controller.join(token, subnets=subnets)
    if result.is_approved:
        return result
    if result.reason is None or result.reason not in Refusal.__members__:
        msg = f"the parent refused for a reason that we do not know: {result.reason}"
        raise RemoteProtocolError(msg)
    raise RefusedError(Refusal(result.reason), result.detail)


def _passes(error: PDSNOError) -> bool:
    """Whether the same token may be taken a little later."""
    if isinstance(error, RefusedError):
        return error.reason in _PASSING
    return isinstance(error, TransientError | ConflictError | RemoteProtocolError)


def _read(path: Path) -> str | None:
    """Return the token once it is wholly there; a file that others may read is left alone."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    except OSError as error:
        log.warning("join_token_unreadable", file=str(path), why=error.strerror)
        return None
    if stat.S_IMODE(mode) & 0o077:
        log.warning("join_token_exposed", file=str(path), remedy=f"chmod 600 {path}")
        return None
    return text or None
