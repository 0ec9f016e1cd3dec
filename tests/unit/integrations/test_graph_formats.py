"""The graph in other tools' forms says what the graph says, whatever devices call themselves."""

import json
import re
from itertools import permutations
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pdsno.domain.entities import DeviceType, Link, LinkEnd, LinkStatus
from pdsno.domain.topology import Graph, Node, NodeKind, graph_of
from pdsno.integrations import graph_formats
from pdsno.integrations.clab_format import as_clab
from pdsno.lab.reader import load_topology
from tests.unit.api.serving import NOW, device, endpoint

EVIL = ['a"]; click n0 "javascript:x"', "x\\", "a\nb", "${HOME}", "-- >", "<b>", "'", "#quot;", "é"]


def link(link_id: str, a: LinkEnd, b: LinkEnd, status: LinkStatus = LinkStatus.CONFIRMED) -> Link:
    return Link(link_id=link_id, a=a, b=b, source="lldp", status=status, last_seen=NOW)


def end(number: int | None, interface: str | None = "eth1", name: str | None = None) -> LinkEnd:
    device_id = f"dev_{number:04}" if number is not None else None
    return LinkEnd(device_id=device_id, device=name, interface=interface)


DEVICES = [
    device(1, name="spine1", device_type=DeviceType.ROUTER, platform="frr", region="zone-A"),
    device(2, name="leaf1", device_type=DeviceType.SWITCH, platform="arista_eos"),
    device(3, management_ip="10.0.0.3"),
]
LINKS = [
    link("l1", end(1, "eth1"), end(2, "Ethernet1")),
    link("l2", end(1, "eth1"), end(3, "eth2"), LinkStatus.CLAIMED),
    link("l3", end(1, "eth3"), end(None, "Gi0/1", "elsewhere")),
    link("l4", end(8), end(9)),
]
GRAPH = graph_of(DEVICES, LINKS, [endpoint(1)])


def test_the_graph_has_devices_neighbours_and_hosts_and_an_edge_for_each_link() -> None:
    assert [(n.id, n.kind.value, n.label) for n in GRAPH.nodes] == [
        ("dev_0001", "device", "spine1"),
        ("dev_0002", "device", "leaf1"),
        ("dev_0003", "device", "10.0.0.3"),
        ("ep_0001", "endpoint", "10.1.20.1"),
        ("neighbor:elsewhere", "neighbor", "elsewhere"),
    ]
    assert [(e.id, e.source, e.target) for e in GRAPH.edges] == [
        ("at:ep_0001", "dev_0001", "ep_0001"),
        ("l1", "dev_0001", "dev_0002"),
        ("l2", "dev_0001", "dev_0003"),
        ("l3", "dev_0001", "neighbor:elsewhere"),
    ]


def test_the_order_of_what_comes_in_changes_nothing() -> None:
    for devices in permutations(DEVICES):
        assert graph_of(devices, reversed(LINKS), [endpoint(1)]) == GRAPH


def test_programs_get_nodes_and_edges_in_their_own_words() -> None:
    whole = graph_formats.as_json(GRAPH)
    ids = {node["id"] for node in whole["nodes"]}
    for edges in (
        whole["edges"],
        graph_formats.as_d3(GRAPH)["links"],
        graph_formats.as_networkx(GRAPH)["edges"],
        [e["data"] for e in graph_formats.as_cytoscape(GRAPH)["elements"]["edges"]],
    ):
        assert [edge["id"] for edge in edges] == [edge.id for edge in GRAPH.edges]
        assert all({edge["source"], edge["target"]} <= ids for edge in edges)
    networkx = graph_formats.as_networkx(GRAPH)
    assert (networkx["directed"], networkx["multigraph"]) == (False, True)
    assert json.loads(json.dumps(networkx)) == networkx


def named(*names: str) -> Graph:
    nodes = [Node(id=f"d{n:02}", kind=NodeKind.DEVICE, label=x) for n, x in enumerate(names)]
    return Graph(nodes=tuple(nodes), edges=())


@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
@settings(max_examples=60)
def test_no_name_leaves_its_quotes_in_mermaid(names: list[str]) -> None:
    lines = graph_formats.as_mermaid(named(*names, *EVIL)).splitlines()
    assert len(lines) == 1 + len(names) + len(EVIL)
    for line in lines[1:]:
        assert re.fullmatch(r'  n\d+\["[A-Za-z0-9 ._/+#;-]+"\]', line), line


@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
@settings(max_examples=60)
def test_no_name_leaves_its_quotes_in_dot(names: list[str]) -> None:
    text = graph_formats.as_graphviz(named(*names, *EVIL))
    lines = text[:-1].split("\n")[2:-1]
    assert len(lines) == len(names) + len(EVIL)
    for line in lines:
        assert re.fullmatch(r'  n\d+ \[label="(?:[^"\\]|\\["\\])*"\];', line), line


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
@settings(max_examples=60)
def test_every_name_becomes_another_node_of_a_lab(names: list[str]) -> None:
    graph = named(*names, *EVIL)
    document = yaml.safe_load(as_clab(graph))
    nodes = document["topology"]["nodes"]
    assert len({name.lower() for name in nodes}) == len(graph.nodes)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) for name in nodes)
    assert "${" not in as_clab(graph)


def test_our_own_lab_reads_the_network_that_was_found(tmp_path: Path) -> None:
    file = tmp_path / "found.clab.yml"
    file.write_text(as_clab(GRAPH, stand_ins=True))
    lab = load_topology(file)
    assert {node.name: node.role.value for node in lab.nodes} == {
        "spine1": "router",
        "leaf1": "router",
        "10.0.0.3": "host",
        "10.1.20.1": "host",
        "elsewhere": "host",
    }
    assert [(one.a.node, one.b.node) for one in lab.links] == [
        ("spine1", "10.1.20.1"),
        ("spine1", "leaf1"),
        ("spine1", "10.0.0.3"),
        ("spine1", "elsewhere"),
    ]


def test_vendors_kinds_are_those_of_containerlab() -> None:
    nodes = yaml.safe_load(as_clab(GRAPH))["topology"]["nodes"]
    assert nodes["leaf1"]["kind"] == "arista_ceos"
    assert nodes["spine1"] == {
        "kind": "linux",
        "image": "quay.io/frrouting/frr:9.1.0",
        "labels": {
            "pdsno.id": "dev_0001",
            "pdsno.name": "spine1",
            "pdsno.kind": "device",
            "pdsno.platform": "frr",
            "pdsno.region": "zone-A",
        },
    }


def test_a_port_is_used_once() -> None:
    links = yaml.safe_load(as_clab(GRAPH))["topology"]["links"]
    ends = [one for pair in links for one in pair["endpoints"]]
    assert len(ends) == len(set(ends))
    assert "spine1:eth3" in ends
