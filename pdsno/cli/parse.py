"""`pdsno parse`: recorded command output to normalised facts. Nothing is sent anywhere."""

from collections.abc import Sequence
from dataclasses import fields
from typing import BinaryIO

import click

from pdsno.cli.output import OutputFormat, output_option, render, render_one, told_keys
from pdsno.domain.errors import OperationError
from pdsno.domain.jsonable import jsonable
from pdsno.domain.observations import Facts

EPILOG = """\b
Examples:
  pdsno parse --platform cisco_ios --command "show version" show_version.txt
  ssh sw1 show mac address-table | pdsno parse --platform cisco_nxos \\
      --command "show mac address-table" -o json -

\b
Commands may be written with _ for blanks or abbreviated (sh ver). pdsno platform list names the
platforms, pdsno platform commands --readable every command that is understood.
"""

_TABLES = ("interfaces", "neighbors", "arp", "mac_table", "vlans", "modules")
_NOT_TOLD = frozenset({"source", "address", "at"})
_BY_PLATFORM = frozenset({"vendor", "platform", "device_type"})
"""What is known by naming the platform, without reading a line."""


@click.command(epilog=EPILOG)
@click.option("--platform", required=True, help="Whose output it is, such as cisco_ios.")
@click.option("--command", required=True, help="The command that printed it.")
@click.argument("file", type=click.File("rb"))
@output_option
def parse(*, platform: str, command: str, file: BinaryIO, output: OutputFormat) -> None:
    """Turn the recorded output in FILE (- for stdin) into normalised facts."""
    from pdsno.southbound.parsing import MAX_BYTES, ParserPool, facts_of_recording

    raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise OperationError(f"the output is longer than {MAX_BYTES >> 20} MiB")
    text = raw.decode("utf-8", errors="replace")
    with ParserPool(workers=1) as pool:
        facts, problem = facts_of_recording(platform, command, text, pool=pool)
    if problem:
        click.echo(f"pdsno: warning: not all of it was understood: {problem}", err=True)
    elif not _tells(facts):
        why = f"empty, or not what {platform} prints for {command!r}"
        click.echo(f"pdsno: warning: it tells nothing: {why}", err=True)
    item = {f.name: getattr(facts, f.name) for f in fields(facts) if f.name not in _NOT_TOLD}
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        render_one(item, fmt=output)
        return
    render_one({k: v for k, v in item.items() if k not in _TABLES}, fmt=output)
    if output is OutputFormat.CSV:
        return
    for name in _TABLES:
        rows = jsonable(item[name])
        if isinstance(rows, Sequence) and rows and not isinstance(rows, str):
            click.echo(f"\n{name.replace('_', ' ')}")
            render(rows, fmt=output, columns=told_keys(rows))


def _tells(facts: Facts) -> bool:
    """Tell whether anything was read; a list of neighbours that is empty is something."""
    names = {f.name for f in fields(facts)} - _NOT_TOLD - _BY_PLATFORM
    return any(getattr(facts, name) not in (None, ()) for name in names) or (
        facts.neighbors is not None
    )
