"""Reading all pages of a list, where a rule needs the whole."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from pdsno.domain.ports import Page

PAGE = 1000
"""How many to ask for at a time."""

_T = TypeVar("_T")


def every(fetch: Callable[[str | None], Page[_T]]) -> Iterator[_T]:
    """Yield the items of all pages; `fetch` gets where to go on, None at first."""
    after: str | None = None
    while True:
        page = fetch(after)
        yield from page.items
        after = page.next_after
        if after is None:
            return
