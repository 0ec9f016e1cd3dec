"""`pdsno nib history|diff`: what changed, on one device or everywhere."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from pdsno.cli.api_access import ApiTarget, api_options
from pdsno.cli.completion import device_names
from pdsno.cli.moments import Moment
from pdsno.cli.nib_client import NIBClient
from pdsno.cli.nib_lists import given, short_times
from pdsno.cli.options import examples
from pdsno.cli.output import OutputFormat, output_option, render, render_one
from pdsno.domain.history import Change, HistoryEntry, HistoryKind
from pdsno.domain.history_diff import NetChange, net_changes
from pdsno.domain.jsonable import jsonable

Row = Mapping[str, Any]
_HISTORY = ("at", "field", "old", "new", "source", "actor")
_DIFF = ("change", "kind", "name", "field", "old", "new", "source", "at")


@click.command(
    epilog=examples(
        "pdsno nib history spine1",
        "pdsno nib history spine1 --field interfaces --since 7d",
        "pdsno nib history spine1 --since 2026-03-01 --until 2026-03-08 -o json",
    )
)
@click.argument("device", shell_complete=device_names)
@click.option("--field", metavar="FIELD", help="Of this field; interfaces stands for all of them.")
@click.option("--since", type=Moment(), help="Later than this.")
@click.option("--until", type=Moment(), help="At this time or before.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N changes.")
@output_option
@api_options
def history(
    device: str,
    field: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    api: ApiTarget,
    output: OutputFormat,
) -> None:
    """Show what changed on one device, the newest first.

    DEVICE is an ID, or a name, MAC or address that it alone has. Of a device that is there no more
    give the ID. Of lists (ips, macs, tags) old is what went, new is what came.
    """
    asked = given({"field": field, "since": jsonable(since), "until": jsonable(until)})
    with NIBClient(api) as client:
        path = client.history_path(device)
        changes = list(client.items(path, asked, limit=limit))
        has_more = client.has_more
    if output is not OutputFormat.TABLE:
        render(changes, fmt=output, columns=_HISTORY)
    elif changes:
        render([short_times(row) for row in changes], fmt=output, columns=_HISTORY, title="History")
    else:
        click.echo("nothing changed", err=True)
    if has_more:
        click.echo(f"these are the newest {limit}; without --limit all are shown", err=True)


@click.command(
    epilog=examples(
        "pdsno nib diff --since 1h",
        "pdsno nib diff --since 2026-03-01T00:00:00Z --until 2026-03-02 -o json",
        "pdsno nib diff --since 1d --exit-code",
    )
)
@click.option("--since", type=Moment(), required=True, help="How long ago (1h, 7d), or when.")
@click.option("--until", type=Moment(), help="Until when.  [default: now]")
@click.option("--region", metavar="TEXT", help="In this region.")
@click.option("--exit-code", "tells_by_code", is_flag=True, help="Exit with 1 if anything changed.")
@output_option
@api_options
def diff(
    since: datetime,
    until: datetime | None,
    region: str | None,
    tells_by_code: bool,  # noqa: FBT001 - click gives it
    api: ApiTarget,
    output: OutputFormat,
) -> None:
    """Show what changed since a time: devices and links that came, went, or are not as they were.

    What changed and changed back is not shown. A device that became inactive has disappeared. What
    is older than the history there is not known: then it is shown since when that begins.
    """
    until = until or datetime.now(UTC)
    if until <= since:
        raise click.UsageError("--until must be later than --since")
    asked = given({"since": jsonable(since), "until": jsonable(until), "region": region})
    with NIBClient(api) as client:
        begin = client.history_from()
        if since < begin:
            since = begin
            click.echo(
                f"the history there begins at {begin:%Y-%m-%dT%H:%M:%SZ}: since then", err=True
            )
        entries = [_entry(item) for item in client.items("history", asked)]
    found = net_changes(reversed(entries))
    _show(found, since, until, output)
    if tells_by_code and found:
        click.get_current_context().exit(1)


def _show(
    found: tuple[NetChange, ...], since: datetime, until: datetime, output: OutputFormat
) -> None:
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        render_one({"since": since, "until": until, **_nested(found)}, fmt=output)
    elif output is OutputFormat.CSV or found:
        rows = [row for change in found for row in _rows(change)]
        if output is OutputFormat.TABLE:
            rows = [short_times(row) for row in rows]
        render(rows, fmt=output, columns=_DIFF, title="Changes")
    else:
        click.echo("nothing changed", err=True)


def _nested(found: Iterable[NetChange]) -> dict[str, dict[str, list[Row]]]:
    """Return changes as programs read them: by kind and by what became of it."""
    nested: dict[str, dict[str, list[Row]]] = {
        f"{kind}s": {"appeared": [], "disappeared": [], "returned": [], "changed": []}
        for kind in HistoryKind
    }
    for change in found:
        told = {
            "id": change.entity_id,
            "name": change.label,
            "region": change.region,
            "at": change.at,
            "changes": {item.field: [item.old, item.new] for item in change.fields},
        }
        nested[f"{change.kind}s"][change.became].append(told)
    return nested


def _rows(change: NetChange) -> list[Row]:
    head = {
        "change": change.became.value,
        "kind": change.kind.value,
        "name": change.label,
        "id": change.entity_id,
        "region": change.region,
    }
    if not change.fields:
        return [
            head | dict.fromkeys(("field", "old", "new", "source")) | {"at": jsonable(change.at)}
        ]
    return [
        head
        | {"field": f.field, "old": f.old, "new": f.new, "source": f.source, "at": jsonable(f.at)}
        for f in change.fields
    ]


def _entry(item: Row) -> HistoryEntry:
    names = ("label", "region", "field", "old", "new", "source", "actor")
    change = Change(
        kind=HistoryKind(item["kind"]),
        entity_id=item["id"],
        **{name: item[name] for name in names},
    )
    return HistoryEntry(seq=item["seq"], at=datetime.fromisoformat(item["at"]), change=change)


COMMANDS = (history, diff)
