"""Reads the links of a topology file, in the short and in the long form."""

import re
from ipaddress import IPv4Interface, IPv6Interface

from pdsno.lab.document import Value
from pdsno.lab.topology import DEFAULT_LINK_MTU, EndpointSpec, LinkSpec, NodeSpec

_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_SHORT = frozenset({"endpoints", "mtu", "ipv4", "ipv6", "labels", "vars"})
_LONG = frozenset({"type", "endpoints", "mtu", "labels", "vars"})
_END = frozenset({"node", "interface", "mac", "ipv4", "ipv6", "vars"})
_NOT_A_NODE = frozenset({"host", "mgmt-net", "macvlan", "dummy", "vxlan", "vxlan-stitch"})
_MIN_MTU, _MAX_MTU = 68, 65535
_ENDS = 2


def _address(value: Value, text: str, version: int) -> str:
    try:
        return str(IPv4Interface(text) if version == 4 else IPv6Interface(text))  # noqa: PLR2004
    except ValueError as error:
        raise value.error(f"'{text}' is no IPv{version} address with prefix length") from error


class LinkReader:
    """Checks each end against the nodes, and that no interface is used twice."""

    def __init__(self, nodes: tuple[NodeSpec, ...]) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._used: dict[tuple[str, str], str] = {}

    def read(self, value: Value) -> LinkSpec:
        """Read one entry of `topology.links`."""
        fields = value.fields()
        endpoints = fields.get("endpoints")
        kind = fields["type"].text() if "type" in fields else ""
        if kind not in {"", "veth"}:
            raise fields["type"].error(f"link type '{kind}' is not supported, only 'veth'")
        value.refuse_unknown(_LONG if kind else _SHORT)
        if endpoints is None or len(endpoints.items()) != _ENDS:
            raise value.error("a link has exactly two endpoints")
        read = self._long_end if kind else self._short_end
        a, b = (read(end) for end in endpoints.items())
        if not kind:
            a, b = self._short_addresses(fields, (a, b))
        mtu = fields.get("mtu")
        return LinkSpec(
            a=a,
            b=b,
            mtu=mtu.integer(low=_MIN_MTU, high=_MAX_MTU) if mtu else DEFAULT_LINK_MTU,
        )

    def _short_end(self, value: Value) -> EndpointSpec:
        node, colon, interface = value.text().partition(":")
        if not colon:
            raise value.error(f"an endpoint is NODE:INTERFACE, not '{value.text()}'")
        return self._end(value, node, interface)

    def _long_end(self, value: Value) -> EndpointSpec:
        value.refuse_unknown(_END)
        fields = value.fields()
        if "node" not in fields or "interface" not in fields:
            raise value.error("an endpoint needs 'node' and 'interface'")
        end = self._end(value, fields["node"].text(), fields["interface"].text())
        mac = fields["mac"].text() if "mac" in fields else None
        if mac is not None and not _MAC.fullmatch(mac):
            raise fields["mac"].error(f"'{mac}' is no MAC address")
        addresses = tuple(
            _address(fields[name], fields[name].text(), version)
            for name, version in (("ipv4", 4), ("ipv6", 6))
            if name in fields
        )
        return EndpointSpec(
            node=end.node,
            interface=end.interface,
            mac=mac.lower() if mac else None,
            addresses=addresses,
        )

    def _short_addresses(
        self, fields: dict[str, Value], ends: tuple[EndpointSpec, EndpointSpec]
    ) -> tuple[EndpointSpec, EndpointSpec]:
        found: tuple[list[str], list[str]] = ([], [])
        for name, version in (("ipv4", 4), ("ipv6", 6)):
            values = fields[name].items() if name in fields else []
            if len(values) > _ENDS:
                raise fields[name].error("gives an address for each of the two endpoints")
            for addresses, value in zip(found, values, strict=False):
                if value.text():
                    addresses.append(_address(value, value.text(), version))
        a, b = (
            EndpointSpec(node=end.node, interface=end.interface, addresses=tuple(addresses))
            for end, addresses in zip(ends, found, strict=True)
        )
        return a, b

    def _end(self, value: Value, node: str, interface: str) -> EndpointSpec:
        spec = self._nodes.get(node)
        if spec is None and node in _NOT_A_NODE:
            raise value.error(f"links to '{node}' are not supported, only links between nodes")
        if spec is None:
            raise value.error(f"there is no node '{node}'")
        if not _INTERFACE.fullmatch(interface) or interface in {".", "..", "lo"}:
            raise value.error(f"'{interface}' is no interface name (at most 15 characters)")
        if interface == "eth0" and spec.is_on_mgmt:
            raise value.error(f"eth0 of node '{node}' belongs to the management network")
        used = self._used.get((node, interface))
        if used is not None:
            raise value.error(f"interface {node}:{interface} is used twice (also in {used})")
        self._used[node, interface] = value.place
        return EndpointSpec(node=node, interface=interface)


def read_links(
    topology: Value, nodes: tuple[NodeSpec, ...]
) -> tuple[tuple[LinkSpec, ...], tuple[str, ...]]:
    """Read `topology.links`; returns them with the warnings."""
    links = topology.fields().get("links")
    if links is None:
        return (), ()
    reader = LinkReader(nodes)
    read = tuple(reader.read(value) for value in links.items())
    warnings = tuple(
        f"{value.fields()['vars'].where()}: 'vars' has no effect here"
        for value in links.items()
        if "vars" in value.fields()
    )
    return read, warnings
