"""`pdsno nib check|backup|restore|prune`: look after a NIB where it is kept, without its API."""

import getpass
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pdsno.cli.output import OutputFormat, output_option, render, render_one
from pdsno.domain.errors import InputError

if TYPE_CHECKING:
    from pdsno.nib.care import NIBPlace

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_AGE = re.compile(r"(\d{1,5})([hdw])")
_FILE = click.Path(path_type=Path)


def place_options(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Add what says which NIB; the command receives a NIBPlace."""

    @wraps(command)
    def call(
        *, nib: str | None, settings: Path | None, password_file: Path | None, **own: object
    ) -> int | None:
        return command(place=_place(nib, settings, password_file), **own)

    options = (
        click.option(
            "--nib", metavar="PATH|URL", help="A NIB's file, or its URL without a password."
        ),
        click.option(
            "--settings", type=_FILE, help="The settings file of the controller that it is of."
        ),
        click.option(
            "--password-file", type=_FILE, help="Holds the password for the URL, mode 0600."
        ),
    )
    for option in reversed(options):
        call = option(call)
    return call


def _place(nib: str | None, settings: Path | None, password_file: Path | None) -> "NIBPlace":
    from pdsno.nib.care import NIBPlace
    from pdsno.nib.place import MEMORY, check_place, has_password
    from pdsno.node.compose import nib_place
    from pdsno.settings import load_settings

    if (nib is None) is (settings is None):
        raise click.UsageError(
            "say which NIB, with one of --settings /etc/pdsno/settings.yml and "
            "--nib /var/lib/pdsno/nib.sqlite"
        )
    if settings is not None:
        if password_file is not None:
            raise click.UsageError("--password-file goes with --nib: the settings name theirs")
        found = load_settings(settings)
        kept = nib_place(found.state_dir, found.nib)
        return NIBPlace(url=kept.url, password_file=kept.password_file)
    place = str(nib)
    if place in MEMORY:
        raise InputError("a NIB in memory is gone with its process: there is nothing to look after")
    check_place(place)
    if has_password(place):
        raise InputError(
            "every user of this machine can read the password in the URL: leave it out and give "
            "--password-file FILE"
        )
    return NIBPlace(url=place, password_file=password_file)


def _actor() -> str:
    try:
        return f"pdsno nib ({getpass.getuser()})"
    except (KeyError, OSError):
        return "pdsno nib"


@click.command(
    epilog="""\b
Examples:
  pdsno nib check --settings /etc/pdsno/settings.yml
  pdsno nib check --nib backup.sqlite -o json
"""
)
@place_options
@output_option
def check(place: "NIBPlace", output: OutputFormat) -> int:
    """Read all of a NIB: damage, rows that hang on nothing, the chain of events.

    The controller may run meanwhile. Exit 1 and a line for each fault if anything is wrong.
    """
    from pdsno.nib.care import open_existing
    from pdsno.nib.check import faults

    with open_existing(place) as nib:
        found = faults(nib)
        if not found:
            counts = nib.counts()
            newest = nib.events(limit=1, newest_first=True)
            click.echo(
                f"sound: {sum(counts.devices.values())} devices, {counts.endpoints} endpoints, "
                f"events up to {newest[0].seq if newest else 0}",
                err=True,
            )
    if found or output is not OutputFormat.TABLE:
        rows = [{"fault": line} for line in found]
        render(rows, fmt=output, columns=("fault",), title="Faults")
    return 1 if found else 0


@click.command(
    epilog="""\b
Example:
  pdsno nib backup --settings /etc/pdsno/settings.yml /backup/nib-monday.sqlite
"""
)
@click.argument("file", type=_FILE)
@place_options
def backup(place: "NIBPlace", file: Path) -> None:
    """Write one committed state of a NIB to FILE, also while its controller runs.

    FILE is a NIB in SQLite, whatever the NIB itself is kept in. It holds no keys: those are in
    the controller's state directory.
    """
    from pdsno.nib.care import back_up

    back_up(place, file)
    click.echo(f"{file}: {file.stat().st_size:,} bytes; see pdsno nib check --nib {file}", err=True)


@click.command(
    epilog="""\b
Examples:
  pdsno nib restore --settings /etc/pdsno/settings.yml /backup/nib-monday.sqlite
  pdsno nib restore --nib postgresql+psycopg://pdsno@db/pdsno /var/lib/pdsno/nib.sqlite
"""
)
@click.argument("file", type=_FILE)
@place_options
def restore(place: "NIBPlace", file: Path) -> None:
    """Put the backup FILE in the place of a NIB; its controller must be stopped.

    FILE is checked first, and may be of an older release. It is also the way from a file to
    PostgreSQL and back. The controller then sends a snapshot to the one above.
    """
    from pdsno.nib.restoring import restore as put_back

    aside = put_back(place, file, now=datetime.now(UTC), actor=_actor())
    click.echo(f"restored from {file}", err=True)
    if aside is not None:
        click.echo(f"the NIB of before is {aside}: delete it when all is well", err=True)


@click.command(
    epilog="""\b
Examples:
  pdsno nib prune --settings /etc/pdsno/settings.yml --older-than 90d --dry-run
  pdsno nib prune --nib /var/lib/pdsno/nib.sqlite --older-than 52w
"""
)
@click.option("--older-than", metavar="AGE", required=True, help="As 90d; h, d or w.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@place_options
@output_option
def prune(place: "NIBPlace", older_than: str, output: OutputFormat, *, dry_run: bool) -> None:
    """Remove old events from the beginning of the log, and the history of fields before then.

    What stays of the log can still be verified; pictures of the past reach as far back as the
    history. The controller may run meanwhile.
    """
    from pdsno.nib.care import open_existing, prunable
    from pdsno.nib.care import prune as forget

    now = datetime.now(UTC)
    before = now - _age(older_than)
    with open_existing(place) as nib:
        done = (
            prunable(nib, before=before)
            if dry_run
            else forget(nib, before=before, now=now, actor=_actor())
        )
    row = {
        "events": done.events,
        "through_seq": done.through_seq,
        "history": done.history,
        "dry_run": dry_run,
    }
    render_one(row, fmt=output, title="Would be removed" if dry_run else "Removed")


def _age(text: str) -> timedelta:
    found = _AGE.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise click.UsageError(f"--older-than {text!r} is no age: write it as 90d, 12h or 52w")
    return int(found[1]) * _UNITS[found[2]]


COMMANDS = (check, backup, restore, prune)
