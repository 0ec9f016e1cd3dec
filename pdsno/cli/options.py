"""The global options as values, free of heavy imports."""

from dataclasses import dataclass
from enum import StrEnum


class LogFormat(StrEnum):
    """How log lines look. AUTO: console on a terminal; elsewhere JSON for a service."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What the operator asked of the log; kept in the root context's `obj`."""

    log_format: LogFormat = LogFormat.AUTO
    verbosity: int = 0


def examples(*lines: str) -> str:
    """Return a command's epilog: what people type, one line each."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
