"""Nornir inventory plugin `PDSNOAnsibleInventory`: what Ansible itself makes of its inventory.

`ansible-inventory` reads it, so files, folders, plugins, `group_vars` and vaults count as they do
for playbooks. Its own words are passed on only where they cannot quote a password.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nornir.core.inventory import Defaults, Group, Groups, Host, Hosts, Inventory, ParentGroups

from pdsno.domain.errors import InputError, OperationError, TransientError
from pdsno.integrations.nornir_hosts import connection_options
from pdsno.integrations.platform_names import netmiko_name
from pdsno.southbound.ansible_vault import Unseal, unsealer
from pdsno.southbound.host_variables import (
    HOST,
    KEY_FILE,
    NETWORK_OS,
    PASSWORD,
    PORT,
    USER,
    HostVariables,
)

_PROGRAM = "ansible-inventory"
_VAULT = "__ansible_vault"
_UNSAFE = "__ansible_unsafe"
_NOT_GROUPS = frozenset({"_meta", "all", "ungrouped"})
_ERROR = re.compile(r"^\[ERROR\]: (.+)$", re.MULTILINE)
_PLUGIN_ERROR = re.compile(
    r"^\[WARNING\]: Failed to parse inventory with 'auto' plugin: (.+)$", re.MULTILINE
)
"""Of what reads YAML and runs plugins; others quote lines, which may hold a password."""
_ORIGIN = re.compile(r"^Origin: (/.+)$", re.MULTILINE)
_STRICT = {
    "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "1",
    "ANSIBLE_NOCOLOR": "1",
    "LC_ALL": "C.UTF-8",
}


class PDSNOAnsibleInventory:
    """Hosts and groups of Ansible; connection variables become fields of hosts.

    Options: `inventory` (a file, a folder, or a list of them), `vault_password_file`, `timeout_s`,
    and `program`, if `ansible-inventory` is neither beside this Python nor in PATH. Each variable
    of a host is in its `data`.
    """

    def __init__(
        self,
        *,
        inventory: str | Sequence[str],
        vault_password_file: str | None = None,
        program: str | None = None,
        timeout_s: float = 120.0,
    ) -> None:
        self._sources = [inventory] if isinstance(inventory, str | Path) else list(inventory)
        self._password_file = vault_password_file
        self._program = program
        self._timeout_s = timeout_s

    def load(self) -> Inventory:
        """Read the inventory.

        Raises InputError for what is wrong in it (also if it names no host, or keeps a value
        sealed), OperationError if Ansible is not there, TransientError if it does not end.
        """
        listed = self._listed()
        file = self._password_file
        unseal = unsealer(Path(file).expanduser() if file else None)
        known = listed.get("_meta", {}).get("hostvars", {})
        # A host without variables stands in its group alone, be it `ungrouped`.
        in_groups = (name for group in listed.values() for name in group.get("hosts", ()))
        hosts = {
            name: _opened(name, known.get(name, {}), unseal)
            for name in dict.fromkeys([*known, *in_groups])
        }
        if not hosts:
            raise InputError(f"the Ansible inventory {self._named} names no host")
        return _inventory(listed, hosts)

    @property
    def _named(self) -> str:
        return ", ".join(map(str, self._sources))

    def _listed(self) -> dict[str, Any]:
        """Return what `ansible-inventory --list` prints."""
        options = [word for source in self._sources for word in ("-i", str(source))]
        if self._password_file:
            file = str(Path(self._password_file).expanduser())
            options += ["--vault-password-file", file]
        try:
            done = subprocess.run(
                [self._found_program(), "--list", *options],
                env={**os.environ, **_STRICT},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=self._timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TransientError(
                f"{_PROGRAM} did not read {self._named} in {self._timeout_s:g} s"
            ) from error
        except OSError as error:
            raise OperationError(f"cannot run {_PROGRAM}: {error.strerror}") from error
        if done.returncode != 0:
            raise InputError(self._complaint(done.stderr))
        return _parsed(done.stdout)

    def _found_program(self) -> str:
        beside = Path(sys.executable).with_name(_PROGRAM)
        named = self._program or (str(beside) if beside.is_file() else _PROGRAM)
        found = shutil.which(named)
        if found is None:
            raise OperationError(
                f"there is no {named} here: install ansible-core, or name the program by `program`"
            )
        return found

    def _complaint(self, said: str) -> str:
        told = _PLUGIN_ERROR.search(said) or _ERROR.search(said)
        text = told[1] if told else f"run {_PROGRAM} --list to see why"
        origin = _ORIGIN.search(said)
        if origin and origin[1] not in text:
            text += f" ({origin[1]})"
        if "vault secrets" in text:
            text += " Name the file with the right password by vault_password_file."
        return f"Ansible cannot read the inventory {self._named}: {text}"


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise OperationError(f"what {_PROGRAM} printed is not JSON") from error
    if not isinstance(found, dict):
        raise OperationError(f"what {_PROGRAM} printed is not an inventory")
    return found


def _groups(listed: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    """Return the hosts and child groups that each group names itself, `ungrouped` left out."""
    named = [name for group in listed.values() for name in group.get("children", ())]
    groups = {name: listed.get(name, {}) for name in [*listed, *named] if name not in _NOT_GROUPS}
    return {
        name: {key: list(group.get(key, ())) for key in ("hosts", "children")}
        for name, group in groups.items()
    }


def _opened(host: str, variables: Mapping[str, Any], unseal: Unseal) -> dict[str, Any]:
    """Return a host's variables with what was sealed inside a file opened as well.

    Ansible leaves such values sealed here; a host with one would fail only when it is used.
    """

    def opened(name: str, value: object) -> object:
        if isinstance(value, list):
            return [opened(name, one) for one in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {_UNSAFE}:
            return value[_UNSAFE]
        if value.keys() != {_VAULT}:
            return {key: opened(name, one) for key, one in value.items()}
        try:
            return unseal(value[_VAULT])
        except InputError as error:
            raise InputError(
                f"host {host}: {name!r} is left sealed (!vault): {error}; or seal its whole file"
            ) from error

    return {name: opened(name, value) for name, value in variables.items()}


def _inventory(listed: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]]) -> Inventory:
    told, defaults = _groups(listed), Defaults()
    groups = Groups({name: Group(name=name, defaults=defaults) for name in told})
    parents: dict[str, ParentGroups] = {name: ParentGroups() for name in hosts}
    for name, group in told.items():
        for child in group["children"]:
            groups[child].groups.add(groups[name])
        for host in group["hosts"]:
            parents[host].add(groups[name])
    return Inventory(
        hosts=Hosts(
            {name: _host(name, own, parents[name], defaults) for name, own in hosts.items()}
        ),
        groups=groups,
        defaults=defaults,
    )


def _host(
    name: str, variables: Mapping[str, Any], groups: ParentGroups, defaults: Defaults
) -> Host:
    told = HostVariables(name, variables)
    platform = netmiko_name(told.text("pdsno_platform", NETWORK_OS))
    key_file = told.text(*KEY_FILE)
    extras = {"use_keys": True, "key_file": key_file} if key_file else {}
    return Host(
        name=name,
        hostname=told.text(*HOST) or name,
        port=_port(name, told.text(*PORT)),
        username=told.text(*USER),
        password=told.text(*PASSWORD),
        platform=platform,
        groups=groups,
        data=dict(variables),
        connection_options=connection_options(platform, **extras),
        defaults=defaults,
    )


def _port(host: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdigit() or not 0 < int(text) < 1 << 16:
        raise InputError(f"host {host}: ansible_port must be a number from 1 to 65535")
    return int(text)
