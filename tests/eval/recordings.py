"""The recordings of `snmpsim-data`: unpacked for the simulator, and read raw for the truth."""

import bz2
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MAX_ROWS_PER_TABLE = 3000
_TABLE_ARCS = 11
# What the evaluation counts is served whole; the rest of a recording (up to 3 million rows of
# routes, sessions, stations) is cut table by table, or the simulator would index for hours.
_WHOLE = (
    "1.3.6.1.2.1.1.",
    "1.3.6.1.2.1.2.",
    "1.3.6.1.2.1.31.",
    "1.3.6.1.2.1.47.",
    "1.0.8802.",
    "1.3.6.1.4.1.9.9.23.",
)


@dataclass(slots=True)
class Recording:
    """One recorded device: raw cells by numeric OID, in the order of the file."""

    name: str
    cells: dict[str, bytes] = field(default_factory=dict)

    def column(self, oid: str) -> dict[str, bytes]:
        """Return the cells beneath a column by index."""
        prefix = f"{oid}."
        return {k[len(prefix) :]: v for k, v in self.cells.items() if k.startswith(prefix)}

    def text(self, oid: str) -> str:
        """Return one cell as text, empty if it is not there."""
        return self.cells.get(oid, b"").decode("utf-8", errors="replace").strip()


def unpack(source: Path, target: Path) -> list[str]:
    """Write each recording of `source` to `target`, large tables cut; return their names."""
    names = []
    for path in sorted([*source.rglob("*.snmprec"), *source.rglob("*.snmprec.bz2")]):
        name = str(path.relative_to(source)).removesuffix(".bz2").removesuffix(".snmprec")
        names.append(name)
        served = target / f"{name}.snmprec"
        if not served.exists():
            served.parent.mkdir(parents=True, exist_ok=True)
            partial = served.with_suffix(".partial")
            with partial.open("wb") as out:
                out.writelines(_cut(path))
            partial.rename(served)
    return names


def _cut(path: Path) -> Iterator[bytes]:
    rows: Counter[tuple[str, ...]] = Counter()
    with bz2.open(path, "rb") if path.suffix == ".bz2" else path.open("rb") as lines:
        for line in lines:
            oid = line.partition(b"|")[0].decode("ascii", errors="replace")
            table = tuple(oid.split(".", _TABLE_ARCS)[:_TABLE_ARCS])
            rows[table] += 1
            if rows[table] <= MAX_ROWS_PER_TABLE or oid.startswith(_WHOLE):
                yield line


def read(served: Path, name: str) -> Recording:
    """Read a served recording by the rules of the format: `OID|TAG|VALUE`."""
    recording = Recording(name)
    with (served / f"{name}.snmprec").open("rb") as lines:
        for line in lines:
            parts = line.rstrip(b"\r\n").split(b"|", 2)
            if len(parts) == 3:
                oid, tag, value = parts
                recording.cells[oid.decode("ascii", errors="replace")] = _value(tag, value)
    return recording


def _value(tag: bytes, value: bytes) -> bytes:
    if tag.endswith(b"x"):
        try:
            return bytes.fromhex(value.decode("ascii"))
        except ValueError:
            return value
    return value
