import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

import pdsno
from pdsno.cli import main as main_module
from pdsno.cli.main import COMMANDS, Entry, load, main
from pdsno.domain.errors import InputError, OperationError, Refusal, RefusedError

Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs `pdsno [options] probe`, with `probe` doing what it is given."""

    def invoke(action: Callable[[], object], *options: str) -> int:
        command = click.Command("probe", callback=action)
        module = SimpleNamespace(command=command)
        monkeypatch.setitem(COMMANDS, "probe", Entry(target="probe_file:command", summary="-"))
        monkeypatch.setitem(sys.modules, "probe_file", module)
        return main([*options, "probe"])

    return invoke


def raiser(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (InputError("10.0.0/8 is no CIDR"), 2, "pdsno: error: 10.0.0/8 is no CIDR\n"),
        (OperationError("port 8001 is taken"), 1, "pdsno: error: port 8001 is taken\n"),
        (OperationError("two\nlines"), 1, "pdsno: error: two lines\n"),
        (
            RefusedError(Refusal.QUOTA_EXCEEDED, "zone-A has 3 of 3"),
            1,
            "pdsno: error: QUOTA_EXCEEDED: zone-A has 3 of 3\n",
        ),
        (KeyboardInterrupt(), 130, "pdsno: interrupted\n"),
        (click.UsageError("too much"), 2, "pdsno: error: too much (see pdsno probe --help)\n"),
        (click.ClickException("it broke"), 1, "pdsno: error: it broke\n"),
    ],
)
def test_an_error_is_one_line_on_stderr_and_an_exit_code(
    run: Run, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, text: str
) -> None:
    assert run(raiser(error)) == code
    captured = capsys.readouterr()
    assert captured.err.lstrip("\n") == text
    assert captured.out == ""


def test_an_unforeseen_error_is_called_a_bug_and_shows_no_traceback(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raiser(ZeroDivisionError("division by zero"))) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "ZeroDivisionError: division by zero" in error
    assert "this is a bug" in error
    assert "-v" in error


def test_verbose_shows_the_traceback_of_an_unforeseen_error(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raiser(ZeroDivisionError()), "-v") == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_missing_library_names_the_extra_that_brings_it(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raiser(ModuleNotFoundError("No module named 'scapy'", name="scapy.all"))) == 1
    assert "needs scapy" in (error := capsys.readouterr().err)
    assert "pdsno[local]" in error


@pytest.mark.parametrize(("value", "code"), [(None, 0), (0, 0), (1, 1), (2, 2)])
def test_what_a_command_returns_is_the_exit_code(run: Run, value: int | None, code: int) -> None:
    assert run(lambda: value) == code


def test_an_exit_asked_of_click_is_the_exit_code(run: Run) -> None:
    assert run(lambda: click.get_current_context().exit(1)) == 1


def test_a_broken_socket_is_not_taken_for_a_closed_stdout(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raiser(BrokenPipeError(32, "Broken pipe"))) == 1
    assert "a connection broke" in capsys.readouterr().err


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["discovr"]) == 2
    error = capsys.readouterr().err
    assert error == (
        "pdsno: error: there is no command 'discovr'; did you mean discover? (see pdsno --help)\n"
    )


def test_an_unknown_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--colour"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("pdsno: error: No such option")
    assert error.count("\n") == 1


def test_help_lists_every_command_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name, entry in COMMANDS.items():
        assert name in text
        assert entry.summary in text
    assert "pdsno demo --once" in text


def test_without_arguments_the_help_is_shown_as_wrong_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Usage: pdsno" in captured.err


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"pdsno {pdsno.__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_registered_command_loads_and_teaches(name: str) -> None:
    command = load(COMMANDS[name])
    assert command.name == name
    assert command.help


def test_help_imports_neither_commands_nor_heavy_libraries() -> None:
    heavy = {"fastapi", "netmiko", "pydantic", "rich", "scapy", "sqlalchemy", "structlog", "yaml"}
    code = (
        "import sys; from pdsno.cli.main import main; main(['--help']);"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert not loaded & heavy
    assert not {entry.target.partition(":")[0] for entry in COMMANDS.values()} & loaded
    assert "pdsno.cli.main" in loaded


def test_a_disk_that_is_full_is_one_line_and_no_bug() -> None:
    code = "import sys; from pdsno.cli.main import main; sys.exit(main(['platform', 'list']))"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "pdsno: error: cannot write: No space left on device\n"


def test_a_reader_that_leaves_early_causes_no_noise() -> None:
    code = (
        "import sys, click; from pdsno.cli import main as m;"
        "m.load = lambda entry: click.Command('nib', callback=lambda: [print('x' * 999)"
        " for _ in range(9999)]);"
        "sys.exit(m.main(['nib']))"
    )
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 1


def test_commands_of_this_process_are_left_as_they_were() -> None:
    assert "probe" not in main_module.COMMANDS
