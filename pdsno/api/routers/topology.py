"""`/topology`: the network as a graph, in the forms that other tools take."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from pdsno.api.conditional import unless_known
from pdsno.api.queries import StrictQuery, Text
from pdsno.api.read_route import ReadRoute
from pdsno.api.view import View, ViewOf, WholeView
from pdsno.domain.errors import InputError
from pdsno.domain.paging import PAGE, every
from pdsno.domain.ports import EndpointFilter
from pdsno.domain.topology import Graph, graph_of
from pdsno.integrations import graph_formats
from pdsno.integrations.clab_format import as_clab

_MOST_NODES = 50_000
_JSON = "application/json"


class Format(StrEnum):
    """For whom the graph is written."""

    JSON = "json"
    CYTOSCAPE = "cytoscape"
    D3 = "d3"
    NETWORKX = "networkx"
    MERMAID = "mermaid"
    GRAPHVIZ = "graphviz"
    CLAB = "clab"


_AS_VALUE: Mapping[Format, Callable[[Graph], Mapping[str, Any]]] = {
    Format.JSON: graph_formats.as_json,
    Format.CYTOSCAPE: graph_formats.as_cytoscape,
    Format.D3: graph_formats.as_d3,
    Format.NETWORKX: graph_formats.as_networkx,
}
_AS_TEXT: Mapping[Format, tuple[str, Callable[[Graph], str]]] = {
    Format.MERMAID: ("text/plain", graph_formats.as_mermaid),
    Format.GRAPHVIZ: ("text/vnd.graphviz", graph_formats.as_graphviz),
}
_TEXTS = ("text/plain", "text/vnd.graphviz", "application/yaml")
_EXAMPLE = {
    "nodes": [{"id": "dev_01", "kind": "device", "label": "spine1", "device_type": "router"}],
    "edges": [],
}
_ANSWERS: dict[str, Any] = {
    "description": "The graph",
    "content": {
        _JSON: {"schema": {"type": "object", "additionalProperties": True}, "example": _EXAMPLE},
        **{text: {"schema": {"type": "string"}} for text in _TEXTS},
    },
}


class TopologyQuery(StrictQuery):
    """What of the network, and for whom."""

    format: Format = Format.JSON
    region: Text | None = Field(
        default=None, description="Its devices; neighbours of other regions are named as such."
    )
    endpoints: bool = Field(default=False, description="Also hosts, at their switch ports.")
    stand_ins: bool = Field(
        default=False,
        description="For `clab`: FRR and Linux in place of vendors' kinds; `pdsno lab up` builds "
        "these.",
    )


def router(view_of: ViewOf) -> APIRouter:
    """Return the route of `/topology`."""
    routes = APIRouter(prefix="/topology", tags=["topology"], route_class=ReadRoute)

    @routes.get("", response_class=Response, responses={200: _ANSWERS})
    def get_topology(
        request: Request,
        query: Annotated[TopologyQuery, Query()],
        view: Annotated[WholeView, Depends(view_of)],
    ) -> Response:
        """The network as a graph: devices, what they are linked to, and if asked for hosts.

        `nodes[]` and `edges[]` for programs, `cytoscape` (elements of Cytoscape.js), `d3` (nodes
        and links), `networkx` (`node_link_graph`), `mermaid`, `graphviz`, and `clab`, a
        containerlab file of the network that was found. The order is always the same.
        """
        view.check_region(query.region)

        def answer(view: View) -> Response:
            return _written(query, _graph(view, query))

        return unless_known(request, view, ("devices", "links", "endpoints"), answer)

    return routes


def _graph(view: View, query: TopologyQuery) -> Graph:
    devices = list(
        islice(
            every(lambda after: view.devices(region=query.region, limit=PAGE, after=after)),
            _MOST_NODES + 1,
        )
    )
    links = every(
        lambda after: view.links(
            device_id=None, status=None, region=query.region, limit=PAGE, after=after
        )
    )
    hosts = every(
        lambda after: view.endpoints(EndpointFilter(region=query.region), limit=PAGE, after=after)
    )
    found = list(islice(hosts, _MOST_NODES + 1)) if query.endpoints else []
    if len(devices) + len(found) > _MOST_NODES:
        raise InputError(
            f"the graph has more than {_MOST_NODES} nodes: ask for a region, or without endpoints"
        )
    return graph_of(devices, links, found)


def _written(query: TopologyQuery, graph: Graph) -> Response:
    if query.format is Format.CLAB:
        text = as_clab(graph, name=query.region or "discovered", stand_ins=query.stand_ins)
        return Response(content=text, media_type="application/yaml")
    if query.format in _AS_TEXT:
        media_type, write = _AS_TEXT[query.format]
        return Response(content=write(graph), media_type=media_type)
    text = graph_formats.json_text(_AS_VALUE[query.format](graph))
    return Response(content=text.encode("utf-8", "replace"), media_type=_JSON)
