"""`pdsno topology`: the network that a NIB knows, drawn in the terminal."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from pdsno.cli.api_access import ApiTarget, api_options
from pdsno.cli.completion import device_names
from pdsno.cli.nib_client import NIBClient
from pdsno.cli.output import OutputFormat, cell_text, output_option, render, render_one
from pdsno.domain.errors import InputError

if TYPE_CHECKING:
    from pdsno.domain.drawing import Charset, Drawing, Edge, Node

Row = Mapping[str, Any]

_RANKS = {"router": 0, "firewall": 0, "switch": 1, "unknown": 2, "server": 3, "endpoint": 4}
_STUB_RANK = 9
_MOST_LONE = 50
_EPILOG = """\b
Examples:
  pdsno topology
  pdsno topology --region zone-A --root spine1
  pdsno topology --width 200 > network.txt
  pdsno topology -o json | jq '.edges[] | select(.status == "conflict")'
  pdsno topology -o csv > links.csv"""


@click.command(epilog=_EPILOG, context_settings={"max_content_width": 100})
@click.option("--region", metavar="TEXT", help="Devices of this region, and what they link to.")
@click.option(
    "--root",
    metavar="DEVICE",
    shell_complete=device_names,
    help="Begin with this device: its name or ID.  [default: the router with the most links]",
)
@click.option(
    "--width",
    type=click.IntRange(min=20),
    metavar="N",
    help="Columns to draw in.  [default: the terminal's; into a file or pipe: no limit]",
)
@click.option(
    "--ascii/--unicode",
    "is_ascii",
    default=None,
    help="What to draw with.  [default: by the locale]",
)
@output_option
@api_options
def topology(
    *,
    region: str | None,
    root: str | None,
    width: int | None,
    is_ascii: bool | None,
    api: ApiTarget,
    output: OutputFormat,
) -> None:
    """Draw the network: devices and links, from the core down, each link once.

    What is no tree is drawn all the same: an arrow up means a link to a device that stands above.
    JSON and YAML hold nodes and edges as the API gives them, CSV has a row for each link.
    """
    with NIBClient(api) as client:
        graph = client.get("topology", {} if region is None else {"region": region})
    nodes, edges = graph.get("nodes", []), graph.get("edges", [])
    if output is OutputFormat.CSV:
        render(list(_flat(nodes, edges)), fmt=output, columns=_COLUMNS)
        return
    if output is not OutputFormat.TABLE:
        render_one(graph, fmt=output)
        return
    if not nodes:
        where = f" in region {region}" if region else ""
        click.echo(f"no devices found{where}", err=True)
        return
    plain = not _takes_unicode() if is_ascii is None else is_ascii
    _show(Picture.of(nodes, edges, is_ascii=plain), root, width or _terminal_width())


_COLUMNS = ("device_a", "interface_a", "device_b", "interface_b", "status", "protocol")
_STRANGER = "neighbor:"
"""So begins the ID of a neighbour that has none in the NIB."""


def _flat(nodes: Iterable[Row], edges: Iterable[Row]) -> Iterator[Row]:
    labels = {node["id"]: node["label"] for node in nodes}
    for edge in edges:
        row: dict[str, object] = {}
        for side, end in (("a", "source"), ("b", "target")):
            key = edge[end]
            row[f"device_{side}"] = labels[key]
            row[f"interface_{side}"] = edge[f"{end}_interface"]
            row[f"device_id_{side}"] = None if key.startswith(_STRANGER) else key
        yield {
            "link_id": edge["id"],
            **row,
            **{name: edge[name] for name in ("status", "protocol")},
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """Devices and links as they are to be drawn; `names` finds the IDs that a name has."""

    nodes: Sequence["Node"]
    edges: Sequence["Edge"]
    names: Mapping[str, Sequence[str]]
    charset: "Charset"
    stubs: int

    @classmethod
    def of(cls, nodes: Iterable[Row], edges: Iterable[Row], *, is_ascii: bool) -> "Picture":
        """Make every text of the API's graph harmless, and find who has which name."""
        from pdsno.domain.drawing import ASCII, BOX, Bond, Edge, Node

        def text(value: object) -> str:
            shown = cell_text(value)
            return shown.encode("ascii", "backslashreplace").decode() if is_ascii else shown

        names: dict[str, list[str]] = {}
        drawn: list[Node] = []
        stubs = 0
        for node in nodes:
            is_device = node["kind"] == "device"
            rank = _RANKS.get(node["device_type"], _STUB_RANK) if is_device else _STUB_RANK
            detail = text(_detail(node) if is_device else _why_stub(node))
            label = text(node["label"])
            drawn.append(Node(node_id=node["id"], label=label, detail=detail, rank=rank))
            if is_device:
                names.setdefault(str(node["label"]).casefold(), []).append(node["id"])
            else:
                stubs += 1
        lines = [
            Edge(
                a=edge["source"],
                b=edge["target"],
                a_end=text(edge["source_interface"]) or None,
                b_end=text(edge["target_interface"]) or None,
                bond=Bond(edge["status"]),
            )
            for edge in edges
        ]
        charset = ASCII if is_ascii else BOX
        return cls(nodes=drawn, edges=lines, names=names, charset=charset, stubs=stubs)

    def root(self, named: str) -> str:
        """Return the ID of the device that is meant. Raises InputError unless it is one."""
        found = self.names.get(named.casefold(), [])
        if named in {node.node_id for node in self.nodes}:
            return named
        if not found:
            raise InputError(f"there is no device {named!r} here: pdsno nib devices lists all")
        if len(found) > 1:
            raise InputError(f"{named!r} is more than one device, give an ID: {', '.join(found)}")
        return found[0]

    def draw(self, root: str | None, width: int | None) -> "Drawing":
        """Lay it out."""
        from pdsno.domain.drawing import draw

        roots = [] if root is None else [self.root(root)]
        return draw(self.nodes, self.edges, roots=roots, width=width, charset=self.charset)


def _why_stub(node: Row) -> str:
    return "(not in this NIB)" if node["id"].startswith(_STRANGER) else "(elsewhere)"


def _detail(device: Row) -> str:
    words = [] if device["device_type"] == "unknown" else [device["device_type"]]
    if device["management_ip"] and device["name"]:
        words.append(device["management_ip"])
    if device["status"] != "active":
        words.append(f"[{device['status']}]")
    return " ".join(words)


def _show(picture: Picture, root: str | None, width: int | None) -> None:
    from pdsno.domain.drawing import cut

    drawing = picture.draw(root, width)
    for line in drawing.lines:
        click.echo(line)
    if drawing.lone:
        if drawing.lines:
            click.echo()
        shown = drawing.lone[:_MOST_LONE]
        click.echo("without a link:")
        for node in shown:
            line = f"   {node.label}  {node.detail}".rstrip()
            click.echo(cut(line, width, picture.charset.ellipsis))
        if len(drawing.lone) > len(shown):
            more = len(drawing.lone) - len(shown)
            click.echo(f"   and {more} more: pdsno nib devices lists them")
    click.echo(_summary(picture, drawing), err=True)


def _summary(picture: Picture, drawing: "Drawing") -> str:
    """Return one line: how much there is, and what the marks mean that were drawn."""
    from pdsno.domain.drawing import Bond

    bonds = picture.charset.bonds
    meanings = {
        Bond.CLAIMED: "told by one end only",
        Bond.CONFLICT: "the ends contradict each other",
    }
    told = [f"{len(picture.nodes) - picture.stubs} devices", f"{len(picture.edges)} links"]
    if drawing.components > 1:
        told.append(f"in {drawing.components} parts that no known link connects")
    for bond, meaning in meanings.items():
        number = sum(1 for edge in picture.edges if edge.bond is bond)
        if number:
            told.append(f"{number} {bonds[bond]} {bond.value} ({meaning})")
    return ", ".join(told)


def _terminal_width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _takes_unicode() -> bool:
    """Tell whether lines may be drawn with more than ASCII: by stdout and by the locale.

    Python speaks UTF-8 in the C locale as well, which says nothing of the terminal.
    """
    named = (os.environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next((value for value in named if value), "C").lower().replace("-", "")
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return locale.endswith("utf8") and encoding == "utf8"
