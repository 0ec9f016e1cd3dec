"""The NIB as Nornir's SimpleInventory: hosts, groups, defaults. No user and no password go in."""

from collections.abc import Iterable
from typing import Any

import yaml

from pdsno.domain.entities import Device
from pdsno.integrations.inventory_names import Groups, facts_of, host_names, in_order

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
FILES = ("hosts.yaml", "groups.yaml", "defaults.yaml")


def nornir_files(devices: Iterable[Device], *, head: str) -> dict[str, str]:
    """Return the text of each of FILES; `head` is their first comment."""
    ordered = in_order(devices)
    names = host_names(ordered)
    groups = Groups(names.values())
    hosts: dict[str, Any] = {}
    used: set[str] = set()
    for device in ordered:
        own = groups.of(device)
        used |= set(own)
        hosts[names[device.device_id]] = {**_host(device), "groups": own}
    documents: tuple[dict[str, Any], ...] = (
        dict(sorted(hosts.items())),
        {name: {} for name in sorted(used)},
        {},
    )
    return {name: _text(body, head) for name, body in zip(FILES, documents, strict=True)}


def nornir_hosts(devices: Iterable[Device], *, head: str) -> str:
    """Return a `hosts.yaml` that needs no other file: without groups."""
    ordered = in_order(devices)
    names = host_names(ordered)
    hosts = {names[one.device_id]: _host(one) for one in ordered}
    return _text(dict(sorted(hosts.items())), head)


def _host(device: Device) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if device.management_ip:
        found["hostname"] = device.management_ip
    if device.platform:
        found["platform"] = device.platform
    return found | {"data": facts_of(device)}


def _text(body: object, head: str) -> str:
    text = yaml.dump(body, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=1000)
    return f"# {head}\n---\n{text}"
