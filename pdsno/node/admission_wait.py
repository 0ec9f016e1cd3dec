"""A controller that has not joined yet: waits for its join token and presents it."""

import stat
import threading
from pathlib import Path

import structlog

from pdsno.controllers.member_controller import MemberController
from pdsno.domain.errors import PDSNOError, TransientError

log = structlog.get_logger()

_POLL_S = 0.25
_RETRY_S = 5.0


def join_when_possible(
    controller: MemberController,
    token_file: Path | None,
    *,
    subnets: tuple[str, ...],
    stop: threading.Event,
) -> bool:
    """Wait for the token file, join with it, delete it; returns False if stopped meanwhile.

    A parent that is away is asked again with the same token. A refused token is kept and not
    presented again until somebody puts another one there.
    """
    if token_file is None:
        log.error("join_impossible", remedy="set join_token_file and hand over a token")
        stop.wait()
        return False
    log.info("waiting_for_join_token", file=str(token_file))
    refused: str | None = None
    while not stop.wait(_POLL_S):
        token = _read(token_file)
        if token is None or token == refused:
            continue
        try:
            result = controller.join(token, subnets=subnets)
        except TransientError as error:
            log.warning("join_postponed", why=str(error), retry_s=_RETRY_S)
            stop.wait(_RETRY_S)
            continue
        except PDSNOError as error:
            log.error(  # noqa: TRY400 - a refusal is no crash
                "join_refused", why=str(error), remedy="hand over a fresh token"
            )
            refused = token
            continue
        if not result.is_approved:
            log.error("join_refused", reason=result.reason, why=result.detail)
            refused = token
            continue
        token_file.unlink(missing_ok=True)
        log.info(
            "controller_validated", controller_id=result.assigned_id, decided_by=result.decided_by
        )
        return True
    return False


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
