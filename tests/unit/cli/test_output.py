import csv
import io
import json
from datetime import UTC, datetime
from enum import StrEnum

import click
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pdsno.cli.output import (
    OutputFormat,
    cell_text,
    csv_text,
    output_option,
    render,
    render_one,
    told_keys,
)

ROWS = [
    {"name": "spine1", "ips": ("10.1.0.1", "10.1.0.3"), "up": True, "mtu": 9500, "serial": None},
    {"name": "leaf1", "ips": (), "up": False, "mtu": 1500, "serial": "x", "note": 'a,"b"\nc'},
]


class Color(StrEnum):
    RED = "red"


def shown(capsys: pytest.CaptureFixture[str], fmt: OutputFormat, **options: object) -> str:
    render(ROWS, fmt=fmt, **options)  # type: ignore[arg-type]
    return capsys.readouterr().out


def test_json_is_a_list_of_whole_rows(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(shown(capsys, OutputFormat.JSON, columns=["name"]))
    assert rows[0] == {**ROWS[0], "ips": ["10.1.0.1", "10.1.0.3"]}
    assert rows[1]["note"] == 'a,"b"\nc'


def test_yaml_says_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    as_json = json.loads(shown(capsys, OutputFormat.JSON))
    assert yaml.safe_load(shown(capsys, OutputFormat.YAML)) == as_json


def test_csv_has_chosen_columns_first_and_loses_none(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, OutputFormat.CSV, columns=["mtu", "name"])
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(rows[0]) == ["mtu", "name", "ips", "up", "serial", "note"]
    assert rows[0]["up"] == "true"
    assert json.loads(rows[0]["ips"]) == ["10.1.0.1", "10.1.0.3"]
    assert rows[0]["serial"] == ""
    assert rows[1]["note"] == 'a,"b"\nc'


def test_csv_lines_end_as_rfc_4180_says(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    render([{"a": 1}], fmt=OutputFormat.CSV)
    assert capsysbinary.readouterr().out == b"a\r\n1\r\n"


def test_csv_without_rows_still_has_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    render([], fmt=OutputFormat.CSV, columns=["device_id", "name"])
    assert capsys.readouterr().out.strip() == "device_id,name"


def test_an_empty_list_is_valid_in_every_machine_format(
    capsys: pytest.CaptureFixture[str],
) -> None:
    render([], fmt=OutputFormat.JSON)
    assert json.loads(capsys.readouterr().out) == []
    render([], fmt=OutputFormat.YAML)
    assert yaml.safe_load(capsys.readouterr().out) == []


def test_a_piped_table_keeps_one_line_per_row_and_cuts_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = "x" * 5000
    render([{"name": "r1", "description": long}], fmt=OutputFormat.TABLE)
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["NAME", "DESCRIPTION"]
    assert row.split() == ["r1", long]


def test_a_table_shows_the_chosen_columns_only(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, OutputFormat.TABLE, columns=["mtu", "name"], title="Devices")
    assert text.splitlines()[0].split() == ["MTU", "NAME"]
    assert "10.1.0.1" not in text
    assert "Devices" not in text


def test_a_piped_table_has_no_colour(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in shown(capsys, OutputFormat.TABLE)


def test_a_device_name_cannot_steer_the_terminal_or_the_markup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    render([{"name": "\x1b]0;owned\x07[red]r1[/red]\r\n"}], fmt=OutputFormat.TABLE)
    assert capsys.readouterr().out.splitlines()[1] == r"\x1b]0;owned\x07[red]r1[/red]\r\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (0, "0"),
        (["a", "b"], "a, b"),
        ([], ""),
        ({"a": None}, '{"a": null}'),
        ([{"a": 1}], '[{"a": 1}]'),
        ("ünï", "ünï"),
    ],
)
def test_a_cell_reads_well(value: object, text: str) -> None:
    assert cell_text(value) == text


@pytest.mark.attack(49)
@given(st.text())
def test_no_cell_holds_a_control_character(text: str) -> None:
    assert all(char.isprintable() for char in cell_text(text))


@pytest.mark.attack(49)
@given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=2)))
def test_any_text_survives_csv(rows: list[list[str]]) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows([csv_text(v) for v in row] for row in rows)
    assert list(csv.reader(io.StringIO(buffer.getvalue(), newline=""))) == rows


def test_on_a_terminal_addresses_and_macs_stay_whole_and_long_texts_fold(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    row = {"ip": "192.0.2.250", "mac": "02:00:5e:00:53:01", "name": "n" * 15, "empty": None}
    rows = [{**row, "outcome": "answered ICMP; SNMP timeout; SSH refused " * 3}]
    assert told_keys(rows) == ["ip", "mac", "name", "outcome"]
    render(rows, fmt=OutputFormat.TABLE, columns=told_keys(rows))
    shown = click.unstyle(capsys.readouterr().out)
    for whole in ("192.0.2.250", "02:00:5e:00:53:01", "n" * 15):
        assert whole in shown
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert shown.count("refused") == 3


def test_one_thing_is_an_object_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    item = {"at": datetime(2026, 1, 2, tzinfo=UTC), "color": Color.RED}
    render_one(item, fmt=OutputFormat.JSON)
    assert json.loads(capsys.readouterr().out) == {"at": "2026-01-02T00:00:00Z", "color": "red"}


def test_one_thing_is_a_line_per_field_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    render_one({"name": "r1", "serial": None}, fmt=OutputFormat.TABLE)
    assert capsys.readouterr().out.splitlines() == ["name    r1", "serial"]


def test_the_output_option_gives_a_format_and_defaults_to_a_table() -> None:
    @click.command
    @output_option
    def listing(output: OutputFormat) -> None:
        click.echo(repr(output))

    runner = CliRunner()
    assert "TABLE" in runner.invoke(listing, []).output
    assert "YAML" in runner.invoke(listing, ["-o", "yaml"]).output
    assert runner.invoke(listing, ["-o", "xml"]).exit_code == 2
