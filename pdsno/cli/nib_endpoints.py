"""`pdsno nib endpoints` and `endpoint`: hosts that are there and told nothing of themselves."""

import click

from pdsno.cli.api_access import ApiTarget, api_options
from pdsno.cli.nib_client import NIBClient
from pdsno.cli.nib_lists import (
    ListRequest,
    Row,
    View,
    list_options,
    short_times,
    show,
    text_filters,
)
from pdsno.cli.options import examples
from pdsno.cli.output import OutputFormat, output_option, render, render_one

_SIGHTING_COLUMNS = ("ip", "switch", "port", "vlan", "first_seen", "last_seen", "source")


def _endpoint_row(endpoint: Row) -> Row:
    port = endpoint["attachment"] or dict.fromkeys(("device_id", "device", "interface", "vlan"))
    return {
        **{name: value for name, value in endpoint.items() if name != "attachment"},
        "switch": port["device"] or port["device_id"],
        "switch_id": port["device_id"],
        "port": port["interface"],
        "vlan": port["vlan"],
    }


_ENDPOINTS = View(
    resource="endpoints",
    columns=("mac", "ips", "vendor", "switch", "port", "vlan", "last_seen", "sources"),
    flat_row=_endpoint_row,
    deep=frozenset({"attachment"}),
)


@click.command(
    epilog=examples(
        "pdsno nib endpoints --ip 10.1.20.0/24",
        "pdsno nib endpoints --vlan 20 --random-mac",
        "pdsno nib endpoints --seen-since 2026-03-01T00:00:00Z -o json",
    )
)
@text_filters(
    ("--region", "In this region."),
    ("--namespace", "In this address space."),
    ("--local-controller", "Seen by this local controller."),
    ("--vendor", "Of this vendor of network cards, exactly."),
    ("--mac", "With this MAC, in any notation."),
    ("--ip", "With this address, or one in this prefix."),
    ("--device-id", "Plugged into this switch."),
    ("--interface", "Plugged into a port of this name."),
    ("--seen-since", "Seen at this time or later, as 2026-03-01T12:00:00Z."),
    ("--q", "With this text in vendor, MAC, an address, switch or port."),
)
@click.option("--vlan", type=click.IntRange(min=1, max=4094), metavar="N", help="In this VLAN.")
@click.option(
    "--random-mac/--fixed-mac",
    "is_random_mac",
    default=None,
    help="Whose MAC is locally administered, as phones make them; or given by a vendor.",
)
@list_options
def endpoints(
    request: ListRequest, *, vlan: int | None, is_random_mac: bool | None, **filters: str | None
) -> None:
    """List endpoints: hosts that are there and told nothing. All conditions must hold."""
    asked: dict[str, object] = {**filters, "vlan": vlan, "is_random_mac": is_random_mac}
    show(_ENDPOINTS, request, asked)


@click.command(
    epilog=examples("pdsno nib endpoint 0050.56aa.bb01", "pdsno nib endpoint 10.1.20.7 -o json")
)
@click.argument("endpoint")
@output_option
@api_options
def endpoint(endpoint: str, api: ApiTarget, output: OutputFormat) -> None:
    """Show one endpoint with where it was before. ENDPOINT is an ID, or a MAC or address."""
    with NIBClient(api) as client:
        found = client.endpoint(endpoint)
    if output is not OutputFormat.TABLE:
        render_one(found, fmt=output)
        return
    now = _endpoint_row({name: value for name, value in found.items() if name != "sightings"})
    render_one(short_times(now), fmt=output, title=found["mac"] or found["endpoint_id"])
    if found["sightings"]:
        click.echo()
        rows = [short_times(_endpoint_row(seen)) for seen in found["sightings"]]
        render(rows, fmt=output, columns=_SIGHTING_COLUMNS, title="Sightings")


COMMANDS: tuple[click.Command, ...] = (endpoints, endpoint)
"""Of `pdsno nib`."""
