"""Shells complete commands, values and names of devices."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pdsno.cli import main as entry
from pdsno.cli.main import main
from pdsno.nib import NIBStore
from tests.unit.api.serving import TOKEN, device, put, served

SCRIPTS = {"bash": "complete -o nosort", "zsh": "#compdef pdsno", "fish": "complete --no-files"}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_there_is_a_script_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert SCRIPTS[shell] in script
    assert f"_PDSNO_COMPLETE={shell}_complete" in script


def test_another_shell_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "csh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err


Complete = Callable[..., list[str]]


@pytest.fixture
def complete(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Complete:
    """Return a function that completes a line as bash would, in this process."""

    def invoke(line: str) -> list[str]:
        monkeypatch.setenv("_PDSNO_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        with pytest.raises(SystemExit):
            main([])
        captured = capsys.readouterr()
        assert captured.err == ""
        return [text.partition(",")[2] for text in captured.out.splitlines() if text]

    return invoke


def test_commands_are_completed_without_loading_them(
    complete: Complete, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_entry: object) -> None:
        raise AssertionError

    monkeypatch.setattr(entry, "load", never)
    assert complete("pdsno to") == ["topology", "token"]
    assert "--version" in complete("pdsno --v")


def test_what_follows_a_command_is_completed(complete: Complete) -> None:
    assert set(complete("pdsno nib dev")) == {"device", "devices"}
    assert complete("pdsno nib devices --status in") == ["inactive"]
    assert "--cursor-file" in complete("pdsno nib watch --c")
    assert complete("pdsno bogus x") == []


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with NIBStore("memory://") as store:
        put(store, device(1, name="spine1"), device(2, name="Spine2"), device(3, name="leaf1"))
        put(store, device(4, name="spine\x1b3"), device(5))
        with served(store) as api:
            monkeypatch.setenv("PDSNO_API", api.url)
            monkeypatch.setenv("PDSNO_API_TOKEN", TOKEN)
            yield


@pytest.mark.usefixtures("url")
def test_names_of_devices_are_completed_from_the_nib(complete: Complete) -> None:
    assert complete("pdsno nib device sp") == ["spine1", "Spine2"]
    assert complete("pdsno topology --root le") == ["leaf1"]
    assert len(complete("pdsno nib device ")) == 3


@pytest.mark.usefixtures("url")
def test_where_the_nib_cannot_be_asked_nothing_is_offered(
    complete: Complete, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert complete("pdsno nib device le") == ["leaf1"]
    for name, value in (("PDSNO_API_TOKEN", "none"), ("PDSNO_API", "http://127.0.0.1:9")):
        monkeypatch.setenv(name, value)
        assert complete("pdsno nib device le") == []


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    code = "import sys; from pdsno.cli.main import main; sys.exit(main())"
    program = tmp_path / "pdsno"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c \'{code}\' "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(pdsno completion bash)"; COMP_WORDS=(pdsno comp); COMP_CWORD=1; '
        '_pdsno_completion pdsno; echo "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True,
        env={**os.environ, "PATH": path},
    )  # fmt: skip
    assert done.stdout == "completion\n"
