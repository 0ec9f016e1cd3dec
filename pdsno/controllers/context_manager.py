"""The small state that a controller keeps of itself in YAML: who it is and who its parent is.

Operators' settings are read by `pdsno.settings` and are never written; this file is ours alone.
"""

import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import yaml

from pdsno.domain.errors import OperationError


class ContextManager:
    """A mapping of plain values in one YAML file, mode 0600, replaced atomically at every change.

    Reading is from memory; a file that cannot be read raises OperationError at once rather than
    letting a controller start as somebody new. Safe from several threads.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._values = self._load()

    def _load(self) -> dict[str, Any]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except OSError as error:
            msg = f"cannot read the controller state {self.path}: {error.strerror}"
            raise OperationError(msg) from error
        try:
            values = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError) as error:
            msg = f"{self.path} is damaged (not YAML): restore it, or move it away to join anew"
            raise OperationError(msg) from error
        if values is None:
            return {}
        if not isinstance(values, dict):
            msg = f"{self.path} is damaged (not a mapping): restore it, or move it away"
            raise OperationError(msg)
        return values

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - plain YAML values
        """Return a value, or `default` where there is none."""
        with self._lock:
            return self._values.get(key, default)

    def update(self, **values: Any) -> None:  # noqa: ANN401 - plain YAML values
        """Set values and write the file; None removes a key. On failure nothing has changed."""
        with self._lock:
            merged = {**self._values, **values}
            merged = {key: value for key, value in merged.items() if value is not None}
            self._write(merged)
            self._values = merged

    def _write(self, values: dict[str, Any]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(
                "w", dir=self.path.parent, prefix=f".{self.path.name}.", delete=False
            ) as file:
                temporary = Path(file.name)
                try:
                    yaml.safe_dump(values, file, sort_keys=True)
                    file.flush()
                    os.fsync(file.fileno())
                    temporary.replace(self.path)
                except BaseException:
                    temporary.unlink(missing_ok=True)
                    raise
        except OSError as error:
            msg = f"cannot write the controller state {self.path}: {error.strerror}"
            raise OperationError(msg) from error
