"""Reads the truth about a lab from its live nodes."""

from collections.abc import Mapping
from typing import Any

from pdsno.domain.expectation import Expectation, ExpectedDevice, ExpectedLink, LinkEnd
from pdsno.lab.convergence import Convergence
from pdsno.lab.machine import ip_json
from pdsno.lab.state import LabEnd, LabNode, LabState
from pdsno.lab.topology import Role

NOT_A_DEVICE = frozenset({Role.CONTROLLER.value, Role.BROKER.value})
"""Roles of nodes that run PDSNO: they look for others."""
_LOCAL_SCOPES = frozenset({"host", "link"})


def _addresses(interface: Mapping[str, Any]) -> set[str]:
    return {
        address["local"]
        for address in interface.get("addr_info", [])
        if address.get("scope") not in _LOCAL_SCOPES
    }


def _device(node: LabNode) -> ExpectedDevice:
    interfaces = ip_json("-n", node.long_name, "addr", "show")
    return ExpectedDevice(
        name=node.name,
        region=node.labels.get("pdsno.region"),
        macs=frozenset(
            interface["address"].lower()
            for interface in interfaces
            if interface.get("link_type") == "ether"
        ),
        addresses=frozenset().union(*map(_addresses, interfaces)),
        is_exact=True,
        is_host=True,
    )


def read_truth(state: LabState, inits: Mapping[str, int]) -> Expectation:
    """Read devices from the nodes that are no controllers, links from those with LLDP."""
    nodes = [node for node in state.nodes if node.labels.get("pdsno.role") not in NOT_A_DEVICE]
    names = {node.name for node in nodes}
    links = Convergence(state, inits).links_between("lldpd")

    def end(one: LabEnd) -> LinkEnd:
        return LinkEnd(device=one.node, interface=one.interface)

    return Expectation(
        source=f"lab {state.name}",
        devices=tuple(_device(node) for node in nodes),
        links=tuple(
            ExpectedLink(ends=frozenset((end(link.a), end(link.b))))
            for link in links
            if {link.a.node, link.b.node} <= names
        ),
    )
