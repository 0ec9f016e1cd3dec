"""Grouping what belongs together, without ever grouping what contradicts itself.

The result depends on the content of the pairs only, not on the order in which they come.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

MAX_HOLDERS = 64
"""What more accounts than this have in common identifies none of them."""


class Clusters(Generic[K]):
    """Disjoint sets (union-find) that remember the order in which members came."""

    def __init__(self) -> None:
        self._parent: dict[K, K] = {}

    def add(self, item: K) -> K:
        """Make `item` known and return the representative of its set."""
        root = self._parent.setdefault(item, item)
        while root != self._parent[root]:
            root = self._parent[root]
        self._parent[item] = root
        return root

    def join(self, a: K, b: K) -> None:
        """Put two items into one set."""
        self._parent[self.add(b)] = self.add(a)

    def sets(self) -> list[list[K]]:
        """Return all sets, members in order of arrival."""
        groups: dict[K, list[K]] = defaultdict(list)
        for item in self._parent:
            groups[self.add(item)].append(item)
        return list(groups.values())


@dataclass(frozen=True, slots=True)
class Edge:
    """Items number `a` and `b` are one, with this score."""

    a: int
    b: int
    score: int


def pairs_in_common(holders: Mapping[Hashable, Sequence[int]]) -> set[tuple[int, int]]:
    """Return all pairs (smaller number first) that have some key in common."""
    found: set[tuple[int, int]] = set()
    for numbers in holders.values():
        if 1 < len(numbers) <= MAX_HOLDERS:
            found.update(combinations(sorted(set(numbers)), 2))
    return found


def cluster(
    count: int, edges: Iterable[Edge], contradicts: Callable[[int, int], bool]
) -> list[list[int]]:
    """Return the items 0 to `count`-1 in groups, the strongest edges first.

    Edges of one score are taken together: where they would chain up items that contradict each
    other, nobody can tell which of these edges is wrong, so that none of them joins.
    """
    group_of = list(range(count))
    members = {number: [number] for number in range(count)}
    by_score: dict[int, list[Edge]] = defaultdict(list)
    for edge in edges:
        by_score[edge.score].append(edge)
    for score in sorted(by_score, reverse=True):
        level: Clusters[int] = Clusters()
        for edge in by_score[score]:
            level.join(group_of[edge.a], group_of[edge.b])
        for groups in level.sets():
            if len(groups) > 1 and not _clash(groups, members, contradicts):
                _unite(groups, members, group_of)
    return [sorted(members[key]) for key in sorted(members)]


def _clash(
    groups: Sequence[int],
    members: Mapping[int, Sequence[int]],
    contradicts: Callable[[int, int], bool],
) -> bool:
    return any(
        contradicts(min(a, b), max(a, b))
        for one, other in combinations(groups, 2)
        for a, b in product(members[one], members[other])
    )


def _unite(groups: Sequence[int], members: dict[int, list[int]], group_of: list[int]) -> None:
    keeper = min(groups)
    for group in groups:
        if group != keeper:
            for number in members.pop(group):
                members[keeper].append(number)
                group_of[number] = keeper
