"""`pdsno policy`: what may be admitted, who probes what, how often."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pdsno.cli.admin_client import AdminClient, socket_option
from pdsno.cli.options import examples
from pdsno.cli.output import OutputFormat, output_option, render, render_one

if TYPE_CHECKING:
    from pdsno.domain.policy import Policy

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(
    epilog=examples(
        "pdsno policy show -o yaml > policy.yml",
        "pdsno policy diff policy.yml",
        "pdsno policy apply policy.yml",
    )
)
def policy() -> None:
    """Policy: regions, quotas, and what each local controller probes."""


@policy.command(epilog=examples("pdsno policy show", "pdsno policy show -o yaml > policy.yml"))
@output_option
@socket_option
def show(output: OutputFormat, socket_path: Path) -> None:
    """Show the policy in force; `-o yaml` gives a file to edit and apply."""
    document = AdminClient(socket_path).get("/policy")
    if not document or not document.get("version"):
        click.echo(
            "pdsno: no policy is in force yet: apply one with `pdsno policy apply FILE`", err=True
        )
    if output in (OutputFormat.TABLE, OutputFormat.CSV):
        render(_target_rows(document or {}), fmt=output, title="Policy")
    else:
        render_one(document or {}, fmt=output)


@policy.command("apply", epilog=examples("pdsno policy apply policy.yml"))
@click.argument("file", type=_FILE)
@socket_option
def apply_file(file: Path, socket_path: Path) -> None:
    """Check FILE and bring it into force on the global controller; prints its version."""
    from pdsno.domain.jsonable import jsonable
    from pdsno.policy.document import load_policy

    wanted = load_policy(file)
    answer = AdminClient(socket_path).post("/policy", jsonable(wanted))
    click.echo(answer["version"])


@policy.command(epilog=examples("pdsno policy diff policy.yml"))
@click.argument("file", type=_FILE)
@socket_option
def diff(file: Path, socket_path: Path) -> None:
    """Say what applying FILE would change; nothing is changed."""
    from pdsno.policy.document import describe_changes, load_policy

    wanted = load_policy(file)
    for line in describe_changes(_current(AdminClient(socket_path)), wanted):
        click.echo(line)


def _current(client: AdminClient) -> "Policy | None":
    from pdsno.policy.document import policy_from

    document = client.get("/policy")
    return policy_from(document) if document else None


def _target_rows(document: dict[str, Any]) -> list[dict[str, object]]:
    """Return a row for each local controller, and one for each region that names none."""
    return [
        {
            "region": region["region"],
            "admission": region["admission"],
            "local_quota": f"{region['local_quota']} (at most {region['local_ceiling']})",
            "local_controller": local.get("controller_id", ""),
            "subnets": local.get("subnets", []),
            "interval_s": local.get("interval_s"),
        }
        for region in document.get("regions", [])
        for local in region["local_controllers"] or [{}]
    ]
