"""Who hears of refused messages."""

from collections.abc import Callable
from typing import TypeAlias

MALFORMED = "MALFORMED"
"""Reason code of what could not be read."""

OnRefused: TypeAlias = Callable[[str, str, str, str], object]
"""Hears of each refused message: whose it was (a controller, an address, a topic), its type, the
reason code and the detail. It may block, and must not raise."""
