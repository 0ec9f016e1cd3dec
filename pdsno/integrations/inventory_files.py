"""What an Ansible or Nornir inventory lets expect: its hosts, with their addresses and platforms.

No name is resolved, no password is needed: what ansible-vault sealed stays sealed.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from pdsno.domain.errors import InputError
from pdsno.domain.expectation import Expectation, ExpectedDevice
from pdsno.integrations.platform_names import own_platform
from pdsno.southbound.ansible_inventory import MAX_HOSTS, read_inventory
from pdsno.southbound.nornir_inventory import FIELDS, read_nornir

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "implicit_localhost"})
_HOST_PLATFORMS = frozenset({None, "linux"})


def from_ansible_inventory(path: Path) -> Expectation:
    """Return the hosts of an inventory, a file or a folder. Raises InputError, naming the file."""
    sealed = 0

    def leave_sealed(_text: str) -> str:
        nonlocal sealed
        sealed += 1
        return ""

    found = read_inventory(path, leave_sealed)
    devices, notes = [], []
    for host, variables in found.hosts.items():
        if host in _LOCAL or variables.get("ansible_connection") == "local":
            notes.append(f"{host} is this machine, not expected")
        else:
            devices.append(_ansible_device(host, variables, str(path)))
    if sealed:
        notes.append(f"{sealed} values that ansible-vault sealed were left sealed")
    return _expectation(path, devices, notes)


def _ansible_device(host: str, variables: Mapping[str, Any], path: str) -> ExpectedDevice:
    def text(*names: str) -> str | None:
        values = (variables.get(name) for name in names)
        return next(
            (str(v) for v in values if isinstance(v, str | int) and "{{" not in str(v)), None
        )

    return _device(
        name=text("pdsno_name") or host,
        hostname=text("ansible_host", "ansible_ssh_host") or host,
        platform=own_platform(text("pdsno_platform", "ansible_network_os")),
        data={key.removeprefix("pdsno_"): value for key, value in variables.items()},
        place=f"{path}: {host}",
    )


def from_nornir_inventory(path: Path) -> Expectation:
    """Return the hosts of a Nornir `hosts.yaml`; groups and defaults are read from beside it.

    Raises InputError, naming the file.
    """
    found = read_nornir(path)
    devices = []
    for name, host in found.hosts.items():
        data = host.get("data")
        devices.append(
            _device(
                name=name,
                hostname=str(host.get("hostname") or name),
                platform=own_platform(found.text(name, "platform")),
                data=data if isinstance(data, dict) else {},
                place=f"{path}: {name}",
            )
        )
    return _expectation(path, devices, [])


def looks_like_nornir(document: Mapping[Any, Any]) -> bool:
    """Tell whether a YAML mapping is one of Nornir's hosts, not of Ansible's groups."""
    bodies = [body for body in document.values() if body]
    return bool(bodies) and all(isinstance(body, dict) and body.keys() <= FIELDS for body in bodies)


def _device(
    *, name: str, hostname: str, platform: str | None, data: Mapping[str, Any], place: str
) -> ExpectedDevice:
    address = _address(hostname) or _address(name)
    aliases = () if address or hostname == name else (hostname,)

    def text(key: str) -> str | None:
        value = data.get(key)
        return str(value) if isinstance(value, str | int) and value != "" else None

    return ExpectedDevice(
        name=name,
        place=place,
        aliases=aliases,
        management_ip=address,
        platform=platform,
        region=text("region"),
        serial=text("serial"),
        is_host=platform in _HOST_PLATFORMS,
    )


def _address(text: str) -> str | None:
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        return None


def _expectation(path: Path, devices: list[ExpectedDevice], notes: list[str]) -> Expectation:
    if not devices:
        raise InputError(f"{path}: names no host")
    if len(devices) > MAX_HOSTS:
        raise InputError(f"{path}: more than {MAX_HOSTS:,} hosts")
    return Expectation(source=str(path), devices=tuple(devices), notes=tuple(notes))
