"""Decides names, addresses and MACs of a lab. Pure: the machine is not touched."""

import hashlib
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path

from pdsno.domain.errors import OperationError
from pdsno.lab.state import LabEnd, LabLink, LabNode, LabState
from pdsno.lab.topology import EndpointSpec, MgmtSpec, NodeSpec, Topology

_MAC_PREFIX = "aa:c1:ab"
_LONGEST_INTERFACE = 15


def _digest(*words: str) -> str:
    return hashlib.sha256("/".join(words).encode()).hexdigest()


def bridge_name(mgmt: MgmtSpec) -> str:
    """Return the bridge of a management network: the file's, or one derived from its name."""
    if mgmt.bridge:
        return mgmt.bridge
    name = f"br-{mgmt.network}"
    return name if len(name) <= _LONGEST_INTERFACE else f"br-{_digest(mgmt.network)[:12]}"


class _Macs:
    """Gives each link end an address that is the same at every start, and never twice."""

    def __init__(self, topology: Topology) -> None:
        self._lab = topology.name
        ends = [end for link in topology.links for end in (link.a, link.b)]
        self._taken = {end.mac for end in ends if end.mac}

    def of(self, end: EndpointSpec) -> str:
        if end.mac:
            return end.mac
        attempt = 0
        while True:
            digest = _digest(self._lab, end.node, end.interface, str(attempt))
            mac = f"{_MAC_PREFIX}:{digest[0:2]}:{digest[2:4]}:{digest[4:6]}"
            if mac not in self._taken:
                self._taken.add(mac)
                return mac
            attempt += 1


def _addresses(
    topology: Topology, taken: Mapping[IPv4Address, str]
) -> dict[str, IPv4Address | None]:
    """Give every node its management address: the file's, else the lowest free one."""
    mgmt = topology.mgmt
    fixed = {node.mgmt_ipv4: node.name for node in topology.nodes if node.mgmt_ipv4}
    for fixed_address, name in fixed.items():
        if fixed_address in taken:
            raise OperationError(
                f"node '{name}': management address {fixed_address} is in use by "
                f"{taken[fixed_address]}"
            )
    used = {*fixed, *taken, mgmt.gateway}
    free = (address for address in mgmt.pool.hosts() if address not in used)
    found: dict[str, IPv4Address | None] = {}
    for node in topology.nodes:
        if not node.is_on_mgmt:
            found[node.name] = None
            continue
        address = node.mgmt_ipv4 or next(free, None)
        if address is None:
            raise OperationError(
                f"the management range {mgmt.pool} has no address left for node '{node.name}'"
            )
        found[node.name] = address
    return found


def _node(topology: Topology, spec: NodeSpec, address: IPv4Address | None) -> LabNode:
    long_name = topology.long_name(spec.name)
    # 02:42 and the address, as Docker does: unique wherever the address is.
    mac = "02:42:" + ":".join(f"{octet:02x}" for octet in address.packed) if address else None
    return LabNode(
        name=spec.name,
        long_name=long_name,
        role=spec.role,
        image=spec.image,
        labels=spec.labels,
        host_interface=f"veth{_digest(topology.name, spec.name)[:8]}" if address else None,
        mgmt_mac=mac,
        mgmt_ipv4=str(address) if address else None,
        has_command=bool(spec.entrypoint or spec.cmd),
    )


def plan(topology: Topology, lab_dir: Path, taken: Mapping[IPv4Address, str]) -> LabState:
    """Plan a lab. `taken` are addresses that other labs use on the same management network.

    Raises OperationError if an address is in use or none is left.
    """
    addresses = _addresses(topology, taken)
    macs = _Macs(topology)

    def end(spec: EndpointSpec) -> LabEnd:
        return LabEnd(node=spec.node, interface=spec.interface, mac=macs.of(spec))

    return LabState(
        name=topology.name,
        topology=str(topology.path),
        lab_dir=str(lab_dir),
        network=topology.mgmt.network,
        bridge=bridge_name(topology.mgmt),
        subnet=str(topology.mgmt.subnet),
        gateway=str(topology.mgmt.gateway),
        nodes=tuple(_node(topology, spec, addresses[spec.name]) for spec in topology.nodes),
        links=tuple(LabLink(a=end(link.a), b=end(link.b), mtu=link.mtu) for link in topology.links),
    )
