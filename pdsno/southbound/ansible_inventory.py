"""Reads an Ansible inventory: which variables each of its hosts has. Runs nothing.

Files in YAML or INI, folders of them, and `group_vars` and `host_vars` beside them, by Ansible's
order: a child group over its parents, a host over its groups, files of variables over the
inventory. Not understood, and refused: programs, plugins, and ranges of letters.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pdsno.domain.errors import InputError
from pdsno.southbound.ansible_vault import HEADER, Unseal
from pdsno.strict_yaml import yaml_of

MAX_HOSTS = 50_000
_MAX_BYTES = 16 << 20
_MAX_DEPTH = 32
_YAML = frozenset({".yml", ".yaml", ".json"})
_PASSED_OVER = frozenset({".cfg", ".retry", ".orig", ".bak", ".pyc", ".ini~", ".md"})
_SECTION = re.compile(r"\[(?P<group>[^:\]]+)(?::(?P<kind>hosts|vars|children))?\]\s*(?:#.*)?")
_RANGE = re.compile(r"\[(?P<first>\d+):(?P<last>\d+)(?::(?P<step>\d+))?\]")


@dataclass(kw_only=True, slots=True)
class _Group:
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    children: set[str] = field(default_factory=set)
    variables: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Inventory:
    """Variables by host, and the groups that name it; `changed_at`: of the newest of the files."""

    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    changed_at: float = 0.0


def read_inventory(path: Path, unseal: Unseal) -> Inventory:
    """Return all hosts with their variables. Raises InputError, naming the file."""
    return _Reader(unseal).read(path)


class _Loader(yaml.SafeLoader):
    """The safe loader, with Ansible's tags; `!vault` is opened at once."""

    unseal: Unseal


def _vault(loader: _Loader, node: yaml.ScalarNode) -> str:
    return loader.unseal(str(loader.construct_scalar(node)))


def _unsafe(loader: _Loader, node: yaml.ScalarNode) -> object:
    return loader.construct_scalar(node)


_Loader.add_constructor("!vault", _vault)
_Loader.add_constructor("!unsafe", _unsafe)


class _Reader:
    """Gathers groups from files, then works out what each host has."""

    def __init__(self, unseal: Unseal) -> None:
        self._unseal = unseal
        self._groups: dict[str, _Group] = {"all": _Group()}
        self._changed_at = 0.0
        self._known_files: dict[Path, dict[str, Any]] = {}

    def read(self, path: Path) -> Inventory:
        path = path.expanduser()
        for file in _files(path):
            self._read_file(file)
        base = path if path.is_dir() else path.parent
        parents = self._parents()
        found = Inventory()
        for name in self._names():
            if len(found.hosts) >= MAX_HOSTS:
                raise InputError(f"{path}: more than {MAX_HOSTS:,} hosts")
            direct = tuple(group for group, own in self._groups.items() if name in own.hosts)
            found.groups[name] = direct
            found.hosts[name] = self._variables_of(name, direct, parents, base)
        found.changed_at = self._changed_at
        return found

    # --- files ---------------------------------------------------------------------------

    def _text(self, path: Path) -> str:
        try:
            state = path.stat()
            if state.st_size > _MAX_BYTES:
                raise InputError(f"{path}: larger than {_MAX_BYTES >> 20} MiB")
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise InputError(f"{path}: cannot read the inventory: {why}") from error
        self._changed_at = max(self._changed_at, state.st_mtime)
        if not text.startswith(HEADER):
            return text
        try:
            return self._unseal(text)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def _yaml(self, path: Path, text: str) -> Mapping[str, Any]:
        loader = _Loader(text)
        loader.unseal = self._unseal
        with yaml_of(path):
            try:
                document = loader.get_single_data()
            except InputError as error:
                raise InputError(f"{path}: {error}") from error
            finally:
                loader.dispose()
        return _mapping(document, path)

    def _read_file(self, path: Path) -> None:
        text = self._text(path)
        if path.suffix not in _YAML and not text.lstrip().startswith(("---", "all:")):
            self._read_ini(path, text)
            return
        document = self._yaml(path, text)
        if "plugin" in document:
            raise InputError(f"{path}: an inventory plugin, which is never run: export its hosts")
        for name, body in document.items():
            self._take_group(str(name), body, path, depth=0)

    def _take_group(self, name: str, body: object, path: Path, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise InputError(f"{path}: groups nested too deeply")
        group = self._groups.setdefault(name, _Group())
        parts = _mapping(body, path)
        for host, variables in _mapping(parts.get("hosts"), path).items():
            for each in _expanded(str(host), path):
                group.hosts.setdefault(each, {}).update(_mapping(variables, path))
        group.variables.update(_mapping(parts.get("vars"), path))
        for child, inner in _mapping(parts.get("children"), path).items():
            group.children.add(str(child))
            self._take_group(str(child), inner, path, depth + 1)

    def _read_ini(self, path: Path, text: str) -> None:
        group, kind = self._groups.setdefault("ungrouped", _Group()), "hosts"
        for number, raw in enumerate(text.splitlines(), start=1):
            line = raw.strip()
            if not line or line.startswith(("#", ";")):
                continue
            section = _SECTION.fullmatch(line)
            if section is not None:
                group = self._groups.setdefault(section["group"].strip(), _Group())
                kind = section["kind"] or "hosts"
                continue
            place = f"{path}, line {number}"
            if kind == "children":
                group.children.add(line.split()[0])
                self._groups.setdefault(line.split()[0], _Group())
            elif kind == "vars":
                group.variables.update([_assigned(line, place)])
            else:
                self._take_ini_host(group, line, place)

    def _take_ini_host(self, group: _Group, line: str, place: str) -> None:
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise InputError(f"{place}: a quote is not closed") from error
        variables = dict(_assigned(word, place) for word in words[1:])
        for host in _expanded(words[0], place):
            group.hosts.setdefault(host, {}).update(variables)

    # --- what each host has --------------------------------------------------------------

    def _names(self) -> list[str]:
        return list(dict.fromkeys(host for g in self._groups.values() for host in g.hosts))

    def _parents(self) -> dict[str, set[str]]:
        parents: dict[str, set[str]] = {name: set() for name in self._groups}
        for name, group in self._groups.items():
            for child in group.children:
                parents.setdefault(child, set()).add(name)
        return parents

    def _variables_of(
        self, host: str, direct: tuple[str, ...], parents: Mapping[str, set[str]], base: Path
    ) -> dict[str, Any]:
        levels: dict[str, int] = {"all": 0}
        for name in direct:
            for ancestor in _with_ancestors(name, parents):
                levels.setdefault(ancestor, _level(ancestor, parents))
        order = sorted(levels, key=lambda name: (levels[name], name))
        found: dict[str, Any] = {}
        for name in order:
            found |= self._groups[name].variables
        for name in order:
            found |= self._vars_files(base / "group_vars", name)
        for name in order:
            found |= self._groups[name].hosts.get(host, {})
        return found | self._vars_files(base / "host_vars", host)

    def _vars_files(self, folder: Path, name: str) -> dict[str, Any]:
        known = self._known_files.get(folder / name)
        if known is None:
            known = {}
            for path in _vars_paths(folder, name):
                known |= self._yaml(path, self._text(path))
            self._known_files[folder / name] = known
        return known


def _with_ancestors(name: str, parents: Mapping[str, set[str]]) -> set[str]:
    found, waiting = set[str](), [name]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += parents.get(each, ())
    return found


def _level(name: str, parents: Mapping[str, set[str]], depth: int = 0) -> int:
    """Return how far below `all` a group is; a circle of groups ends somewhere."""
    if name == "all" or depth > _MAX_DEPTH:
        return 0
    return 1 + max((_level(p, parents, depth + 1) for p in parents.get(name, ())), default=0)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        if path.is_file() and path.stat().st_mode & 0o111 and path.read_bytes()[:2] == b"#!":
            raise InputError(f"{path}: a program, which is never run: store what it prints")
        yield path
        return
    for item in sorted(path.iterdir()):
        is_hidden = item.name.startswith(".") or item.suffix in _PASSED_OVER
        if item.is_file() and not is_hidden:
            yield from _files(item)


def _vars_paths(folder: Path, name: str) -> Iterator[Path]:
    if "/" in name or name.startswith("."):
        return
    for suffix in ("", ".yml", ".yaml", ".json"):
        path = folder / f"{name}{suffix}"
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from (p for p in sorted(path.rglob("*")) if p.is_file() and p.name[0] != ".")


def _mapping(value: object, path: Path) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a mapping of groups, hosts or variables")
    return {str(key): item for key, item in value.items()}


def _assigned(text: str, place: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"{place}: expected NAME=VALUE after the host's name")
    return name.strip(), value.strip().strip("'\"")


def _expanded(name: str, place: object) -> Iterator[str]:
    """Yield the hosts of `sw[01:12].example`; other patterns of names are refused."""
    found = _RANGE.search(name)
    if found is None:
        if "[" in name and ":" in name and not name.startswith("["):
            raise InputError(f"{place}: only ranges of numbers are understood, such as sw[01:12]")
        yield name.strip("[]")
        return
    width = len(found["first"])
    numbers = range(int(found["first"]), int(found["last"]) + 1, int(found["step"] or 1) or 1)
    if len(numbers) > MAX_HOSTS:
        raise InputError(f"{place}: more than {MAX_HOSTS:,} hosts")
    for number in numbers:
        text = f"{name[: found.start()]}{number:0{width}d}{name[found.end() :]}"
        yield from _expanded(text, place)
