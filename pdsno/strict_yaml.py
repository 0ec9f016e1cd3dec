"""YAML as people expect it: a repeated key, an alias, a tag or a date is a fault, not a surprise.

One loader for every file that operators write. Refused: duplicate keys (the last one would win in
silence), aliases and merge keys (a small file could grow without end), tags, and whatever JSON
cannot hold.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from pdsno.domain.errors import InputError

_MOST_BYTES = 1024 * 1024
_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null")
)


class StrictYamlError(InputError):
    """What is wrong, and in which line (from 1) if that is known."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {problem}" if line else problem)
        self.line = line


@contextmanager
def yaml_of(path: Path) -> Iterator[None]:
    """Raise InputError with file and line for what is no YAML, whichever loader reads it.

    Without the reader's own words, which may quote a password.
    """
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{line}: not YAML, or with a tag that is not known") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not YAML") from error


class _Loader(yaml.SafeLoader):
    """The safe loader, without what makes YAML surprising."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise StrictYamlError("aliases (*name) are not allowed: write it out", mark.line + 1)
        node: yaml.Node | None = super().compose_node(parent, index)
        if node is not None and node.tag not in _PLAIN_TAGS:
            what = node.tag.removeprefix("tag:yaml.org,2002:")
            problem = f"a {what} is not allowed here: put it in quotes"
            raise StrictYamlError(problem, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            _refuse_repeats(node)
        return node


def _refuse_repeats(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise StrictYamlError("a key must be plain text", line)
        if key.value in seen:
            raise StrictYamlError(f"{key.value!r} stands twice", line)
        seen.add(key.value)


def load_strict(text: str) -> tuple[object, yaml.Node | None]:
    """Return plain values and the node tree that knows where they stood. Raises StrictYamlError."""
    if len(text.encode(errors="replace")) > _MOST_BYTES:
        raise StrictYamlError(f"larger than {_MOST_BYTES // 1024} KiB")
    try:
        return _load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise StrictYamlError(error.problem or "not YAML", line) from error
    except (yaml.YAMLError, ValueError) as error:
        raise StrictYamlError(f"not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise StrictYamlError("nested too deeply") from error


def _load(text: str) -> tuple[object, yaml.Node | None]:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        return (None if root is None else loader.construct_document(root)), root
    finally:
        loader.dispose()
