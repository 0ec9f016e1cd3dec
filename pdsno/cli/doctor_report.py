"""What a check of `pdsno doctor` finds out."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a check ended. WARNING: it works, and not as well as it could, or not for long."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of the report. `remedy` says what to do; it is empty where nothing is to be done.

    `of` is the controller that is meant, empty for the machine.
    """

    check: str
    outcome: Outcome
    detail: str
    remedy: str = ""
    of: str = ""


def ok(check: str, detail: str) -> Finding:
    """Return that all is well."""
    return Finding(check=check, outcome=Outcome.OK, detail=detail)


def warning(check: str, detail: str, remedy: str) -> Finding:
    """Return what will need somebody."""
    return Finding(check=check, outcome=Outcome.WARNING, detail=detail, remedy=remedy)


def failed(check: str, detail: str, remedy: str) -> Finding:
    """Return what does not work."""
    return Finding(check=check, outcome=Outcome.FAILED, detail=detail, remedy=remedy)


def skipped(check: str, why: str) -> Finding:
    """Return that this could not be, or need not be found out."""
    return Finding(check=check, outcome=Outcome.SKIPPED, detail=why)


def parted(error: Exception) -> tuple[str, str]:
    """Return cause and remedy of an error's one line, which a `; ` or the last `: ` parts."""
    text = " ".join(str(error).split())
    for mark in ("; ", ": "):
        cause, found, remedy = text.rpartition(mark)
        if found:
            return cause, remedy
    return text, "see its log"


def has_failed(findings: Iterable[Finding]) -> bool:
    """Tell whether anything does not work."""
    return any(finding.outcome is Outcome.FAILED for finding in findings)


def summary(findings: Iterable[Finding]) -> str:
    """Return how many checks ended how, in one line."""
    found = [finding.outcome for finding in findings]
    told = [(outcome, found.count(outcome)) for outcome in Outcome]
    return ", ".join(f"{number} {outcome.value}" for outcome, number in told if number)


def span(seconds: float) -> str:
    """Return a length of time in the largest unit that makes sense, as `3 h`."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if abs(seconds) >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def size(octets: int) -> str:
    """Return a number of bytes as people read it."""
    number = float(octets)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:  # noqa: PLR2004 - as the units say
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
