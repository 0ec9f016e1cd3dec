"""The network graph as a containerlab topology file, to build what was found as a lab. Pure.

Everything that is written is a JSON string, which is YAML as well, of characters that neither
YAML nor containerlab's variables (`${…}`) read as anything else.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from pdsno.domain.topology import Edge, Graph, Node

_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_NOT_IN_LABEL = re.compile(r"[^\w .:/+()-]", re.ASCII)
_OWN_PORT = re.compile(r"eth[1-9][0-9]{0,3}")
_LONGEST_NAME = 40
_FRR = "quay.io/frrouting/frr:9.1.0"
_HOST = "alpine:3"
_ROUTERS = frozenset({"router", "switch", "firewall"})

_KINDS = {
    "arista_eos": "arista_ceos",
    "juniper_junos": "juniper_crpd",
    "cisco_xr": "cisco_xrd",
    "cisco_ios": "cisco_iol",
    "cisco_nxos": "cisco_n9kv",
    "mikrotik_routeros": "mikrotik_ros",
    "aruba_aoscx": "aruba_aoscx",
    "huawei_vrp": "huawei_vrp",
    "nokia_srl": "nokia_srlinux",
    "vyos": "vyosnetworks_vyos",
}
"""Platforms by our name, and containerlab's kind; their images are the vendors'."""


def as_clab(graph: Graph, *, name: str = "discovered", stand_ins: bool = False) -> str:
    """Return the topology file.

    A platform becomes the kind that containerlab has for it; with `stand_ins`, and where there is
    none, routers become FRR and everything else Linux, which `pdsno lab up` builds as well. Ports
    keep a name as `eth1`; others get the next free one, and the link's comment has the real names.
    """
    names = _names(graph.nodes)
    lines = [f"name: {_text(name)}", "topology:", "  nodes:"]
    if not graph.nodes:
        lines[-1] += " {}"
    for node in graph.nodes:
        lines += _node(node, names[node.id], stand_ins=stand_ins)
    lines.append("  links:" if graph.edges else "  links: []")
    for edge, ports in zip(graph.edges, _ports(graph.edges), strict=True):
        ends = [f"{names[node]}:{port}" for node, port in zip(_ends(edge), ports, strict=True)]
        lines.append(f"    - endpoints: [{_text(ends[0])}, {_text(ends[1])}]  # {_real(edge)}")
    return "\n".join(lines) + "\n"


def _node(node: Node, name: str, *, stand_ins: bool) -> Iterator[str]:
    kind = None if stand_ins else _KINDS.get(node.platform or "")
    is_router = node.platform == "frr" or node.device_type in _ROUTERS
    yield f"    {_text(name)}:"
    yield f"      kind: {kind or 'linux'}"
    if kind is None:
        yield f"      image: {_text(_FRR if is_router else _HOST)}"
    yield "      labels:"
    told = {
        "pdsno.id": node.id,
        "pdsno.name": node.name,
        "pdsno.kind": node.kind.value,
        "pdsno.platform": node.platform,
        "pdsno.region": node.region,
    }
    for label, value in told.items():
        if value:
            yield f"        {label}: {_text(_NOT_IN_LABEL.sub('_', value))}"


def _names(nodes: Iterable[Node]) -> dict[str, str]:
    """Return a name of its own for each node, by ID: its label as far as a name may have it."""
    wanted = {}
    for node in nodes:
        name = _NOT_IN_NAME.sub("-", node.label).strip("-._")[:_LONGEST_NAME].rstrip("-._")
        wanted[node.id] = name or "node"
    # Names that differ in case alone are one file name, or one DNS name, for somebody.
    taken = Counter(name.lower() for name in wanted.values())
    given: set[str] = set()
    names = {}
    for node_id, name in wanted.items():
        own, number = name, 1
        while (taken[name.lower()] > 1 and number == 1) or own.lower() in given:
            own, number = f"{name}-{number}", number + 1
        given.add(own.lower())
        names[node_id] = own
    return names


def _ports(edges: Iterable[Edge]) -> list[tuple[str, str]]:
    """Return the ports of each edge: each is used once, as a cable has it."""
    ends = [
        [(edge.source, edge.source_interface), (edge.target, edge.target_interface)]
        for edge in edges
    ]
    used: dict[str, set[str]] = defaultdict(set)
    ports: dict[tuple[int, int], str] = {}
    for number, pair in enumerate(ends):
        for side, (node, interface) in enumerate(pair):
            if interface and _OWN_PORT.fullmatch(interface) and interface not in used[node]:
                ports[number, side] = interface
                used[node].add(interface)
    for number, pair in enumerate(ends):
        for side, (node, _) in enumerate(pair):
            if (number, side) not in ports:
                free = next(f"eth{n}" for n in range(1, 100_000) if f"eth{n}" not in used[node])
                ports[number, side] = free
                used[node].add(free)
    return [(ports[number, 0], ports[number, 1]) for number in range(len(ends))]


def _ends(edge: Edge) -> tuple[str, str]:
    return edge.source, edge.target


def _real(edge: Edge) -> str:
    told = f"{edge.source_interface or '?'} - {edge.target_interface or '?'}"
    return _NOT_IN_LABEL.sub("_", told)


def _text(value: str) -> str:
    return json.dumps(value)
