"""Results on stdout: one table, JSON, CSV or YAML renderer for every command."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from typing import Any, TypeVar

import click

from pdsno.domain.jsonable import jsonable

# Rich must never wrap what goes into a pipe or file.
UNLIMITED_WIDTH = 1_000_000
_WHOLE_CELL = 26
_PART = 1000
_GAP = 3

_Command = TypeVar("_Command", bound=Callable[..., Any])


class OutputFormat(StrEnum):
    """How a result is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    YAML = "yaml"


def output_option(command: _Command) -> _Command:
    """Add `-o/--output`; the command receives `output: OutputFormat`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice([item.value for item in OutputFormat]),
        default=OutputFormat.TABLE.value,
        show_default=True,
        callback=lambda _ctx, _parameter, value: OutputFormat(value),
        help="How to write the result.",
    )(command)


def render(
    rows: Sequence[Mapping[str, object]],
    *,
    fmt: OutputFormat,
    columns: Sequence[str] | None = None,
    title: str | None = None,
) -> None:
    """Write rows to stdout.

    `columns` chooses and orders the table's columns; in CSV they come first and the other keys
    follow; JSON and YAML hold every row whole. Without `columns`: all keys, as first met.
    `title` is for tables on a terminal. Values may be anything that `jsonable` accepts.
    """
    plain = [{key: jsonable(value) for key, value in row.items()} for row in rows]
    if fmt is OutputFormat.JSON:
        _write_json(plain)
    elif fmt is OutputFormat.YAML:
        _write_yaml(plain)
    elif fmt is OutputFormat.CSV:
        _write_csv(plain, all_keys(plain, first=columns or ()))
    else:
        _write_table(plain, list(columns or all_keys(plain)), title)


def render_stream(
    rows: Iterable[Mapping[str, object]], *, fmt: OutputFormat, columns: Sequence[str] = ()
) -> None:
    """Write rows as `render` does, as they come: all of them need not fit into memory.

    Not for tables. In CSV the keys of the first row make the header, after `columns`.
    """
    plain = ({key: jsonable(value) for key, value in row.items()} for row in rows)
    first = next(plain, None)
    if first is None:
        render([], fmt=fmt, columns=columns)
        return
    header = all_keys([first], first=columns)
    if fmt is OutputFormat.CSV:
        _write_csv([first], header)
    else:
        _write_part([first], fmt, is_first=True)
    while part := list(islice(plain, _PART)):
        if fmt is OutputFormat.CSV:
            _write_csv(part, header, has_header=False)
        else:
            _write_part(part, fmt, is_first=False)
    if fmt is OutputFormat.JSON:
        sys.stdout.write("\n]\n")


def _write_part(rows: Sequence[Mapping[str, object]], fmt: OutputFormat, *, is_first: bool) -> None:
    """Write some items of a list, so that all parts together are one list."""
    if fmt is OutputFormat.YAML:
        _write_yaml(rows)
        return
    for number, row in enumerate(rows):
        begin = "[\n" if is_first and number == 0 else ",\n"
        # Line breaks within strings are escapes by now: these are the layout's own.
        text = json.dumps(row, indent=2, ensure_ascii=False).replace("\n", "\n  ")
        sys.stdout.write(f"{begin}  {text}")


def render_one(item: Mapping[str, object], *, fmt: OutputFormat, title: str | None = None) -> None:
    """Write one thing: an object in JSON and YAML, header and row in CSV, else a line a field."""
    plain = {key: jsonable(value) for key, value in item.items()}
    if fmt is OutputFormat.JSON:
        _write_json(plain)
    elif fmt is OutputFormat.YAML:
        _write_yaml(plain)
    elif fmt is OutputFormat.CSV:
        _write_csv([plain], list(plain))
    else:
        rows = [{"field": key, "value": value} for key, value in plain.items()]
        _write_table(rows, ["field", "value"], title, has_header=False)


def all_keys(rows: Sequence[Mapping[str, object]], *, first: Sequence[str] = ()) -> list[str]:
    """Return the keys of all rows, `first` first, the others in the order in which they appear."""
    return list(dict.fromkeys([*first, *(key for row in rows for key in row)]))


def told_keys(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the keys under which some row says something: columns that are not all empty."""
    keys = all_keys(rows)
    return [key for key in keys if any(row.get(key) not in (None, "", []) for row in rows)]


def cell_text(value: object) -> str:
    """Return a table cell: lists of scalars with commas, anything deeper as JSON, None empty.

    Names and descriptions come from devices: control characters are shown as escapes, or a
    device could steer the operator's terminal.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return ", ".join(cell_text(item) for item in value)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return "".join(char if char.isprintable() else escaped(char) for char in text)


def escaped(char: str) -> str:
    """Return the visible escape of one character that does not print."""
    return char.encode("unicode_escape").decode("ascii")


def csv_text(value: object) -> str:
    """Return a CSV field: scalars as in JSON but unquoted, nested values as JSON, None empty."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _write_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _write_yaml(value: object) -> None:
    import yaml

    sys.stdout.write(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))


def _write_csv(
    rows: Sequence[Mapping[str, object]], columns: Sequence[str], *, has_header: bool = True
) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")  # RFC 4180
    if has_header:
        writer.writerow(columns)
    writer.writerows([csv_text(row.get(name)) for name in columns] for row in rows)
    # Past the text layer, which may translate line ends.
    sys.stdout.flush()
    click.echo(buffer.getvalue().encode(), nl=False)


def _write_table(
    rows: Sequence[Mapping[str, object]],
    columns: Sequence[str],
    title: str | None,
    *,
    has_header: bool = True,
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not columns:
        return
    is_terminal = sys.stdout.isatty()
    table = Table(
        box=box.SIMPLE_HEAD if is_terminal else None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        title=title if is_terminal else None,
        title_justify="left",
        show_header=has_header,
        header_style="bold",
    )
    width = None if is_terminal else UNLIMITED_WIDTH
    console = Console(file=sys.stdout, width=width, highlight=False)
    cells = [[cell_text(row.get(name)) for name in columns] for row in rows]
    whole = _kept_whole(
        [[name, *column] for name, *column in zip(columns, *cells, strict=False)], console.width
    )
    for name in columns:
        # On a terminal a long value folds; in a pipe a row stays one line, however long.
        is_whole = not is_terminal or name in whole
        table.add_column(Text(name.upper()), overflow="fold", no_wrap=is_whole)
    for row_cells in cells:
        table.add_row(*map(Text, row_cells))
    if not is_terminal:
        lines = console.render_lines(table, pad=False)
        text = "\n".join("".join(part.text for part in line).rstrip() for line in lines)
        sys.stdout.write(text + "\n")
        return
    console.print(table)


def _kept_whole(columns: Sequence[Sequence[str]], width: int) -> set[str]:
    """Return the columns (name first, then cells) that stay unfolded: names, addresses, MACs.

    From the left, as long as they leave a third of the width to the others.
    """
    found: set[str] = set()
    left = width * 2 // 3
    for column in columns:
        widest = max(map(len, column))
        if widest <= _WHOLE_CELL and widest + _GAP <= left:
            found.add(column[0])
            left -= widest + _GAP
    return found
