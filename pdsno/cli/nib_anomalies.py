"""`pdsno nib anomalies` and `pdsno nib anomaly`: what a person should look at."""

from collections.abc import Mapping
from typing import Any

import click

from pdsno.cli.api_access import ApiTarget, api_options
from pdsno.cli.nib_client import NIBClient
from pdsno.cli.nib_lists import ListRequest, View, list_options, show, text_filters
from pdsno.cli.options import examples
from pdsno.cli.output import OutputFormat, output_option, render_one
from pdsno.domain.anomalies.entities import Kind, Severity, Status

Row = Mapping[str, Any]


def _row(anomaly: Row) -> Row:
    told = ", ".join(f"{name}={_short(value)}" for name, value in anomaly["evidence"].items())
    return {**anomaly, "evidence": told[:120]}


def _short(value: object) -> str:
    if isinstance(value, dict):
        return "/".join(str(item) for item in value.values() if item)
    if isinstance(value, list):
        first = ",".join(_short(item) for item in value[:3])
        return f"{first},…" if len(value) > 3 else first  # noqa: PLR2004 - enough for a line
    return str(value)


_VIEW = View(
    resource="anomalies",
    columns=(
        "severity", "kind", "status", "subject", "region", "last_seen", "count", "evidence",
        "anomaly_id",
    ),
    flat_row=_row,
    deep=frozenset({"evidence"}),
)  # fmt: skip


@click.command(
    epilog=examples(
        "pdsno nib anomalies --sort -last_seen",
        "pdsno nib anomalies --kind new_device --region zone-A -o csv",
        "pdsno nib anomalies --severity critical --fields kind,subject,last_seen",
        "pdsno nib anomalies --closed",
    )
)
@text_filters(
    ("--region", "In this region."),
    ("--subject", "About this device, MAC, address, serial, subnet or controller."),
    ("--found-by", "Seen by this controller."),
)
@click.option("--kind", type=click.Choice([item.value for item in Kind]), help="Of this kind.")
@click.option(
    "--severity", type=click.Choice([item.value for item in Severity]), help="Of this severity."
)
@click.option(
    "--status", type=click.Choice([item.value for item in Status]), help="In this state only."
)
@click.option("--closed", "is_closed", is_flag=True, help="Those that have ended, instead.")
@list_options
def anomalies(request: ListRequest, *, is_closed: bool, **filters: str | None) -> None:
    """List what is unusual and not closed. All conditions must hold."""
    if is_closed and filters["status"]:
        raise click.UsageError("--closed and --status exclude each other")
    asked: dict[str, object] = dict(filters)
    if not filters["status"]:
        asked["is_ended"] = is_closed
    show(_VIEW, request, asked)


@click.group(
    epilog=examples(
        "pdsno nib anomaly show anom_12ab",
        'pdsno nib anomaly ack anom_12ab --note "the new printer of room 12"',
        'pdsno nib anomaly approve anom_34cd --note "building 3 is torn down"',
    )
)
def anomaly() -> None:
    """Show one anomaly, or say what you think of it."""


_note = click.option("--note", default="", metavar="TEXT", help="Why; kept with your name.")


@anomaly.command(name="show", epilog=examples("pdsno nib anomaly show anom_12ab -o json"))
@click.argument("anomaly_id")
@output_option
@api_options
def show_one(anomaly_id: str, api: ApiTarget, output: OutputFormat) -> None:
    """Show one anomaly with its evidence."""
    with NIBClient(api) as client:
        render_one(client.get(f"anomalies/{anomaly_id}"), fmt=output, title=anomaly_id)


@anomaly.command(epilog=examples('pdsno nib anomaly ack anom_12ab --note "my new printer"'))
@click.argument("anomaly_id")
@_note
@output_option
@api_options
def ack(anomaly_id: str, note: str, api: ApiTarget, output: OutputFormat) -> None:
    """Say that you know of it. Needs the role operator.

    What happened and is over (new_device, device_spike, device_moved, os_changed) is closed by it;
    what lasts closes when it ends.
    """
    _say("acknowledge", anomaly_id, note, api, output)


@anomaly.command(epilog=examples('pdsno nib anomaly approve anom_34cd --note "torn down"'))
@click.argument("anomaly_id")
@_note
@output_option
@api_options
def approve(anomaly_id: str, note: str, api: ApiTarget, output: OutputFormat) -> None:
    """Believe a mass disappearance: the missing devices become inactive. Needs the role approver.

    A discovery cycle runs at once; devices that answer in it stay.
    """
    _say("approve", anomaly_id, note, api, output)


def _say(verb: str, anomaly_id: str, note: str, api: ApiTarget, output: OutputFormat) -> None:
    with NIBClient(api) as client:
        row = client.post(f"anomalies/{anomaly_id}/{verb}", {"note": note})
    if output is not OutputFormat.TABLE:
        render_one(row, fmt=output)
        return
    click.echo(f"{row['anomaly_id']} ({row['kind']} {row['subject']}) is {row['status']}")


COMMANDS: tuple[click.Command, ...] = (anomalies, anomaly)
"""Of `pdsno nib`."""
