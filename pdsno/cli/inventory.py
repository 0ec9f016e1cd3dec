"""`pdsno inventory`: the NIB for other tools. No user, password or key is ever exported."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from pdsno.cli.api_access import ApiTarget, api_options
from pdsno.cli.nib_client import NIBClient
from pdsno.domain.entities import Device, DeviceStatus, DeviceType
from pdsno.domain.errors import InputError

T = TypeVar("T")

HEAD = "Made by pdsno inventory; it is written anew each time."

_EPILOG = """\b
Examples:
  pdsno inventory ansible --out inventory/hosts.yml
  pdsno inventory nornir --region zone-A --out nornir/
  pdsno inventory netbox --out netbox.jsonl
  pdsno inventory csv --what interfaces > interfaces.csv
  pdsno inventory clab --stand-ins --out found.clab.yml
"""


@click.group(epilog=_EPILOG, context_settings={"max_content_width": 100})
def inventory() -> None:
    """Export devices for Ansible, Nornir, NetBox, spreadsheets and containerlab; no secrets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """What is to be exported, and where to."""

    api: ApiTarget
    filters: dict[str, str]
    out: Path | None
    force: bool

    def devices(self, client: NIBClient) -> list[Device]:
        """Read the devices; an empty export is an error, never an empty inventory."""
        from pdsno.cli.nib_picture import read_devices

        found = read_devices(client, self.filters)
        if not found:
            named = ", ".join(f"{key} {value}" for key, value in self.filters.items())
            raise InputError(f"the NIB at {client.url} has no device to export ({named})")
        return found

    def write(self, text: str) -> None:
        """Write to the file, or to stdout as it is."""
        from pdsno.cli.text_files import write_text

        if self.out is None:
            click.echo(text.encode(), nl=False)
        else:
            write_text(self.out, text, is_forced=self.force, mark=HEAD)
            click.echo(f"wrote {self.out}", err=True)


def export_options(command: Callable[..., T]) -> Callable[..., T]:
    """Add filters and destination; the command receives `export: Export`."""

    @wraps(command)
    def call(
        *,
        api: ApiTarget,
        region: str | None,
        status: str,
        device_type: str | None,
        platform: str | None,
        out: Path | None,
        force: bool,
        **own: object,
    ) -> T:
        named = {"region": region, "device_type": device_type, "platform": platform}
        filters = {key: value for key, value in named.items() if value is not None}
        if status != "any":
            filters["status"] = status
        return command(export=Export(api=api, filters=filters, out=out, force=force), **own)

    wrapped: Callable[..., T] = call
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return api_options(wrapped)


_OPTIONS = (
    click.option("--region", metavar="REGION", help="Only this region."),
    click.option(
        "--status",
        type=click.Choice([*(one.value for one in DeviceStatus), "any"]),
        default=DeviceStatus.ACTIVE.value,
        show_default=True,
        help="Only devices in this state.",
    ),
    click.option(
        "--device-type",
        type=click.Choice([one.value for one in DeviceType]),
        help="Only devices of this type.",
    ),
    click.option("--platform", metavar="NAME", help="Only this platform (cisco_ios, ...)."),
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="Write there instead of to stdout; an earlier export is replaced.",
    ),
    click.option("--force", is_flag=True, help="Replace a file that is no earlier export."),
)


@inventory.command(
    epilog="""\b
Examples:
  pdsno inventory ansible --out inventory/hosts.yml
  pdsno inventory ansible --list       what an inventory script prints
As a dynamic inventory, an executable file:
  #!/bin/sh
  exec pdsno inventory ansible "$@"
"""
)
@click.option("--list", "is_list", is_flag=True, help="As an inventory script: all hosts, in JSON.")
@click.option("--host", metavar="NAME", help="As an inventory script: one host's variables.")
@export_options
def ansible(*, export: Export, is_list: bool, host: str | None) -> None:
    """Write an Ansible inventory: hosts, and groups by region, type and platform."""
    from pdsno.integrations.export_ansible import ansible_host, ansible_list, ansible_yaml

    if is_list and host is not None:
        raise click.UsageError("--list and --host exclude each other")
    with NIBClient(export.api) as client:
        devices = export.devices(client)
    if is_list:
        export.write(_json(ansible_list(devices)))
    elif host is not None:
        export.write(_json(ansible_host(devices, host)))
    else:
        export.write(ansible_yaml(devices, head=HEAD))


@inventory.command(epilog="\b\nExample:\n  pdsno inventory nornir --out inventory/")
@export_options
def nornir(*, export: Export) -> None:
    """Write Nornir's hosts.yaml, groups.yaml and defaults.yaml into the folder --out.

    Without --out: a hosts.yaml that needs no other file, without groups.
    """
    from pdsno.cli.text_files import make_folder, write_text
    from pdsno.integrations.export_nornir import nornir_files, nornir_hosts

    with NIBClient(export.api) as client:
        devices = export.devices(client)
    if export.out is None:
        export.write(nornir_hosts(devices, head=HEAD))
        return
    make_folder(export.out)
    for name, text in nornir_files(devices, head=HEAD).items():
        write_text(export.out / name, text, is_forced=export.force, mark=HEAD)
    click.echo(f"wrote {export.out}", err=True)


@inventory.command(
    epilog="""\b
Examples:
  pdsno inventory netbox --out netbox.jsonl
  pdsno inventory netbox --netbox-version 3.7 --region zone-A | head -3
Nothing is sent to NetBox; docs/how-to/netbox.md shows how to carry the file out.
"""
)
@click.option(
    "--netbox-version",
    default="4.2",
    show_default=True,
    metavar="X.Y",
    help="Whose API: before 4.2 a MAC is a field of its interface.",
)
@export_options
def netbox(*, export: Export, netbox_version: str) -> None:
    """Write requests to NetBox's REST API, one JSON object a line, in order of dependency."""
    from pdsno.cli.nib_picture import read_links
    from pdsno.integrations.export_netbox import netbox_requests

    version = _version(netbox_version)
    with NIBClient(export.api) as client:
        devices = export.devices(client)
        links = read_links(client, devices)
    found = netbox_requests(devices, links, has_mac_objects=version >= (4, 2))
    lines = (json.dumps(one.to_json(), ensure_ascii=False) for one in found.requests)
    export.write("".join(f"{line}\n" for line in lines))
    for note in found.notes:
        click.echo(f"note: {note}", err=True)


@inventory.command("csv", epilog="\b\nExample:\n  pdsno inventory csv --what links > links.csv")
@click.option(
    "--what",
    type=click.Choice(["devices", "interfaces", "links", "endpoints"]),
    default="devices",
    show_default=True,
    help="What there is a row for.",
)
@export_options
def csv_table(*, export: Export, what: str) -> None:
    """Write CSV that is safe to open in a spreadsheet: no cell is taken for a formula."""
    from pdsno.cli.nib_picture import read_endpoints, read_links
    from pdsno.integrations import export_csv

    with NIBClient(export.api) as client:
        if what == "endpoints":
            regions = {key: value for key, value in export.filters.items() if key == "region"}
            export.write(export_csv.endpoints_csv(read_endpoints(client, regions)))
            return
        devices = export.devices(client)
        if what == "links":
            export.write(export_csv.links_csv(read_links(client, devices)))
            return
    make = export_csv.devices_csv if what == "devices" else export_csv.interfaces_csv
    export.write(make(devices))


@inventory.command(
    epilog="""\b
Examples:
  pdsno inventory clab --out found.clab.yml
  pdsno inventory clab --region zone-A --stand-ins --out found.clab.yml
  pdsno lab up found.clab.yml
"""
)
@click.option(
    "--stand-ins",
    is_flag=True,
    help="FRR and Linux in place of vendors' images: what pdsno lab up builds.",
)
@click.option("--endpoints", is_flag=True, help="Also hosts, at their switch ports.")
@export_options
def clab(*, export: Export, stand_ins: bool, endpoints: bool) -> None:
    """Write the network as a containerlab topology file, to build what was found as a lab.

    Neighbours that are not among the devices are nodes as well.
    """
    from pdsno.cli.nib_picture import read_endpoints, read_links
    from pdsno.domain.topology import graph_of
    from pdsno.integrations.clab_format import as_clab

    region = export.filters.get("region")
    with NIBClient(export.api) as client:
        devices = export.devices(client)
        links = read_links(client, devices)
        hosts = read_endpoints(client, {"region": region} if region else {}) if endpoints else []
    text = as_clab(
        graph_of(devices, links, hosts), name=region or "discovered", stand_ins=stand_ins
    )
    export.write(f"# {HEAD}\n{text}")


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    minor = minor.partition(".")[0] or "0"
    if not (major.isdigit() and minor.isdigit()):
        raise InputError(f"--netbox-version {text!r}: write it as 4.2")
    return int(major), int(minor)


def _json(value: Any) -> str:  # noqa: ANN401 - JSON is what Any is for
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
