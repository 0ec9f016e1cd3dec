"""What a containerlab file of any kinds lets expect of a network."""

from pathlib import Path

import pytest

from pdsno.domain.errors import InputError
from pdsno.domain.expectation import Expectation, ExpectedDevice
from pdsno.lab.expected import read_expectation

LABS = Path(__file__).resolve().parents[3] / "lab"


def read(folder: Path, text: str) -> Expectation:
    file = folder / "x.clab.yml"
    file.write_text(f"name: x\n{text}")
    return read_expectation(file)


def one(folder: Path, node: str) -> ExpectedDevice:
    (found,) = read(folder, f"topology:\n  nodes:\n    n1: {node}\n").devices
    return found


def ends(found: Expectation) -> dict[tuple[str, ...], bool]:
    return {tuple(sorted(map(str, link.ends))): link.is_told for link in found.links or ()}


def test_vendors_nodes_are_understood_which_the_runner_cannot_start(tmp_path: Path) -> None:
    text = """
topology:
  defaults: {labels: {pdsno.region: zone-A}}
  kinds:
    nokia_srlinux: {image: ghcr.io/nokia/srlinux}
  nodes:
    srl: {kind: nokia_srlinux, mgmt-ipv4: 172.20.20.11, mgmt-ipv6: "3fff:172:20:20::11"}
    eos: {kind: arista_ceos}
    br: {kind: bridge}
    gc: {kind: linux, labels: {pdsno.role: controller}}
  links:
    - endpoints: ["srl:e1-1", "eos:eth1_2"]
    - endpoints: ["eos:eth3", "br:eth9"]
    - endpoints: ["eos:eth4", "host:veth1"]
    - type: veth
      endpoints:
        - {node: srl, interface: e1-2, mac: "AA-C1-AB-00-00-01", ipv4: 10.0.0.1/30}
        - {node: eos, interface: eth4}
    - {type: mgmt-net, endpoint: {node: eos, interface: eth5}, host-interface: x}
"""
    found = read(tmp_path, text)
    assert ends(found) == {
        ("eos:Ethernet1/2", "srl:ethernet-1/1"): True,
        ("eos:Ethernet4", "srl:ethernet-1/2"): True,
    }
    srl, eos = found.devices
    assert (srl.region, srl.aliases, srl.place) == (
        "zone-A", ("clab-x-srl",), f"{tmp_path}/x.clab.yml:8",
    )  # fmt: skip
    assert srl.addresses == {"172.20.20.11", "3fff:172:20:20::11", "10.0.0.1"}
    assert srl.macs == {"aa:c1:ab:00:00:01"}
    assert eos.platform == "arista_eos"
    assert not srl.is_host
    assert "br, gc" in found.notes[0]


def test_hosts_are_plain_linux_nodes_and_their_links_may_be_absent(tmp_path: Path) -> None:
    text = """
topology:
  groups:
    routers: {labels: {pdsno.role: router}}
  nodes:
    r1: {kind: linux, group: routers}
    h1: {kind: linux}
  links:
    - endpoints: ["r1:eth1", "h1:eth1"]
"""
    found = read(tmp_path, text)
    assert [node.is_host for node in found.devices] == [False, True]
    assert ends(found) == {("h1:eth1", "r1:eth1"): False}
    assert "1 links of hosts" in found.notes[0]


@pytest.mark.parametrize(
    ("command", "address"),
    [
        ("ip addr add 10.0.0.1/24 dev eth1", "10.0.0.1/24"),
        ("ip  address  add 10.0.0.1/24 brd + dev eth1", "10.0.0.1/24"),
        ("/sbin/ip -6 a replace fd00::1/64 dev eth1 nodad", "fd00::1/64"),
        ("ip link set eth1 up", None),
        ("ip addr add 10.0.0.999/24 dev eth1", None),
        ("sh -c 'ip addr add 10.0.0.1/24 dev eth1'", None),
    ],
)
def test_addresses_that_a_node_gives_itself_are_expected(
    tmp_path: Path, command: str, address: str | None
) -> None:
    node = one(tmp_path, f'{{kind: linux, exec: ["{command}"]}}')
    assert [ip for port in node.interfaces for ip in port.ips] == ([address] if address else [])
    assert node.addresses == ({address.partition("/")[0]} if address else set())


@pytest.mark.parametrize(
    ("prefix", "alias"),
    [("", "clab-x-n1"), ("prefix: my\n", "my-x-n1"), ('prefix: ""\n', "n1"),
     ("prefix: __lab-name\n", "x-n1")],
)  # fmt: skip
def test_a_containers_name_is_an_alias(tmp_path: Path, prefix: str, alias: str) -> None:
    found = read(tmp_path, f"{prefix}topology:\n  nodes:\n    n1: {{kind: linux}}\n")
    assert found.devices[0].aliases == (alias,)


def test_the_labs_of_this_project_can_be_read() -> None:
    found = read_expectation(LABS / "two-regions.clab.yml")
    assert len(found.devices) == 18
    assert sum(link.is_told for link in found.links or ()) == 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("other: 1\n", "has no 'topology'"),
        ("topology: {nodes: {}}\n", "names no node that could be discovered"),
        ("topology: {nodes: {br: {kind: bridge}}}\n", "names no node that could be discovered"),
        ("topology: {nodes: {a: {mgmt-ipv4: x}}}\n", "x.clab.yml:2: topology.nodes.a.mgmt-ipv4"),
        ('topology: {nodes: {a: {}}, links: [{endpoints: ["a", "b:x"]}]}\n', "NODE:INTERFACE"),
        ('topology: {nodes: {a: {}}, links: [{endpoints: ["a:x", "b:x"]}]}\n', "no node 'b'"),
        ("topology: {nodes: {a: {}}, links: [{endpoints: [{node: a, interface: x, mac: z}]}]}\n",
         "'z' is not a MAC"),
    ],
)  # fmt: skip
def test_a_bad_file_says_where(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert said in str(error.value)
