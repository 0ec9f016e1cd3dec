"""`pdsno discover`: sweep subnets once, without any controller."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from pdsno.cli.credential_options import credential_options, gather_credentials
from pdsno.cli.output import OutputFormat, output_option

if TYPE_CHECKING:
    from pdsno.discovery.observe import Progress

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
DEFAULT_RATE_PPS = 100
_METHODS = ("arp", "icmp", "tcp")

HELP_EPILOG = """\b
Examples:
  pdsno discover 192.0.2.0/24                     who is there: ARP and ping
  pdsno discover 192.0.2.0/24 --query             and what it is, by SNMP community 'public'
  pdsno discover 10.1.0.0/24 10.2.0.0/24 --query --credentials devices.yml -o json
  pdsno discover 10.1.0.0/24 --explain 10.1.0.1   why it is one device

\b
Before you raise --rate: a switch port with Dynamic ARP Inspection is shut down at
15 ARP packets a second by default (untrusted ports), storm control may do the same, and on
Wi-Fi each broadcast takes airtime from everybody. At 100 a second a /24 takes 8 seconds.

\b
As root a sweep uses ARP (it sees hosts that ignore ping) and shows MACs. Without root it
uses ping or TCP and the kernel's ARP table, and says what it could not do.
Ctrl-C prints what was found so far, marked incomplete.
"""


class RateType(click.ParamType["Rate"]):
    """Packets a second, or `max`."""

    name = "pps"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> "Rate":
        """Return the rate, or fail with one line."""
        if isinstance(value, Rate):
            return value
        if value == "max":
            return Rate(pps=None)
        text = str(value)
        if not text.isdigit() or int(text) < 1:
            self.fail(f"{text!r} is neither a number of packets a second nor 'max'", param, ctx)
        return Rate(pps=float(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """None is as fast as it goes."""

    pps: float | None


def _address(text: str | None) -> str | None:
    """Return an address as the records have it, or fail before anything is sent."""
    try:
        return None if text is None else str(ip_address(text))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no IP address") from error


@click.command(epilog=HELP_EPILOG)
@click.argument("subnets", metavar="CIDR...", nargs=-1, required=True)
@click.option("--interface", metavar="IF", help="Ask on this interface (default: by address).")
@click.option(
    "--rate",
    type=RateType(),
    default=Rate(pps=DEFAULT_RATE_PPS),
    show_default=str(DEFAULT_RATE_PPS),
    metavar="PPS|max",
    help="Packets a second on each LAN; read below before you raise it.",
)
@click.option("--query", is_flag=True, help="Ask who answered for facts, by SNMP and SSH.")
@credential_options
@click.option(
    "--method",
    "methods",
    type=click.Choice(_METHODS),
    multiple=True,
    help="Use only this method; may be repeated. Default: what fits each subnet.",
)
@click.option("--exclude", metavar="CIDR", multiple=True, help="Never probe these; repeatable.")
@click.option("--force", is_flag=True, help="Allow subnets larger than a /16.")
@click.option(
    "--explain",
    "explained",
    metavar="IP",
    callback=lambda _ctx, _parameter, value: _address(value),
    help="Say why what answers at IP is one device, by which evidence (asks for facts).",
)
@click.option("--no-names", is_flag=True, help="Do not look names up in the local resolver.")
@output_option
@click.pass_context
def discover(  # noqa: PLR0913 - one parameter per option
    ctx: click.Context,
    subnets: tuple[str, ...],
    *,
    interface: str | None,
    rate: Rate,
    query: bool,
    credentials_file: Path | None,
    communities: tuple[str, ...],
    methods: tuple[str, ...],
    exclude: tuple[str, ...],
    force: bool,
    explained: str | None,
    no_names: bool,
    output: OutputFormat,
) -> None:
    """Sweep subnets once and show who answers; no controller needed."""
    from pdsno.cli.discover_view import explain_address, resolver_names, show_sweeps, sweep_rows
    from pdsno.discovery.observe import observe
    from pdsno.discovery.targets import plan_targets
    from pdsno.domain.observations import Method

    query = query or explained is not None
    targets = plan_targets(subnets, exclude=exclude, force=force)
    credentials = gather_credentials(credentials_file, communities)
    with _stop_on_interrupt() as stop, _progress_shown() as show:
        seen = observe(
            targets,
            namespace="",
            credentials=credentials,
            query=query,
            rate_pps=rate.pps,
            stop=stop,
            progress=show,
            interface=interface,
            methods=frozenset(Method(item) for item in methods),
        )
    names = {} if no_names or stop.is_set() else resolver_names(seen)
    show_sweeps(sweep_rows(seen, names, with_facts=query), output)
    if explained is not None:
        for line in explain_address(seen, explained):
            click.echo(line, err=output is not OutputFormat.TABLE)
    for note in seen.notes:
        click.echo(f"pdsno: note: {note}", err=True)
    if stop.is_set():
        ctx.exit(EXIT_INTERRUPTED)
    if not seen.is_complete:
        ctx.exit(EXIT_FAILED)


# --- while it runs ---------------------------------------------------------------------------


@contextmanager
def _stop_on_interrupt() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into a wish to stop; the second one interrupts for good."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        click.echo("pdsno: stopping; Ctrl-C again to leave at once", err=True)

    previous = signal.signal(signal.SIGINT, on_signal)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def _progress_shown() -> "Iterator[Callable[[Progress], None]]":
    """Show bars on stderr if it is a terminal, else nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    bars = Bars(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bars:
        tasks: dict[str, TaskID] = {}
        lock = threading.Lock()

        def show(step: "Progress") -> None:
            with lock:
                if step.stage not in tasks:
                    tasks[step.stage] = bars.add_task(_STAGES[step.stage], total=step.total)
                bars.update(tasks[step.stage], completed=step.done)

        yield show


_STAGES = {"sweep": "asking every address", "snmp": "SNMP queries", "ssh": "SSH queries"}
