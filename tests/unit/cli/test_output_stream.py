"""Long lists are written as they come, and look as if they had been written at once."""

import csv
import io
import json
from collections.abc import Iterator

import pytest
import yaml

from pdsno.cli import output, progress
from pdsno.cli.output import OutputFormat, render, render_stream

ROWS: list[dict[str, object]] = [
    {"name": "a\u2028b", "ips": ["10.0.0.1"], "n": None},
    {"name": 'x"\n  y', "ips": [], "n": 2},
    {"name": "löwe", "ips": ["::1", "10.0.0.2"], "n": 3},
]


@pytest.mark.parametrize("fmt", [OutputFormat.JSON, OutputFormat.YAML, OutputFormat.CSV])
@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_stream_looks_like_a_list_written_at_once(
    fmt: OutputFormat,
    number: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(output, "_PART", 1)
    render_stream(iter(ROWS[:number]), fmt=fmt, columns=("n",))
    streamed = capsys.readouterr().out
    render(ROWS[:number], fmt=fmt, columns=("n",))
    assert streamed == capsys.readouterr().out


def test_what_was_streamed_is_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    render_stream(iter(ROWS), fmt=OutputFormat.JSON)
    assert json.loads(capsys.readouterr().out) == ROWS
    render_stream(iter(ROWS), fmt=OutputFormat.YAML)
    assert yaml.safe_load(capsys.readouterr().out) == ROWS
    render_stream(iter(ROWS), fmt=OutputFormat.CSV)
    told = csv.DictReader(io.StringIO(capsys.readouterr().out, newline=""))
    assert [row["name"] for row in told] == [row["name"] for row in ROWS]


def test_items_are_written_before_the_last_has_come(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "_PART", 1)
    written: list[str] = []

    def rows() -> Iterator[dict[str, object]]:
        for row in ROWS:
            written.append(capsys.readouterr().out)
            yield row

    render_stream(rows(), fmt=OutputFormat.JSON)
    assert "10.0.0.1" in "".join(written)


def test_progress_is_shown_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(list(progress.counted(range(3000), "devices", writes=True))) == 3000
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert len(list(progress.counted(range(3000), "devices", writes=True))) == 3000
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "3,000 devices" in captured.err
    assert len(list(progress.counted(range(10), "devices", writes=True))) == 10
    assert capsys.readouterr() == ("", "")
