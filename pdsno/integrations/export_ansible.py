"""The NIB as an Ansible inventory: a YAML file, or what an inventory script prints.

Only facts go in, no user and no password: how to log in is the operator's to say, in `group_vars`.
A value that Ansible would run as a template is marked `!unsafe`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from pdsno.domain.entities import Device
from pdsno.integrations.ansible_variables import variables_of
from pdsno.integrations.inventory_names import Groups, host_names, in_order

_TEMPLATE = re.compile(r"\{[{%#]")
_UNSAFE = "__ansible_unsafe"


class _Unsafe(str):
    """A text that Ansible shall not take for a template."""

    __slots__ = ()


_Fast: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Fast):  # type: ignore[misc]
    """The safe dumper, with Ansible's tag, and without aliases."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base class's signature
        return True


def _represent(dumper: yaml.SafeDumper, value: _Unsafe) -> yaml.ScalarNode:
    return dumper.represent_scalar("!unsafe", str(value), style='"')


_Dumper.add_representer(_Unsafe, _represent)


def ansible_yaml(devices: Iterable[Device], *, head: str) -> str:
    """Return an inventory file; `head` is its first comment."""
    hosts, groups = _hosts_and_groups(devices, _Unsafe)
    document: dict[str, Any] = {"all": {"hosts": hosts}}
    if groups:
        document["all"]["children"] = {
            name: {"hosts": {host: {} for host in own}} for name, own in groups.items()
        }
    text = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False,
        width=1000,
    )  # fmt: skip
    return f"# {head}\n---\n{text}"


def ansible_list(devices: Iterable[Device]) -> dict[str, Any]:
    """Return what an inventory script prints for `--list`."""
    hosts, groups = _hosts_and_groups(devices, _marked)
    found: dict[str, Any] = {"_meta": {"hostvars": hosts}, "all": {"children": ["ungrouped"]}}
    for name, own in groups.items():
        found["all"]["children"].append(name)
        found[name] = {"hosts": own}
    alone = set(hosts) - {host for own in groups.values() for host in own}
    found["ungrouped"] = {"hosts": sorted(alone)}
    return found


def ansible_host(devices: Iterable[Device], name: str) -> Mapping[str, Any]:
    """Return what an inventory script prints for `--host NAME`: nothing for an unknown host."""
    hosts, _ = _hosts_and_groups(devices, _marked)
    found: Mapping[str, Any] = hosts.get(name, {})
    return found


def _marked(text: str) -> dict[str, str]:
    return {_UNSAFE: text}


def _hosts_and_groups(
    devices: Iterable[Device],
    mark: Any,  # noqa: ANN401 - what marks a text in either format
) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    ordered = in_order(devices)
    names = host_names(ordered)
    groups = Groups(names.values())
    hosts: dict[str, dict[str, Any]] = {}
    members: dict[str, list[str]] = {}
    for device in ordered:
        host = names[device.device_id]
        hosts[host] = {key: _safe(value, mark) for key, value in variables_of(device).items()}
        for group in groups.of(device):
            members.setdefault(group, []).append(host)
    return dict(sorted(hosts.items())), {key: sorted(own) for key, own in sorted(members.items())}


def _safe(value: object, mark: Any) -> object:  # noqa: ANN401 - as above
    if isinstance(value, list):
        return [_safe(one, mark) for one in value]
    if isinstance(value, str) and _TEMPLATE.search(value):
        return mark(value)
    return value
