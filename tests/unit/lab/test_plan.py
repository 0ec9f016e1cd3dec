from ipaddress import IPv4Address
from pathlib import Path

import pytest

from pdsno.domain.errors import OperationError
from pdsno.lab.plan import bridge_name, plan
from pdsno.lab.reader import load_topology
from pdsno.lab.topology import Topology


@pytest.fixture
def topology(tmp_path: Path) -> Topology:
    path = tmp_path / "x.clab.yml"
    path.write_text(
        """
name: x
mgmt: {network: n, ipv4-subnet: 10.9.0.0/29}
topology:
  defaults: {kind: linux, image: alpine}
  nodes:
    a: {}
    b: {mgmt-ipv4: 10.9.0.2}
    c: {network-mode: none}
    d: {}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
    - endpoints: ["b:eth2", "c:eth1"]
"""
    )
    return load_topology(path)


def test_nodes_get_the_lowest_free_address_and_keep_their_fixed_one(topology: Topology) -> None:
    state = plan(topology, Path("/x"), {IPv4Address("10.9.0.3"): "lab 'y'"})
    addresses = {node.name: node.mgmt_ipv4 for node in state.nodes}
    assert addresses == {"a": "10.9.0.4", "b": "10.9.0.2", "c": None, "d": "10.9.0.5"}


def test_an_address_of_another_lab_is_refused(topology: Topology) -> None:
    with pytest.raises(OperationError, match=r"10\.9\.0\.2 is in use by lab 'y'"):
        plan(topology, Path("/x"), {IPv4Address("10.9.0.2"): "lab 'y'"})


def test_a_full_range_is_refused(topology: Topology) -> None:
    taken = {IPv4Address(f"10.9.0.{last}"): "lab 'y'" for last in (3, 4, 5)}
    with pytest.raises(OperationError, match="no address left for node 'd'"):
        plan(topology, Path("/x"), taken)


def test_macs_are_unique_and_the_same_at_every_start(topology: Topology) -> None:
    first, second = (plan(topology, Path("/x"), {}) for _ in range(2))
    macs = [end.mac for link in first.links for end in (link.a, link.b)]
    assert first == second
    assert len(set(macs)) == len(macs)
    assert all(mac.startswith("aa:c1:ab:") for mac in macs)


def test_bridge_names_fit_the_kernel(topology: Topology) -> None:
    assert len(bridge_name(topology.mgmt)) <= 15
