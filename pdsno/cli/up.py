"""`pdsno up`: all tiers and a broker on this box, for a real network."""

import signal
from pathlib import Path

import click

from pdsno.cli.logging_setup import configure_service_logging


@click.command(
    epilog="""\b
Examples:
  pdsno up --subnet 192.0.2.0/24
  pdsno up --subnet 192.0.2.0/24 --subnet 198.51.100.0/24 --credentials ./credentials.yml
  pdsno nib devices            (in another terminal)
"""
)
@click.option("--subnet", "subnets", metavar="CIDR", multiple=True, help="What to discover.")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="SNMP and SSH credentials (YAML, mode 0600); without them: sweeps only.",
)
@click.option(
    "--interval", "interval_s", default=300, show_default=True, help="Seconds between cycles."
)
@click.option(
    "--rate",
    "rate_pps",
    default=100,
    show_default=True,
    help="Packets per second and segment. Faster may cost: Dynamic ARP Inspection shuts an "
    "untrusted port at 15 per second by default; storm control; Wi-Fi airtime.",
)
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where the NIBs are kept.")
@click.option("--api-port", default=8080, show_default=True, help="Operators' REST API.")
@click.option("--broker-port", default=1883, show_default=True, help="MQTT broker.")
@click.option("--global-port", default=8001, show_default=True, help="Global tier's REST server.")
@click.option(
    "--regional-port", default=8002, show_default=True, help="Regional tier's REST server."
)
def up(  # noqa: PLR0913, PLR0917 - one parameter an option
    subnets: tuple[str, ...],
    credentials: Path | None,
    interval_s: int,
    rate_pps: int,
    state_dir: Path | None,
    api_port: int,
    broker_port: int,
    global_port: int,
    regional_port: int,
) -> None:
    """Run a global, a regional and a local controller with a broker, all on loopback.

    The NIBs are kept: started again without --subnet, it goes on where it was. Without
    CAP_NET_RAW it uses ICMP datagrams, TCP and the kernel's neighbour table instead of raw
    sockets, and says what it could not do.
    """
    from pdsno.node.all_in_one import Site, SiteSettings, default_state_dir

    configure_service_logging()
    site = Site(
        SiteSettings(
            subnets=subnets,
            credentials_file=credentials.absolute() if credentials else None,
            state_dir=(state_dir or default_state_dir()).absolute(),
            interval_s=interval_s,
            rate_pps=rate_pps,
            api_port=api_port,
            broker_port=broker_port,
            global_port=global_port,
            regional_port=regional_port,
        )
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: site.request_stop())
    site.start()
    try:
        click.echo(f"look at it: http://127.0.0.1:{api_port}/api/v1/devices", err=True)
        click.echo("or:         pdsno nib devices", err=True)
        click.echo("Ctrl-C ends it; what was found is kept.", err=True)
        site.wait()
    finally:
        site.close()
