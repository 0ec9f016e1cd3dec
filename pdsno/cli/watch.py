"""`pdsno nib watch`: what happens, as it happens."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pdsno.cli.api_access import ApiTarget, api_options, look_up_again
from pdsno.cli.event_stream import END, Told
from pdsno.cli.event_stream import told as stream
from pdsno.cli.interrupts import interrupts
from pdsno.cli.nib_client import GoneError, NIBClient
from pdsno.cli.watch_lines import is_wanted, line_of
from pdsno.domain.errors import InputError, OperationError, TransientError

Row = Mapping[str, Any]

_FIRST_WAIT_S = 0.5
_MOST_WAIT_S = 15.0
_REFUSALS = 5
"""How often in a row an API that came back may refuse us: its tokens are kept a moment later."""

_ORDINARY_ENDS = {"TIME"}
"""Every stream ends after a while: that is no news."""
_CURSOR = re.compile(r"[0-9]{1,19}(-[0-9a-f]{8})?", re.ASCII)

_EPILOG = """\b
Examples:
  pdsno nib watch
  pdsno nib watch --type 'DEVICE_*' --type LINK_GONE --region zone-A
  pdsno nib watch --after 1200                     what came after event 1200, then live
  pdsno nib watch -o json --cursor-file seen | logger -t pdsno

Ctrl-C ends it, exit code 0, and says with which --after to go on."""


@click.command(epilog=_EPILOG, context_settings={"max_content_width": 100})
@click.option(
    "--type",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="Only events of this type; * stands for any text; may be repeated.",
)
@click.option("--region", metavar="TEXT", help="Of this region.")
@click.option("--subject", metavar="TEXT", help="About this device, controller or link (its ID).")
@click.option(
    "--after",
    metavar="CURSOR",
    help="Begin behind this event, by its seq or the cursor that an earlier watch named; 0: with "
    "the first that is kept.  [default: with the next one]",
)
@click.option(
    "--cursor-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep the place here, and begin there when started again.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A line for people, or a JSON object a line.",
)
@api_options
def watch(
    *,
    patterns: tuple[str, ...],
    region: str | None,
    subject: str | None,
    after: str | None,
    cursor_file: Path | None,
    output: str,
    api: ApiTarget,
) -> None:
    """Show events as they happen, one line each.

    The API may restart meanwhile: it waits for it, says so, and goes on after the last event
    shown; none is lost and none comes twice.
    """
    if after is not None and cursor_file is not None:
        raise click.UsageError("--after and --cursor-file exclude each other")
    asked = {"region": region, "subject": subject}
    filters = {name: value for name, value in asked.items() if value is not None}
    if len(patterns) == 1:
        filters["type"] = patterns[0].upper()
    place = _Place(cursor=_kept(cursor_file) if after is None else after, file=cursor_file)
    with interrupts() as stop:
        for told in _Watch(api, filters, place).events():
            with stop.held():  # a line is written whole, and counted
                if told.data is not None and is_wanted(told.data, patterns):
                    click.echo(_json_line(told.data) if output == "json" else line_of(told.data))
                place.move(told.cursor)
    if place.cursor is not None:
        click.echo(f"stopped; go on with --after {place.cursor}", err=True)


def _json_line(event: Row) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


@dataclass(kw_only=True, slots=True)
class _Place:
    """Behind which event we are: what is before was shown, or did not have to be."""

    cursor: str | None
    file: Path | None = None

    def move(self, cursor: str) -> None:
        """Go on, and write it down. Raises OperationError."""
        if cursor in {"", self.cursor}:
            return
        self.cursor = cursor
        if self.file is None:
            return
        draft = self.file.with_name(f".{self.file.name}.new")
        try:
            draft.write_text(f"{cursor}\n", encoding="ascii")
            draft.replace(self.file)
        except OSError as error:
            raise OperationError(f"cannot write {self.file}: {error.strerror}") from error


def _kept(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        text = file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the cursor file {file}: {error}") from error
    if not _CURSOR.fullmatch(text):
        raise InputError(f"{file} holds no cursor of an event stream: correct or remove it")
    return text


@dataclass(slots=True)
class _Watch:
    """Follows an event log across restarts of its API."""

    target: ApiTarget
    filters: Mapping[str, str]
    place: _Place
    sleep: Callable[[float], object] = time.sleep
    lost_at: float | None = None
    has_begun: bool = False
    refusals: int = 0
    wait_s: float = _FIRST_WAIT_S

    def events(self) -> Iterator[Told]:
        """Yield what is told, for ever; the consumer moves the place. Raises if it cannot begin."""
        while True:
            try:
                # `pdsno up` makes a new token at each start, and keeps it where ours came from.
                target = look_up_again(self.target) if self.has_begun else self.target
                with NIBClient(target) as client:
                    yield from self._follow(client)
            except GoneError as error:
                if not self.has_begun:
                    raise
                _note(f"{error}; going on with what comes")
                self.place.cursor = None
            except OperationError as error:
                self._lose(error)
            except InputError as error:
                self.refusals += 1
                if self.refusals > _REFUSALS:
                    raise
                self._lose(error)
            self.sleep(self.wait_s)
            self.wait_s = min(self.wait_s * 2, _MOST_WAIT_S)

    def _follow(self, client: NIBClient) -> Iterator[Told]:
        """Yield events of one stream until it ends."""
        for told in stream(client, self.filters, self.place.cursor):
            self._have()
            if told.name == END and told.data is not None:
                if told.data.get("reason") not in _ORDINARY_ENDS:
                    raise TransientError(
                        f"the API at {self.target.url} ended the stream: {told.data.get('detail')}"
                    )
                return
            yield told

    def _lose(self, error: Exception) -> None:
        if not self.has_begun:
            raise error
        if self.lost_at is None:
            self.lost_at = time.monotonic()
            _note(f"{error}; trying again, Ctrl-C ends it")

    def _have(self) -> None:
        """Remember that the API tells us something."""
        if self.lost_at is not None:
            away_s = time.monotonic() - self.lost_at
            _note(f"back after {away_s:.0f} s; going on behind {self.place.cursor or 'its end'}")
        self.lost_at, self.has_begun, self.refusals = None, True, 0
        self.wait_s = _FIRST_WAIT_S


def _note(text: str) -> None:
    click.echo(f"pdsno: {text}", err=True)
