"""How far long work has come: on stderr, and only if a person sits before it."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

_Item = TypeVar("_Item")
_STEP = 1000


def counted(items: Iterable[_Item], what: str, *, writes: bool) -> Iterator[_Item]:
    """Yield the items; meanwhile a line counts them, once there are many.

    `writes`: they are written to stdout as they come; if that is the terminal, they are the
    progress that one sees.
    """
    if not sys.stderr.isatty() or (writes and sys.stdout.isatty()):
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,} {task.description}"))
    bar = Progress(
        *columns,
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,
    )
    task = None
    try:
        for number, item in enumerate(items, 1):
            if number % _STEP == 0:
                if task is None:
                    bar.start()
                    task = bar.add_task(what, total=None)
                bar.update(task, completed=number, refresh=True)
            yield item
    finally:
        if task is not None:
            bar.stop()
