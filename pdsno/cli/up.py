"""`pdsno up`: all tiers and a broker on this box, for a real network."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pdsno.cli.api_access import access_file, forget, remember
from pdsno.cli.logging_setup import configure_service_logging
from pdsno.domain.errors import OperationError

if TYPE_CHECKING:
    from pdsno.node.all_in_one import Site, SiteSettings

_PORT = click.IntRange(1, 65535)


@click.command(
    epilog="""\b
Examples:
  pdsno up --subnet 192.0.2.0/24
  pdsno up --subnet 192.0.2.0/24 --subnet 198.51.100.0/24 --credentials ./credentials.yml
  pdsno up                     go on where it was stopped
  pdsno nib devices            (in another terminal)
"""
)
@click.option(
    "--subnet",
    "subnets",
    metavar="CIDR",
    multiple=True,
    help="What to discover, instead of what it discovered before; may be repeated.",
)
@click.option(
    "--credentials",
    type=click.Path(path_type=Path),
    help="SNMP and SSH credentials (YAML, mode 0600); without them: sweeps only.",
)
@click.option(
    "--interval",
    "interval_s",
    type=click.IntRange(min=5),
    metavar="SECONDS",
    help="Pause between cycles.  [default: 300, or as before]",
)
@click.option(
    "--rate",
    "rate_pps",
    type=click.IntRange(min=1),
    metavar="PPS",
    help="Packets per second and segment. Faster may cost: Dynamic ARP Inspection shuts an "
    "untrusted port at 15 per second by default; storm control; Wi-Fi airtime.  "
    "[default: 100, or as before]",
)
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    help="Where the NIBs are kept.  [default: /var/lib/pdsno/site; not as root: "
    "~/.local/state/pdsno]",
)
@click.option("--api-port", type=_PORT, default=8080, show_default=True, help="Operators' API.")
@click.option(
    "--local-api-port",
    type=_PORT,
    default=8081,
    show_default=True,
    help="API of the local tier: what came of each address.",
)
@click.option("--broker-port", type=_PORT, default=1883, show_default=True, help="MQTT broker.")
@click.option(
    "--global-port", type=_PORT, default=8001, show_default=True, help="Global tier's REST server."
)
@click.option(
    "--regional-port",
    type=_PORT,
    default=8002,
    show_default=True,
    help="Regional tier's REST server.",
)
def up(  # noqa: PLR0913, PLR0917 - one parameter an option
    subnets: tuple[str, ...],
    credentials: Path | None,
    interval_s: int | None,
    rate_pps: int | None,
    state_dir: Path | None,
    api_port: int,
    local_api_port: int,
    broker_port: int,
    global_port: int,
    regional_port: int,
) -> None:
    """Run a global, a regional and a local controller with a broker, all on loopback.

    The NIBs are kept: started again without --subnet, it goes on where it was. Without
    CAP_NET_RAW it uses ICMP datagrams, TCP and the kernel's neighbour table instead of raw
    sockets, and says what it could not do. Without mosquitto reports go over REST.
    """
    from pdsno.node.all_in_one import Site, SiteSettings
    from pdsno.settings import default_state_dir

    configure_service_logging()
    settings = SiteSettings(
        subnets=subnets,
        credentials_file=credentials.absolute() if credentials else None,
        state_dir=(state_dir or default_state_dir()).absolute(),
        interval_s=interval_s,
        rate_pps=rate_pps,
        api_port=api_port,
        local_api_port=local_api_port,
        broker_port=broker_port,
        global_port=global_port,
        regional_port=regional_port,
    )
    site = Site(settings)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: site.request_stop())
    site.start()
    kept = _keep_tokens(site)
    try:
        _tell(site, settings)
        site.wait()
    finally:
        site.close()
        for url in kept:
            forget(url)


def _keep_tokens(site: "Site") -> list[str]:
    """Let commands of this user in while the site runs; returns for which APIs."""
    kept: list[str] = []
    for url, token in site.api_tokens().items():
        try:
            remember(url, token, is_default=not kept)
        except OperationError as error:
            click.echo(f"pdsno: note: {error}; make one with pdsno api-token create", err=True)
            continue
        kept.append(url)
    return kept


def _tell(site: "Site", settings: "SiteSettings") -> None:
    """Say what is going on and where to look, on stderr: stdout is for results."""
    from pdsno.node.all_in_one import REGION

    region = site.policy.region(REGION)
    for local in region.local_controllers if region else ():
        click.echo(
            f"discovering {', '.join(local.subnets)}; {local.interval_s} s between cycles", err=True
        )
    api = f"http://127.0.0.1:{settings.api_port}"
    local_api = f"http://127.0.0.1:{settings.local_api_port}"
    for what, how in (
        ("devices", "pdsno nib devices"),
        ("", f"{api}/api/v1/devices (with the token that {access_file()} keeps)"),
        ("each address", f"pdsno nib probes --api {local_api}"),
        ("administer", f"PDSNO_ADMIN_SOCKET={settings.admin_socket} pdsno policy show"),
    ):
        click.echo(f"  {what:<14}{how}", err=True)
    if settings.credentials_file is None:
        click.echo("  no --credentials: it sees who is there, not what it is", err=True)
    click.echo("Ctrl-C ends it; what was found is kept.", err=True)
