"""While `pdsno discover` runs: its signals, its bars, its lines, and what it keeps for later."""

import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

import click

from pdsno.cli.output import cell_text

if TYPE_CHECKING:
    from pdsno.discovery.ledger import Findings, Found
    from pdsno.discovery.observe import Observations, Progress
    from pdsno.discovery.resume import ResumeFile

_STAGES = {"sweep": "asking every address", "snmp": "SNMP queries", "ssh": "SSH queries"}
_SIGNAL_EXIT = 128
_COMMUNITY = "--snmp-community"


@dataclass(kw_only=True, slots=True)
class Stop:
    """A wish to stop, by Ctrl-C or SIGTERM."""

    event: threading.Event = field(default_factory=threading.Event)
    number: int = 0

    @property
    def is_wished(self) -> bool:
        """Whether somebody wants it to end."""
        return self.event.is_set()

    @property
    def exit_code(self) -> int:
        """The exit code that a shell gives a program which a signal ended."""
        return _SIGNAL_EXIT + self.number


@contextmanager
def stop_on_signal() -> Iterator[Stop]:
    """Turn the first Ctrl-C or SIGTERM into a wish to stop; the second one ends it for good."""
    stop = Stop()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.is_wished:
            raise KeyboardInterrupt
        stop.number = number
        stop.event.set()
        click.echo("pdsno: stopping; Ctrl-C again to leave at once", err=True)

    before = {n: signal.signal(n, on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress_shown() -> "Iterator[Callable[[Progress], None]]":
    """Show bars on stderr if it is a terminal, else nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    bars = Bars(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # Lines on the same terminal go above the bars; those into a pipe are left alone.
        redirect_stdout=sys.stdout.isatty(),
    )
    with bars:
        tasks: dict[str, TaskID] = {}
        lock = threading.Lock()

        def show(step: "Progress") -> None:
            with lock:
                if step.stage not in tasks:
                    tasks[step.stage] = bars.add_task(_STAGES[step.stage], total=step.total)
                bars.update(tasks[step.stage], completed=step.done, total=step.total)

        yield show


class LiveLines:
    """Prints one line as somebody answers, and one as it tells what it is; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, found: "Found") -> None:
        line = live_line(found)
        with self._lock:
            click.echo(line)


def live_line(found: "Found") -> str:
    """Return what is new about a host, fit for a terminal."""
    from pdsno.discovery.oui import vendor_of

    words: list[object] = [found.address]
    if found.facts is not None:
        facts = found.facts
        words += [f"told by {facts.source.upper()}:", facts.name, facts.vendor, facts.model]
        words += [facts.platform, facts.os_version]
    elif found.sighting is not None:
        seen = found.sighting
        words += [f"answered {seen.method.value.upper()}", seen.mac]
        words.append(vendor_of(seen.mac) if seen.mac else None)
    return "  ".join(text for word in words if (text := cell_text(word)))


# --- to go on with ---------------------------------------------------------------------------


def kept_findings(state: "ResumeFile") -> "Findings | None":
    """Return what the last look kept; say so where there is nothing to go on with."""
    from pdsno.discovery.resume import StateError

    try:
        kept = state.load()
    except StateError as error:
        click.echo(f"pdsno: note: cannot resume: {error}; beginning anew", err=True)
        return None
    if kept is None:
        click.echo("pdsno: note: nothing was kept for this command; beginning anew", err=True)
    return kept


def stopped_text(seen: "Observations", arguments: Sequence[str]) -> str:
    """Say how far it came, and how to go on; `arguments` are those of this command."""
    from pdsno.domain.observations import Outcome

    kept_from = {Outcome.EXCLUDED, Outcome.PASSIVE_ONLY}
    inside = [o for o in seen.outcomes if not any(p.outcome in kept_from for p in o.probes)]
    late = [o for o in inside if all(p.outcome is Outcome.NOT_TRIED for p in o.probes)]
    asked = len(inside) - len(late)
    command = shlex.join(["pdsno", "discover", *_without_secrets(arguments)])
    more = "" if "--resume" in arguments else " --resume"
    return (
        f"stopped: {asked:,} of {len(inside):,} addresses asked; go on with: {command}{more} "
        "(what was found is kept for a day)"
    )


def _without_secrets(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with each community as `...`: this line ends up in logs."""
    shown: list[str] = []
    for argument in arguments:
        if shown and shown[-1] == _COMMUNITY:
            shown.append("...")
        elif argument.startswith(f"{_COMMUNITY}="):
            shown.append(f"{_COMMUNITY}=...")
        else:
            shown.append(argument)
    return shown
