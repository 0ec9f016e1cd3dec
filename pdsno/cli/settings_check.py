"""`pdsno settings`: check a settings file before a controller reads it."""

from pathlib import Path

import click

from pdsno.cli.options import examples


@click.group(epilog=examples("pdsno settings check /etc/pdsno/settings.yml"))
def settings() -> None:
    """Check a settings file before a controller reads it."""


@settings.command(epilog=examples("pdsno settings check /etc/pdsno/settings.yml"))
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Read FILE as a controller would; exit 2 and one line if anything is wrong with it."""
    from pdsno.nib.password import read_password
    from pdsno.settings import load_settings

    found = load_settings(file)
    if found.nib is not None and found.nib.password_file is not None:
        read_password(found.nib.password_file)
    region = f" of {found.region}" if found.region else ""
    click.echo(f"{file}: sound settings for a {found.role.value} controller{region}", err=True)
