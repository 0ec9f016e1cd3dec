"""How a lab tells what it is doing."""

from enum import StrEnum
from typing import Protocol


class Stage(StrEnum):
    """The stages of `up` and `down`, in order."""

    PLAN = "plan"
    WIRE = "wire"
    BOOT = "boot"
    EXEC = "exec"
    CONVERGE = "converge"
    READY = "ready"
    DOWN = "down"
    WARNING = "warning"


class Progress(Protocol):
    """Receives each step, in the thread that called `up` or `down`.

    `node` is empty for what concerns the whole lab. Must not raise.
    """

    def __call__(self, stage: Stage, node: str, detail: str, /) -> None:
        """Take note of one step."""
        ...


def silent(stage: Stage, node: str, detail: str, /) -> None:
    """Show nothing."""
    del stage, node, detail
