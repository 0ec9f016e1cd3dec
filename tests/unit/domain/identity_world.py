"""A network full of identity traps, with the truth about every finding in it.

Every finding has a time of its own, by which `World.truth` tells whose it is. Everything follows
from the seed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pdsno.domain.observations import ObservedDevice
from tests.unit.domain.identity_base import (
    World,
    host,
)
from tests.unit.domain.identity_traps import (
    _LARGEST_TRAP,
    TRAPS,
)


def make_world(
    *,
    seed: int = 1,
    devices: int = 1000,
    findings: int = 10_000,
    has_segments: bool = False,
    maker: int = 0,
) -> World:
    """Return a world of so many devices, with findings repeated up to so many."""
    world = World(seed=seed, has_segments=has_segments, maker=maker)
    while world.size < devices:
        for build, times in TRAPS:
            for _ in range(times):
                (build if devices - world.size > _LARGEST_TRAP else host)(world)
                if world.size == devices:
                    return _repeated(world, findings)
    return world


def _repeated(world: World, findings: int) -> World:
    while len(world.findings) < findings:
        again = world.random.choice(world.findings)
        world.findings.append(replace(again, at=world.at(world.truth[again.at])))
    world.random.shuffle(world.findings)
    return world


@dataclass(frozen=True, slots=True)
class Score:
    """How a partition compares with the truth.

    `merges` names what was made one and is not; `splits` counts devices found in several pieces,
    by kind.
    """

    merges: tuple[tuple[str, ...], ...]
    splits: Counter[str]
    found: int


def score(world: World, devices: Iterable[ObservedDevice]) -> Score:
    merges = []
    pieces: dict[str, int] = defaultdict(int)
    found = 0
    for device in devices:
        found += 1
        owners = world.owners(device)
        for owner in owners:
            pieces[owner] += 1
        if len(owners) > 1:
            merges.append(tuple(sorted(owners)))
    splits = Counter(owner.rpartition("-")[0] or owner for owner, n in pieces.items() if n > 1)
    return Score(merges=tuple(merges), splits=splits, found=found)
