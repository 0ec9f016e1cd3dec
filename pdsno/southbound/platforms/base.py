"""What a platform file declares, and the tools that its parser uses."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import normalise_mac
from pdsno.domain.observations import Facts
from pdsno.southbound.platforms.readings import Reading

MAX_TEXT = 255
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[@-_]")
_TIMESTAMP = re.compile(
    r"\A\s*Load for five secs: .*\n(?:(?:Time source is|No time source).*\n)?\n?"
)
"""Before every output of a Cisco with `terminal exec prompt timestamp`."""


@dataclass(kw_only=True, slots=True)
class Outputs:
    """What the commands of one session printed, read without trust.

    `problems` gathers what could not be read, by command; a command that the device does not
    know, or that was not sent, is no problem: it just tells nothing.
    """

    by_command: Mapping[str, str]
    is_unknown: Callable[[str], bool]
    problems: dict[str, str] = field(default_factory=dict)
    read: Callable[[str, str], Reading] | None = None
    """Reads a command's output instead of the platform's own reader: in a worker process."""

    def text(self, command: str) -> str | None:
        """Return what a command printed; None if the device does not know it."""
        output = self.printed(command)
        return None if output is None else output.strip()

    def printed(self, command: str) -> str | None:
        """Return the same with the blanks around it: in a table they may be columns."""
        output = self.by_command.get(command)
        if output is None:
            return None
        output = _TIMESTAMP.sub("", _ANSI.sub("", output).replace("\r", ""))
        return None if self.is_unknown(output.strip()) else output

    def json(self, command: str) -> Any:  # noqa: ANN401 - what a device prints has any shape
        """Return a command's JSON; None (and a problem) if it is none."""
        output = self.text(command)
        if output is None:
            return None
        try:
            return json.loads(output)
        except ValueError as error:
            self.problem(command, f"not JSON: {error}")
            return None

    def problem(self, command: str, reason: str) -> None:
        """Record that a command's output could not be read."""
        self.problems.setdefault(command, reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """One network operating system: what may be sent to it, and how its answers are read.

    `commands` is complete: nothing else is ever sent. `recognised_by` matches what the first
    detection command prints there. `unknown` matches what it prints for a command that it does
    not know. `parse` is pure, records what it could not read in `Outputs.problems`, and lets no
    output of a device raise anything but LookupError, TypeError, ValueError or AttributeError.
    `session_commands` are sent once after log-in (no paging, wide lines). `readers` read one
    command's output each, those of recordings that we do not send included; they run in worker
    processes. `announced_by` matches an SSH version line or sysDescr of the platform.
    `username_suffix` is what the platform takes after the user's name to set the terminal.
    """

    name: str
    summary: str
    netmiko_type: str
    commands: tuple[str, ...]
    recognised_by: re.Pattern[str]
    unknown: re.Pattern[str]
    parse: Callable[[Outputs, str, datetime], Facts]
    session_commands: tuple[str, ...] = ()
    readers: Mapping[str, Callable[[str], Reading]] = field(default_factory=dict)
    announced_by: re.Pattern[str] | None = None
    username_suffix: str = ""

    @property
    def readable(self) -> tuple[str, ...]:
        """Every command whose output is understood, the ones that are sent first."""
        return tuple(dict.fromkeys((*self.commands, *self.readers)))

    def outputs(
        self,
        by_command: Mapping[str, str],
        read: Callable[[str, str], Reading] | None = None,
    ) -> Outputs:
        """Wrap what a session printed."""
        return Outputs(
            by_command=by_command, is_unknown=lambda t: bool(self.unknown.search(t)), read=read
        )


def clean(value: object) -> str | None:
    """Return a device's text on one line, without control characters; None if empty."""
    if not isinstance(value, str):
        return None
    printable = "".join(char if char.isprintable() else " " for char in value[:MAX_TEXT])
    return " ".join(printable.split()) or None


def clean_mac(value: object) -> str | None:
    """Return a normalised MAC; None if it is none, or all zeros."""
    try:
        found = normalise_mac(value) if isinstance(value, str) else None
    except InputError:
        return None
    return None if found == "00:00:00:00:00:00" else found


def whole(value: object) -> int | None:
    """Return a positive whole number out of a JSON number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    return int(value)


def listed(value: object) -> list[dict[str, Any]]:
    """Return the objects of a JSON list; lldpcli and others write a single one without a list."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]
