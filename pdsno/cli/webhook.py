"""`pdsno webhook`: who is told of events by HTTP, over the controller's REST API."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from pdsno.cli.api_access import ApiTarget, api_options
from pdsno.cli.nib_client import NIBClient
from pdsno.cli.options import examples
from pdsno.cli.output import OutputFormat, output_option, render, render_one
from pdsno.domain.errors import InputError, OperationError

_COLUMNS = ("webhook_id", "url", "events", "region", "state", "delivered", "failing_since")
_LOG_COLUMNS = ("seq", "at", "event_type", "event_seq", "try_number", "outcome", "status", "error")
_MOST_SECRET_BYTES = 500

_EPILOG = """\b
Examples:
  pdsno webhook add https://hooks.example/pdsno --events 'DEVICE_*' --events 'LINK_*'
  pdsno webhook add http://127.0.0.1:9000/ --region zone-A --secret-file hook.secret
  pdsno webhook list
  pdsno webhook test wh_1a2b3c4d
  pdsno webhook log wh_1a2b3c4d --limit 20
  pdsno webhook enable wh_1a2b3c4d"""


@click.group(epilog=_EPILOG, context_settings={"max_content_width": 100})
def webhook() -> None:
    """Tell other programs of events by HTTP: signed, in order, again until they are taken.

    Needs a token with the role admin.
    """


@webhook.command(
    epilog=examples(
        "pdsno webhook add https://hooks.example/pdsno --events 'DEVICE_*' --events 'LINK_*'",
        "pdsno webhook add http://127.0.0.1:9000/ --region zone-A --secret-file hook.secret",
    )
)
@click.argument("url")
@click.option(
    "--events",
    multiple=True,
    metavar="PATTERN",
    help="Types of events, as 'DEVICE_*'; may be repeated.  [default: all]",
)
@click.option("--region", help="Events of this region only.")
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="The secret to sign with (whsec_…), - for stdin.  [default: one is made and printed]",
)
@api_options
def add(
    *,
    api: ApiTarget,
    url: str,
    events: tuple[str, ...],
    region: str | None,
    secret_file: Path | None,
) -> None:
    """Add a receiver of what happens from now on, and print its ID.

    A secret that was made is printed once, on the second line: nobody shows it again.
    """
    body: dict[str, object] = {"url": url, "events": list(events) or ["*"]}
    if region is not None:
        body["region"] = region
    if secret_file is not None:
        body["secret"] = _secret(secret_file)
    with NIBClient(api) as client:
        made = client.call("POST", "webhooks", body)
    click.echo(made["webhook"]["webhook_id"])
    if secret_file is None:
        click.echo(made["secret"])


def _secret(file: Path) -> str:
    try:
        with click.open_file(str(file), encoding="utf-8") as stream:
            return str(stream.read(_MOST_SECRET_BYTES)).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the secret in {file}: {error}") from error


@webhook.command("list", epilog=examples("pdsno webhook list", "pdsno webhook list -o json"))
@output_option
@api_options
def list_(*, api: ApiTarget, output: OutputFormat) -> None:
    """Show webhooks, and how they are: ok, failing, disabled."""
    with NIBClient(api) as client:
        items = list(client.items("webhooks", {}))
    _show(items, _COLUMNS, output, "Webhooks")


@webhook.command(
    epilog=examples(
        "pdsno webhook log wh_1a2b3c4d --limit 20", "pdsno webhook log wh_1a2b3c4d -o csv"
    )
)
@click.argument("webhook_id")
@click.option(
    "--limit",
    type=click.IntRange(1, 200),
    default=50,
    show_default=True,
    metavar="N",
    help="At most N tries.",
)
@output_option
@api_options
def log(*, api: ApiTarget, webhook_id: str, limit: int, output: OutputFormat) -> None:
    """Show the last tries of a webhook, the newest first; 200 are kept."""
    with NIBClient(api) as client:
        items = list(client.items(f"webhooks/{_id(webhook_id)}/deliveries", {}, limit=limit))
    _show(items, _LOG_COLUMNS, output, "Deliveries")


@webhook.command(epilog=examples("pdsno webhook remove wh_1a2b3c4d"))
@click.argument("webhook_id")
@api_options
def remove(*, api: ApiTarget, webhook_id: str) -> None:
    """Remove a webhook with its log and its secret."""
    with NIBClient(api) as client:
        gone = client.call("DELETE", f"webhooks/{_id(webhook_id)}")
    click.echo(f"removed {gone['webhook_id']} ({gone['url']})")


@webhook.command(epilog=examples("pdsno webhook enable wh_1a2b3c4d"))
@click.argument("webhook_id")
@api_options
def enable(*, api: ApiTarget, webhook_id: str) -> None:
    """Tell a webhook again that was disabled, or try a failing one now."""
    with NIBClient(api) as client:
        on = client.call("POST", f"webhooks/{_id(webhook_id)}/enable")
    click.echo(f"enabled {on['webhook_id']}: it goes on behind event {on['cursor']}")


@webhook.command(epilog=examples("pdsno webhook test wh_1a2b3c4d"))
@click.argument("webhook_id")
@output_option
@api_options
def test(*, api: ApiTarget, webhook_id: str, output: OutputFormat) -> None:
    """Send a test event now, once. Exit code 1 if it was not taken."""
    with NIBClient(api) as client:
        tried = client.call("POST", f"webhooks/{_id(webhook_id)}/test")
    render_one(tried, fmt=output)
    if tried["outcome"] != "delivered":
        raise OperationError(f"the receiver did not take it: {tried['error']}")


def _id(named: str) -> str:
    if not (named.isascii() and named.replace("_", "").isalnum()):
        raise InputError(f"{named!r} is no ID of a webhook: pdsno webhook list shows them")
    return named


def _show(
    items: list[Mapping[str, Any]] | list[dict[str, Any]],
    columns: tuple[str, ...],
    fmt: OutputFormat,
    title: str,
) -> None:
    if fmt is OutputFormat.TABLE and not items:
        click.echo(f"no {title.lower()}", err=True)
        return
    render(items, fmt=fmt, columns=columns, title=title)
