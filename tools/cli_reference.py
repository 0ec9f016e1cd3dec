"""Write docs/reference/cli.md: every command, its options and examples, from the code itself.

`--check` writes nothing, and fails if the document is not what it would write.
"""

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from pdsno.cli.main import cli

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "reference" / "cli.md"
HEAD = """# Commands

Written by `python tools/cli_reference.py` from the commands themselves; `pdsno COMMAND --help`
shows the same. Commands that list take `-o table|json|csv|yaml`. Exit codes: 0 done, 1 the
operation failed, 2 wrong usage or settings.
"""
PIPE = "\\|"
"""A bar that does not end the cell of a table."""
_PARAGRAPH = re.compile(r"\n\s*\n")


def commands(
    command: click.Command = cli, path: tuple[str, ...] = ("pdsno",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with its path, groups before what is in them."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from commands(inner, (*path, name))


def examples(command: click.Command) -> list[str]:
    """Return the lines of a command's examples."""
    _, found, rest = inspect.cleandoc(command.epilog or "").partition("Example")
    lines = rest.partition("\n")[2].splitlines() if found else []
    block: list[str] = []
    for line in lines:
        if not line.strip():
            break
        if block and block[-1].endswith("\\"):
            block[-1] = f"{block[-1][:-1]}{line.strip()}"
        else:
            block.append(line.strip())
    return block


def document() -> str:
    """Return the whole document."""
    parts = [HEAD]
    for path, command in commands():
        parts += [f"## {' '.join(path)}", "", *_text(command)]
        parts += _usage(path, command)
        parts += _options(command)
        shown = examples(command)
        if shown:
            parts += ["```text", *shown, "```", ""]
    return "\n".join(parts).rstrip() + "\n"


def _text(command: click.Command) -> list[str]:
    """Return the help, its paragraphs as they were written."""
    paragraphs = _PARAGRAPH.split(inspect.cleandoc(command.help or ""))
    return [line for text in paragraphs for line in (_escaped(" ".join(text.split())), "")]


def _usage(path: tuple[str, ...], command: click.Command) -> list[str]:
    context = click.Context(command, info_name=path[-1])
    pieces = [piece for piece in command.collect_usage_pieces(context) if piece]
    return ["    " + " ".join([*path, *pieces]), ""]


def _options(command: click.Command) -> list[str]:
    rows = []
    context = click.Context(command)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            record = parameter.get_help_record(context)
            if record is not None:
                names, text = record
                rows.append(f"| `{names.replace('|', PIPE)}` | {_cell(text)} |")
    return ["| option | meaning |", "|---|---|", *rows, ""] if rows else []


def _cell(text: str) -> str:
    return _escaped(" ".join(text.split())).replace("|", PIPE)


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def main() -> int:
    """Write or check; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    wanted = document()
    if not asked.check:
        DOCUMENT.write_text(wanted)
        return 0
    if DOCUMENT.exists() and DOCUMENT.read_text() == wanted:
        return 0
    print(f"{DOCUMENT.relative_to(ROOT)} is out of date: run python tools/cli_reference.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
