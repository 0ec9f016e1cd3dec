"""How long an operator waits before anything happens."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

PDSNO = Path(sys.executable).parent / "pdsno"


@pytest.mark.parametrize("args", [["--help"], ["--version"]], ids=" ".join)
def test_pdsno_answers_in_under_300_ms(args: list[str]) -> None:
    times_ms = []
    for _ in range(10):
        started = time.perf_counter()
        subprocess.run([PDSNO, *args], check=True, capture_output=True)
        times_ms.append((time.perf_counter() - started) * 1000)
    print(f"\npdsno {' '.join(args)}: median {statistics.median(times_ms):.0f} ms")
    assert statistics.median(times_ms) < 300
