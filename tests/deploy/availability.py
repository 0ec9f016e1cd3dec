"""Who was up when, from the lines of probes."""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

Samples = Sequence[tuple[float, bool]]


@contextmanager
def probes(urls: Mapping[str, str], folder: Path) -> Iterator[Mapping[str, Path]]:
    """Ask each host's URL, in the host's own namespace, until the end of the block."""
    files = {host: folder / f"{host}.probe" for host in urls}
    script = Path(__file__).with_name("probe.py")
    running = [
        subprocess.Popen(
            ["ip", "netns", "exec", f"clab-hosts-{host}", sys.executable, str(script), url,
             str(files[host])],
        )
        for host, url in urls.items()
    ]  # fmt: skip
    try:
        yield files
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=10)


def read(file: Path) -> Samples:
    lines = [line.split() for line in file.read_text().splitlines()]
    return [(float(at), up == "1") for at, up in (line for line in lines if len(line) == 2)]


def most_down(timelines: Mapping[str, Samples]) -> tuple[int, tuple[str, ...]]:
    """Return how many were down at one time at most, and who.

    Between two samples a host is what the first of them says. All must have been up at first.
    """
    state = dict.fromkeys(timelines, True)
    worst: tuple[str, ...] = ()
    moments = sorted((at, host, up) for host, samples in timelines.items() for at, up in samples)
    for _, host, up in moments:
        state[host] = up
        down = tuple(name for name, is_up in state.items() if not is_up)
        worst = max(worst, down, key=len)
    return len(worst), worst


def have_seen_all(files: Iterable[Path]) -> bool:
    """Tell whether each probe has seen its host up."""
    return all(file.exists() and any(up for _, up in read(file)) for file in files)


def was_down(samples: Samples) -> bool:
    return not all(up for _, up in samples)
