"""`pdsno api-token`: tokens for the operators' API, made by the controller whose API it is."""

from datetime import datetime
from pathlib import Path

import click

from pdsno.cli.admin_client import AdminClient, socket_option
from pdsno.cli.api_access import checked_url, remember
from pdsno.cli.options import examples
from pdsno.cli.output import OutputFormat, output_option, render
from pdsno.cli.token import seconds_of
from pdsno.domain.entities import OperatorRole
from pdsno.domain.errors import InputError

_EPILOG = """\b
Examples:
  pdsno api-token create --name alice --role operator --save http://127.0.0.1:8080
  pdsno api-token create --name prometheus --role viewer --ttl 365d > token
  pdsno api-token create --name noc-a --role viewer --region zone-A
  pdsno api-token revoke alice"""


@click.group("api-token", epilog=_EPILOG, context_settings={"max_content_width": 100})
def api_token() -> None:
    """Tokens for a controller's REST API: who may ask, and of which region."""


@api_token.command(
    epilog=examples(
        "pdsno api-token create --name alice --role operator --save http://127.0.0.1:8080",
        "pdsno api-token create --name prometheus --role viewer --ttl 365d > token",
    )
)
@click.option("--name", required=True, help="Whose it is; no other live token has that name.")
@click.option(
    "--role",
    type=click.Choice([role.value for role in OperatorRole]),
    required=True,
    help="What its holder may do.",
)
@click.option("--region", help="All that may be seen with it.  [default: every region]")
@click.option("--ttl", callback=seconds_of, default="90d", show_default=True, help="At most 366d.")
@click.option(
    "--save",
    metavar="URL",
    help="Keep it for commands that ask this API, instead of printing it.",
)
@click.option(
    "--ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --save: CA of the API's certificate, if it is none of PDSNO's.",
)
@socket_option
def create(
    *,
    name: str,
    role: str,
    region: str | None,
    ttl: int,
    save: str | None,
    ca: Path | None,
    socket_path: Path,
) -> None:
    """Print a new token. It is shown once: the controller keeps only its hash."""
    if ca is not None and save is None:
        raise click.UsageError("--ca goes with --save")
    # Before there is a token that nobody gets to see.
    url = checked_url(save) if save is not None else None
    ca_pem = _read(ca) if ca is not None else None
    body = {"name": name, "role": role, "region": region, "ttl_s": ttl}
    answer = AdminClient(socket_path).post("/api-token", body)
    if url is None:
        click.echo(answer["token"])
        return
    if ca_pem is None:
        ca_pem = answer["ca"] if url.startswith("https:") else ""
    file = remember(url, answer["token"], ca_pem)
    click.echo(f"kept in {file} for {url}", err=True)


@api_token.command("list", epilog=examples("pdsno api-token list", "pdsno api-token list -o csv"))
@output_option
@socket_option
def list_tokens(output: OutputFormat, socket_path: Path) -> None:
    """List tokens by name and ID; the tokens themselves are kept nowhere."""
    columns = ("name", "role", "region", "state", "expires_at", "created_by", "token_id")
    rows = AdminClient(socket_path).get("/api-tokens")["items"]
    if output is OutputFormat.TABLE:
        rows = [{**row, "expires_at": _short(row["expires_at"])} for row in rows]
    render(rows, fmt=output, columns=columns, title="API tokens")


@api_token.command(epilog=examples("pdsno api-token revoke alice"))
@click.argument("named", metavar="NAME")
@socket_option
def revoke(named: str, socket_path: Path) -> None:
    """Make a token worthless, from its next request on. NAME, or the beginning of its ID."""
    answer = AdminClient(socket_path).post("/api-tokens/revoke", {"named": named})
    click.echo(f"revoked {answer['revoked']}", err=True)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the CA {path}") from error


def _short(at: str | None) -> str:
    return datetime.fromisoformat(at).strftime("%Y-%m-%dT%H:%M:%SZ") if at else "never"
