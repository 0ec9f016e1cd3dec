"""Waiting for a state instead of sleeping."""

import time
from collections.abc import Callable


def wait_until(holds: Callable[[], object], what: str = "the state", timeout_s: float = 15) -> None:
    """Return once `holds()` is true; fails naming `what` otherwise."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain for {what}"
        time.sleep(0.01)


def holds_for(holds: Callable[[], object], seconds: float) -> bool:
    """Tell whether `holds()` stays true for some time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not holds():
            return False
        time.sleep(0.01)
    return True
