"""`pdsno pki`: a controller's certificates on disk, and the root's key. No controller need run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pdsno.cli.options import examples
from pdsno.cli.output import OutputFormat, output_option, render
from pdsno.domain.errors import InputError

if TYPE_CHECKING:
    from pdsno.identity.pki.vault import AuthorityVault

_Command = TypeVar("_Command", bound=Callable[..., Any])
_SERVICE_STATE = Path("/var/lib/pdsno")
_COLUMNS = ("kind", "subject", "not_after", "status", "renewed_by", "sha256")


def state_options(command: _Command) -> _Command:
    """Add `--settings` and `--state-dir`, of which one is needed."""
    path = click.Path(path_type=Path)
    command = click.option("--state-dir", type=path, help="The controller's state directory.")(
        command
    )
    return click.option("--settings", type=path, help="The controller's settings file.")(command)


def state_directory(settings: Path | None, state_dir: Path | None) -> Path:
    """Return the directory that is meant, by default a system service's.

    Raises InputError if two ways name it, or none does and there is no service's.
    """
    if settings is not None and state_dir is not None:
        raise InputError("name the controller with either --settings FILE or --state-dir DIR")
    if settings is None and state_dir is None:
        if not _SERVICE_STATE.is_dir():
            raise InputError("name the controller with --settings FILE or --state-dir DIR")
        return _SERVICE_STATE
    if settings is not None:
        from pdsno.settings import load_settings

        return load_settings(settings).state_dir
    found = state_dir or Path()
    if not found.is_dir():
        raise InputError(f"--state-dir {found} is no directory")
    return found


@click.group(
    epilog=examples(
        "pdsno pki show",
        "pdsno pki export-root-key --to /media/usb/root.pem",
        "pdsno pki renew-authority --root-key /media/usb/root.pem",
    )
)
def pki() -> None:
    """Certificates of a controller, and the root key that should not stay on its machine."""


@pki.command(
    epilog=examples("pdsno pki show", "pdsno pki show --settings /etc/pdsno/settings.yml -o json")
)
@output_option
@state_options
def show(output: OutputFormat, settings: Path | None, state_dir: Path | None) -> None:
    """List the certificates from the root down; fingerprints are SHA-256 of the DER form."""
    from dataclasses import asdict
    from datetime import UTC, datetime

    from pdsno.identity.pki.overview import overview

    directory = state_directory(settings, state_dir)
    rows = [asdict(view) for view in overview(directory, datetime.now(UTC))]
    render(rows, fmt=output, columns=_COLUMNS, title="Certificates")
    _tell_root_key(_vault(directory))


@pki.command(
    "export-root-key", epilog=examples("pdsno pki export-root-key --to /media/usb/root.pem")
)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    required=True,
    help="A new file, best on a medium that you take away.",
)
@state_options
def export_root_key(target: Path, settings: Path | None, state_dir: Path | None) -> None:
    """Move the root key off this machine: written, read back, then removed here.

    It is needed once a year, for `pdsno pki renew-authority`. Keep two copies: whoever has lost it
    has every controller join again. Disks may keep what was removed; a new machine does not.
    """
    vault = _vault(state_directory(settings, state_dir))
    vault.export_root_key(target)
    click.echo(f"the root key is in {target} now, and no longer in {vault.root_key_file}", err=True)


@pki.command(
    "renew-authority",
    epilog=examples("pdsno pki renew-authority --root-key /media/usb/root.pem"),
)
@click.option(
    "--root-key",
    type=click.Path(path_type=Path),
    help="The exported root key.  [default: the one in the state directory]",
)
@click.option(
    "--controller-id",
    default="global_cntl_1",
    show_default=True,
    help="Whose it is, if the one before is lost.",
)
@state_options
def renew_authority(
    root_key: Path | None, controller_id: str, settings: Path | None, state_dir: Path | None
) -> None:
    """Give the global controller a new issuing authority, signed by the root.

    It may be running: what it issues from now on is signed by the new one, and certificates
    issued before stay good.
    """
    from datetime import UTC, datetime

    vault = _vault(state_directory(settings, state_dir))
    authority = vault.renew_from_root(
        datetime.now(UTC), root_key_file=root_key, controller_id=controller_id
    )
    click.echo(
        f"the issuing authority of the global controller holds until "
        f"{authority.not_after:%Y-%m-%d %H:%M} UTC",
        err=True,
    )
    _tell_root_key(vault)


def _vault(directory: Path) -> "AuthorityVault":
    from pdsno.identity.pki.overview import AUTHORITY_FOLDER
    from pdsno.identity.pki.vault import AuthorityVault

    return AuthorityVault(directory / AUTHORITY_FOLDER)


def _tell_root_key(vault: "AuthorityVault") -> None:
    if vault.has_root_key:
        click.echo(
            f"warning: the root key is on this machine, in {vault.root_key_file}: whoever takes "
            "it can be any controller; move it off-line with pdsno pki export-root-key --to FILE",
            err=True,
        )
