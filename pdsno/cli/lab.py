"""`pdsno lab`: a containerlab topology in namespaces, without Docker."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from pdsno.cli.api_access import access_options, look_up
from pdsno.cli.output import OutputFormat, output_option, render, render_one
from pdsno.domain.errors import InputError, OperationError

if TYPE_CHECKING:
    from pdsno.lab.progress import Progress, Stage
    from pdsno.lab.runner import Lab

_STATUS_COLUMNS = (
    "lab", "node", "role", "state", "mgmt_ipv4", "pid", "memory_mib", "command",
)  # fmt: skip

_EPILOG = """\b
Examples:
  pdsno lab up lab/two-regions.clab.yml
  pdsno lab status
  pdsno lab exec spine1 -- vtysh -c 'show ip ospf neighbor'
  pdsno lab exec h-a1 -- bash
  pdsno lab verify lab/two-regions.clab.yml --api https://172.30.30.10:8080
  pdsno lab down two-regions

LAB is a topology file, or the name of a lab that is up. Needs root."""


@click.group(epilog=_EPILOG, context_settings={"max_content_width": 100})
def lab() -> None:
    """Run a containerlab topology file in namespaces, without Docker."""


@lab.command(epilog="\b\nExample:\n  pdsno lab up lab/two-regions.clab.yml")
@click.argument("topology", type=click.Path(path_type=Path))
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=1),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="How long nodes may take to come up, and then the network to converge.",
)
def up(topology: Path, timeout_s: float) -> None:
    """Bring TOPOLOGY up and wait until its network is ready."""
    from pdsno.lab.runner import Lab

    running = Lab(topology)
    with _terminate_as_interrupt(), _shown_progress() as progress:
        state = running.up(progress, timeout_s=timeout_s)
    click.echo(f"lab {state.name} is up: {len(state.nodes)} nodes, {len(state.links)} links")


@lab.command(epilog="\b\nExamples:\n  pdsno lab down two-regions\n  pdsno lab down --all")
@click.argument("target", metavar="[LAB]", required=False)
@click.option("--all", "is_all", is_flag=True, help="Every lab of this machine.")
def down(target: str | None, *, is_all: bool) -> None:
    """Take a lab down and leave nothing; no error if it is not up."""
    from pdsno.lab import state

    if is_all == (target is not None):
        raise click.UsageError("name one lab, or give --all")
    names = [one.name for one in state.load_all()] if is_all else [str(target)]
    for name in names:
        try:
            is_done = _find(name).down()
        except _NotUpError:
            is_done = False
        click.echo(f"lab {name} is down" if is_done else f"lab {name} was not up")


@lab.command(epilog="\b\nExamples:\n  pdsno lab status\n  pdsno lab status two-regions -o json")
@click.argument("target", metavar="[LAB]", required=False)
@output_option
def status(target: str | None, output: OutputFormat) -> None:
    """Show the nodes of a lab, or of all labs of this machine."""
    from dataclasses import asdict

    from pdsno.lab import state
    from pdsno.lab.runner import Lab

    labs = [_find(target)] if target else [Lab.running(one.name) for one in state.load_all()]
    rows = [asdict(row) for one in labs for row in one.status()]
    if not rows:
        click.echo("no lab is up" if not target else f"lab {target} is not up", err=True)
    render(rows, fmt=output, columns=_STATUS_COLUMNS)


@lab.command(
    "exec",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="\b\nExamples:\n  pdsno lab exec leaf1 -- vtysh\n  pdsno lab exec h-a2 -- ip addr",
)
@click.option("--lab", "target", metavar="LAB", help="Which lab, if several are up.")
@click.argument("node")
@click.argument("argv", metavar="-- COMMAND [ARGUMENT]...", nargs=-1, required=True)
def execute(target: str | None, node: str, argv: tuple[str, ...]) -> None:
    """Run a command in NODE, attached to this terminal; its exit code is ours."""
    from pdsno.lab.runner import enter_command

    # click leaves a "--" that comes after an argument.
    words = argv[1:] if argv[0] == "--" else argv
    if not words:
        raise click.UsageError("say which command to run")
    command, environment = enter_command(_find_one(target).init_pid(node), words)
    sys.stdout.flush()
    os.execvpe(command[0], command, environment)  # noqa: S606 - no shell is wanted


@lab.command(epilog="\b\nExamples:\n  pdsno lab logs gc\n  pdsno lab logs leaf1 --daemon ospfd")
@click.option("--lab", "target", metavar="LAB", help="Which lab, if several are up.")
@click.option(
    "--daemon",
    metavar="NAME",
    help="A daemon's log instead: sshd, snmpd, lldpd, zebra, ospfd, vtysh-b, ...",
)
@click.argument("node")
def logs(target: str | None, daemon: str | None, node: str) -> None:
    """Show what the main command of NODE wrote, or one of its daemons."""
    running = _find_one(target)
    script = "cat /var/log/node-cmd.log"
    argv = ["sh", "-c", script]
    if daemon:
        script = 'cat "/var/log/lab/$1.log" 2>/dev/null || cat "/var/log/lab/frr-$1.log"'
        argv = ["sh", "-c", script, "sh", daemon.replace("/", "")]
    done = running.exec(node, argv)
    if done.returncode != 0:
        what = f"daemon '{daemon}'" if daemon else "main command"
        raise OperationError(f"node '{node}' has no log of a {what}")
    click.echo(done.stdout, nl=False)


@lab.command(
    epilog="\b\nExample:\n  pdsno lab verify lab/two-regions.clab.yml "
    "--api https://172.30.30.10:8080 -o json"
)
@click.argument("target", metavar="LAB")
@click.option(
    "--api",
    envvar="PDSNO_API",
    metavar="URL",
    help="A controller's API; default: port 8080 of the lab's first controller.",
)
@access_options
@output_option
def verify(
    target: str, *, api: str | None, token_file: Path | None, ca: Path | None, output: OutputFormat
) -> int:
    """Compare a NIB with the live nodes of LAB; exit code 1 on any difference."""
    from pdsno.cli.nib_client import NIBClient
    from pdsno.cli.nib_picture import read_picture
    from pdsno.lab.verify import judge

    running = _find(target)
    truth = running.truth()
    asked = look_up(api or _default_api(running), token_file=token_file, ca=ca)
    with NIBClient(asked) as client:
        verdict = judge(truth, read_picture(client))
    render_one(verdict.to_json(), fmt=output)
    return 0 if verdict.is_equal else 1


class _NotUpError(OperationError):
    """The name is not that of a lab that is up."""


def _find(target: str) -> "Lab":
    """Find a lab by topology file or by name."""
    from pdsno.lab import state
    from pdsno.lab.runner import Lab

    if state.is_lab_name(target) and state.load(target) is not None:
        return Lab.running(target)
    path = Path(target)
    if path.is_file() or any(one.topology == str(path.absolute()) for one in state.load_all()):
        return Lab(path)
    if path.suffix in {".yml", ".yaml"} or "/" in target:
        raise InputError(f"{target}: no such file")
    raise _NotUpError(f"lab '{target}' is not up")


def _find_one(target: str | None) -> "Lab":
    """Find the lab meant: the named one, or the only one that is up."""
    from pdsno.lab import state
    from pdsno.lab.runner import Lab

    if target:
        return _find(target)
    names = [one.name for one in state.load_all()]
    if not names:
        raise OperationError("no lab is up; 'pdsno lab up TOPOLOGY' brings one up")
    if len(names) > 1:
        raise InputError(f"several labs are up ({', '.join(names)}): say which with --lab NAME")
    return Lab.running(names[0])


def _default_api(running: "Lab") -> str:
    from pdsno.lab.topology import Role

    for node in running.state().nodes:
        if node.role is Role.CONTROLLER and node.mgmt_ipv4:
            return f"https://{node.mgmt_ipv4}:8080"
    raise InputError("this lab has no controller: name the API with --api URL")


@contextmanager
def _shown_progress() -> "Iterator[Progress]":
    """Show progress on stderr: one live line on a terminal, else a line for each step."""
    from rich.console import Console

    from pdsno.lab.progress import Stage

    console = Console(stderr=True, highlight=False)
    begin = time.monotonic()

    def text(stage: "Stage", node: str, detail: str) -> str:
        subject = f"{node}: " if node else ""
        return f"{time.monotonic() - begin:6.1f} s  {stage.value:<9} {subject}{detail}"

    def plain(stage: "Stage", node: str, detail: str, /) -> None:
        click.echo(text(stage, node, detail), err=True)

    if not console.is_terminal:
        yield plain
        return

    with console.status("") as live:

        def show(stage: "Stage", node: str, detail: str, /) -> None:
            line = text(stage, node, detail)
            live.update(line)
            if stage is Stage.WARNING:
                console.print(line, style="yellow", markup=False)
            elif not node:
                console.print(line, markup=False)

        yield show


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Make SIGTERM and a closed terminal end `up` as Ctrl-C does: with nothing left."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
