"""Tables of text whose columns stand beneath their headings. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence

_HEADING = re.compile(r"\S+(?: \S+)*")


def rows_under(text: str, first_heading: str) -> Iterator[Mapping[str, str]]:
    """Yield each line beneath the headings as values by heading, in lower case.

    A cell may be empty. Headings are two blanks or more apart.
    """
    lines = text.splitlines()
    top = next((i for i, line in enumerate(lines) if line.startswith(first_heading)), None)
    if top is None:
        return
    headings = list(_HEADING.finditer(lines[top]))
    starts = [match.start() for match in headings]
    names = [match[0].lower() for match in headings]
    for line in lines[top + 1 :]:
        if line.strip() and not line.startswith("--"):
            yield dict(zip(names, _cells(line, starts), strict=False))


def has_heading(text: str, first_heading: str) -> bool:
    """Tell whether there is such a table: one without rows is not the same as none."""
    return any(line.startswith(first_heading) for line in text.splitlines())


def _cells(line: str, starts: Sequence[int]) -> list[str]:
    """Cut at the columns, or where a value overflowed into the next, at blanks."""
    if any(0 < s < len(line) and line[s - 1] != " " for s in starts[1:]):
        return line.split(None, len(starts) - 1)
    ends = [*starts[1:], None]
    return [line[a:b].strip() for a, b in zip(starts, ends, strict=True)]
