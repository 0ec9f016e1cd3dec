"""For processes under libfaketime: Python's own sleep, which it breaks, by other means.

`time.sleep` waits for a moment of the monotonic clock, and libfaketime moves that moment although
it was told to leave that clock alone: the kernel then says EINVAL.
"""

import select
import time
from typing import SupportsIndex


def _sleep(seconds: "float | SupportsIndex", /) -> None:
    if float(seconds) < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], float(seconds))


time.sleep = _sleep
