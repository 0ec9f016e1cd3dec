"""Links (RFC 8345) out of what devices hear of one another by LLDP and CDP.

Every tier derives its links from its own devices, so a neighbour that one reporter does not know
is found when another reporter does. Both ends tell of each other: confirmed. One end: claimed.
Each end tells of somebody else: conflict. That a port has several neighbours is none: a switch
that does not speak LLDP may be between them.
"""

import hashlib
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pdsno.domain.entities import Device, DeviceStatus, Link, LinkEnd, LinkStatus, Neighbor
from pdsno.domain.link_directory import Directory, Named, could_be, named_by
from pdsno.domain.link_events import link_events
from pdsno.domain.link_ports import Ports
from pdsno.domain.profiles import is_mac_text

__all__ = ["count_nameless", "derive_links", "link_events"]

_PROTOCOLS = {"lldp": 0, "cdp": 1}
"""Whose word counts more, where a port hears the same neighbour by several."""

_Port: TypeAlias = tuple[str, str]
"""A device and its interface; "" where it was not told."""


@dataclass(slots=True)
class _Heard:
    """One device hears one neighbour on one of its ports."""

    teller: Device
    near: str
    named: Named
    far: Device | None
    far_port: str
    is_own_port: bool
    """Whether the neighbour has a port of that name."""
    protocol: str
    label: str

    @property
    def near_port(self) -> _Port:
        return (self.teller.device_id, self.near)

    @property
    def far_key(self) -> str:
        return self.far.device_id if self.far else f"\0{self.named.label}"


@dataclass(slots=True)
class _Told:
    """One link with all who tell of it."""

    a: _Heard
    """Who tells of it first, in the order of device IDs."""
    far_port: str
    tellers: list[_Heard] = field(default_factory=list)


def derive_links(
    devices: Iterable[Device], *, tellers: Container[str] | None = None
) -> tuple[Link, ...]:
    """Return all links that the devices' neighbour tables show, ordered by link_id.

    A link's `last_seen` is the latest sighting of a device that tells of it. What an inactive
    device heard is past; who merely was missed still counts. Entries that name nobody are left
    out (`count_nameless`). With `tellers`, only what these tell counts: a link is what it
    would be with all if both its ends are among them, and all whom they may mean among `devices`.
    """
    heard = _one_each(_heard(devices, tellers))
    on_port: dict[_Port, list[_Heard]] = defaultdict(list)
    for item in heard:
        on_port[item.near_port].append(item)
    links: dict[str, Link] = {}
    for told in _paired(heard):
        link = _link(told, on_port)
        links[link.link_id] = link
    return tuple(links[link_id] for link_id in sorted(links))


def count_nameless(devices: Iterable[Device]) -> int:
    """Return how many neighbour entries name nobody, and so make no link."""
    return sum(named_by(entry) is None for device in devices for entry in device.neighbors)


# --- who hears whom --------------------------------------------------------------------------


def _heard(devices: Iterable[Device], tellers: Container[str] | None) -> list[_Heard]:
    known = sorted(devices, key=lambda d: d.device_id)
    entries = [
        (teller, entry, named)
        for teller in known
        if teller.status is not DeviceStatus.INACTIVE
        if tellers is None or teller.device_id in tellers
        for entry in sorted(set(teller.neighbors), key=_entry_key)
        if (named := named_by(entry)) is not None
    ]
    directory = Directory(known, (named for _, _, named in entries))
    ports: dict[str, Ports] = {}

    def ports_of(device: Device) -> Ports:
        found = ports.get(device.device_id)
        if found is None:
            found = ports[device.device_id] = Ports(device)
        return found

    heard = []
    for teller, entry, named in entries:
        far = directory.find(teller, named)
        near, _ = ports_of(teller).named(entry.local_interface)
        told = entry.remote_interface
        port, is_own = ports_of(far).named(told) if far else ((told or "").strip(), False)
        heard.append(
            _Heard(
                teller,
                near or "",
                named,
                far,
                port or "",
                is_own,
                entry.protocol,
                _label(entry, named),
            )
        )
    return heard


def _entry_key(entry: Neighbor) -> tuple[str, ...]:
    return (
        entry.local_interface,
        entry.protocol,
        entry.remote_name or "",
        entry.remote_chassis_id or "",
        entry.remote_management_ip or "",
        entry.remote_interface or "",
    )


def _label(entry: Neighbor, named: Named) -> str:
    return (entry.remote_name or "").strip() or named.chassis or named.ip


def _rank(item: _Heard) -> tuple[int, str]:
    return (_PROTOCOLS.get(item.protocol, len(_PROTOCOLS)), item.protocol)


def _one_each(heard: Sequence[_Heard]) -> list[_Heard]:
    """Return each neighbour of each port once, however many protocols tell of it."""
    on_port: dict[_Port, list[_Heard]] = defaultdict(list)
    for item in heard:
        on_port[item.near_port].append(item)
    merged: list[_Heard] = []
    for items in on_port.values():
        if len(items) == 1:
            merged += items
            continue
        _name_ghosts_alike(items)
        by_far: dict[str, list[_Heard]] = defaultdict(list)
        for item in items:
            by_far[item.far_key].append(item)
        for same in by_far.values():
            merged += same if len(same) == 1 else _merged(same)
    return merged


def _name_ghosts_alike(items: Sequence[_Heard]) -> None:
    """Give unknown neighbours of one port, told by several protocols, the best one's words."""
    ghosts = sorted((i for i in items if i.far is None), key=lambda i: (_rank(i), i.named.label))
    if len({item.protocol for item in ghosts}) < 2:  # noqa: PLR2004 - two protocols
        return
    best: dict[tuple[str, str], _Heard] = {}
    for item in ghosts:
        keys = [("name", item.named.name.partition(".")[0]), ("ip", item.named.ip)]
        told = [key for key in keys if key[1]]
        same = next(
            (best[k] for k in told if k in best and best[k].protocol != item.protocol), None
        )
        if same is not None:
            item.named, item.label = same.named, same.label
        for key in told:
            best.setdefault(key, item)


def _merged(same: Sequence[_Heard]) -> list[_Heard]:
    """Return what one port hears of one neighbour, once for each of the neighbour's ports."""
    ranked = sorted(same, key=lambda i: (_rank(i), i.far_port, i.label))
    own = [item for item in ranked if item.is_own_port]
    best = own or [item for item in ranked if item.protocol == ranked[0].protocol]
    if ranked[0].far is None:
        best = _with_a_name(best, ranked)
    ports: dict[str, _Heard] = {}
    for item in best:
        ports.setdefault(item.far_port, item)
    for item in ports.values():
        # A better protocol told of the neighbour, only the name of the port is the other's.
        item.protocol = ranked[0].protocol
    return list(ports.values())


def _with_a_name(best: list[_Heard], ranked: Sequence[_Heard]) -> list[_Heard]:
    """Prefer a port's name to a MAC or a number, where another protocol tells it."""
    if not all(_is_nameless_port(item.far_port) for item in best):
        return best
    others = [item for item in ranked if not _is_nameless_port(item.far_port)]
    is_clear = len({i.far_port for i in best}) == 1 and len({i.far_port for i in others}) == 1
    return others if is_clear else best


def _is_nameless_port(port: str) -> bool:
    return not port or port.isdigit() or is_mac_text(port)


# --- two ends to one link --------------------------------------------------------------------


def _paired(heard: Sequence[_Heard]) -> list[_Told]:
    """Return each link with its tellers: the two ends that mean each other are one."""
    between: dict[tuple[str, str], list[_Heard]] = defaultdict(list)
    told = []
    for item in heard:
        if item.far is None:
            told.append(_Told(item, item.far_port, [item]))
            continue
        one, other = item.teller.device_id, item.far.device_id
        between[min(one, other), max(one, other)].append(item)
    for (first, _), items in between.items():
        ours = [item for item in items if item.teller.device_id == first]
        theirs = [item for item in items if item.teller.device_id != first]
        told += _pairs(ours, theirs)
    return told


def _pairs(ours: list[_Heard], theirs: list[_Heard]) -> list[_Told]:
    """Pair what two devices tell of each other.

    First where both ports agree; then where one names the other's port, and the other a port that
    we cannot find; last what is left over, if that is one of each and neither port can be found.
    """
    told: list[_Told] = []
    for rule in (_agree, _half_agree):
        left = []
        for mine in ours:
            alike = [item for item in theirs if rule(mine, item)]
            if rule is _half_agree and (
                len(alike) > 1 or (alike and sum(rule(m, alike[0]) for m in ours) > 1)
            ):
                alike = []
            if alike:
                theirs.remove(alike[0])
                told.append(_Told(mine, alike[0].near, [mine, alike[0]]))
            else:
                left.append(mine)
        ours = left
    lost = [[item for item in side if not item.is_own_port] for side in (ours, theirs)]
    if len(lost[0]) == 1 and len(lost[1]) == 1:
        mine, item = lost[0][0], lost[1][0]
        told.append(_Told(mine, item.near, [mine, item]))
        ours, theirs = [i for i in ours if i is not mine], [i for i in theirs if i is not item]
    return told + [_Told(item, item.far_port, [item]) for item in (*ours, *theirs)]


def _agree(mine: _Heard, item: _Heard) -> bool:
    return mine.far_port == item.near and item.far_port == mine.near


def _half_agree(mine: _Heard, item: _Heard) -> bool:
    mine_fits, item_fits = mine.far_port == item.near, item.far_port == mine.near
    return (mine_fits and not item.is_own_port) or (item_fits and not mine.is_own_port)


# --- a link ----------------------------------------------------------------------------------


def _link(told: _Told, on_port: dict[_Port, list[_Heard]]) -> Link:
    near, far = told.a, told.a.far
    one = LinkEnd(
        device_id=near.teller.device_id, device=near.teller.name, interface=near.near or None
    )
    other = LinkEnd(
        device_id=far.device_id if far else None,
        device=(far.name if far else near.label) or None,
        interface=told.far_port or None,
    )
    keys = {id(one): (near.teller.device_id, near.near), id(other): (near.far_key, told.far_port)}
    a, b = sorted((one, other), key=lambda end: keys[id(end)])
    text = "\0".join((*keys[id(a)], *keys[id(b)]))
    return Link(
        link_id=f"link_{hashlib.sha256(text.encode()).hexdigest()[:32]}",
        a=a,
        b=b,
        source=min(told.tellers, key=_rank).protocol,
        status=_status(told, on_port),
        last_seen=max(item.teller.last_seen for item in told.tellers),
    )


def _status(told: _Told, on_port: dict[_Port, list[_Heard]]) -> LinkStatus:
    if len(told.tellers) > 1:
        return LinkStatus.CONFIRMED
    teller, far = told.a.teller, told.a.far
    heard = on_port.get((far.device_id, told.far_port), ()) if far and told.a.is_own_port else ()
    if not heard or any(_may_mean(item, teller, told.a.near) for item in heard):
        return LinkStatus.CLAIMED
    # On a shared segment both hear the same others, even if one of them does not speak.
    besides = {item.far_key for item in on_port[told.a.near_port]}
    is_shared = any(item.far_key in besides for item in heard)
    return LinkStatus.CLAIMED if is_shared else LinkStatus.CONFLICT


def _may_mean(item: _Heard, device: Device, port: str) -> bool:
    """Tell whether an end that names another port, or somebody unknown, may still mean this one."""
    if item.far is None:
        return could_be(item.named, device)
    return item.far is device and (not item.is_own_port or item.far_port == port)
