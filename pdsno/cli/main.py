"""Entry point of `pdsno`: finds the command, loads its file alone, turns errors into one line."""

import difflib
import errno
import os
import select
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import click

from pdsno import __version__
from pdsno.cli.options import LogFormat, LogOptions
from pdsno.domain.errors import InputError, OperationError, PDSNOError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a command lives (`module:attribute`) and its help line, so that help loads no file."""

    target: str
    summary: str


COMMANDS: Mapping[str, Entry] = {
    "demo": Entry(
        target="pdsno.cli.demo:demo",
        summary="The whole system on one machine, on a lab of real routers.",
    ),
    "up": Entry(
        target="pdsno.cli.up:up",
        summary="All tiers and a broker on this box, for a real network.",
    ),
    "lab": Entry(
        target="pdsno.cli.lab:lab",
        summary="Run a containerlab topology without Docker.",
    ),
    "controller": Entry(
        target="pdsno.cli.controller:controller",
        summary="Run one controller, or speak to a running one.",
    ),
    "broker": Entry(
        target="pdsno.cli.broker:broker",
        summary="Run the MQTT broker, supervised.",
    ),
    "discover": Entry(
        target="pdsno.cli.discover:discover",
        summary="Sweep subnets once; no controller needed.",
    ),
    "query": Entry(
        target="pdsno.cli.query:query",
        summary="Everything that one device tells.",
    ),
    "parse": Entry(
        target="pdsno.cli.parse:parse",
        summary="Recorded command output to normalised facts.",
    ),
    "platform": Entry(
        target="pdsno.cli.platform:platform",
        summary="Platforms, and all that may be sent to them.",
    ),
    "nib": Entry(
        target="pdsno.cli.nib:nib",
        summary="Read devices, interfaces, links, controllers, events.",
    ),
    "topology": Entry(
        target="pdsno.cli.topology:topology",
        summary="Draw the network in the terminal.",
    ),
    "verify": Entry(
        target="pdsno.cli.verify:verify",
        summary="The NIB against a topology, an inventory or NetBox.",
    ),
    "inventory": Entry(
        target="pdsno.cli.inventory:inventory",
        summary="Export the NIB for Ansible, Nornir, NetBox, spreadsheets.",
    ),
    "netbox": Entry(
        target="pdsno.cli.netbox:netbox",
        summary="Draft policy and expectation from NetBox.",
    ),
    "token": Entry(
        target="pdsno.cli.token:token",
        summary="Join tokens for new controllers.",
    ),
    "api-token": Entry(
        target="pdsno.cli.api_token:api_token",
        summary="Tokens for operators' REST API.",
    ),
    "webhook": Entry(
        target="pdsno.cli.webhook:webhook",
        summary="Tell other programs of events by HTTP.",
    ),
    "reader": Entry(
        target="pdsno.cli.reader:reader",
        summary="Let other programs hear events by MQTT.",
    ),
    "openapi": Entry(
        target="pdsno.cli.openapi:openapi",
        summary="The document of the operators' API.",
    ),
    "pki": Entry(
        target="pdsno.cli.pki:pki",
        summary="Certificates, and the root key.",
    ),
    "policy": Entry(
        target="pdsno.cli.policy:policy",
        summary="Show or apply policy.",
    ),
    "doctor": Entry(
        target="pdsno.cli.doctor:doctor",
        summary="What is wrong here, and what to do about it.",
    ),
    "completion": Entry(
        target="pdsno.cli.completion:completion",
        summary="Make bash, zsh or fish complete pdsno.",
    ),
    "settings": Entry(
        target="pdsno.cli.settings_check:settings",
        summary="Check a settings file before a controller reads it.",
    ),
}

EPILOG = """\b
Examples:
  pdsno demo --once                        try everything, leave nothing behind
  pdsno up --subnet 192.0.2.0/24           discover a real network
  pdsno discover 192.0.2.0/24 -o json      one sweep, no controllers
  pdsno nib devices --api https://192.0.2.10:8080 -o csv

Exit codes: 0 done, 1 the operation failed, 2 wrong usage or settings.
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when called, so that `pdsno --help` is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = COMMANDS.get(cmd_name)
        return None if entry is None else load(entry)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        is_unknown = bool(args) and args[0] not in COMMANDS and not args[0].startswith("-")
        if is_unknown and not ctx.resilient_parsing:
            ctx.fail(unknown_command_text(args[0]))
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete names of commands without loading any of their files."""
        from click.shell_completion import CompletionItem

        named = [
            CompletionItem(name, help=entry.summary)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # click would leave silently for any broken pipe, a socket's too.
            if not reader_is_gone():
                raise OperationError("a connection broke: the other end closed it") from error
            return leave_quietly()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


def unknown_command_text(name: str) -> str:
    """Name the nearest commands that exist."""
    near = difflib.get_close_matches(name, COMMANDS, n=2)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"there is no command {name!r}{hint}"


def load(entry: Entry) -> click.Command:
    """Import the file of a command. Raises ImportError if a library of an extra is missing."""
    module_name, _, attribute = entry.target.partition(":")
    command = getattr(import_module(module_name), attribute)
    if not isinstance(command, click.Command):
        raise TypeError(f"{entry.target} is no click command")
    return command


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", "-V", message="pdsno %(version)s")
@click.option("-v", "--verbose", count=True, help="Log more, to stderr; -vv for debug.")
@click.option(
    "--log-format",
    type=click.Choice([item.value for item in LogFormat]),
    default=LogFormat.AUTO.value,
    show_default=True,
    help="auto: for people on a terminal; JSON for services whose stderr is none.",
)
@click.pass_context
def cli(ctx: click.Context, verbose: int, log_format: str) -> None:
    """PDSNO finds every device on a network and keeps one true picture of it."""
    from pdsno.cli.logging_setup import configure_logging

    ctx.obj = LogOptions(log_format=LogFormat(log_format), verbosity=verbose)
    configure_logging(ctx.obj)


_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code. Results on stdout, all else on stderr."""
    try:
        outcome = cli.main(args=args, prog_name="pdsno", standalone_mode=False)
        sys.stdout.flush()
    except (click.exceptions.Abort, KeyboardInterrupt):
        return say("interrupted", EXIT_INTERRUPTED)
    except click.ClickException as error:
        return show_click_error(error)
    except PDSNOError as error:
        code = EXIT_USAGE if isinstance(error, InputError) else EXIT_FAILED
        return say(f"error: {one_line(error)}", code)
    except BrokenPipeError:  # by the flush above
        return leave_quietly()
    except ModuleNotFoundError as error:
        return missing_module(error, args)
    except Exception as error:  # noqa: BLE001 - the last frame: a person reads what is left
        if isinstance(error, OSError) and error.errno in _DISK_IS_FULL:
            leave_quietly()
            return say(f"error: cannot write: {error.strerror}", EXIT_FAILED)
        return unexpected(error, args)
    return outcome if isinstance(outcome, int) else EXIT_OK


def show_click_error(error: click.ClickException) -> int:
    """Wrong usage in one line, with where to read on; no arguments at all show the help."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return EXIT_USAGE
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    return say(f"error: {' '.join(error.format_message().split())}{hint}", error.exit_code)


def one_line(error: BaseException) -> str:
    """Join an error's text into one line; a text of several would look like several errors."""
    return " ".join(str(error).split()) or type(error).__name__


def say(text: str, exit_code: int) -> int:
    """Tell on stderr, return the exit code."""
    click.echo(f"pdsno: {text}", err=True)
    return exit_code


def reader_is_gone() -> bool:
    """Tell whether whoever read our stdout (`| head`) has closed it."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), select.POLLERR)
        return any(events & select.POLLERR for _, events in poll.poll(0))
    except (OSError, ValueError):
        return False


def leave_quietly() -> int:
    """The reader has enough. Python would complain when it flushes at exit: give it /dev/null."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILED


def missing_module(error: ModuleNotFoundError, args: Sequence[str] | None) -> int:
    """A library that belongs to an extra is not installed: name the extra."""
    package = (error.name or "").partition(".")[0]
    if package in {"", "pdsno"}:
        return unexpected(error, args)
    return say(
        f"error: this command needs {package}, which is not installed; "
        "pip install 'pdsno[local]' brings what a local controller needs",
        EXIT_FAILED,
    )


def unexpected(error: Exception, args: Sequence[str] | None) -> int:
    """An error nobody translated. The traceback only for those who ask: it may hold secrets."""
    if is_verbose(sys.argv[1:] if args is None else args):
        traceback.print_exception(error)
    hint = "this is a bug in PDSNO; run with -v for the traceback"
    return say(f"error: {type(error).__name__}: {one_line(error)} ({hint})", EXIT_FAILED)


def is_verbose(args: Sequence[str]) -> bool:
    """Tell whether -v stands among the global options (before the command)."""
    for arg in args:
        if arg in {"--verbose", "-v", "-vv", "-vvv"}:
            return True
        if arg in COMMANDS:
            return False
    return False


if __name__ == "__main__":
    sys.exit(main())
