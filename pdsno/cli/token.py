"""`pdsno token`: join tokens, minted by the controller that will accept them."""

import re
from pathlib import Path

import click

from pdsno.cli.admin_client import AdminClient, socket_option
from pdsno.cli.options import examples
from pdsno.cli.output import OutputFormat, output_option, render

_DURATION = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhd]?)", re.ASCII)
_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds_of(ctx: click.Context, parameter: click.Parameter, value: str) -> int:
    """Return `90`, `90s`, `15m`, `2h` or `7d` in seconds (a click callback)."""
    match = _DURATION.fullmatch(value)
    if match is None:
        raise click.BadParameter(
            f"{value!r} is no duration: write 90s, 15m, 2h or 7d", ctx=ctx, param=parameter
        )
    return int(match["number"]) * _UNIT_S[match["unit"]]


@click.group(
    epilog=examples(
        "pdsno token create --role regional --region zone-A > token",
        "pdsno token list",
        "pdsno token revoke 3f9a",
    )
)
def token() -> None:
    """Join tokens: each admits one new controller, once, within minutes."""


@token.command(
    epilog=examples(
        "pdsno token create --role regional --region zone-A > join-token",
        "pdsno token create --role local --region zone-A --ttl 1h",
        "pdsno token create --role broker | ssh broker 'umask 077; cat > /etc/pdsno/join-token'",
    )
)
@click.option(
    "--role",
    type=click.Choice(["regional", "local", "broker"]),
    required=True,
    help="What the new controller is.",
)
@click.option(
    "--region",
    default=None,
    help="The region that the new controller is for; a broker without one is for all.",
)
@click.option("--ttl", callback=seconds_of, default="15m", show_default=True, help="At most 24h.")
@socket_option
def create(role: str, region: str | None, ttl: int, socket_path: Path) -> None:
    """Print a new token. It is a secret until it is used: hand it over in a file of mode 0600.

    Tokens for regional controllers and brokers come from the global one, those for local
    controllers from their region's.
    """
    if region is None and role != "broker":
        raise click.UsageError(f"a {role} controller needs --region")
    body = {"role": role, "region": region, "ttl_s": ttl}
    answer = AdminClient(socket_path).post("/token", body)
    click.echo(answer["token"])


@token.command("list", epilog=examples("pdsno token list", "pdsno token list -o json"))
@output_option
@socket_option
def list_tokens(output: OutputFormat, socket_path: Path) -> None:
    """List tokens by the hash of their number; the tokens themselves are kept nowhere."""
    columns = ("jti_sha256", "role", "region", "status", "expires_at", "spent_by")
    rows = AdminClient(socket_path).get("/tokens")["items"]
    if output is OutputFormat.TABLE:
        rows = [{**row, "jti_sha256": row["jti_sha256"][:16]} for row in rows]
    render(rows, fmt=output, columns=columns, title="Join tokens")


@token.command(epilog=examples("pdsno token revoke 3f9a5c"))
@click.argument("jti_sha256")
@socket_option
def revoke(jti_sha256: str, socket_path: Path) -> None:
    """Make a token worthless. JTI_SHA256 is from `token list`; its first 8 characters will do."""
    AdminClient(socket_path).post("/tokens/revoke", {"jti_sha256": jti_sha256})
    click.echo("revoked", err=True)
