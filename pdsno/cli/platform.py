"""`pdsno platform`: which devices are understood, and everything that is ever sent to them."""

import click

from pdsno.cli.options import examples
from pdsno.cli.output import OutputFormat, output_option, render

EPILOG = """\b
Examples:
  pdsno platform list
  pdsno platform commands --platform cisco_ios
  pdsno platform commands -o csv        for a TACACS+ command set
"""


@click.group(epilog=EPILOG)
def platform() -> None:
    """List platforms and what we may send to a device."""


@platform.command("list", epilog=examples("pdsno platform list", "pdsno platform list -o json"))
@output_option
def list_platforms(*, output: OutputFormat) -> None:
    """List the platforms."""
    from pdsno.southbound.platforms import PLATFORMS

    rows = [
        {
            "platform": p.name,
            "summary": p.summary,
            "netmiko": p.netmiko_type,
            "commands": len(p.commands) + len(p.session_commands),
            "readable": len(p.readable),
        }
        for p in sorted(PLATFORMS, key=lambda p: p.name)
    ]
    render(rows, fmt=output)


@platform.command(
    "commands",
    epilog=examples(
        "pdsno platform commands", "pdsno platform commands --platform cisco_ios -o csv"
    ),
)
@click.option("--platform", "name", help="Of this platform only.")
@click.option("--readable", is_flag=True, help="Also what `pdsno parse` reads and nobody sends.")
@output_option
def commands(*, name: str | None, readable: bool, output: OutputFormat) -> None:
    """List every command that may be sent: complete, all of it read-only.

    `purpose` is detect (sent first while the platform is unknown), session (paging and width, for
    this session only) or facts.
    """
    from pdsno.southbound.platforms import DETECTION_COMMAND, PLATFORMS, platform_named

    chosen = [platform_named(name)] if name else sorted(PLATFORMS, key=lambda p: p.name)
    rows = []
    for item in chosen:
        told = [("detect", DETECTION_COMMAND)] if DETECTION_COMMAND not in item.commands else []
        told += [("session", text) for text in item.session_commands]
        told += [("facts", text) for text in item.commands]
        if readable:
            told += [("parse only", c) for c in item.readable if c not in item.commands]
        rows += [{"platform": item.name, "purpose": p, "command": text} for p, text in told]
    render(rows, fmt=output)
