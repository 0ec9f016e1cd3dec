"""FRR labs written as people publish them, for the images of others: they come up unchanged."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdsno.lab.convergence import Convergence
from pdsno.lab.runner import Lab

TOPOLOGIES = Path(__file__).parent / "topologies"


@pytest.fixture
def brought_up(request: pytest.FixtureRequest) -> Iterator[Lab]:
    lab = Lab(TOPOLOGIES / request.param)
    lab.up()
    yield lab
    lab.down()


@pytest.mark.parametrize(
    ("brought_up", "source", "destination"),
    [
        pytest.param("ospf/ospf.clab.yml", "pc1", "10.66.22.2", id="ospf"),
        pytest.param("bgp/bgp.clab.yml", "host1", "10.67.2.2", id="unnumbered-bgp"),
    ],
    indirect=["brought_up"],
)
def test_hosts_reach_each_other_over_the_routers_and_nodes_tell_their_names(
    brought_up: Lab, source: str, destination: str
) -> None:
    assert brought_up.warnings == ()
    assert brought_up.exec(source, ["ping", "-c1", "-W2", destination]).returncode == 0
    for row in brought_up.status():
        argv = ["snmpget", "-v2c", "-c", "public", "-Oqv", "-t1", "-r2", str(row.mgmt_ipv4)]
        done = subprocess.run(
            [*argv, "1.3.6.1.2.1.1.5.0"], capture_output=True, text=True, check=False
        )
        assert done.stdout.strip().strip('"') == row.node


@pytest.mark.parametrize("brought_up", ["ospf/ospf.clab.yml"], indirect=True)
def test_a_lab_that_cannot_converge_says_which_node_lacks_what(brought_up: Lab) -> None:
    inits = {row.node: row.pid for row in brought_up.status() if row.pid is not None}
    looked = Convergence(brought_up.state(), inits)
    assert looked.lacks() == []
    brought_up.exec("r1", ["ip", "link", "set", "eth1", "down"])
    found = {str(lack) for lack in looked.wait(timeout_s=0.5)}
    assert "r1: interface eth1 is down" in found
