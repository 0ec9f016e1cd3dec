"""Which known devices are those just observed, or just reported: the same rules for both."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from pdsno.domain.clusters import Edge, cluster, pairs_in_common
from pdsno.domain.constraints import NO_WORDS, Words
from pdsno.domain.entities import Device
from pdsno.domain.evidence import Evidence, EvidenceKind, Verdict
from pdsno.domain.judgement import contradicts, judge
from pdsno.domain.profiles import Disputed, Profile, shared_addresses, shared_serials

_UNCHANGED = 1000
"""More than evidence can add up to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """Known devices and new accounts (by their number) that are one device, and why."""

    known: tuple[Device, ...]
    new: tuple[int, ...]
    evidence: tuple[Evidence, ...]


def match(
    known: Sequence[Device],
    profiles: Sequence[Profile],
    new: Sequence[Profile],
    words: Words = NO_WORDS,
) -> list[Match]:
    """Return every known device and every new account in exactly one match.

    `profiles` are those of `known`, in its order. Known devices are joined only through a new
    account; accounts of `new` are apart already, and are joined only through a known device.
    What is exactly as it was is who it was, and takes no part in joining; so does what a person
    said is one. What a person told apart is apart.
    """
    said = _said(known, new, words)
    if not said:
        return _match(known, profiles, new, words)
    others = [n for n in range(len(known)) if n not in said]
    rest = [n for n in range(len(new)) if n not in said.values()]
    found = _match(
        [known[n] for n in others], [profiles[n] for n in others], [new[n] for n in rest], words
    )
    return [
        *(_by_word(known[a], b) for a, b in said.items()),
        *(replace(item, new=tuple(rest[n] for n in item.new)) for item in found),
    ]


def _said(known: Sequence[Device], new: Sequence[Profile], words: Words) -> dict[int, int]:
    """Return which new account is which known device by the word of a person who merged two."""
    if not words.together:
        return {}
    numbers = {device.device_id: number for number, device in enumerate(known)}
    said: dict[int, int] = {}
    for number, profile in enumerate(new):
        word = words.survivor(profile)
        at = numbers.get(word.a_id) if word else None
        if at is not None and at not in said:
            said[at] = number
    return said


def _by_word(device: Device, number: int) -> Match:
    told = Evidence(
        kind=EvidenceKind.WORD, weight=_UNCHANGED, detail="a person said so", is_anchor=True
    )
    return Match(known=(device,), new=(number,), evidence=(told,))


def _match(
    known: Sequence[Device], profiles: Sequence[Profile], new: Sequence[Profile], words: Words
) -> list[Match]:
    first_new = len(known)
    everyone = [*profiles, *new]
    ids = [device.device_id for device in known]

    def are_apart(a: int, b: int) -> bool:
        named = (ids[a] if a < first_new else None, ids[b] if b < first_new else None)
        return words.keeps_apart(everyone[a], everyone[b], ids=named) is not None

    same = _unchanged(profiles, new)
    disputed = _disputed(profiles, new)
    verdicts = _verdicts(everyone, first_new, disputed, {*same, *same.values()})
    verdicts = {pair: verdict for pair, verdict in verdicts.items() if not are_apart(*pair)}
    verdicts = _one_each(_without_heirs(verdicts, everyone), known, everyone)
    edges = [Edge(a, b, verdict.score) for (a, b), verdict in verdicts.items()]
    edges += [Edge(a, b, _UNCHANGED) for a, b in same.items()]
    clusters = cluster(
        len(everyone),
        edges,
        lambda a, b: are_apart(a, b) or contradicts(everyone[a], everyone[b], disputed),
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
        serials=shared_serials(known, _have_other_macs) | shared_serials(new, _differ),
    )


def _are_apart(_one: Profile, _other: Profile) -> bool:
    """Devices of one side are apart: that is what has been decided so far."""
    return True


def _have_other_macs(one: Profile, other: Profile) -> bool:
    return bool(one.macs and other.macs) and one.macs.isdisjoint(other.macs)


def _differ(one: Profile, other: Profile) -> bool:
    return _have_other_macs(one, other) or contradicts(one, other)


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
    """Leave to who told nothing the one known device that was at its address.

    Only a device's own word, or hardware, makes one device out of several, and of such as have
    different MACs only a word that tells of MACs.
    """

    def likelihood(b: int) -> Callable[[int], tuple[object, ...]]:
        return lambda a: (
            _speaks(verdicts[a, b], _ITSELF),
            verdicts[a, b].score,
            *_standing(known[a], everyone[a]),
        )

    best: dict[int, int] = {}
    for a, b in verdicts:
        best[b] = a if b not in best else max(a, best[b], key=likelihood(b))

    def is_other(a: int, b: int) -> bool:
        if not everyone[b].has_facts:
            return a != best[b] and not _speaks(verdicts[a, b], _ITSELF)
        return not everyone[b].macs and _have_other_macs(everyone[a], everyone[best[b]])

    return {(a, b): verdict for (a, b), verdict in verdicts.items() if not is_other(a, b)}


def _without_heirs(
    verdicts: dict[tuple[int, int], Verdict], everyone: Sequence[Profile]
) -> dict[tuple[int, int], Verdict]:
    """Leave to a known device that is recognised elsewhere now only what it calls its own.

    Who has one of its other addresses, and shows anything of itself, got it after it.
    """
    found: dict[int, list[Profile]] = defaultdict(list)
    for (a, b), verdict in verdicts.items():
        if _speaks(verdict, _ITSELF):
            found[a].append(everyone[b])
    own = {a: _addresses_of(everyone[a], now) for a, now in found.items()}

    def is_heir(a: int, b: int) -> bool:
        if a not in own or _speaks(verdicts[a, b], _ITSELF):
            return False
        shows_itself = bool(everyone[b].macs) or everyone[b].has_facts
        return shows_itself and own[a].isdisjoint(everyone[b].reached)

    return {(a, b): verdict for (a, b), verdict in verdicts.items() if not is_heir(a, b)}


def _addresses_of(known: Profile, now: Sequence[Profile]) -> frozenset[str]:
    """Return the addresses of a known device by its latest word, and where its it is now."""
    told = [profile.own_ips for profile in now if profile.own_ips]
    return frozenset[str]().union(*(p.reached for p in now), *(told or [known.own_ips]))


_ITSELF = frozenset({EvidenceKind.MACS, EvidenceKind.CHASSIS_ID, EvidenceKind.SERIAL})
"""What a device takes along to another address."""


def _speaks(verdict: Verdict, kinds: frozenset[EvidenceKind]) -> bool:
    return any(e.weight > 0 and e.kind in kinds for e in verdict.evidence)


def _standing(device: Device, profile: Profile) -> tuple[object, ...]:
    return (profile.has_facts, device.last_seen, device.device_id)
