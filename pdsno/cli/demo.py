"""`pdsno demo`: the whole system on one machine, on a lab of real routers."""

import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType

import click

from pdsno.cli.demo_run import Demo, Outcome, dump
from pdsno.domain.errors import OperationError

_FORWARDED_PORT = 8080


def _default_topology() -> Path:
    """Return the lab that lies in the working folder or beside the package."""
    beside = Path(__file__).resolve().parents[2] / "lab" / "two-regions.clab.yml"
    here = Path("lab/two-regions.clab.yml")
    return here if here.exists() else beside


@click.command(
    epilog="""\b
Examples:
  pdsno demo                      watch it, look around, end it with Ctrl-C
  pdsno demo --once -o json       run it once, print what was found, take all down
"""
)
@click.argument("topology", type=click.Path(path_type=Path), required=False)
@click.option("--once", is_flag=True, help="Take all down at the end; exit 0 only if complete.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="A summary for people, or JSON for scripts.",
)
def demo(topology: Path | None, *, once: bool, output: str) -> int:
    """Bring a lab up, validate all controllers, discover it, compare the NIB with the topology.

    Every node is a namespace of its own with real FRR, snmpd, lldpd and sshd; the controllers
    talk REST and MQTT over the lab's management network. Needs root.
    """
    from pdsno.lab.runner import Lab

    lab = Lab(topology or _default_topology())
    run = Demo(lab, _Teller(quiet=output == "json").say)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        outcome = run.run()
        if output == "json":
            click.echo(dump(outcome))
        else:
            _summarise(outcome)
        if not once:
            _stay(outcome, lab.name)
    finally:
        click.echo("taking the lab down …", err=True)
        lab.down()
    return 0 if outcome.is_complete else 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class _Teller:
    """Writes progress to stderr: on a terminal all of it, else the stages only."""

    def __init__(self, *, quiet: bool) -> None:
        self._details = sys.stderr.isatty() and not quiet

    def say(self, line: str) -> None:
        if self._details or not line.startswith("  "):
            click.echo(line, err=True)


def _summarise(outcome: Outcome) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(title="Devices in the global NIB", title_justify="left")
    for column in ("region", "name", "type", "vendor", "management address", "found by"):
        table.add_column(column, overflow="fold")
    for item in sorted(
        outcome.devices, key=lambda d: (d["region"], d["device_type"], d["name"] or "~")
    ):
        table.add_row(
            item["region"],
            item["name"] or "-",
            item["device_type"],
            item["vendor"] or "-",
            item["management_ip"],
            ", ".join(item["sources"]),
        )
    console.print(table)
    compared = outcome.to_json()
    regions = Counter(d["region"] for d in outcome.devices)
    console.print("  ".join(f"{name}: {count} devices" for name, count in sorted(regions.items())))
    console.print(
        f"devices {compared['devices_found']} of {compared['devices_expected']} found, "
        f"links {compared['links_found']} of {compared['links_expected']} found"
    )
    for name in ("missing", "extra", "duplicated"):
        for kind in ("devices", "links"):
            for item in compared.get(f"{kind}_{name}", []):
                console.print(f"  {kind[:-1]} {name}: {item}")
    for warning in outcome.warnings:
        console.print(f"  warning: {warning}")
    stages = ", ".join(f"{name} {value:.1f} s" for name, value in outcome.stages.items())
    console.print(f"stages: {stages} (in all {sum(outcome.stages.values()):.1f} s)")


def _stay(outcome: Outcome, lab_name: str) -> None:
    """Keep everything running for a person to look at, until Ctrl-C."""
    from pdsno.lab.forward import PortForward

    host, _, port = outcome.api.removeprefix("http://").partition(":")
    click.echo(f"\nlook at it:  {outcome.api}/api/v1/devices", err=True)
    forward = PortForward(_FORWARDED_PORT, (host, int(port)))
    try:
        forward.start()
    except OperationError as error:
        click.echo(f"  ({error})", err=True)
    else:
        click.echo(f"also at:     http://127.0.0.1:{forward.port}/api/v1/devices", err=True)
    click.echo("or:          pdsno nib devices", err=True)
    click.echo(
        f"into a node: pdsno lab exec {lab_name} leaf1 -- vtysh -c 'show ip route'", err=True
    )
    click.echo("Ctrl-C ends it and takes everything down.", err=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("", err=True)
    finally:
        forward.close()
