"""A network as lines of text: trees from a root down, each link once. Pure, and always the same.

Each component is a tree of shortest paths from its root; a link that is no branch of the tree is
drawn under the end that comes later, with an arrow to the one above. Texts must be printable:
what is shown is not looked into.
"""

import re
import unicodedata
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache

_UNKNOWN = "?"
_INDENT = 3
_FEWEST_LEVELS = 4
_MOST_COMPARED = 16
_WIDE = frozenset("WF")
_DIGITS = re.compile(r"(\d+)")


class Bond(StrEnum):
    """How sure a link is: the values are those of `LinkStatus`."""

    CONFIRMED = "confirmed"
    CLAIMED = "claimed"
    CONFLICT = "conflict"


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """Something with a name. `rank` chooses roots, the lowest first; `detail` may be left out."""

    node_id: str
    label: str
    detail: str = ""
    rank: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """A link between two nodes, by ID; the ends are names of interfaces."""

    a: str
    b: str
    a_end: str | None = None
    b_end: str | None = None
    bond: Bond = Bond.CONFIRMED


@dataclass(frozen=True, kw_only=True, slots=True)
class Charset:
    """The characters that lines are made of."""

    branch: str
    last: str
    through: str
    up: str
    down: str
    ellipsis: str
    bonds: Mapping[Bond, str]


BOX = Charset(
    branch="├─ ",
    last="└─ ",
    through="│  ",
    up="↑",
    down="↓",
    ellipsis="…",
    bonds={Bond.CONFIRMED: "──", Bond.CLAIMED: "╌╌", Bond.CONFLICT: "≠≠"},
)
ASCII = Charset(
    branch="|- ",
    last="`- ",
    through="|  ",
    up="^",
    down="v",
    ellipsis="~",
    bonds={Bond.CONFIRMED: "--", Bond.CLAIMED: "..", Bond.CONFLICT: "xx"},
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """Lines; how many nodes the trees have; and the nodes without any link, sorted by label."""

    lines: tuple[str, ...]
    components: int
    lone: tuple[Node, ...]


def draw(
    nodes: Iterable[Node],
    edges: Iterable[Edge],
    *,
    roots: Sequence[str] = (),
    width: int | None = None,
    charset: Charset = BOX,
) -> Drawing:
    """Draw; the order of nodes and edges does not matter.

    `roots` (IDs) begin their components; others begin with the lowest rank, then the most links,
    then what is in the middle.
    No line is wider than `width` cells: details go first, then ends of lines; branches that are
    too deep go on below. Edges to nodes that are not given raise KeyError.
    """
    graph = _Graph({node.node_id: node for node in nodes}, tuple(edges))
    pen = _Pen(width=width, charset=charset)
    trees = 0
    for root in graph.roots(roots):
        if root in graph.parents:
            continue
        if trees:
            pen.lines.append("")
        trees += 1
        graph.grow(root)
        _draw_tree(graph, root, pen)
    lone = sorted((node for key, node in graph.nodes.items() if not graph.near[key]), key=_by_name)
    return Drawing(lines=tuple(pen.lines), components=trees, lone=tuple(lone))


@lru_cache(maxsize=65536)
def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts eth2 before eth10."""
    parts = (part for part in _DIGITS.split(text) if part)
    return tuple((0, int(p), p) if p.isdecimal() else (1, 0, p.casefold()) for p in parts)


def cells(text: str) -> int:
    """Return how many cells of a terminal a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in _WIDE)
        for c in text
    )


def cut(text: str, width: int | None, ellipsis: str) -> str:
    """Return the text, shortened to `width` cells if it is wider."""
    if width is None or cells(text) <= width:
        return text
    kept, used = [], cells(ellipsis)
    for char in text:
        used += cells(char)
        if used > width:
            break
        kept.append(char)
    return "".join(kept).rstrip() + ellipsis


def _by_name(node: Node) -> tuple[object, ...]:
    return natural(node.label), node.label, node.node_id


@dataclass(frozen=True, slots=True)
class _Way:
    """An edge as it is walked from one of its nodes."""

    number: int
    here: str | None
    there: str | None
    to: str
    bond: Bond


@dataclass(slots=True)
class _Graph:
    nodes: Mapping[str, Node]
    edges: Sequence[Edge]
    near: dict[str, list[_Way]] = field(init=False)
    parents: dict[str, _Way | None] = field(default_factory=dict)
    children: dict[str, list[_Way]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.near = {key: [] for key in self.nodes}
        for number, e in enumerate(self.edges):
            self.near[e.a].append(_Way(number, e.a_end, e.b_end, e.b, e.bond))
            if e.a != e.b:
                self.near[e.b].append(_Way(number, e.b_end, e.a_end, e.a, e.bond))
        for ways in self.near.values():
            ways.sort(key=self._order)

    def _order(self, way: _Way) -> tuple[object, ...]:
        to = self.nodes[way.to]
        ends = (way.here or "", way.there or "")
        return (not way.here, natural(ends[0]), *_by_name(to), natural(ends[1]), *ends, way.bond)

    def roots(self, wanted: Sequence[str]) -> list[str]:
        """Return the nodes in the order in which they may become roots, those with links."""
        linked = [node for key, node in self.nodes.items() if self.near[key]]
        linked.sort(key=lambda n: (*self._weight(n), *_by_name(n)))
        best = [node for node in linked if self._weight(node) == self._weight(linked[0])]
        best = sorted(best[:_MOST_COMPARED], key=lambda n: self._distances(n.node_id))
        ordered = [*(node.node_id for node in best), *(node.node_id for node in linked)]
        return [*(key for key in wanted if self.near[key]), *ordered]

    def _weight(self, node: Node) -> tuple[int, int]:
        return node.rank, -len(self.near[node.node_id])

    def _distances(self, start: str) -> tuple[int, int]:
        """Return how far the farthest node is, and all of them together: small in the middle."""
        far = {start: 0}
        waiting = deque([start])
        while waiting:
            here = waiting.popleft()
            for way in self.near[here]:
                if way.to not in far:
                    far[way.to] = far[here] + 1
                    waiting.append(way.to)
        return max(far.values()), sum(far.values())

    def grow(self, root: str) -> None:
        """Find the shortest way from the root to each node of its component."""
        self.parents[root] = None
        waiting = deque([root])
        while waiting:
            here = waiting.popleft()
            self.children[here] = []
            for way in self.near[here]:
                if way.to not in self.parents:
                    self.parents[way.to] = way
                    self.children[here].append(way)
                    waiting.append(way.to)

    def positions(self, root: str) -> dict[str, int]:
        """Return where in the drawing of the root's tree each of its nodes comes."""
        found: dict[str, int] = {}
        stack = [root]
        while stack:
            key = stack.pop()
            found[key] = len(found)
            stack.extend(way.to for way in reversed(self.children[key]))
        return found


@dataclass(slots=True)
class _Pen:
    width: int | None
    charset: Charset
    lines: list[str] = field(default_factory=list)

    @property
    def most_levels(self) -> int | None:
        """How deep a branch may go: half of the width is for what hangs on it."""
        return None if self.width is None else max(_FEWEST_LEVELS, self.width // 2 // _INDENT)

    def write(self, *texts: str) -> None:
        """Write the first of the texts that fits, or cut the last."""
        for text in texts:
            if self.width is None or cells(text) <= self.width:
                self.lines.append(text)
                return
        self.lines.append(cut(texts[-1], self.width, self.charset.ellipsis))


@dataclass(frozen=True, slots=True)
class _Spot:
    """A line to come: `indent` stands before those below it."""

    way: _Way
    before: str
    indent: str
    level: int
    is_branch: bool


def _draw_tree(graph: _Graph, root: str, pen: _Pen) -> None:
    """Draw one component: the root's block, then those of branches that were too deep for it."""
    tree = _Tree(graph, root)
    waiting = deque([root])
    while waiting:
        start = waiting.popleft()
        node = graph.nodes[start]
        again = f"{node.label}  {pen.charset.up}" if start != root else ""
        pen.write(*([again] if again else _forms("", node)))
        stack = tree.below(start, "", 1, pen.charset)
        while stack:
            spot = stack.pop()
            to = spot.way.to
            head = spot.before + _ends(spot.way, pen.charset)
            if not spot.is_branch:
                pen.write(f"{head}  {pen.charset.up} {graph.nodes[to].label}")
            elif tree.has_below(to) and pen.most_levels and spot.level >= pen.most_levels:
                pen.write(f"{head}  {graph.nodes[to].label}  {pen.charset.down}")
                waiting.append(to)
            else:
                pen.write(*_forms(f"{head}  ", graph.nodes[to]))
                stack += tree.below(to, spot.indent, spot.level + 1, pen.charset)


@dataclass
class _Tree:
    graph: _Graph
    root: str

    @cached_property
    def back(self) -> dict[str, list[_Way]]:
        """The links that are no branches, by the node under which each is drawn."""
        graph = self.graph
        places = graph.positions(self.root)
        found: dict[str, list[_Way]] = {}
        for key in places:
            above = graph.parents[key]
            branches = {way.number for way in graph.children[key]}
            branches |= {above.number} if above else set()
            found[key] = [
                way
                for way in graph.near[key]
                if way.number not in branches and places[way.to] <= places[key]
            ]
        return found

    def has_below(self, key: str) -> bool:
        return bool(self.graph.children[key] or self.back[key])

    def below(self, key: str, indent: str, level: int, charset: Charset) -> list[_Spot]:
        """Return the lines under a node, the last one first: links back, then branches."""
        ways = [(way, False) for way in self.back[key]]
        ways += [(way, True) for way in self.graph.children[key]]
        spots = [
            _Spot(
                way,
                indent + (charset.last if number == len(ways) else charset.branch),
                indent + (" " * _INDENT if number == len(ways) else charset.through),
                level,
                is_branch,
            )
            for number, (way, is_branch) in enumerate(ways, 1)
        ]
        return spots[::-1]


def _ends(way: _Way, charset: Charset) -> str:
    return f"{way.here or _UNKNOWN} {charset.bonds[way.bond]} {way.there or _UNKNOWN}"


def _forms(head: str, node: Node) -> tuple[str, ...]:
    """Return a node's line with and without details."""
    short = head + node.label
    return (f"{short}  {node.detail}", short) if node.detail else (short,)
