"""Reads a Nornir inventory: `hosts.yaml`, with `groups` and `defaults` beside it. Runs nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pdsno.domain.errors import InputError
from pdsno.strict_yaml import yaml_of

FIELDS = frozenset(
    {
        "hostname", "port", "username", "password", "platform", "groups", "data",
        "connection_options",
    }
)  # fmt: skip
_MOST_GROUPS = 100


@dataclass(kw_only=True, slots=True)
class NornirInventory:
    """Hosts as they stand there. `changed_at` is when the newest of the files was written."""

    path: Path
    hosts: dict[str, dict[Any, Any]] = field(default_factory=dict)
    groups: dict[Any, Any] = field(default_factory=dict)
    defaults: dict[Any, Any] = field(default_factory=dict)
    changed_at: float = 0.0

    def text(self, host: str, key: str) -> str | None:
        """Return what a host, its groups in Nornir's order, or the defaults say of a field."""
        own = self.hosts[host]
        for layer in (own, *self._ancestors(own), self.defaults):
            if layer.get(key):
                return str(layer[key])
        return None

    def _ancestors(self, host: Mapping[Any, Any]) -> Iterator[dict[Any, Any]]:
        """Yield a host's groups: depth first, each once."""
        seen: set[str] = set()
        waiting = list(host.get("groups") or [])
        while waiting and len(seen) < _MOST_GROUPS:
            name = str(waiting.pop(0))
            if name in seen:
                continue
            seen.add(name)
            group = _mapping(self.groups.get(name), self.path)
            yield group
            waiting = [*(group.get("groups") or []), *waiting]


def read_nornir(path: Path) -> NornirInventory:
    """Return the hosts of a `hosts.yaml`. Raises InputError, naming the file, never quoting it."""
    path = path.expanduser()
    found = NornirInventory(path=path)
    found.hosts = {str(name): _mapping(body, path) for name, body in _read(path, found).items()}
    found.groups = _beside(path, "groups", found)
    found.defaults = _beside(path, "defaults", found)
    return found


def _read(path: Path, found: NornirInventory) -> dict[Any, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        found.changed_at = max(found.changed_at, path.stat().st_mtime)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"{path}: cannot be read: {why}") from error
    with yaml_of(path):
        document = yaml.safe_load(text)
    return _mapping(document, path)


def _beside(path: Path, name: str, found: NornirInventory) -> dict[Any, Any]:
    for suffix in (path.suffix, ".yaml", ".yml"):
        file = path.with_name(f"{name}{suffix}")
        if file.is_file():
            return _read(file, found)
    return {}


def _mapping(value: object, path: Path) -> dict[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a mapping of names to hosts or groups")
    return value
