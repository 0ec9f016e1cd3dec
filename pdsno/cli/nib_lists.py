"""Lists of the NIB on the command line: what each takes, and how it is shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import click

from pdsno.cli.api_access import ApiTarget, api_options
from pdsno.cli.nib_client import NIBClient
from pdsno.cli.output import OutputFormat, output_option, render, render_stream
from pdsno.cli.progress import counted

_Command = TypeVar("_Command", bound=Callable[..., Any])
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListRequest:
    """What every list takes; `limit` None means all, no `fields` every one."""

    api: ApiTarget
    limit: int | None
    output: OutputFormat
    sort: str | None = None
    fields: tuple[str, ...] = ()


def list_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what every list takes; the command receives a ListRequest, then its own options."""

    @wraps(command)
    def call(
        *,
        api: ApiTarget,
        limit: int | None,
        take_all: bool,
        output: OutputFormat,
        sort: str | None,
        fields: tuple[str, ...],
        **own: object,
    ) -> None:
        if take_all and limit is not None:
            raise click.UsageError("--all and --limit exclude each other")
        request = ListRequest(api=api, limit=limit, output=output, sort=sort, fields=fields)
        command(request, **own)

    with_all = click.option(
        "--all", "take_all", is_flag=True, help="Every item; this is the default."
    )(call)
    with_limit = click.option(
        "--limit", type=click.IntRange(min=1), metavar="N", help="At most N items."
    )(with_all)
    with_fields = click.option(
        "--fields",
        metavar="A,B,...",
        callback=_names,
        help="Only these fields, in this order.",
    )(with_limit)
    with_sort = click.option(
        "--sort", metavar="FIELD", help="In the order of this field; -FIELD: the other way round."
    )(with_fields)
    return api_options(output_option(with_sort))


def _names(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Return names that commas part. Raises BadParameter for an empty one."""
    if value is None:
        return ()
    names = tuple(name.strip() for name in value.split(","))
    if not all(names):
        raise click.BadParameter(f"{value!r} names an empty field: write it as name,status")
    return names


def text_filters(*options: tuple[str, str]) -> Callable[[_Command], _Command]:
    """Add filters that take a text, given as (option, help)."""

    def add(command: _Command) -> _Command:
        for name, text in reversed(options):
            command = click.option(name, metavar="TEXT", help=text)(command)
        return command

    return add


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """How a list is shown: its columns (first in CSV), and a flat row where items are deep.

    `deep` are the fields that `flat_row` needs; `why_empty` gives the line that is shown instead
    of an empty table.
    """

    resource: str
    columns: Sequence[str]
    flat_row: Callable[[Row], Row] = dict
    deep: frozenset[str] = frozenset()
    why_empty: Callable[[NIBClient], str] | None = None


def show(view: View, request: ListRequest, filters: Mapping[str, object]) -> None:
    """Ask for a list, following its pages, and write it as they come; a table when all are there.

    Raises as `NIBClient`; what was written before is then incomplete.
    """
    asked = given({**filters, "sort": request.sort, "fields": ",".join(request.fields) or None})
    title = view.resource.rpartition("/")[2]
    columns = request.fields or view.columns
    with NIBClient(request.api) as client:
        items = client.items(view.resource, asked, limit=request.limit)
        if request.output is OutputFormat.TABLE:
            rows = [_row(view, item, is_short=True) for item in counted(items, title, writes=False)]
            if rows:
                render(rows, fmt=request.output, columns=columns, title=title.capitalize())
            else:
                reason = view.why_empty(client) if view.why_empty else f"no {view.resource} found"
                click.echo(reason, err=True)
        else:
            flat = request.output is OutputFormat.CSV
            coming = counted(items, title, writes=True)
            written = (_row(view, item) if flat else item for item in coming)
            render_stream(written, fmt=request.output, columns=columns)
        has_more = client.has_more
    if has_more:
        click.echo(f"these are the first {request.limit}; --all shows the rest", err=True)


def _row(view: View, item: Row, *, is_short: bool = False) -> Row:
    """Return an item as a flat row; one of which fields were chosen is as it came."""
    row = view.flat_row(item) if item.keys() >= view.deep else item
    return short_times(row) if is_short else row


def given(filters: Mapping[str, object]) -> dict[str, str]:
    """Return the filters that were given, as the API takes them."""
    texts = {name: value for name, value in filters.items() if value is not None}
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in texts.items()
    }


def short_times(row: Row) -> Row:
    """Leave out the fractions of a second; tables are for people."""
    return {
        name: f"{value.partition('.')[0].removesuffix('Z')}Z"
        if isinstance(value, str) and (name.endswith(("_at", "_seen")) or name == "at")
        else value
        for name, value in row.items()
    }
