"""A policy out of NetBox: its prefixes as what local controllers probe, its VRFs as namespaces.

Pure but for what is read. The most specific prefix decides to which region an address belongs; what
two regions claim alike goes to neither and is said.
"""

import ipaddress
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from pdsno.domain.errors import OperationError
from pdsno.domain.identifiers import Role, controller_id
from pdsno.domain.policy import LARGEST_TARGET, LocalPolicy, Policy, RegionPolicy, check_policy
from pdsno.integrations import netbox_records as records
from pdsno.integrations.netbox_client import NetBoxClient
from pdsno.integrations.netbox_expectation import read_sites
from pdsno.integrations.netbox_records import SITE, Prefix, Site
from pdsno.integrations.netbox_scope import Grouping, NetBoxScope

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_SHOWN = 5
_LONGEST_NAMESPACE, _LONGEST_NAME = 64, 40
_SCOPE_TYPES = {"dcim.region": Grouping.REGION, "dcim.sitegroup": Grouping.GROUP}


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A sound policy, whose local controllers are proposals; `notes` say what was left out."""

    policy: Policy
    purposes: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class _Place:
    """Who is to probe a prefix: a local controller for each site and namespace of a region."""

    region: str
    site: str
    vrf: str


@dataclass(kw_only=True, slots=True)
class _Sorted:
    """Prefixes by place, those that only say what a region covers, and what was left out."""

    targets: dict[_Place, list[_Network]] = field(default_factory=lambda: defaultdict(list))
    covers: dict[str, list[_Network]] = field(default_factory=lambda: defaultdict(list))
    left_out: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def read_policy(client: NetBoxClient, scope: NetBoxScope) -> Draft:
    """Read sites, VRFs and prefixes. Raises as NetBoxClient does, InputError for bad names."""
    sites = read_sites(client, scope)
    vrfs = namespaces(client.items("ipam/vrfs"))
    prefixes = [one for one in map(records.prefix, client.items("ipam/prefixes")) if one]
    return draft_policy(prefixes, sites, vrfs, scope)


def namespaces(vrfs: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Return a namespace for each VRF: its name, with its RD where several have the name."""
    items = list(vrfs)
    named = {item["id"]: as_namespace(records.text(item, "name")) for item in items}
    counts = Counter(name.casefold() for name in named.values())
    for item in items:
        name = named[item["id"]]
        if counts[name.casefold()] > 1 or not name:
            more = records.text(item, "rd") or str(item["id"])
            named[item["id"]] = as_namespace(f"{name[:_LONGEST_NAME]}-{more}")
    if len({name.casefold() for name in named.values()}) < len(named):
        return {number: as_namespace(f"{name[:_LONGEST_NAME]}-{number}")
                for number, name in named.items()}  # fmt: skip
    return named


def as_namespace(name: str) -> str:
    """Return the name of a VRF as that of a namespace, empty if nothing of it is left."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:_LONGEST_NAMESPACE]


def draft_policy(
    prefixes: Iterable[Prefix],
    sites: Mapping[str, Site],
    vrfs: Mapping[int, str],
    scope: NetBoxScope,
) -> Draft:
    """Return the policy that probes the active prefixes. Raises OperationError if none is left."""
    found = _sort(prefixes, sites, vrfs, scope)
    _take_apart(found)
    regions, purposes = _regions(found)
    unused = sorted(set(vrfs.values()) - {place.vrf for place in found.targets})
    if unused:
        found.left_out["VRFs without a prefix to probe"] = unused
    if not regions:
        why = "; ".join(_notes(found)) or "it has none"
        raise OperationError(f"no prefix of this NetBox can be probed: {why}")
    policy = check_policy(Policy(regions=tuple(regions)))
    return Draft(policy=policy, purposes=purposes, notes=_notes(found))


def _name_space(place: _Place) -> str:
    """Return the namespace of a place's addresses; one slash tells VRFs from regions."""
    return f"vrf/{place.vrf}" if place.vrf else place.region


def _notes(found: _Sorted) -> tuple[str, ...]:
    return tuple(
        f"{why}: {', '.join(names[:_SHOWN])}"
        + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        for why, names in sorted(found.left_out.items())
    )


def _sort(
    prefixes: Iterable[Prefix],
    sites: Mapping[str, Site],
    vrfs: Mapping[int, str],
    scope: NetBoxScope,
) -> _Sorted:
    found = _Sorted()
    for one in prefixes:
        region, site = _owner(one, sites, scope)
        if scope.sites and site not in scope.sites:
            continue
        network = ipaddress.ip_network(one.prefix)
        if region is None:
            found.left_out["without a site (--default-region takes them)"].append(one.prefix)
        elif one.status not in {"active", "container"}:
            found.left_out[f"status {one.status or 'unknown'}"].append(one.prefix)
        elif one.is_container or _is_too_large(network):
            if one.vrf is None:
                found.covers[region].append(network)
            if not one.is_container:
                found.left_out["too large to sweep (their parts are probed)"].append(one.prefix)
        else:
            place = _Place(region=region, site=site, vrf=_vrf(one, vrfs))
            found.targets[place].append(network)
    return found


def _owner(one: Prefix, sites: Mapping[str, Site], scope: NetBoxScope) -> tuple[str | None, str]:
    """Return the region of a prefix and the slug of its site, or of what else it belongs to."""
    kind, slug = one.scope or ("", "")
    if kind == SITE:
        return scope.region_of(sites.get(slug)), slug
    grouping = _SCOPE_TYPES.get(kind)
    if grouping is scope.grouping:
        return scope.region_of(Site(slug="", name="", region=slug, group=slug)), slug
    return scope.default_region, slug


def _is_too_large(network: _Network) -> bool:
    return network.num_addresses > 1 << LARGEST_TARGET


def _vrf(one: Prefix, vrfs: Mapping[int, str]) -> str:
    return "" if one.vrf is None else vrfs.get(one.vrf) or f"vrf-{one.vrf}"


def _take_apart(found: _Sorted) -> None:
    """Give each address of a VRF to the places of its most specific prefix.

    Regions are namespaces, so that two may have the same prefix; two sites of one may not.
    """
    by_vrf: dict[str, dict[_Network, set[_Place]]] = defaultdict(lambda: defaultdict(set))
    for place, networks in found.targets.items():
        for network in networks:
            by_vrf[place.vrf][network].add(place)
    found.targets.clear()
    for claims in by_vrf.values():
        for network, places in claims.items():
            spaces = Counter(map(_name_space, places))
            rivals = {place for place in places if spaces[_name_space(place)] > 1}
            if rivals:
                names = ", ".join(sorted(place.site or place.region for place in rivals))
                found.left_out["claimed by several sites alike"].append(f"{network} ({names})")
            places.difference_update(rivals)
        ordered = sorted(claims, key=_order)
        for index, network in enumerate(ordered):
            inside = list(_inside(ordered, index))
            for place in claims[network]:
                holes = [one for one in inside if claims[one] and place not in claims[one]]
                found.targets[place] += _without(network, holes)


def _order(network: _Network) -> tuple[int, int, int]:
    """Sort so that a prefix comes right before all that it contains."""
    return network.version, int(network.network_address), network.prefixlen


def _inside(ordered: Sequence[_Network], index: int) -> Iterator[_Network]:
    outer = ordered[index]
    for other in ordered[index + 1 :]:
        if other.version != outer.version or not _contains(outer, other):
            return
        yield other


def _without(network: _Network, holes: Iterable[_Network]) -> list[_Network]:
    """Return what of a prefix is left without more specific ones of other places, by address."""
    left: list[_Network] = []
    at, end = int(network.network_address), int(network.broadcast_address)
    for hole in holes:
        left += _between(network.version, at, int(hole.network_address) - 1)
        at = max(at, int(hole.broadcast_address) + 1)
    return left + _between(network.version, at, end)


def _between(version: int, first: int, last: int) -> list[_Network]:
    if first > last:
        return []
    if version == 4:  # noqa: PLR2004 - of IP
        found = ipaddress.summarize_address_range(
            ipaddress.IPv4Address(first), ipaddress.IPv4Address(last)
        )
        return list(found)
    ends = ipaddress.IPv6Address(first), ipaddress.IPv6Address(last)
    return list(ipaddress.summarize_address_range(*ends))


def _contains(outer: _Network, inner: _Network) -> bool:
    # Both are of one version.
    return outer.supernet_of(inner)  # type: ignore[arg-type]


def _regions(found: _Sorted) -> tuple[list[RegionPolicy], dict[str, str]]:
    regions, purposes = [], {}
    names = sorted({place.region for place, nets in found.targets.items() if nets})
    taken = {name.casefold() for name in names}
    for name in names:
        places = sorted(
            place for place, nets in found.targets.items() if nets and place.region == name
        )
        locals_ = []
        for number, place in enumerate(places, start=1):
            local = LocalPolicy(
                controller_id=controller_id(Role.LOCAL, name, number),
                subnets=_texts(found.targets[place]),
                namespace=_own_namespace(place.vrf, taken),
            )
            locals_.append(local)
            purposes[local.controller_id] = _purpose(place)
        regions.append(_region(name, locals_, found.covers.get(name, [])))
    return regions, purposes


def _own_namespace(vrf: str, taken: set[str]) -> str:
    """Return a VRF's namespace, never one that a region has already."""
    return f"vrf-{vrf}"[:_LONGEST_NAMESPACE] if vrf.casefold() in taken else vrf


def _region(name: str, locals_: list[LocalPolicy], covers: list[_Network]) -> RegionPolicy:
    own = [
        ipaddress.ip_network(text)
        for local in locals_
        if not local.namespace
        for text in local.subnets
    ]
    quota = max(RegionPolicy(region=name).local_quota, len(locals_))
    return RegionPolicy(
        region=name,
        local_quota=quota,
        local_ceiling=max(RegionPolicy(region=name).local_ceiling, quota),
        prefixes=_texts([*own, *covers]),
        local_controllers=tuple(locals_),
    )


def _purpose(place: _Place) -> str:
    site = f"site {place.site}" if place.site else "no site"
    return f"{site}, VRF {place.vrf}" if place.vrf else site


def _texts(networks: Iterable[_Network]) -> tuple[str, ...]:
    """Return prefixes in order, without those that another one contains."""
    kept: list[_Network] = []
    for network in sorted(set(networks), key=_order):
        if not (kept and kept[-1].version == network.version and _contains(kept[-1], network)):
            kept.append(network)
    return tuple(map(str, kept))


def dump_policy(draft: Draft, *, source: str) -> str:
    """Return a policy file for `pdsno policy apply`, with a comment on each local controller."""
    lines = [f"# Drafted from {_comment(source)}; `pdsno policy diff` shows what it would change."]
    lines += [f"# left out, {_comment(note)}" for note in draft.notes]
    lines.append("regions:")
    for region in draft.policy.regions:
        head: dict[str, Any] = {"region": region.region}
        default = RegionPolicy(region=region.region)
        for name in ("local_quota", "local_ceiling"):
            if getattr(region, name) != getattr(default, name):
                head[name] = getattr(region, name)
        head["prefixes"] = list(region.prefixes)
        lines += _item(head, 0)
        lines.append("  local_controllers:")
        for local in region.local_controllers:
            lines.append(f"  # {_comment(draft.purposes[local.controller_id])}")
            body: dict[str, Any] = {"controller_id": local.controller_id}
            if local.namespace:
                body["namespace"] = local.namespace
            lines += _item({**body, "subnets": list(local.subnets)}, 2)
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    """Return what cannot leave its line: names in NetBox are anybody's."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _item(body: Mapping[str, Any], indent: int) -> list[str]:
    text = yaml.safe_dump([body], sort_keys=False, allow_unicode=True, width=1000)
    return [" " * indent + line for line in text.splitlines()]
