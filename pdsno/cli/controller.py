"""`pdsno controller`: run one controller, let it join, ask a running one."""

import sys
from datetime import datetime
from pathlib import Path

import click

from pdsno.cli.admin_client import AdminClient, default_socket
from pdsno.cli.logging_setup import configure_service_logging
from pdsno.cli.options import examples
from pdsno.cli.output import OutputFormat, output_option, render, render_one
from pdsno.domain.errors import InputError, OperationError
from pdsno.domain.identifiers import Role

_TIMES = ("last_seen", "not_after")
_COLUMNS = ("controller_id", "role", "region", "status", "state", "url", *_TIMES)
_ROLES = click.Choice([Role.GLOBAL.value, Role.REGIONAL.value, Role.LOCAL.value])
_SETTINGS = click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path),
    required=True,
    help="The controller's settings file (YAML).",
)
_SOCKET = click.option(
    "--socket",
    "socket_path",
    type=click.Path(path_type=Path),
    default=None,
    help="Admin socket of the running controller [default: $PDSNO_ADMIN_SOCKET or "
    "/run/pdsno/admin.sock].",
)


@click.group(
    epilog=examples(
        "pdsno controller run --role local --settings /etc/pdsno/settings.yml",
        "pdsno controller list",
        "pdsno controller status -o json",
        "pdsno controller pause --region zone-A --reason maintenance",
    )
)
def controller() -> None:
    """Run one controller, or speak to a running one."""


@controller.command(
    epilog="""\b
Example:
  pdsno controller run --role regional --settings /etc/pdsno/settings.yml
"""
)
@click.option("--role", type=_ROLES, required=True, help="What the controller is.")
@_SETTINGS
def run(role: str, settings_file: Path) -> None:
    """Run a controller in the foreground until SIGINT or SIGTERM.

    A regional or local controller that has not joined yet waits for its join token in the file
    that the settings name (join_token_file, mode 0600).
    """
    from pdsno.node.compose import check_role
    from pdsno.node.run import Node, run_until_signal
    from pdsno.settings import load_settings

    settings = load_settings(settings_file)
    check_role(settings, Role(role))
    configure_service_logging()
    node = Node(settings)
    configure_service_logging(lambda: {"controller_id": node.controller.controller_id})
    run_until_signal(node)


@controller.command(
    epilog="""\b
Example (on the parent's host, for a new controller on the host lc1):
  pdsno token create --role local --region zone-A |
    ssh lc1 pdsno controller join --settings /etc/pdsno/settings.yml --token-stdin
"""
)
@_SETTINGS
@click.option("--token-stdin", is_flag=True, help="Read the join token from standard input.")
@output_option
def join(settings_file: Path, output: OutputFormat, *, token_stdin: bool) -> int:
    """Present a join token once and say what came of it; exit 1 if refused."""
    from pdsno.controllers.member_controller import MemberController
    from pdsno.node.compose import build_controller
    from pdsno.settings import load_settings

    settings = load_settings(settings_file)
    token = _token(settings.join_token_file, from_stdin=token_stdin)
    # Devices are not spoken to, and a service's credentials may be for its own process only.
    member = build_controller(settings.model_copy(update={"credentials_file": None}))
    try:
        if not isinstance(member, MemberController):
            raise InputError("a global controller joins nobody")
        if member.is_validated:
            raise OperationError(f"this controller has joined already, as {member.controller_id}")
        result = member.join(token, subnets=settings.subnets)
    finally:
        member.close()
        member.nib_store.close()
    answer = {
        "approved": result.is_approved,
        "controller_id": result.assigned_id,
        "reason": result.reason,
        "detail": result.detail or None,
        "decided_by": result.decided_by or None,
    }
    render_one(answer, fmt=output)
    return 0 if result.is_approved else 1


def _token(file: Path | None, *, from_stdin: bool) -> str:
    if from_stdin:
        token = sys.stdin.read().strip()
    elif file is not None:
        try:
            token = file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the join token {file}: {error}") from error
    else:
        raise InputError("no token: use --token-stdin, or set join_token_file")
    if not token:
        raise InputError("the join token is empty")
    return token


@controller.command(
    epilog="""\b
Example (on the global controller's host):
  pdsno controller discover --region zone-A
"""
)
@click.argument("subnets", metavar="[CIDR]...", nargs=-1)
@click.option("--region", default=None, help="Only this region's controllers.")
@click.option(
    "--accept-missing",
    is_flag=True,
    help="Release the brake on a mass disappearance: what was missed often enough is inactive, "
    "however many they are (see the event DISAPPEARANCE_HELD).",
)
@_SOCKET
def discover(
    subnets: tuple[str, ...], region: str | None, socket_path: Path | None, *, accept_missing: bool
) -> None:
    """Ask for a discovery cycle now: of all local controllers below the one that is asked."""
    client = AdminClient(socket_path or default_socket())
    body = {"subnets": list(subnets), "region": region, "accept_missing": accept_missing}
    answer = client.post("/discover", body)
    asked = answer.get("asked") or ["this controller"]
    click.echo(f"asked: {', '.join(asked)}", err=True)


@controller.command(
    epilog="""\b
Examples:
  pdsno controller pause --region zone-A --reason "maintenance tonight"
  pdsno controller resume --region zone-A

\b
Effective within seconds; running cycles end, and what they did not cover is not missed. On the
global controller's host it holds for the region, or for all, and stays until `resume` there: a
policy file that is applied meanwhile may pause more, and resumes nothing. On a regional
controller's host it holds for the whole region, also while the global controller is away. On a
local controller's host it holds for that one alone. Each outlives restarts, and is lifted where
it was ordered: `pdsno controller status` tells by whom, since when and why.
"""
)
@click.option("--region", default=None, help="Only this region.")
@click.option("--reason", default="", help="Why; shown by `status` and in the events.")
@_SOCKET
def pause(region: str | None, reason: str, socket_path: Path | None) -> None:
    """Stop all probing: no sweep, no query, no log-in, until `resume`."""
    client = AdminClient(socket_path or default_socket())
    answer = client.post("/pause", {"region": region, "reason": reason})
    click.echo(f"paused: {', '.join(answer['paused'])}", err=True)


@controller.command(
    epilog=examples("pdsno controller resume", "pdsno controller resume --region zone-A")
)
@click.option("--region", default=None, help="Only this region.")
@_SOCKET
def resume(region: str | None, socket_path: Path | None) -> None:
    """Let probing go on after a `pause` that was ordered at this controller."""
    client = AdminClient(socket_path or default_socket())
    answer = client.post("/resume", {"region": region})
    click.echo(f"resumed: {', '.join(answer['resumed'])}", err=True)


_TARGET = click.argument("controller_id", metavar="ID")


def _set_status(socket_path: Path | None, controller_id: str, status: str) -> None:
    client = AdminClient(socket_path or default_socket())
    body = {"controller_id": controller_id, "status": status}
    answer = client.post("/controllers/status", body)
    already = "" if answer["is_new"] else " (it was already)"
    click.echo(f"{controller_id}: {status}{already}", err=True)


@controller.command(
    epilog="""\b
Example (on the global controller's host, or for local controllers on their regional one's):
  pdsno controller revoke local_cntl_zone-A_2
"""
)
@_TARGET
@_SOCKET
def revoke(controller_id: str, socket_path: Path | None) -> None:
    """Take a controller's rights back for good: its key never comes back.

    It is refused on its next request, and within 2 seconds at the broker. Its machine can join
    again only with a new key and a new token. `block` does the same until `unblock`.
    """
    _set_status(socket_path, controller_id, "revoked")


@controller.command(epilog=examples("pdsno controller block local_cntl_zone-B_1"))
@_TARGET
@_SOCKET
def block(controller_id: str, socket_path: Path | None) -> None:
    """Take a controller's rights back until `unblock`; nobody may join from its host meanwhile."""
    _set_status(socket_path, controller_id, "blocked")


@controller.command(epilog=examples("pdsno controller unblock local_cntl_zone-B_1"))
@_TARGET
@_SOCKET
def unblock(controller_id: str, socket_path: Path | None) -> None:
    """Let a blocked or locked controller go on with the key and certificate that it has.

    A locked one has a key that somebody copied: `revoke` it and let it join anew, unless you know
    that it was you who copied it.
    """
    _set_status(socket_path, controller_id, "active")


@controller.command(
    "list",
    epilog=examples(
        "pdsno controller list",
        "pdsno controller list -o json | jq '.[] | select(.status != \"active\")'",
    ),
)
@output_option
@_SOCKET
def list_controllers(output: OutputFormat, socket_path: Path | None) -> None:
    """List the controllers that the one on this machine knows, with the end of certificates.

    Certificates are renewed half-way: one that ends soon is of a controller that is away. The end
    is known of those that were issued here.
    """
    rows = AdminClient(socket_path or default_socket()).get("/controllers")["items"]
    if output is OutputFormat.TABLE:
        rows = [{**row, **{name: _short(row[name]) for name in _TIMES}} for row in rows]
    render(rows, fmt=output, columns=_COLUMNS, title="Controllers")


def _short(at: str | None) -> str | None:
    return datetime.fromisoformat(at).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


@controller.command(
    epilog=examples(
        "pdsno controller status",
        "PDSNO_ADMIN_SOCKET=/run/pdsno/rc.sock pdsno controller status -o json",
    )
)
@_SOCKET
@output_option
def status(socket_path: Path | None, output: OutputFormat) -> None:
    """Show the state of the controller on this machine."""
    client = AdminClient(socket_path or default_socket())
    render_one(client.get("/status"), fmt=output)
