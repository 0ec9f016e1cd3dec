"""The process behind `ParserPool`: gets (platform, command, text), answers with a Reading.

Ends when its parent is gone. Run as `python -m pdsno.southbound.parsing_worker FD`.
"""

import resource
import signal
import sys
from multiprocessing.connection import Connection

from pdsno.southbound.platforms import platform_named
from pdsno.southbound.platforms.readings import Reading

_MAX_MEMORY_BYTES = 1 << 30
_ALARM_S = 10
"""Ends a worker whose parent died while it was busy; longer than the parent's patience."""
_MAX_REASON = 300


def answer(platform: str, command: str, text: str) -> Reading | str:
    """Return the reading, or in words why there is none."""
    try:
        return platform_named(platform).readers[command](text)
    except MemoryError:
        return "needs too much memory"
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        return (" ".join(str(error).split()) or type(error).__name__)[:_MAX_REASON]


def main(descriptor: int) -> None:
    """Serve until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Connection(descriptor) as connection:
        connection.send("ready")
        while True:
            try:
                platform, command, text = connection.recv()
            except (EOFError, OSError):
                return
            signal.alarm(_ALARM_S)
            connection.send(answer(platform, command, text))
            signal.alarm(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
