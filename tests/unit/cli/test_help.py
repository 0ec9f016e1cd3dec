"""Every command says what it does, with options explained and examples that work."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from pdsno.cli.main import COMMANDS, cli
from pdsno.nib import NIBStore
from tests.unit.api.serving import app_of
from tools.cli_reference import DOCUMENT, commands, document, examples

ALL = {" ".join(path): command for path, command in commands()}
_CALL = re.compile(r"(^|[|;(&] ?|-- |sudo |[A-Z_]+=\S+ |ssh \S+ )pdsno ")
"""Where a shell takes it for a command."""
TOP = [name for name in ALL if name.count(" ") == 1]


def test_the_reference_is_up_to_date() -> None:
    assert DOCUMENT.read_text() == document(), "run python tools/cli_reference.py"


def test_all_commands_are_walked() -> None:
    assert [f"pdsno {name}" for name in COMMANDS] == TOP
    assert {"pdsno nib watch", "pdsno topology", "pdsno doctor"} <= ALL.keys()


@pytest.mark.parametrize("name", ALL)
def test_it_has_a_summary_of_one_sentence(name: str) -> None:
    summary = (ALL[name].help or "").strip().split("\n\n")[0]
    assert summary.endswith(".")
    assert len(summary) <= 100, summary


@pytest.mark.parametrize("name", ALL)
def test_each_option_is_explained(name: str) -> None:
    options = [item for item in ALL[name].params if isinstance(item, click.Option)]
    assert [item.opts[0] for item in options if not (item.help or "").strip()] == []


@pytest.mark.parametrize("name", ALL)
def test_it_has_examples_of_itself(name: str) -> None:
    lines = examples(ALL[name])
    assert any(part.startswith(name) for line in lines for part in _calls(line)), lines


@pytest.mark.parametrize("name", ALL)
def test_its_examples_are_understood(name: str) -> None:
    for line in examples(ALL[name]):
        for call in _calls(line):
            _understand(call)


@pytest.mark.parametrize(
    "wrong", ["pdsno nib devces", "pdsno nib devices --status up", "pdsno topology --rot x"]
)
def test_an_example_that_is_wrong_would_be_noticed(wrong: str) -> None:
    with pytest.raises(click.UsageError):
        _understand(wrong)


def _calls(line: str) -> Iterator[str]:
    """Yield the calls of pdsno in a line of shell, without what comes after each."""
    for found in _CALL.finditer(line):
        text = line[found.end() - len("pdsno ") :]
        for end in ("  ", " |", " >", " 2>", ')"', "; "):
            text = text.partition(end)[0]
        yield text.strip()


def _understand(call: str) -> None:
    """Parse a call as click would, up to the values of its options; nothing is run."""
    words = shlex.split(call)[1:]
    command: click.Command = cli
    context = click.Context(cli, info_name="pdsno")
    while isinstance(command, click.Group):
        rest = command.make_parser(context).parse_args(list(words))[1]
        if not rest:
            return
        _, found, words = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, click.Context(found, info_name=rest[0], parent=context)
    values, _, _ = command.make_parser(context).parse_args(list(words))
    for parameter in command.params:
        given = values.get(parameter.name or "")
        if isinstance(parameter.type, click.Choice) and isinstance(given, str):
            parameter.type.convert(given, parameter, context)


RESOURCES = {
    "anomalies": "pdsno nib anomalies",
    "controllers": "pdsno nib controllers",
    "devices": "pdsno nib devices",
    "devices/{}": "pdsno nib device",
    "endpoints": "pdsno nib endpoints",
    "endpoints/{}": "pdsno nib endpoint",
    "events": "pdsno nib events",
    "events/stream": "pdsno nib watch",
    "health": "pdsno nib health",
    "interfaces": "pdsno nib interfaces",
    "links": "pdsno nib links",
    "policy": "pdsno policy show",
    "probes": "pdsno nib probes",
    "probes/cycles": "pdsno nib probes",
    "tokens": "pdsno api-token list",
    "topology": "pdsno topology",
}
"""What reads each resource of the API."""


def test_every_resource_that_this_release_reads_has_a_command() -> None:
    with NIBStore("memory://") as store:
        paths = app_of(store).openapi()["paths"]
    served = {
        re.sub(r"\{[^}]*\}", "{}", path).removeprefix("/api/v1/")
        for path, methods in paths.items()
        if "get" in methods
    }
    assert {RESOURCES[path] for path in served & RESOURCES.keys()} <= ALL.keys()
    assert {"devices", "endpoints/{}", "events/stream"} <= served
