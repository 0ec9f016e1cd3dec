import csv
import io
import json
from pathlib import Path

import pytest

from pdsno.cli.main import main
from pdsno.southbound.platforms import PLATFORMS

FIXTURES = Path(__file__).parent / "fixtures"
VERSION = str(FIXTURES / "cisco_ios" / "show_version.txt")


def test_a_recording_becomes_facts(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["parse", "--platform", "cisco_ios", "--command", "show version", VERSION]
    assert main([*arguments, "-o", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["name"], facts["serial"], facts["uptime_s"]) == ("acc-1", "TST0000A001", 1991100)
    assert facts["neighbors"] is None


@pytest.mark.parametrize(
    ("platform", "command", "named"),
    [("ciscoo", "show version", "cisco_ios"), ("cisco_ios", "reload", "'show version'")],
)
def test_what_is_not_known_is_wrong_usage_and_names_what_is(
    platform: str, command: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parse", "--platform", platform, "--command", command, VERSION]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert named in told.err
    assert told.err.count("\n") == 1


def test_an_output_that_cannot_be_read_is_one_line_and_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nonsense"
    path.write_text("nothing of the kind\n")
    assert main(["parse", "--platform", "cisco_ios", "--command", "show ip arp", str(path)]) == 1
    told = capsys.readouterr()
    assert told.err.startswith("pdsno: error: cisco_ios: 'show ip arp' cannot be read")


def test_the_list_of_commands_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["platform", "commands", "-o", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    listed = {(row["platform"], row["command"]) for row in rows}
    for platform in PLATFORMS:
        for command in (*platform.commands, *platform.session_commands, "show version"):
            assert (platform.name, command) in listed


def test_the_reference_names_every_command() -> None:
    path = Path(__file__).parents[3] / "docs" / "reference" / "platforms.md"
    lines = path.read_text("utf-8").splitlines()
    for platform in PLATFORMS:
        (line,) = (text for text in lines if text.startswith(f"| `{platform.name}` |"))
        for command in (*platform.commands, *platform.session_commands):
            assert f"`{command}`" in line, command
