"""Networks as lines of text."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.drawing import ASCII, BOX, Bond, Charset, Edge, Node, cells, cut, draw, natural


def node(node_id: str, detail: str = "", rank: int = 0) -> Node:
    return Node(node_id=node_id, label=node_id, detail=detail, rank=rank)


FABRIC = [
    node("spine1", "router 10.0.0.1"),
    node("spine2", "router"),
    node("leaf1", "switch", 1),
    node("leaf2", "switch", 1),
    node("h1", rank=3),
    node("alone", rank=3),
]
CABLES = [
    Edge(a="spine1", b="leaf1", a_end="eth1", b_end="eth1"),
    Edge(a="spine1", b="leaf2", a_end="eth2", b_end="eth1"),
    Edge(a="spine2", b="leaf1", a_end="eth1", b_end="eth2"),
    Edge(a="leaf2", b="spine2", a_end="eth2", b_end="eth2", bond=Bond.CLAIMED),
    Edge(a="leaf1", b="h1", a_end="eth10"),
]


def test_a_fabric_is_a_tree_from_its_core_with_each_link_once() -> None:
    drawing = draw(FABRIC, CABLES)
    assert "\n".join(drawing.lines) == (
        "spine1  router 10.0.0.1\n"
        "├─ eth1 ── eth1  leaf1  switch\n"
        "│  ├─ eth2 ── eth1  spine2  router\n"
        "│  └─ eth10 ── ?  h1\n"
        "└─ eth2 ── eth1  leaf2  switch\n"
        "   └─ eth2 ╌╌ eth2  ↑ spine2"
    )
    assert drawing.components == 1
    assert [n.label for n in drawing.lone] == ["alone"]


def test_without_unicode_it_is_the_same_picture_in_ascii() -> None:
    lines = draw(FABRIC, CABLES, charset=ASCII).lines
    assert lines[2] == "|  |- eth2 -- eth1  spine2  router"
    assert lines[5] == "   `- eth2 .. eth2  ^ spine2"
    assert all(line.isascii() for line in lines)


def test_the_root_can_be_chosen() -> None:
    assert draw(FABRIC, CABLES, roots=["leaf2"]).lines[0] == "leaf2  switch"


def test_of_equals_what_is_in_the_middle_is_the_root() -> None:
    chain = [node(name) for name in "abcde"]
    edges = [Edge(a=a, b=b) for a, b in ("ab", "bc", "cd", "de")]
    assert draw(chain, edges).lines[0] == "c"


def test_the_order_in_which_devices_and_links_come_does_not_matter() -> None:
    turned = [
        Edge(a=e.b, b=e.a, a_end=e.b_end, b_end=e.a_end, bond=e.bond) for e in reversed(CABLES)
    ]
    assert draw(FABRIC[::-1], turned).lines == draw(FABRIC, CABLES).lines


def test_parts_that_no_link_connects_are_drawn_one_after_the_other() -> None:
    more = [node("x1", rank=3), node("x2", rank=3)]
    drawing = draw([*FABRIC, *more], [*CABLES, Edge(a="x1", b="x2", bond=Bond.CONFLICT)])
    assert drawing.components == 2
    assert drawing.lines[-3:] == ("", "x1", "└─ ? ≠≠ ?  x2")


def test_parallel_links_and_one_to_itself_are_drawn_each() -> None:
    edges = [
        Edge(a="a", b="b", a_end="e1", b_end="e1"),
        Edge(a="a", b="b", a_end="e2", b_end="e2"),
        Edge(a="b", b="b", a_end="e3", b_end="e4"),
    ]
    assert draw([node("a"), node("b")], edges, roots=["a"]).lines == (
        "a",
        "└─ e1 ── e1  b",
        "   ├─ e2 ── e2  ↑ a",
        "   └─ e3 ── e4  ↑ b",
    )


def test_where_it_is_narrow_details_go_first_and_then_the_ends_of_lines() -> None:
    lines = draw(FABRIC, CABLES, width=23).lines
    assert lines[0] == "spine1  router 10.0.0.1"
    assert lines[1] == "├─ eth1 ── eth1  leaf1"
    assert draw(FABRIC, CABLES, width=20).lines[1] == "├─ eth1 ── eth1  le…"


def test_a_branch_too_deep_for_the_width_goes_on_below() -> None:
    chain = [node(f"n{i}", rank=i) for i in range(12)]
    edges = [Edge(a=f"n{i}", b=f"n{i + 1}") for i in range(11)]
    lines = draw(chain, edges, width=30).lines
    assert lines[5] == "            └─ ? ── ?  n5  ↓"
    assert lines[6:8] == ("n5  ↑", "└─ ? ── ?  n6")
    assert draw(chain, edges).lines[-1].endswith("n11")


def test_a_very_long_chain_is_no_matter_of_recursion() -> None:
    chain = [node(f"n{i}") for i in range(3000)]
    edges = [Edge(a=f"n{i}", b=f"n{i + 1}") for i in range(2999)]
    assert len(draw(chain, edges, width=80).lines) > 3000


def test_names_with_numbers_sort_as_people_count() -> None:
    assert sorted(["eth10", "Eth2", "eth1"], key=natural) == ["eth1", "Eth2", "eth10"]


def test_wide_characters_take_two_cells() -> None:
    assert (cells("abc"), cells("網路"), cells("e\u0301")) == (3, 4, 1)
    assert cut("網路設備", 6, "…") == "網路…"
    assert cut("abc", 3, "…") == "abc"


def test_an_edge_to_nobody_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError):
        draw([node("a")], [Edge(a="a", b="gone")])


_NAMES = st.sampled_from([f"n{i}" for i in range(8)])
_EDGES = st.lists(
    st.builds(
        Edge,
        a=_NAMES,
        b=_NAMES,
        a_end=st.sampled_from(["e1", "e2", None]),
        b_end=st.sampled_from(["e1", "e2", None]),
        bond=st.sampled_from(list(Bond)),
    ),
    max_size=25,
)


@given(_EDGES, st.one_of(st.none(), st.integers(20, 60)), st.sampled_from([BOX, ASCII]))
def test_every_link_is_drawn_once_and_no_line_is_too_wide(
    edges: list[Edge], width: int | None, charset: Charset
) -> None:
    nodes = [node(f"n{i}") for i in range(8)]
    drawing = draw(nodes, edges, width=width, charset=charset)
    bonds = "|".join(re.escape(mark) for mark in charset.bonds.values())
    drawn = [line for line in drawing.lines if re.search(rf" ({bonds}) ", line)]
    assert len(drawn) == len(edges)
    assert all(width is None or cells(line) <= width for line in drawing.lines)
    linked = {key for edge in edges for key in (edge.a, edge.b)}
    assert {n.label for n in drawing.lone} == {n.label for n in nodes} - linked
    branches = Counter(line.split()[-1] for line in drawn if charset.up not in line)
    if width is None:
        assert all(number == 1 for number in branches.values())
