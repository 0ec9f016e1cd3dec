"""What a containerlab file lets expect of a network: nodes of any kind, and the links between them.

More lenient than the runner's reader, which refuses what it cannot start.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from pdsno.domain.errors import InputError
from pdsno.domain.expectation import (
    Expectation,
    ExpectedDevice,
    ExpectedInterface,
    ExpectedLink,
    LinkEnd,
)
from pdsno.domain.identifiers import is_address, normalise_mac
from pdsno.lab.document import Value, read_document
from pdsno.lab.topology import DEFAULT_PREFIX, Role
from pdsno.lab.truth import NOT_A_DEVICE

_NO_NODES = frozenset({"bridge", "ovs-bridge", "host", "ext-container", "k8s-kind"})
_SPECIAL_ENDS = frozenset({"host", "mgmt-net", "macvlan", "vxlan", "dummy"})
_MGMT = ("mgmt-ipv4", "mgmt_ipv4", "mgmt-ipv6", "mgmt_ipv6")
_PLATFORMS = {
    "ceos": "arista_eos", "arista_ceos": "arista_eos", "arista_veos": "arista_eos",
    "vr-veos": "arista_eos", "juniper_crpd": "juniper_junos", "crpd": "juniper_junos",
    "juniper_vjunosrouter": "juniper_junos", "juniper_vjunosswitch": "juniper_junos",
    "juniper_vjunosevolved": "juniper_junos", "juniper_vmx": "juniper_junos",
    "juniper_vqfx": "juniper_junos", "juniper_vsrx": "juniper_junos",
    "cisco_xrv9k": "cisco_xr", "cisco_xrv": "cisco_xr", "cisco_xrd": "cisco_xr",
    "cisco_n9kv": "cisco_nxos", "cisco_csr1000v": "cisco_ios", "cisco_c8000v": "cisco_ios",
    "cisco_iol": "cisco_ios", "cisco_vios": "cisco_ios", "cisco_viosl2": "cisco_ios",
    "cisco_cat9kv": "cisco_ios", "aruba_aoscx": "aruba_aoscx", "vyosnetworks_vyos": "vyos",
    "mikrotik_ros": "mikrotik_routeros", "huawei_vrp": "huawei_vrp", "frr": "frr",
}  # fmt: skip
_PORTS: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (("nokia_srlinux", "srl"), re.compile(r"e(\d+)-(\d+)"), r"ethernet-\1/\2"),
    (("ceos", "arista_ceos"), re.compile(r"eth(\d+)_(\d+)"), r"Ethernet\1/\2"),
    (("ceos", "arista_ceos", "arista_veos"), re.compile(r"eth(\d+)"), r"Ethernet\1"),
)
"""How makers call the ports that the file names as Linux does: (kinds, file's name, own name)."""
_ADDRESS_COMMAND = re.compile(
    r"(?:\S*/)?ip (?:-\S+ )*a(?:ddr(?:ess)?)? (?:add|replace) (?P<ip>[0-9a-fA-F.:]+/\d+) "
    r"(?:\S+ )*?dev (?P<interface>\S+).*"
)


def read_expectation(path: Path) -> Expectation:
    """Return what a topology file says, with the line of each thing.

    Nodes that run PDSNO are left out. Raises InputError, one line with file, line and place.
    """
    root = read_document(path)
    sections = root.fields().get("topology")
    if sections is None:
        raise InputError(f"{path}: not a containerlab topology: has no 'topology'")
    return _Reader(root, sections.fields()).read()


class _Node:
    """One node's fields: of the defaults, its kind, its group, its own."""

    def __init__(self, name: str, value: Value, sections: Mapping[str, Value]) -> None:
        self.name = name
        self.value = value
        own = value.fields()
        defaults = sections["defaults"].fields() if "defaults" in sections else {}
        self._layers = [own, defaults]
        group = self._text("group")
        self._layers.insert(1, _section(sections, "groups", group))
        self.kind = self._text("kind")
        self._layers.insert(2, _section(sections, "kinds", self.kind))
        self.labels = {
            key: text
            for layer in reversed(self._layers)
            if "labels" in layer
            for key, text in layer["labels"].mapping_of_text().items()
        }

    def _text(self, name: str) -> str:
        return next((layer[name].text() for layer in self._layers if name in layer), "")

    @property
    def role(self) -> str:
        return self.labels.get("pdsno.role", "")

    @property
    def is_host(self) -> bool:
        """Whether it is a plain Linux machine that says of itself that it is no network gear."""
        return self.kind in {"", "linux"} and self.role in {"", Role.HOST.value}

    def addresses(self) -> list[str]:
        found = [(name, self.value.fields().get(name)) for name in _MGMT]
        return [_address(value) for _, value in found if value is not None]

    def set_addresses(self) -> Iterator[ExpectedInterface]:
        """Yield what `exec` gives to ports by `ip address add`, as labs of Linux nodes do."""
        for layer in self._layers:
            for value in layer["exec"].items() if "exec" in layer else ():
                found = _ADDRESS_COMMAND.fullmatch(" ".join(value.text().split()))
                if found is not None and is_address(found["ip"].partition("/")[0]):
                    yield ExpectedInterface(name=found["interface"], ips=(found["ip"],))


class _Reader:
    """Reads one file."""

    def __init__(self, root: Value, sections: Mapping[str, Value]) -> None:
        self._root = root
        self._sections = sections
        nodes = sections["nodes"].fields() if "nodes" in sections else {}
        self._nodes = {name: _Node(name, value, sections) for name, value in nodes.items()}
        self._ports: dict[str, list[ExpectedInterface]] = {name: [] for name in nodes}

    def read(self) -> Expectation:
        links = tuple(self._links())
        wanted = [node for node in self._nodes.values() if self._is_device(node)]
        left_out = sorted(self._nodes.keys() - {node.name for node in wanted})
        if not wanted:
            raise InputError(f"{self._root.path}: names no node that could be discovered")
        notes = (
            [f"not expected, being bridges or PDSNO's own: {', '.join(left_out)}"]
            if left_out
            else []
        )
        silent = sum(1 for link in links if not link.is_told)
        if silent:
            notes.append(f"{silent} links of hosts, which tell no neighbours, may be absent")
        return Expectation(
            source=str(self._root.path),
            devices=tuple(self._device(node) for node in wanted),
            links=links,
            notes=tuple(notes),
        )

    @staticmethod
    def _is_device(node: _Node) -> bool:
        return node.kind not in _NO_NODES and node.role not in NOT_A_DEVICE

    def _device(self, node: _Node) -> ExpectedDevice:
        addresses = node.addresses()
        name = self._root.fields()["name"].text() if "name" in self._root.fields() else ""
        ports = self._ports[node.name]
        own = _merged([*ports, *node.set_addresses()])
        return ExpectedDevice(
            name=node.name,
            place=f"{node.value.path}:{node.value.line}",
            aliases=(self._long_name(name, node.name),),
            region=node.labels.get("pdsno.region"),
            platform=_PLATFORMS.get(node.kind),
            addresses=frozenset(addresses)
            | {ip.partition("/")[0] for one in own for ip in one.ips},
            macs=frozenset(one.mac for one in ports if one.mac),
            interfaces=own,
            is_host=node.is_host,
        )

    def _long_name(self, lab: str, node: str) -> str:
        """Return the name that containerlab gives the node's container."""
        given = self._root.fields().get("prefix")
        prefix = DEFAULT_PREFIX if given is None else given.text()
        if not prefix:
            return node
        return f"{lab}-{node}" if prefix == "__lab-name" else f"{prefix}-{lab}-{node}"

    # --- links -------------------------------------------------------------------------------

    def _links(self) -> Iterator[ExpectedLink]:
        items = self._sections["links"].items() if "links" in self._sections else []
        for value in items:
            ends = [end for end in map(self._end, self._end_values(value)) if end is not None]
            nodes = [self._nodes[end.device] for end in ends]
            if len(ends) == 2 and all(map(self._is_device, nodes)):  # noqa: PLR2004 - two ends
                yield ExpectedLink(
                    ends=frozenset(ends),
                    place=f"{value.path}:{value.line}",
                    is_told=not any(node.is_host for node in nodes),
                )

    @staticmethod
    def _end_values(value: Value) -> list[Value]:
        fields = value.fields()
        if "endpoints" in fields:
            return fields["endpoints"].items()
        return [fields["endpoint"]] if "endpoint" in fields else []

    def _end(self, value: Value) -> LinkEnd | None:
        """Read "node:eth1", or a mapping of node, interface, mac, ipv4, ipv6."""
        if isinstance(value.data, str):
            node, colon, interface = value.text().partition(":")
            if not colon:
                raise value.error(f"'{value.text()}' is no end of a link: write NODE:INTERFACE")
            fields: dict[str, Value] = {}
        else:
            fields = value.fields()
            node, interface = (
                fields[name].text() if name in fields else "" for name in ("node", "interface")
            )
        if node in _SPECIAL_ENDS and node not in self._nodes:
            return None
        if node not in self._nodes:
            raise value.error(f"there is no node '{node}'")
        end = LinkEnd(device=node, interface=_port(self._nodes[node].kind, interface))
        self._ports[node].append(_interface(end.interface, fields))
        return end


def _section(sections: Mapping[str, Value], kind: str, name: str) -> dict[str, Value]:
    section = sections.get(kind)
    found = section.fields().get(name) if section is not None and name else None
    return found.fields() if found is not None else {}


def _address(value: Value) -> str:
    text = value.text().partition("/")[0]
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise value.error(f"'{value.text()}' is no address") from error


def _interface(name: str, fields: Mapping[str, Value]) -> ExpectedInterface:
    ips = [fields[key] for key in ("ipv4", "ipv6") if key in fields]
    for value in ips:
        _address(value)
    try:
        mac = normalise_mac(fields["mac"].text()) if "mac" in fields else None
    except InputError as error:
        raise fields["mac"].error(str(error)) from error
    return ExpectedInterface(name=name, mac=mac, ips=tuple(value.text() for value in ips))


def _merged(ports: list[ExpectedInterface]) -> tuple[ExpectedInterface, ...]:
    """Return the ports of which something is said, each once."""
    found: dict[str, ExpectedInterface] = {}
    for one in ports:
        known = found.get(one.name, ExpectedInterface(name=one.name))
        found[one.name] = replace(known, mac=known.mac or one.mac, ips=(*known.ips, *one.ips))
    return tuple(one for one in found.values() if one.mac or one.ips)


def _port(kind: str, name: str) -> str:
    for kinds, pattern, own in _PORTS:
        if kind in kinds and pattern.fullmatch(name):
            return pattern.sub(own, name)
    return name
