"""The network as a graph: what is in it, and what is connected to what."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pdsno.domain.entities import Device, Endpoint, Link, LinkEnd


class NodeKind(StrEnum):
    """Why a node is in the graph."""

    DEVICE = "device"
    ENDPOINT = "endpoint"
    NEIGHBOR = "neighbor"
    """A device tells of it, and it is not among those that are shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A node (RFC 8345). `label` is for people: its name, else an address, else its ID."""

    id: str
    kind: NodeKind
    label: str
    name: str | None = None
    device_type: str | None = None
    vendor: str | None = None
    model: str | None = None
    platform: str | None = None
    status: str | None = None
    region: str | None = None
    management_ip: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """A link between two nodes, by their IDs. `source` and `target` say no direction."""

    id: str
    source: str
    target: str
    source_interface: str | None
    target_interface: str | None
    status: str | None
    protocol: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """A graph, nodes and edges each ordered by ID; each end of an edge is among the nodes."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def graph_of(
    devices: Iterable[Device], links: Iterable[Link], endpoints: Iterable[Endpoint] = ()
) -> Graph:
    """Return the graph of devices, the links that touch them, and hosts at their ports."""
    nodes = {device.device_id: _of_device(device) for device in devices}
    shown = frozenset(nodes)
    edges = {}
    for link in links:
        if not {link.a.device_id, link.b.device_id} & shown:
            continue
        ends = [_end_node(link, end, nodes) for end in (link.a, link.b)]
        nodes |= {node.id: node for node in ends}
        edges[link.link_id] = Edge(
            id=link.link_id,
            source=ends[0].id,
            target=ends[1].id,
            source_interface=link.a.interface,
            target_interface=link.b.interface,
            status=link.status.value,
            protocol=link.source,
        )
    for endpoint in endpoints:
        nodes[endpoint.endpoint_id] = _of_endpoint(endpoint)
        edges |= {edge.id: edge for edge in _attachment(endpoint, shown)}
    return Graph(
        nodes=tuple(nodes[key] for key in sorted(nodes)),
        edges=tuple(edges[key] for key in sorted(edges)),
    )


def _of_device(device: Device) -> Node:
    return Node(
        id=device.device_id,
        kind=NodeKind.DEVICE,
        label=device.name or device.management_ip or device.device_id,
        name=device.name,
        device_type=device.device_type.value,
        vendor=device.vendor,
        model=device.model,
        platform=device.platform,
        status=device.status.value,
        region=device.region or None,
        management_ip=device.management_ip,
    )


def _end_node(link: Link, end: LinkEnd, nodes: dict[str, Node]) -> Node:
    if end.device_id in nodes:
        return nodes[end.device_id]
    name = end.device
    # A neighbour without a name is another one on each link.
    other = end.device_id or f"neighbor:{name or link.link_id}"
    return Node(id=other, kind=NodeKind.NEIGHBOR, label=name or "unknown", name=name)


def _of_endpoint(endpoint: Endpoint) -> Node:
    addresses = sorted(endpoint.ips)
    return Node(
        id=endpoint.endpoint_id,
        kind=NodeKind.ENDPOINT,
        label=next(iter(addresses), None) or endpoint.mac or endpoint.endpoint_id,
        vendor=endpoint.vendor,
        region=endpoint.region or None,
        management_ip=next(iter(addresses), None),
    )


def _attachment(endpoint: Endpoint, shown: frozenset[str]) -> Iterator[Edge]:
    place = endpoint.attachment
    if place is not None and place.device_id is not None and place.device_id in shown:
        yield Edge(
            id=f"at:{endpoint.endpoint_id}",
            source=place.device_id,
            target=endpoint.endpoint_id,
            source_interface=place.interface,
            target_interface=None,
            status=None,
            protocol="mac-table",
        )
