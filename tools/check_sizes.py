"""Fail if a module outgrew the room it was given (docs/contributing.md): 400 lines."""

import sys
from pathlib import Path

MAX_LINES = 400
ROOT = Path(__file__).resolve().parent.parent


def oversized(folder: Path) -> list[tuple[Path, int]]:
    """Return each Python file under `folder` longer than MAX_LINES, with its length."""
    lengths = ((path, len(path.read_text().splitlines())) for path in folder.rglob("*.py"))
    return sorted((path, lines) for path, lines in lengths if lines > MAX_LINES)


def main() -> int:
    """Print the offenders; return the exit code."""
    found = [entry for name in ("pdsno", "tests", "tools") for entry in oversized(ROOT / name)]
    for path, lines in found:
        print(f"{path.relative_to(ROOT)}: {lines} lines, at most {MAX_LINES}: split it")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
