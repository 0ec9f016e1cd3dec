"""`pdsno netbox`: what NetBox says, as policy and as expectation. Reads only."""

from datetime import UTC, datetime
from pathlib import Path

import click

from pdsno.cli.netbox_options import NetBoxOptions, netbox_options
from pdsno.cli.options import examples
from pdsno.cli.text_files import write_text

_EPILOG = """\b
Examples:
  export NETBOX_TOKEN=...
  pdsno netbox import --netbox https://netbox.example.net
  pdsno netbox import --netbox https://netbox.example.net --policy policy.yml --expect expect.yml
  pdsno netbox import --netbox https://netbox.example.net --region-by region \\
    --site-region emea=zone-A --policy policy.yml
  pdsno policy diff policy.yml && pdsno policy apply policy.yml
  pdsno verify --against expect.yml

Without --policy and --expect both are printed, and nothing is written.
"""


@click.group(
    epilog=examples("pdsno netbox import --netbox https://netbox.example.net"),
    context_settings={"max_content_width": 100},
)
def netbox() -> None:
    """Read a NetBox; nothing is ever written there."""


@netbox.command("import", epilog=_EPILOG)
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write its prefixes as a policy for `pdsno policy apply`.",
)
@click.option(
    "--expect",
    "expect_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write its devices as an expectation for `pdsno verify --against FILE`.",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@netbox_options("--token-file")
def import_netbox(
    *, netbox: NetBoxOptions, policy_file: Path | None, expect_file: Path | None, force: bool
) -> None:
    """Draft a policy from prefixes, VRFs and sites, and an expectation from devices."""
    is_dry = policy_file is None and expect_file is None
    scope = netbox.scope()
    policy = expectation = None
    with netbox.client() as client:
        if is_dry or policy_file:
            from pdsno.integrations.netbox_policy import dump_policy, read_policy

            draft = read_policy(client, scope)
            policy = dump_policy(draft, source=client.url)
            _say(f"{len(draft.policy.regions)} regions", [f"left out, {n}" for n in draft.notes])
        if is_dry or expect_file:
            from pdsno.integrations.expectation_file import dump_expectation
            from pdsno.integrations.netbox_expectation import read_netbox

            found = read_netbox(client, scope)
            expectation = dump_expectation(found, taken_at=datetime.now(UTC))
            links = len(found.links or ())
            _say(f"{len(found.devices)} devices, {links} links", found.notes)
    for text, file in ((policy, policy_file), (expectation, expect_file)):
        if text is not None and file is not None:
            write_text(file, text, is_forced=force)
            click.echo(f"wrote {file}", err=True)
    if is_dry:
        click.echo("---\n".join(filter(None, (policy, expectation))), nl=False)


def _say(what: str, notes: "list[str] | tuple[str, ...]") -> None:
    click.echo(f"read {what}", err=True)
    for note in notes:
        click.echo(f"note: {note}", err=True)
