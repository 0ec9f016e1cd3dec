"""Times as people say them: `1h` ago, `2026-03-01`, `2026-03-01T12:00:00Z`."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from pdsno.domain.jsonable import jsonable

_Command = TypeVar("_Command", bound=Callable[..., Any])
_AGO = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Moment(click.ParamType[datetime]):
    """A time in the past; without a zone it is UTC."""

    name = "TIME"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the time, or fail with what is right."""
        if isinstance(value, datetime):
            return value
        text = str(value)
        try:
            return moment(text, now=datetime.now(UTC))
        except (ValueError, OverflowError):
            self.fail(
                f"{text!r} is no time: say how long ago (90s, 30m, 1h, 7d, 2w), or when "
                "(2026-03-01, 2026-03-01T12:00:00Z)",
                param,
                ctx,
            )


def as_of_option(command: _Command) -> _Command:
    """Add `--as-of`; the command receives `as_of` as the API takes it."""
    return click.option(
        "--as-of",
        type=Moment(),
        callback=lambda _ctx, _parameter, value: value and jsonable(value),
        help="As it was then: how long ago (1h, 7d), or when.",
    )(command)


def moment(text: str, *, now: datetime) -> datetime:
    """Return the time that a text names. Raises ValueError if it names none."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
