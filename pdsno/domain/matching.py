"""Which known devices are those just observed, or just reported: the same rules for both."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from pdsno.domain.clusters import Edge, cluster, pairs_in_common
from pdsno.domain.entities import Device
from pdsno.domain.evidence import Evidence, EvidenceKind, Verdict
from pdsno.domain.judgement import contradicts, judge
from pdsno.domain.profiles import Disputed, Profile, shared_addresses

_UNCHANGED = 1000
"""More than evidence can add up to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """Known devices and new accounts (by their number) that are one device, and why."""

    known: tuple[Device, ...]
    new: tuple[int, ...]
    evidence: tuple[Evidence, ...]


def match(
    known: Sequence[Device], profiles: Sequence[Profile], new: Sequence[Profile]
) -> list[Match]:
    """Return every known device and every new account in exactly one match.

    `profiles` are those of `known`, in its order. Known devices are joined only through a new
    account; accounts of `new` are apart already, and are joined only through a known device.
    What is exactly as it was is who it was, and takes no part in joining.
    """
    first_new = len(known)
    everyone = [*profiles, *new]
    same = _unchanged(profiles, new)
    disputed = _disputed(profiles, new)
    verdicts = _verdicts(everyone, first_new, disputed, {*same, *same.values()})
    verdicts = _one_each(verdicts, known, everyone)
    edges = [Edge(a, b, verdict.score) for (a, b), verdict in verdicts.items()]
    edges += [Edge(a, b, _UNCHANGED) for a, b in same.items()]
    clusters = cluster(
        len(everyone), edges, lambda a, b: contradicts(everyone[a], everyone[b], disputed)
    )
    cluster_of = {number: n for n, numbers in enumerate(clusters) for number in numbers}
    evidence: dict[int, set[Evidence]] = defaultdict(set)
    for (a, b), verdict in verdicts.items():
        if cluster_of[a] == cluster_of[b]:
            evidence[cluster_of[a]].update(verdict.evidence)
    return [
        Match(
            known=tuple(known[n] for n in numbers if n < first_new),
            new=tuple(n - first_new for n in numbers if n >= first_new),
            evidence=tuple(sorted(evidence[cluster_number], key=lambda e: (-e.weight, e.detail))),
        )
        for cluster_number, numbers in enumerate(clusters)
    ]


def _unchanged(known: Sequence[Profile], new: Sequence[Profile]) -> dict[int, int]:
    """Return which known devices look the same in every respect, with who looks so now."""
    looks: dict[Hashable, list[int]] = defaultdict(list)
    for number, profile in enumerate(known):
        looks[profile.look].append(number)
    found = {}
    for number, profile in enumerate(new, start=len(known)):
        alike = looks[profile.look]
        same = next((n for n in alike if profile.is_still(known[n])), None)
        if same is not None:
            alike.remove(same)
            found[same] = number
    return found


def _disputed(known: Sequence[Profile], new: Sequence[Profile]) -> Disputed:
    """Return what several devices of one time have, so that it names none of them."""
    macs = {mac for side in (known, new) for mac in _held_by_several(p.macs for p in side)}
    keys = {key for side in (known, new) for key in _held_by_several(p.host_keys for p in side)}
    ips = _held_by_several({(p.namespace, ip) for ip in p.reached} for p in new)
    return Disputed(
        macs=frozenset(macs),
        host_keys=frozenset(keys),
        present=frozenset(mac for profile in new for mac in profile.macs),
        ips=frozenset(ips).union(*(shared_addresses(side, _are_apart) for side in (known, new))),
    )


def _are_apart(_one: Profile, _other: Profile) -> bool:
    """Devices of one side are apart: that is what has been decided so far."""
    return True


def _held_by_several(sets: Iterable[Iterable[Hashable]]) -> set:  # type: ignore[type-arg]
    counts = Counter(item for items in sets for item in items)
    return {item for item, count in counts.items() if count > 1}


def _verdicts(
    everyone: Sequence[Profile], first_new: int, disputed: Disputed, settled: set[int]
) -> dict[tuple[int, int], Verdict]:
    holders: dict[Hashable, list[int]] = defaultdict(list)
    for number, profile in enumerate(everyone):
        if number in settled:
            continue
        for key in profile.keys():  # noqa: SIM118 - a profile is no mapping
            holders[key].append(number)
    found = {}
    for a, b in sorted(pairs_in_common(holders)):
        if a < first_new <= b:
            verdict = judge(everyone[a], everyone[b], disputed)
            if verdict.is_same:
                found[a, b] = verdict
    return found


def _one_each(
    verdicts: dict[tuple[int, int], Verdict], known: Sequence[Device], everyone: Sequence[Profile]
) -> dict[tuple[int, int], Verdict]:
    """Leave to who told nothing, and is recognised by its address only, one known device.

    Only a device's own word makes one device out of several that were known by their addresses.
    """
    best: dict[int, int] = {}
    for (a, b), verdict in verdicts.items():
        if _is_by_address(verdict, everyone[b]):
            best[b] = max((a, best.get(b, a)), key=lambda n: _standing(known[n], everyone[n]))
    return {
        (a, b): verdict
        for (a, b), verdict in verdicts.items()
        if best.get(b, a) == a or not _is_by_address(verdict, everyone[b])
    }


def _is_by_address(verdict: Verdict, new: Profile) -> bool:
    kinds = {e.kind for e in verdict.evidence if e.weight > 0}
    return not new.has_facts and kinds == {EvidenceKind.ADDRESS}


def _standing(device: Device, profile: Profile) -> tuple[object, ...]:
    return (profile.has_facts, device.last_seen, device.device_id)
