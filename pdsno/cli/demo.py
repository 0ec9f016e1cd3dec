"""`pdsno demo`: the whole system on one machine, on a lab of real routers."""

import os
import signal
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from pdsno.domain.errors import InputError, OperationError

if TYPE_CHECKING:
    from pdsno.cli.demo_run import Demo, Outcome
    from pdsno.lab.runner import Lab

_FORWARDED_PORT = 8080
_TOPOLOGY = Path("lab/two-regions.clab.yml")


def _default_topology() -> Path:
    """Return the lab that lies in the working folder or beside the package."""
    for path in (_TOPOLOGY, Path(__file__).resolve().parents[2] / _TOPOLOGY):
        if path.is_file():
            return path
    raise InputError(
        f"there is no {_TOPOLOGY} here: run this in a clone of PDSNO, or name a topology file"
    )


@click.command(
    epilog="""\b
Examples:
  pdsno demo                      watch it, look around, end it with Ctrl-C
  pdsno demo --once               run it once, see what was found, leave nothing behind
  pdsno demo --once -o json       the same for scripts

\b
Exit codes with --once: 0 everything was found, 1 something is missing or too much.
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
    talk REST and MQTT over the lab's management network. Needs root. Without TOPOLOGY: the lab
    lab/two-regions.clab.yml.
    """
    from pdsno.cli.demo_nodes import check_topology
    from pdsno.cli.demo_run import Demo, dump
    from pdsno.cli.demo_summary import summarise
    from pdsno.cli.demo_view import shown
    from pdsno.lab.runner import Lab

    path = topology or _default_topology()
    if os.geteuid() != 0:
        raise OperationError(
            "a demo builds network namespaces, which needs root: sudo pdsno demo; "
            "without root: pdsno up --subnet CIDR, for a real network"
        )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    check_topology(path)
    lab = Lab(path)
    try:
        with shown() as view:
            outcome = _run(Demo(lab, view))
        click.echo(dump(outcome)) if output == "json" else summarise(outcome)
        if not once:
            _stay(outcome, lab)
    finally:
        _take_down(lab)
    return 0 if outcome.is_complete else 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(run: "Demo") -> "Outcome":
    """Run all stages; if one fails, keep what the controllers wrote: the lab is about to go."""
    try:
        return run.run()
    except OperationError as error:
        if not _is_ours(run.lab):
            raise
        directory = tempfile.mkdtemp(prefix="pdsno-demo-")
        run.save_logs(directory)
        raise OperationError(f"{error}; what the controllers wrote is in {directory}") from error


def _is_ours(lab: "Lab") -> bool:
    """Whether the lab that is up belongs to this process: not to a second demo, or `lab up`."""
    from pdsno.lab import state

    found = state.load(lab.name)
    return found is not None and found.owner == state.this_process()


def _take_down(lab: "Lab") -> None:
    """Take down what this process brought up; from here on nothing interrupts."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the programs that `down` runs inherit this
    if _is_ours(lab):
        _say("taking the lab down …")
        lab.down()


def _say(line: str) -> None:
    with suppress(OSError):  # the terminal may be gone
        click.echo(line, err=True)


def _remember(outcome: "Outcome", urls: list[str]) -> list[str]:
    """Keep the demo's API token for as long as it is up; returns for which URLs."""
    from pdsno.cli.api_access import remember

    access = outcome.access
    if access is None:
        return []
    for number, url in enumerate(urls):
        remember(url, access.token, access.ca_pem, is_default=number == 0)
    return urls


def _stay(outcome: "Outcome", lab: "Lab") -> None:
    """Keep everything running for a person to look at, until Ctrl-C."""
    from pdsno.cli.api_access import forget
    from pdsno.lab.forward import PortForward
    from pdsno.lab.topology import Role

    host, _, port = outcome.api.removeprefix("https://").partition(":")
    forward = PortForward(_FORWARDED_PORT, (host, int(port)))
    try:
        forward.start()
    except OperationError as error:
        _say(f"\nlook at it:    ({error})")
        _say(f"               pdsno nib devices --api {outcome.api}")
        urls = [outcome.api]
    else:
        local = f"https://127.0.0.1:{forward.port}"
        _say(f"\nlook at it:    pdsno nib devices, or {local}/api/v1/devices")
        urls = [local, outcome.api]
    kept = _remember(outcome, urls)
    for region, node in sorted(outcome.local_nodes.items()):
        command = f"pdsno lab exec --lab {lab.name} {node} -- pdsno nib probes"
        _say(f"each address:  {command}    ({region})")
    routers = (node.name for node in lab.state().nodes if node.role is Role.ROUTER)
    for router in list(routers)[-1:]:
        _say(f"into a node:   pdsno lab exec --lab {lab.name} {router} -- vtysh -c 'show ip route'")
    _say("Ctrl-C ends it and takes everything down.")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        _say("")
    finally:
        forward.close()
        for url in kept:
            forget(url)
