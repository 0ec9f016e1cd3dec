"""How a rule cuts facts out of sysObjectID and sysDescr.

A rule fits when the sysObjectID is
beneath one of `oids` (the part after `enterprises`; none: any) and `descr` is found in sysDescr
(none: always). Named groups of `descr` and `more` are cut out: `version`, `release` (shown in
parentheses after the version), `kernel` (the version if nothing better is told), `model`,
`hint` (the model if no MIB tells a better one), `guess` (the last resort), `serial`.
"""

import re
from dataclasses import dataclass, field

from pdsno.domain.entities import DeviceType


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to recognise a make; `vendor` None leaves the name to the enterprise number."""

    vendor: str | None
    platform: str | None
    oids: tuple[str, ...] = ()
    descr: re.Pattern[str] | None = None
    more: tuple[re.Pattern[str], ...] = field(default=())
    kind: DeviceType | None = None


def rule(
    vendor: str | None,
    platform: str | None,
    descr: str = "",
    *,
    oids: str = "",
    more: tuple[str, ...] = (),
    kind: DeviceType | None = None,
) -> Rule:
    """Return a rule; `oids` are separated by spaces, patterns are as `re` has them."""
    return Rule(
        vendor,
        platform,
        tuple(f"{oid}." for oid in oids.split()),
        re.compile(descr) if descr else None,
        tuple(re.compile(item) for item in more),
        kind,
    )


_WORD = r"(?:version|ver|rev(?:ision)?|rel(?:ease)?)"
_DOTTED = r"v?(?P<version>\d+(?:\.\w+)+[^\s,;]*)"
_GENERIC = (
    rf"(?i)\b(?:software|firmware|system|os|sw|fw)[ -]*{_WORD}?\.?\s*[:=]?\s*{_DOTTED}",
    rf"(?i)\b{_WORD}\.?\s*[:=]?\s*(?P<version>v?\d+[^\s,;]*)",
    r"(?:^|[\s_-])(?P<version>[vV]\d+(?:\.\w+)+[^\s,;]*)",
    # Bare, of three parts at least; four plain numbers may be an address.
    r"(?:^|\s)(?!\d+\.\d+\.\d+\.\d+\b)(?P<version>\d+\.\d+(?:\.\w+|\(\w+\))+[^\s,;]*)",
    r"\bRel(?:ease)?[. :]\s*(?P<version>[A-Z]+\.\d+(?:\.\w+)+)",
    r"(?i)\bbuild[ :]*(?P<version>\d+(?:\.\w+)+[^\s,;]*)",
)
GENERIC_VERSION = tuple(re.compile(pattern) for pattern in _GENERIC)
"""What looks like a version in free text, the surest first."""
LEADING_VERSION = re.compile(r"(?P<version>[vV]?\d+(?:\.\w+)+[^\s,;]*)[\s,;]")
"""A version at the head of what a version's own object says: `3.7.6.24444 2018-07-19 15:13:12`."""
GENERIC_SERIAL = re.compile(
    r"(?i)\b(?:serial(?: number| no\.?)?|s/n|sn)\s*[:=# ]\s*(?P<serial>[A-Z0-9-]{6,})\b"
)
