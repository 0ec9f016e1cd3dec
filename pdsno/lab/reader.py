"""Reads a containerlab topology file into a `Topology`."""

import os
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from pdsno.domain.errors import InputError
from pdsno.lab.document import Value, read_document
from pdsno.lab.link_reader import read_links
from pdsno.lab.node_reader import Names, check_name, read_nodes
from pdsno.lab.topology import (
    DEFAULT_MGMT_MTU,
    DEFAULT_NETWORK,
    DEFAULT_PREFIX,
    DEFAULT_SUBNET,
    MgmtSpec,
    NodeSpec,
    Topology,
)

_TOP = frozenset({"name", "prefix", "mgmt", "topology", "settings", "debug"})
_SECTIONS = frozenset({"defaults", "kinds", "groups", "nodes", "links"})
_MGMT = frozenset(
    {
        "network", "bridge", "ipv4-subnet", "ipv4_subnet", "ipv4-gw", "ipv4-range", "mtu",
        "ipv6-subnet", "ipv6_subnet", "ipv6-gw", "ipv6-range", "external-access", "driver-opts",
    }
)  # fmt: skip
_MGMT_WITHOUT_EFFECT = frozenset(
    {
        "ipv6-subnet", "ipv6_subnet", "ipv6-gw", "ipv6-range", "external-access", "driver-opts",
    }
)  # fmt: skip
_LONGEST_PREFIX = 29
_MIN_MTU, _MAX_MTU = 576, 65535


def lab_directory(name: str) -> Path:
    """Return where containerlab puts a lab's own files: `clab-LAB` in the working directory."""
    base = os.environ.get("CLAB_LABDIR_BASE")
    return (Path(base) if base else Path.cwd()) / f"clab-{name}"


def _network(value: Value) -> IPv4Network:
    try:
        network = IPv4Network(value.text())
    except ValueError as error:
        raise value.error(f"'{value.text()}' is no IPv4 network: {error}") from error
    if network.prefixlen > _LONGEST_PREFIX:
        raise value.error(f"{network} is too small for a management network")
    return network


def _inside(value: Value, subnet: IPv4Network) -> IPv4Address:
    try:
        address = IPv4Address(value.text())
    except ValueError as error:
        raise value.error(f"'{value.text()}' is no IPv4 address") from error
    if address not in subnet:
        raise value.error(f"{address} is not inside the management subnet {subnet}")
    return address


def _pool(fields: dict[str, Value], subnet: IPv4Network) -> IPv4Network:
    if "ipv4-range" not in fields:
        return subnet
    value = fields["ipv4-range"]
    pool = _network(value)
    if not pool.subnet_of(subnet):
        raise value.error(f"{pool} is not inside the management subnet {subnet}")
    return pool


def _read_mgmt(value: Value | None) -> tuple[MgmtSpec, tuple[str, ...]]:
    fields = value.fields() if value else {}
    if value:
        value.refuse_unknown(_MGMT)
    subnet_value = fields.get("ipv4-subnet") or fields.get("ipv4_subnet")
    is_automatic = subnet_value is None or subnet_value.text() == "auto"
    subnet = DEFAULT_SUBNET if is_automatic or subnet_value is None else _network(subnet_value)
    network = DEFAULT_NETWORK
    if "network" in fields:
        network = check_name(fields["network"], fields["network"].text(), "network")
    bridge = fields["bridge"].text() if "bridge" in fields else None
    if bridge is not None and not 0 < len(bridge) <= 15:  # noqa: PLR2004 - IFNAMSIZ
        raise fields["bridge"].error(f"'{bridge}' is no interface name (at most 15 characters)")
    gateway = subnet[1]
    if "ipv4-gw" in fields:
        gateway = _inside(fields["ipv4-gw"], subnet)
    mtu = fields.get("mtu")
    spec = MgmtSpec(
        network=network,
        bridge=bridge,
        subnet=subnet,
        gateway=gateway,
        pool=_pool(fields, subnet),
        mtu=mtu.integer(low=_MIN_MTU, high=_MAX_MTU) if mtu else DEFAULT_MGMT_MTU,
    )
    warnings = tuple(
        f"{item.where()}: '{name}' has no effect here"
        for name, item in fields.items()
        if name in _MGMT_WITHOUT_EFFECT
    )
    return spec, warnings


def _check_addresses(topology: Value, nodes: tuple[NodeSpec, ...], mgmt: MgmtSpec) -> None:
    values = topology.fields()["nodes"].fields()
    reserved = {mgmt.gateway, mgmt.subnet.network_address, mgmt.subnet.broadcast_address}
    for node in nodes:
        if node.mgmt_ipv4 is None:
            continue
        fields = values[node.name].fields()
        place = fields.get("mgmt-ipv4") or fields.get("mgmt_ipv4") or values[node.name]
        if not node.is_on_mgmt:
            raise place.error("a node with network-mode 'none' has no management address")
        address = _inside(place, mgmt.subnet)
        if address in reserved:
            raise place.error(
                f"{address} is the gateway, network or broadcast address of {mgmt.subnet}"
            )


def _name(root: Value) -> str:
    value = root.fields().get("name")
    if value is None:
        raise InputError(f"{root.path}: has no 'name'")
    return check_name(value, value.text(), "lab")


def load_topology(path: Path) -> Topology:
    """Read and check a topology file.

    Raises InputError, one line with file, line and place, for whatever is wrong with it.
    """
    path = path.absolute()
    root = read_document(path)
    if not isinstance(root.data, dict):
        raise root.error("not a containerlab topology: must be a mapping of names to values")
    root.refuse_unknown(_TOP)
    name = _name(root)
    topology = root.fields().get("topology")
    if topology is None:
        raise InputError(f"{path}: not a containerlab topology: has no 'topology'")
    topology.refuse_unknown(_SECTIONS)
    mgmt, mgmt_warnings = _read_mgmt(root.fields().get("mgmt"))
    names = Names(topology_dir=path.parent, lab_dir=lab_directory(name))
    nodes, node_warnings = read_nodes(topology, names)
    _check_addresses(topology, nodes, mgmt)
    links, link_warnings = read_links(topology, nodes)
    prefix = root.fields().get("prefix")
    if prefix is not None and prefix.text() not in {"", "__lab-name"}:
        check_name(prefix, prefix.text(), "prefix")
    return Topology(
        path=path,
        name=name,
        prefix=DEFAULT_PREFIX if prefix is None else prefix.text(),
        mgmt=mgmt,
        nodes=nodes,
        links=links,
        warnings=mgmt_warnings + node_warnings + link_warnings,
    )
