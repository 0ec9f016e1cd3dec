"""The network graph as other tools take it. Pure.

Names in it come from devices, so from anybody: each format has its own way to write any text as
text, and what a format has no way for is left out or replaced.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pdsno.domain.topology import Edge, Graph, Node, NodeKind

_PLAIN = re.compile(r"[^A-Za-z0-9 ._/+-]")
_NO_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DASHED = "-.-"


def _told(value: Node | Edge) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value)}


def as_json(graph: Graph) -> dict[str, Any]:
    """Return nodes and edges as they are."""
    return {"nodes": list(map(_told, graph.nodes)), "edges": list(map(_told, graph.edges))}


def as_cytoscape(graph: Graph) -> dict[str, Any]:
    """Return the elements of Cytoscape.js: `cytoscape({elements: …})`."""
    return {
        "elements": {
            "nodes": [{"data": _told(node), "classes": node.kind} for node in graph.nodes],
            "edges": [{"data": _told(edge)} for edge in graph.edges],
        }
    }


def as_d3(graph: Graph) -> dict[str, Any]:
    """Return nodes and links for `d3.forceLink(links).id(d => d.id)`."""
    return {"nodes": list(map(_told, graph.nodes)), "links": list(map(_told, graph.edges))}


def as_networkx(graph: Graph) -> dict[str, Any]:
    """Return what `networkx.node_link_graph(data, edges="edges")` takes: a multigraph."""
    return {
        "directed": False,
        "multigraph": True,
        "graph": {},
        "nodes": list(map(_told, graph.nodes)),
        "edges": [{**_told(edge), "key": edge.id} for edge in graph.edges],
    }


# --- text ------------------------------------------------------------------------------------


def as_mermaid(graph: Graph) -> str:
    """Return a Mermaid flowchart. Nodes are numbered: no ID of a device is read as its syntax."""
    numbers = _numbers(graph)
    lines = ["graph LR"]
    for node in graph.nodes:
        left, right = {
            NodeKind.DEVICE: ("[", "]"),
            NodeKind.ENDPOINT: ("([", "])"),
            NodeKind.NEIGHBOR: ("{{", "}}"),
        }[node.kind]
        lines.append(f'  {numbers[node.id]}{left}"{_mermaid_text(node.label)}"{right}')
    for edge in graph.edges:
        label = _mermaid_text(_ports(edge))
        line = "---" if edge.status in ("confirmed", None) else _DASHED
        lines.append(f'  {numbers[edge.source]} {line}|"{label}"| {numbers[edge.target]}')
    return "\n".join(lines) + "\n"


def _mermaid_text(text: str) -> str:
    return _PLAIN.sub(lambda found: f"#{ord(found[0])};", _NO_CONTROL.sub(" ", text)) or " "


def as_graphviz(graph: Graph) -> str:
    """Return the DOT language of an undirected graph."""
    numbers = _numbers(graph)
    lines = ["graph pdsno {", "  node [shape=box];"]
    for node in graph.nodes:
        shape = {NodeKind.ENDPOINT: ", shape=ellipse", NodeKind.NEIGHBOR: ", style=dashed"}
        lines.append(f"  {numbers[node.id]} [label={_dot(node.label)}{shape.get(node.kind, '')}];")
    for edge in graph.edges:
        told = f"taillabel={_dot(edge.source_interface)}, headlabel={_dot(edge.target_interface)}"
        style = "" if edge.status in ("confirmed", None) else ", style=dashed"
        lines.append(f"  {numbers[edge.source]} -- {numbers[edge.target]} [{told}{style}];")
    return "\n".join([*lines, "}"]) + "\n"


def _dot(text: str | None) -> str:
    plain = _NO_CONTROL.sub(" ", text or "").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


def _numbers(graph: Graph) -> Mapping[str, str]:
    return {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}


def _ports(edge: Edge) -> str:
    return f"{edge.source_interface or ''} - {edge.target_interface or ''}"


def json_text(value: Mapping[str, Any]) -> str:
    """Return JSON whose keys keep their order."""
    return json.dumps(value, ensure_ascii=False)
