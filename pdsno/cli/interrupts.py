"""Ctrl-C as the ordinary end of a command that runs until it is told to stop."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class Interrupts:
    """What Ctrl-C and SIGTERM do now: end the block at once, or after what is held."""

    is_held: bool = False
    is_wished: bool = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let this block come to its end first: what it writes is written whole."""
        self.is_held = True
        try:
            yield
        finally:
            self.is_held = False
        if self.is_wished:
            raise KeyboardInterrupt


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Run a block that Ctrl-C or SIGTERM ends, without an error; the second one, in any case."""
    state = Interrupts()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if state.is_held and not state.is_wished:
            state.is_wished = True
            return
        state.is_wished = True
        raise KeyboardInterrupt

    before = {n: signal.signal(n, on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield state
    except KeyboardInterrupt:
        if not state.is_wished:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
