"""From raw findings to devices: which sightings and facts are one and the same thing.

Facts are clustered by scored evidence (see `judgement`), then every sighting is given to the
device whose it is (see `attribution`). Order and repetition of the findings do not matter.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from pdsno.domain.addresses import (
    facts_ips,
    fill_vrfs,
    interface_address,
    loopback_addresses,
    own_ips,
)
from pdsno.domain.attribution import Attribution, Group
from pdsno.domain.clusters import Clusters, Edge, cluster, pairs_in_common
from pdsno.domain.constraints import NO_WORDS, Words
from pdsno.domain.entities import Device
from pdsno.domain.evidence import Evidence, EvidenceKind, Verdict
from pdsno.domain.identifiers import is_identifying_mac
from pdsno.domain.judgement import contradicts, judge
from pdsno.domain.observations import Facts, ObservedDevice, Sighting
from pdsno.domain.profiles import (
    Disputed,
    Profile,
    facts_macs,
    of_facts,
    of_observed,
    shared_addresses,
    shared_macs,
    shared_serials,
)

__all__ = [
    "Clusters",
    "explain",
    "facts_ips",
    "facts_macs",
    "interface_address",
    "management_ip",
    "merge_observed",
    "resolve",
]

_WORTH_TELLING = 50
"""Evidence of this weight that did not join is told as well."""
_MOST_APART = 4


def resolve(
    namespace: str,
    sightings: Iterable[Sighting],
    facts: Iterable[Facts],
    known: Iterable[Device] = (),
    words: Words = NO_WORDS,
) -> tuple[ObservedDevice, ...]:
    """Return the devices behind one cycle's findings in one namespace, ordered by address.

    Of the devices `known` from before only their VRFs count here: see `addresses.fill_vrfs`. What
    `words` say stands above all evidence.
    """
    here = [device for device in known if device.namespace == namespace]
    facts = fill_vrfs(facts, here)
    ordered = sorted(sightings, key=_sighting_key)
    answering = _answering(ordered)
    tellers = _group_facts(namespace, facts, answering, words)
    disputed = [ip for ip, macs in answering.items() if len(macs) > 1]
    groups = Attribution(tellers).attribute(ordered, disputed)
    devices = join_by_word([_observed(namespace, group) for group in groups], words)
    return tuple(sorted(devices, key=lambda d: (d.management_ip or "", d.macs, d.ips)))


def _sighting_key(sighting: Sighting) -> tuple[object, ...]:
    return (
        sighting.address,
        sighting.mac or "",
        sighting.segment or "",
        sighting.method,
        sighting.at,
    )


def _facts_key(profile: Profile) -> tuple[object, ...]:
    return (
        profile.label,
        *(sorted(s) for s in (profile.told_macs, profile.told_ips, profile.names, profile.chassis)),
        sorted(s.text for s in profile.serials),
        *(sorted(s) for s in (profile.engines, profile.host_keys)),
        *(sorted(s) for s in (profile.vrf_ips, profile.loopbacks)),
    )


def _answering(sightings: Iterable[Sighting]) -> dict[str, frozenset[str]]:
    """Return the MACs that answer for each address; where there are several, it is disputed."""
    macs: dict[str, set[str]] = defaultdict(set)
    for sighting in sightings:
        if sighting.mac and is_identifying_mac(sighting.mac):
            macs[sighting.address].add(sighting.mac)
    return {ip: frozenset(found) for ip, found in macs.items()}


# --- facts to groups -------------------------------------------------------------------------


def _group_facts(
    namespace: str,
    facts: Iterable[Facts],
    answering: Mapping[str, frozenset[str]],
    words: Words,
) -> list[Group]:
    """Return one group for each device that told about itself, in canonical order.

    `answering` are the MACs that answer for each address.
    """
    accounts: dict[Profile, list[Facts]] = defaultdict(list)
    for item in facts:
        seen = answering.get(item.address, frozenset())
        accounts[replace(of_facts(namespace, item), answering=seen)].append(item)
    profiles = sorted(accounts, key=_facts_key)
    shared = shared_addresses(profiles, contradicts)
    disputed = {(namespace, ip) for ip, macs in answering.items() if len(macs) > 1}
    several = Disputed(
        macs=shared_macs(profiles, contradicts),
        ips=shared | disputed,
        serials=shared_serials(profiles, contradicts),
    )
    verdicts = _verdicts(profiles, several)
    verdicts = {pair: _heeding(words, pair, profiles, v) for pair, v in verdicts.items()}
    edges = [Edge(a, b, v.score) for (a, b), v in verdicts.items() if v.is_same]
    clusters = cluster(len(profiles), edges, lambda a, b: _clash((a, b), profiles, verdicts, words))
    groups = []
    shared_ips = frozenset(ip for space, ip in shared if space == namespace)
    for numbers in clusters:
        group = Group(shared_ips=shared_ips)
        for number in numbers:
            group.facts.extend(sorted(accounts[profiles[number]], key=lambda f: f.at))
            group.tell(profiles[number])
        group.facts.sort(key=lambda f: (f.address, f.source, f.at))
        groups.append(group)
    _tell_why(clusters, groups, profiles, verdicts)
    return groups


def _verdicts(profiles: Sequence[Profile], disputed: Disputed) -> dict[tuple[int, int], Verdict]:
    """Judge all accounts that have anything in common."""
    holders: dict[Hashable, list[int]] = defaultdict(list)
    for number, profile in enumerate(profiles):
        for key in profile.keys():  # noqa: SIM118 - a profile is no mapping
            holders[key].append(number)
    pairs = sorted(pairs_in_common(holders))
    return {(a, b): judge(profiles[a], profiles[b], disputed) for a, b in pairs}


def _clash(
    pair: tuple[int, int],
    profiles: Sequence[Profile],
    verdicts: Mapping[tuple[int, int], Verdict],
    words: Words,
) -> bool:
    verdict = verdicts.get(pair)
    if verdict is not None:
        return bool(verdict.contradictions)
    one, other = profiles[pair[0]], profiles[pair[1]]
    return words.keeps_apart(one, other) is not None or contradicts(one, other)


def _heeding(
    words: Words, pair: tuple[int, int], profiles: Sequence[Profile], verdict: Verdict
) -> Verdict:
    """Return a verdict that contradicts itself where a person told its two accounts apart."""
    word = words.keeps_apart(profiles[pair[0]], profiles[pair[1]])
    if word is None:
        return verdict
    said = f"{word.by} told them apart"
    return replace(verdict, contradictions=(*verdict.contradictions, said))


def _tell_why(
    clusters: Sequence[Sequence[int]],
    groups: Sequence[Group],
    profiles: Sequence[Profile],
    verdicts: Mapping[tuple[int, int], Verdict],
) -> None:
    """Note in each group why its accounts are one, and what looked alike and is not."""
    group_of = {
        number: group for numbers, group in zip(clusters, groups, strict=True) for number in numbers
    }
    apart: dict[int, int] = defaultdict(int)
    for (a, b), verdict in verdicts.items():
        if group_of[a] is group_of[b]:
            group_of[a].evidence.update(verdict.evidence)
            continue
        if not any(map(_is_worth_telling, verdict.evidence)):
            continue
        for here, there in ((a, b), (b, a)):
            apart[id(group_of[here])] += 1
            if apart[id(group_of[here])] <= _MOST_APART:
                group_of[here].evidence.add(_kept_apart(profiles[there], verdict))


def _is_worth_telling(evidence: Evidence) -> bool:
    is_serial = evidence.kind is EvidenceKind.SERIAL and evidence.weight > 0
    return is_serial or evidence.weight >= _WORTH_TELLING


def _kept_apart(other: Profile, verdict: Verdict) -> Evidence:
    alike = ", ".join(e.detail for e in verdict.evidence if _is_worth_telling(e))
    why = ", ".join(verdict.contradictions) or f"evidence of {verdict.score} is not enough"
    return Evidence(
        kind=EvidenceKind.KEPT_APART, weight=0, detail=f"from {other.label} ({alike}): {why}"
    )


# --- groups to devices -----------------------------------------------------------------------


def _observed(namespace: str, group: Group) -> ObservedDevice:
    macs = group.seen_macs.union(*(facts_macs(f) for f in group.facts))
    ips = {s.address for s in group.sightings}.union(*(own_ips(f) for f in group.facts))
    return ObservedDevice(
        at=max([s.at for s in group.sightings] + [f.at for f in group.facts]),
        namespace=namespace,
        management_ip=management_ip(group.facts, group.sightings, group.shared_ips),
        macs=tuple(sorted(macs)),
        ips=tuple(sorted(ips)),
        sightings=tuple(sorted(group.sightings, key=_sighting_key)),
        facts=tuple(group.facts),
        shared_ips=group.shared_ips & ips,
        evidence=tuple(sorted(group.evidence, key=_most_telling_first)),
    )


def _most_telling_first(evidence: Evidence) -> tuple[int, str, str]:
    return (-abs(evidence.weight), evidence.kind, evidence.detail)


def management_ip(
    facts: Iterable[Facts], sightings: Iterable[Sighting], shared: AbstractSet[str]
) -> str | None:
    """Return the address to reach a device by: one that answered, a loopback's if there is one.

    A loopback survives the loss of any one link. What is `shared` with others (anycast), or not in
    the device's own table (a virtual router's), may be another's tomorrow: only if nothing else
    answered. Among equals the lowest, so that the choice does not wander from cycle to cycle.
    """
    facts = list(facts)
    answered = {f.address for f in facts} | {s.address for s in sightings}
    interfaces = [i for f in facts for i in f.interfaces]
    own = {interface_address(ip) for i in interfaces for ip in i.ips} - shared
    loopbacks = loopback_addresses(interfaces) & own
    queried = {f.address for f in facts} - shared
    for choice in (answered & loopbacks, queried & own, answered & own, queried, answered):
        if choice:
            return min(choice, key=_by_number)
    return None


def _by_number(address: str) -> tuple[int, int]:
    parsed = ipaddress.ip_address(address)
    return (parsed.version, int(parsed))


def join_by_word(devices: Sequence[ObservedDevice], words: Words) -> list[ObservedDevice]:
    """Return one observed device of those that a person said are one."""
    if not words.together:
        return list(devices)
    joined: dict[str, list[ObservedDevice]] = defaultdict(list)
    others: list[ObservedDevice] = []
    for device in devices:
        word = words.survivor(of_observed(device))
        if word is None:
            others.append(device)
        else:
            joined[word.a_id].append(device)
    return [*others, *(merge_observed(joined[key]) for key in sorted(joined))]


def merge_observed(devices: Sequence[ObservedDevice]) -> ObservedDevice:
    """Return one observed device out of several that were recognised as the same (at least one)."""
    if len(devices) == 1:
        return devices[0]
    group = Group(
        facts=[f for d in devices for f in d.facts],
        sightings=[s for d in devices for s in d.sightings],
        seen_macs={mac for d in devices for mac in d.macs},
        shared_ips=frozenset(ip for d in devices for ip in d.shared_ips),
        evidence={e for d in devices for e in d.evidence},
    )
    return _observed(devices[0].namespace, group)


def explain(observed: ObservedDevice) -> tuple[str, ...]:
    """Return lines for people: why these findings are one device, and what it was kept apart from.

    The most telling argument first; the number is its weight.
    """
    told = sorted({f"{f.source} at {f.address}" for f in observed.facts})
    lines = [f"facts by {', '.join(told)}" if told else "nobody told facts about it"]
    for item in observed.evidence:
        if item.kind is EvidenceKind.KEPT_APART:
            lines.append(f"kept apart {item.detail}")
        else:
            lines.append(f"{item.weight:+d} {item.detail}")
    if len(lines) == 1:
        where = ", ".join(observed.ips)
        macs = ", ".join(observed.macs) or "no MAC"
        lines.append(f"one thing answered at {where} with {macs}")
    return tuple(lines)
