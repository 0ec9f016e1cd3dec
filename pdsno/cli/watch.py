"""`pdsno nib watch`: what happens, as it happens."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pdsno.cli.api_access import ApiTarget, api_options, look_up_again
from pdsno.cli.interrupts import interrupts
from pdsno.cli.nib_client import NIBClient
from pdsno.cli.watch_lines import is_wanted, line_of
from pdsno.domain.errors import InputError, OperationError

Row = Mapping[str, Any]

_POLL_S = 1.0
_FIRST_WAIT_S = 0.5
_MOST_WAIT_S = 15.0
_REFUSALS = 5
"""How often in a row a server that came back may refuse us: its tokens are kept a moment later."""

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
    type=click.IntRange(min=0),
    metavar="SEQ",
    help="Begin after this event, 0: with the first.  [default: with the next one]",
)
@click.option(
    "--cursor-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep the number of the last event here, and begin after it when started again.",
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
    after: int | None,
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
    if len(patterns) == 1 and not set(patterns[0]) & set("*?["):
        filters["type"] = patterns[0].upper()
    place = _Place(seq=_kept(cursor_file) if after is None else after, file=cursor_file)
    with interrupts() as stop:
        for event in _Watch(api, filters, place).events():
            with stop.held():  # a line is written whole, and counted
                if is_wanted(event, patterns):
                    click.echo(_json_line(event) if output == "json" else line_of(event))
                place.pass_by(event)
    if place.seq is not None:
        click.echo(f"stopped; go on with --after {place.seq}", err=True)


def _json_line(event: Row) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


@dataclass(kw_only=True, slots=True)
class _Place:
    """How far we are: `seq` of the last event that was shown, or did not have to be."""

    seq: int | None
    file: Path | None = None

    def pass_by(self, event: Row) -> None:
        self.seq = int(event["seq"])
        self.keep()

    def keep(self) -> None:
        """Write it down. Raises OperationError."""
        if self.file is None or self.seq is None:
            return
        draft = self.file.with_name(f".{self.file.name}.new")
        try:
            draft.write_text(f"{self.seq}\n", encoding="ascii")
            draft.replace(self.file)
        except OSError as error:
            raise OperationError(f"cannot write {self.file}: {error.strerror}") from error


def _kept(file: Path | None) -> int | None:
    if file is None:
        return None
    try:
        text = file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the cursor file {file}: {error}") from error
    if not text.isdecimal():
        raise InputError(f"{file} holds no number of an event: correct or remove it")
    return int(text)


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

    def events(self) -> Iterator[Row]:
        """Yield events for ever; the consumer moves the place. Raises if it cannot begin."""
        while True:
            try:
                # `pdsno up` makes a new token at each start, and keeps it where ours came from.
                target = look_up_again(self.target) if self.has_begun else self.target
                with NIBClient(target) as client:
                    self._begin(client)
                    yield from self._follow(client)
            except OperationError as error:
                self._lose(error)
            except InputError as error:
                self.refusals += 1
                if self.refusals > _REFUSALS:
                    raise
                self._lose(error)
            self.sleep(self.wait_s)
            self.wait_s = min(self.wait_s * 2, _MOST_WAIT_S)

    def _lose(self, error: Exception) -> None:
        if not self.has_begun:
            raise error
        if self.lost_at is None:
            self.lost_at = time.monotonic()
            _note(f"{error}; trying again, Ctrl-C ends it")

    def _begin(self, client: NIBClient) -> None:
        """Find out where the log ends, and whether it is the one that we know."""
        newest = list(client.items("events", {"newest_first": "true"}, limit=1))
        last = int(newest[0]["seq"]) if newest else 0
        if self.place.seq is None:
            self.place.seq = last
            self.place.keep()
        elif last < self.place.seq:
            told = f"the newest event at {self.target.url} is {last}, not yet {self.place.seq}"
            if not self.has_begun:
                raise InputError(f"{told}: is it another NIB, or one restored from a backup?")
            _note(f"{told}: its NIB was restored or is another one; going on with what comes")
            self.place.seq = last
            self.place.keep()
        if self.lost_at is not None:
            away_s = time.monotonic() - self.lost_at
            _note(f"back after {away_s:.0f} s; going on after event {self.place.seq}")
        self.lost_at, self.has_begun, self.refusals = None, True, 0
        self.wait_s = _FIRST_WAIT_S

    def _follow(self, client: NIBClient) -> Iterator[Row]:
        while True:
            yield from client.items("events", {**self.filters, "after": str(self.place.seq)})
            self.sleep(_POLL_S)


def _note(text: str) -> None:
    click.echo(f"pdsno: {text}", err=True)
