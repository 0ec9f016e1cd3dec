"""A host's variables in an Ansible inventory, read as Ansible would, without running templates."""

import re
from collections.abc import Mapping
from typing import Any

from pdsno.domain.errors import InputError

USER = ("ansible_user", "ansible_ssh_user")
PASSWORD = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")
KEY_FILE = ("ansible_ssh_private_key_file", "ansible_private_key_file")
PORT = ("ansible_port", "ansible_ssh_port")
HOST = ("ansible_host", "ansible_ssh_host")
NETWORK_OS = "ansible_network_os"

_REFERENCE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_MAX_REFERENCES = 8


class HostVariables:
    """One host's variables; a value may name another one as `{{ name }}`, and nothing more."""

    def __init__(self, host: str, variables: Mapping[str, Any]) -> None:
        self._host = host
        self._variables = variables

    def text(self, *names: str) -> str | None:
        """Return the first of these variables that is set. Raises InputError for a template."""
        for name in names:
            value = self._variables.get(name)
            if value is not None and not isinstance(value, dict | list):
                return self._resolved(name, str(value))
        return None

    def _resolved(self, name: str, text: str) -> str:
        for _ in range(_MAX_REFERENCES):
            found = _REFERENCE.fullmatch(text.strip())
            value = None if found is None else self._variables.get(found[1])
            if value is None:
                break
            text = str(value)
        if "{{" in text or "{%" in text:
            raise InputError(
                f"host {self._host}: {name!r} is a template: only the name of another variable of "
                "this host is understood"
            )
        return text
