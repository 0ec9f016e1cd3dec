"""`pdsno nib`: reads a controller's NIB over its REST API."""

from dataclasses import replace

import click

from pdsno.cli import (
    nib_anomalies,
    nib_care,
    nib_edit,
    nib_endpoints,
    nib_history,
    nib_ledger,
    nib_merge,
)
from pdsno.cli.api_access import ApiTarget, api_options
from pdsno.cli.completion import device_names
from pdsno.cli.moments import as_of_option
from pdsno.cli.nib_client import NIBClient
from pdsno.cli.nib_lists import (
    ListRequest,
    Row,
    View,
    given,
    list_options,
    short_times,
    show,
    text_filters,
)
from pdsno.cli.options import examples
from pdsno.cli.output import OutputFormat, output_option, render, render_one
from pdsno.cli.watch import watch
from pdsno.domain.entities import DeviceStatus, DeviceType, LinkStatus
from pdsno.domain.identifiers import Role

_EPILOG = """\b
Examples:
  pdsno nib devices --region zone-A --status active
  pdsno nib devices --mac 0050.56aa.bb01 -o json
  pdsno nib devices --ip 10.1.0.0/24 -o csv > devices.csv
  pdsno nib device spine1
  pdsno nib device spine1 --why
  pdsno nib anomalies --severity critical
  pdsno nib links --status conflict
  pdsno nib events --newest-first --limit 20
  pdsno nib watch --type 'DEVICE_*'
  pdsno nib endpoints --ip 10.1.20.0/24
  pdsno nib probes --unanswered
  pdsno nib probes --cycles
  pdsno nib health
  pdsno nib controllers --api https://172.30.30.10:8080
  pdsno nib diff --since 1h
  pdsno nib devices --as-of 7d
  pdsno nib set spine1 tag+=edge note="rack 4"
  pdsno nib check --settings /etc/pdsno/settings.yml"""


@click.group(epilog=_EPILOG, context_settings={"max_content_width": 100})
def nib() -> None:
    """Read a Network Information Base: devices, endpoints, links, controllers, events.

    check, backup, restore and prune go to where it is kept; the others ask its API.
    """


for _command in (
    *nib_endpoints.COMMANDS,
    *nib_care.COMMANDS,
    *nib_history.COMMANDS,
    *nib_edit.COMMANDS,
    *nib_merge.COMMANDS,
    *nib_anomalies.COMMANDS,
):
    nib.add_command(_command)


nib.add_command(watch)


_DEVICES = View(
    resource="devices",
    columns=(
        "name", "status", "device_type", "management_ip", "vendor", "platform", "region",
        "last_seen", "device_id",
    ),
)  # fmt: skip


_ALSO_OF_ENDPOINTS = {"region", "namespace", "local_controller", "vendor", "mac", "ip", "q"}


@nib.command(
    epilog=examples(
        "pdsno nib devices --region zone-A --status active",
        "pdsno nib devices --ip 10.1.0.0/24 -o csv > devices.csv",
        "pdsno nib devices --q juniper --sort -last_seen --fields name,os_version,last_seen",
    )
)
@text_filters(
    ("--region", "In this region."),
    ("--namespace", "In this address space."),
    ("--vendor", "Of this vendor, exactly."),
    ("--platform", "With this network OS, as Netmiko names it."),
    ("--name", "With this name, exactly."),
    ("--serial", "With this serial number."),
    ("--local-controller", "Seen by this local controller."),
    ("--mac", "That has this MAC, in any notation."),
    ("--ip", "That has this address, or one in this prefix."),
    ("--q", "With this text in name, vendor, model, platform, serial, a MAC, an address."),
)
@click.option(
    "--status",
    type=click.Choice([item.value for item in DeviceStatus]),
    help="In this state of its life.",
)
@click.option(
    "--type", "device_type", type=click.Choice([item.value for item in DeviceType]), help="Kind."
)
@as_of_option
@list_options
def devices(request: ListRequest, **filters: object) -> None:
    """List devices. All conditions must hold."""

    def why_empty(client: NIBClient) -> str:
        asked = given(filters)
        if not asked.keys() <= _ALSO_OF_ENDPOINTS or not any(
            client.items("endpoints", asked, limit=1)
        ):
            return "no devices found"
        return "no devices found; but endpoints, which told nothing: see pdsno nib endpoints"

    show(replace(_DEVICES, why_empty=why_empty), request, filters)


_INTERFACE_COLUMNS = (
    "name", "mac", "ips", "vrf", "oper_status", "admin_status", "mtu", "speed_mbps", "description",
)  # fmt: skip
_NEIGHBOR_COLUMNS = (
    "local_interface", "remote_name", "remote_interface", "remote_chassis_id",
    "remote_management_ip", "protocol",
)  # fmt: skip


@nib.command(
    epilog=examples(
        "pdsno nib device spine1",
        "pdsno nib device spine1 --why",
        "pdsno nib device 0050.56aa.bb01 -o yaml",
    )
)
@click.argument("device", shell_complete=device_names)
@click.option("--why", is_flag=True, help="Why it is one device, and what it is made of.")
@as_of_option
@output_option
@api_options
def device(
    device: str, api: ApiTarget, output: OutputFormat, as_of: str | None, *, why: bool
) -> None:
    """Show one device whole. DEVICE is an ID, or a name, MAC or address that it alone has."""
    if why and as_of is not None:
        raise click.UsageError("--why tells of now: it excludes --as-of")
    with NIBClient(api) as client:
        found = client.device(device, as_of=as_of)
        if device.startswith("dev_") and found["device_id"] != device:
            click.echo(f"{device} was merged into {found['device_id']}", err=True)
        if why:
            nib_merge.show_why(client, found, output)
            return
    if output is not OutputFormat.TABLE:
        render_one(found, fmt=output)
        return
    parts = ("interfaces", "neighbors", "provenance")
    plain = {name: value for name, value in found.items() if name not in parts}
    render_one(short_times(plain), fmt=output, title=found.get("name") or found["device_id"])
    sources = [{"field": name, **told} for name, told in found.get("provenance", {}).items()]
    for rows, columns, title in (
        (found.get("interfaces", []), _INTERFACE_COLUMNS, "Interfaces"),
        (found.get("neighbors", []), _NEIGHBOR_COLUMNS, "Neighbors"),
        ([short_times(row) for row in sources], ("field", "source", "at", "pinned"), "Sources"),
    ):
        if rows:
            click.echo()
            render(rows, fmt=output, columns=columns, title=title)


@nib.command(
    epilog=examples("pdsno nib health", "pdsno nib health --api https://192.0.2.10:8080 -o json")
)
@output_option
@api_options
def health(api: ApiTarget, output: OutputFormat) -> None:
    """Show who answers here, and how the controller says that it is."""
    with NIBClient(api) as client:
        told = client.health()
    if output is not OutputFormat.TABLE:
        render_one(told, fmt=output)
        return
    flat = {name: value for name, value in told.items() if name != "health"}
    flat |= told.get("health", {})
    render_one(short_times(flat), fmt=output, title=told["controller_id"])


@nib.command(
    epilog=examples("pdsno nib interfaces", "pdsno nib interfaces --device-id dev_01 -o csv")
)
@text_filters(("--device-id", "Of this device."))
@list_options
def interfaces(request: ListRequest, **filters: str | None) -> None:
    """List interfaces of all devices, or of one."""
    view = View(resource="interfaces", columns=("device", *_INTERFACE_COLUMNS, "region"))
    show(view, request, filters)


def _link_row(link: Row) -> Row:
    row = {name: value for name, value in link.items() if name not in {"a", "b"}}
    for side in ("a", "b"):
        end = link[side]
        row |= {f"{name}_{side}": end[name] for name in ("device_id", "device", "interface")}
        row[f"device_{side}"] = end["device"] or end["device_id"]
    return row


_LINKS = View(
    resource="links",
    columns=(
        "device_a", "interface_a", "device_b", "interface_b", "status", "source", "last_seen",
    ),
    flat_row=_link_row,
    deep=frozenset({"a", "b"}),
)  # fmt: skip


@nib.command(epilog=examples("pdsno nib links", "pdsno nib links --status conflict"))
@text_filters(("--device-id", "With this device at one end."))
@click.option(
    "--status",
    type=click.Choice([item.value for item in LinkStatus]),
    help="Told by both ends, by one, or by two that disagree.",
)
@as_of_option
@list_options
def links(request: ListRequest, **filters: object) -> None:
    """List links. Both ends tell of it: confirmed; one: claimed; they disagree: conflict."""
    show(_LINKS, request, filters)


@nib.command(
    epilog=examples("pdsno nib controllers", "pdsno nib controllers --role local --region zone-A")
)
@text_filters(("--region", "In this region."))
@click.option("--role", type=click.Choice([item.value for item in Role]), help="Of this tier.")
@list_options
def controllers(request: ListRequest, **filters: str | None) -> None:
    """List the controllers that this one knows."""
    view = View(
        resource="controllers",
        columns=("controller_id", "role", "region", "status", "state", "url", "last_seen"),
    )
    show(view, request, filters)


@nib.command(
    epilog=examples(
        "pdsno nib events --newest-first --limit 20",
        "pdsno nib events --type DEVICE_APPEARED --region zone-A",
        "pdsno nib events --after 1200 -o json",
    )
)
@text_filters(
    ("--type", "Of this type, as DEVICE_APPEARED."),
    ("--subject", "About this device, controller or link."),
    ("--region", "Of this region."),
)
@click.option("--after", type=click.IntRange(min=0), metavar="SEQ", help="With a higher number.")
@click.option("--newest-first", is_flag=True, help="From the end; the default is the order of seq.")
@list_options
def events(
    request: ListRequest, *, after: int | None, newest_first: bool, **filters: str | None
) -> None:
    """List the events of the append-only log."""
    view = View(
        resource="events",
        columns=("seq", "at", "event_type", "subject", "actor", "region", "data"),
    )
    asked: dict[str, object] = {**filters, "after": after, "newest_first": newest_first or None}
    show(view, request, asked)


_PROBES = View(resource="probes", columns=("namespace", "address", "summary"))
_CYCLES = View(
    resource="probes/cycles",
    columns=nib_ledger.CYCLE_COLUMNS,
    flat_row=nib_ledger.cycle_row,
    deep=nib_ledger.CYCLE_DEEP,
    why_empty=nib_ledger.why_empty,
)


@nib.command(
    epilog=examples(
        "pdsno nib probes --unanswered",
        "pdsno nib probes --ip 10.1.0.0/28",
        "pdsno nib probes --cycles",
    )
)
@text_filters(
    ("--cycle-id", "Of this discovery cycle; the default is the newest."),
    ("--namespace", "In this address space."),
    ("--ip", "This address, or those in this prefix."),
)
@click.option("--answered/--unanswered", default=None, help="Where anything answered, or nothing.")
@click.option(
    "--cycles", "is_ledger", is_flag=True, help="The cycles instead: who allowed which probes."
)
@list_options
def probes(
    request: ListRequest, *, answered: bool | None, is_ledger: bool, **filters: str | None
) -> None:
    """List addresses with what came of asking them in a discovery cycle.

    The ledger of cycles is kept by the local controllers, which send the probes.
    """
    asked: dict[str, object] = {**filters, "answered": answered}
    if is_ledger:
        if given(asked):
            raise click.UsageError("--cycles lists every cycle: it takes no filter")
        show(_CYCLES, request, {})
        return
    with NIBClient(request.api) as client:
        kept = list(client.items("probes/cycles", {}))
    cycle = nib_ledger.chosen(kept, filters["cycle_id"])
    if cycle is not None:
        # A newer one may come meanwhile: addresses and summary shall be of one cycle.
        asked["cycle_id"] = cycle["cycle_id"]
    show(_PROBES if kept else replace(_PROBES, why_empty=nib_ledger.why_empty), request, asked)
    if cycle is not None:
        click.echo(nib_ledger.summary(cycle), err=True)
