"""`pdsno discover`: sweep subnets once, without any controller."""

import sys
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import click

from pdsno.cli.credential_options import (
    credential_options,
    gather_credentials,
    known_hosts_file,
    state_directory,
)
from pdsno.cli.output import OutputFormat, output_option

EXIT_FAILED = 1
DEFAULT_RATE_PPS = 100
_ARGUMENTS = "pdsno.discover.arguments"
_METHODS = ("arp", "icmp", "tcp")

HELP_EPILOG = """\b
Examples:
  pdsno discover 192.0.2.0/24                     who is there: ARP and ping
  pdsno discover 192.0.2.0/24 --query             and what it is, by SNMP community 'public'
  pdsno discover 10.1.0.0/24 10.2.0.0/24 --query --credentials devices.yml -o json
  pdsno discover 10.1.0.0/24 --explain 10.1.0.1   why it is one device

\b
Before you raise --rate: a switch port with Dynamic ARP Inspection is shut down at
15 ARP packets a second by default (untrusted ports; behind one use --rate 10), storm control
may do the same, and on Wi-Fi each broadcast takes airtime from everybody. At 100 a second a
/24 takes 8 seconds.

\b
As root a sweep uses ARP (it sees hosts that ignore ping) and shows MACs. Without root it
uses ping or TCP and the kernel's ARP table, and says what it could not do.
Ctrl-C prints what was found so far, marked incomplete; --resume goes on from there.
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

    def __str__(self) -> str:
        """Return it as the option takes it."""
        return "max" if self.pps is None else f"{self.pps:g}"


def _address(text: str | None) -> str | None:
    """Return an address as the records have it, or fail before anything is sent."""
    try:
        return None if text is None else str(ip_address(text))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no IP address") from error


class _Remembering(click.Command):
    """Keeps its arguments as they were typed: how to go on is told in the same words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)


@click.command(cls=_Remembering, epilog=HELP_EPILOG)
@click.argument("subnets", metavar="CIDR...", nargs=-1, required=True)
@click.option("--interface", metavar="IF", help="Ask on this interface (default: by address).")
@click.option(
    "--rate",
    type=RateType(),
    default=Rate(pps=DEFAULT_RATE_PPS),
    show_default=True,
    metavar="PPS|max",
    help="Packets a second on each L2 segment; read below what a faster pace may cost.",
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
@click.option("--live", "is_live", is_flag=True, help="Print each host as it is found.")
@click.option("--resume", is_flag=True, help="Go on where the same command was stopped.")
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
    is_live: bool,
    resume: bool,
    no_names: bool,
    output: OutputFormat,
) -> None:
    """Sweep subnets once and show who answers; no controller needed."""
    from pdsno.cli.discover_explain import explain_address
    from pdsno.cli.discover_run import (
        LiveLines,
        kept_findings,
        progress_shown,
        stop_on_signal,
        stopped_text,
    )
    from pdsno.cli.discover_view import resolver_names, show_sweeps, sweep_rows
    from pdsno.discovery.observe import observe
    from pdsno.discovery.query import QueryLimits
    from pdsno.discovery.resume import ResumeFile
    from pdsno.discovery.targets import plan_targets
    from pdsno.domain.observations import Method
    from pdsno.southbound.access import DeviceAccess
    from pdsno.southbound.known_hosts import KnownHosts

    query = query or explained is not None
    targets = plan_targets(subnets, exclude=exclude, force=force)
    credentials = gather_credentials(credentials_file, communities)
    about = (subnets, exclude, interface, methods, query, str(credentials_file))
    state = ResumeFile(state_directory() / "discover", about)
    kept = kept_findings(state) if resume else None
    is_live = output is OutputFormat.TABLE and (is_live or sys.stdout.isatty())
    with (
        DeviceAccess(credentials, known_hosts=KnownHosts(known_hosts_file())) as access,
        stop_on_signal() as stop,
        progress_shown() as show,
    ):
        seen = observe(
            targets,
            namespace="",
            access=access,
            query=query,
            limits=QueryLimits(rate_pps=rate.pps),
            stop=stop.event,
            progress=show,
            on_found=LiveLines() if is_live else None,
            interface=interface,
            methods=frozenset(Method(item) for item in methods),
            kept=kept,
            keep=state.save,
        )
    names = {} if no_names or stop.is_wished else resolver_names(seen)
    show_sweeps(sweep_rows(seen, names, with_facts=query), output)
    if explained is not None:
        for line in explain_address(seen, explained):
            click.echo(line, err=output is not OutputFormat.TABLE)
    for note in seen.notes:
        click.echo(f"pdsno: note: {note}", err=True)
    if stop.is_wished:
        click.echo(f"pdsno: {stopped_text(seen, ctx.meta[_ARGUMENTS])}", err=True)
        ctx.exit(stop.exit_code)
    if not seen.is_complete:
        ctx.exit(EXIT_FAILED)
    state.forget()
