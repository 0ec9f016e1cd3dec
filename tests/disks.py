"""Small disks of the tests' own, to be filled. Mounting needs root."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount an empty file system of a size (`16m`) over a folder."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def remount(disk: Path, options: str) -> None:
    """Change a mounted disk: `ro`, `rw`, `size=16m`."""
    subprocess.run(["mount", "-o", f"remount,{options}", disk], check=True)


@contextmanager
def filled(disk: Path, *, but_bytes: int) -> Iterator[None]:
    """Leave no more room than that on a disk, until somebody frees it again."""
    filler = disk / "somebody-elses.log"
    with filler.open("wb") as file:
        left = shutil.disk_usage(disk).free - but_bytes
        for start in range(0, left, 1 << 20):
            file.write(bytes(min(1 << 20, left - start)))
    try:
        yield
    finally:
        filler.unlink()
