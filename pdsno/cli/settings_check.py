"""`pdsno settings`: check a settings file before a controller reads it."""

from pathlib import Path

import click

from pdsno.cli.options import examples

_EXAMPLES = examples(
    "pdsno settings check /etc/pdsno/settings.yml", "pdsno settings check /etc/pdsno/broker.yml"
)


@click.group(epilog=_EXAMPLES)
def settings() -> None:
    """Check a settings file before a controller reads it."""


@settings.command(epilog=_EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Read FILE as a controller, or the broker, would; exit 2 and one line if anything is wrong."""
    from pdsno.nib.password import read_password
    from pdsno.settings import BrokerNodeSettings, load_any_settings

    found = load_any_settings(file)
    region = f" of {found.region}" if found.region else ""
    if isinstance(found, BrokerNodeSettings):
        click.echo(f"{file}: sound settings for a broker{region}", err=True)
        return
    if found.nib is not None and found.nib.password_file is not None:
        read_password(found.nib.password_file)
    click.echo(f"{file}: sound settings for a {found.role.value} controller{region}", err=True)
