"""A platform that is a list of commands with a reader for each: all but Linux and FRR."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pdsno.domain.entities import DeviceType
from pdsno.domain.observations import Facts
from pdsno.southbound.platforms.base import Outputs, Platform
from pdsno.southbound.platforms.readings import Reading, facts_of
from pdsno.southbound.platforms.templates import Reader, certain

_DENIED = re.compile(
    r"\A\W{0,80}(?:error:\s*)?(?:(?:command )?authorization (?:has )?(?:failed|denied)"
    r"|permission denied|not authorized|not enough (?:permissions|privileges?)|access denied"
    r"|.{0,60}(?:not have|insufficient) (?:the |enough )?(?:permission|privilege))",
    re.IGNORECASE,
)


def is_denied(output: str) -> bool:
    """Tell whether a device says that AAA does not let this user run a command."""
    return _DENIED.search(output) is not None


_UNKNOWN = (
    r"\A\s*(?:\^\s*)?%\s*(?:Invalid|Incomplete|Unknown|Ambiguous|Unrecognized|Unavailable|Bad)"
    r"|\A(?:.*\n)?\s*\^\s*\n\s*(?:%|Error:|unknown command|syntax error)"
    r"|\A(?:Invalid input|Invalid command|Unknown command|unknown command|syntax error|"
    r"bad command name|expected end of command|Error: (?:Unrecognized|Incomplete|Wrong|Too many))"
    r"|\A%\s*(?:LLDP|CDP) is not enabled|\A(?:LLDP|CDP) is not (?:enabled|running)"
)


_NEVER_EMPTY = re.compile(
    r"(?:show|display) (?:version|interfaces?)|/interface print detail.*|/system resource print"
)
"""Every device has a version and an interface."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reads:
    """What a platform says of itself besides its commands."""

    vendor: str | None
    device_type: DeviceType = DeviceType.UNKNOWN


def network_os(  # noqa: PLR0913 - a declaration, all of it by keyword
    *,
    name: str,
    summary: str,
    netmiko_type: str,
    reads: Reads,
    sends: Mapping[str, Reader],
    recordings: Mapping[str, Reader],
    session_commands: tuple[str, ...],
    recognised_by: str,
    announced_by: str | None = None,
    username_suffix: str = "",
) -> Platform:
    """Build a platform. `sends` is complete; `recordings` are only understood, never sent."""
    readers = {**sends, **recordings}
    readers |= {c: certain(read) for c, read in readers.items() if _NEVER_EMPTY.fullmatch(c)}

    def parse(outputs: Outputs, address: str, at: datetime) -> Facts:
        found = [_reading(outputs, command, readers) for command in sends]
        return facts_of(
            [reading for reading in found if reading is not None],
            address=address,
            at=at,
            platform=name,
            vendor=reads.vendor,
            device_type=reads.device_type,
        )

    return Platform(
        name=name,
        summary=summary,
        netmiko_type=netmiko_type,
        commands=tuple(sends),
        recognised_by=re.compile(recognised_by),
        unknown=re.compile(f"{_UNKNOWN}|(?i:{_DENIED.pattern})"),
        parse=parse,
        session_commands=session_commands,
        readers=readers,
        announced_by=re.compile(announced_by) if announced_by else None,
        username_suffix=username_suffix,
    )


def _reading(outputs: Outputs, command: str, readers: Mapping[str, Reader]) -> Reading | None:
    text = outputs.printed(command)
    if not text or not text.strip():
        return None
    try:
        read = outputs.read
        reading = readers[command](text) if read is None else read(command, text)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        outputs.problem(command, " ".join(str(error).split()) or type(error).__name__)
        return None
    if reading.problem:
        outputs.problem(command, reading.problem)
    return reading
