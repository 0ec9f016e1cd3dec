"""On which switch port a host is plugged in, out of the MAC tables of one cycle.

A port that leads to another switch is a trunk and no place of a host. It is one if a neighbour
there is a switch or a router (LLDP, CDP), if the MAC of another of our switches was learned on it,
or if it has two hosts behind it that another switch of ours sees on two ports: in a tree that
switch then lies behind the port. The last rule needs neither LLDP nor switches that talk. Where
only one of two switches is known to lead to the other, the way back follows from the hosts that
the other has elsewhere.

A switch that tells nothing is like a cable: its hosts are located at the readable port in front of
it. If that port is a trunk, because a readable switch lies behind it as well, or if nothing tells
which of two ports is nearer, the host has no place here: unknown is better than wrong.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pdsno.domain.entities import Attachment
from pdsno.domain.identifiers import is_identifying_mac
from pdsno.domain.observations import MacTableEntry

_AGGREGATE = re.compile(
    r"(port-?channel|po|bundle-ether|be|ae|bond|team|bridge-aggregation|bagg|eth-trunk|lag|trk|mlag)"
    r"[ -]?\d",
    re.IGNORECASE,
)
_NO_VLAN = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Switch:
    """A switch that told its MAC table.

    `uplinks` are ports on which it hears a switch or a router, with the device's ID. Ports have
    one name each, in `uplinks` as in `table`, and a sub-interface has that of its port.
    """

    device_id: str
    name: str | None
    macs: frozenset[str]
    uplinks: Mapping[str, str]
    table: tuple[MacTableEntry, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Located:
    """What all MAC tables together say of one MAC.

    `attachment` is its port, None where only trunks have it or nobody can tell. `switches` are the
    IDs of those that have it in their tables. `places` are edge ports of different switches that
    have it at one time although they do not lead to each other: two hosts, or one that moved just
    now.
    """

    attachment: Attachment | None
    switches: frozenset[str]
    places: tuple[Attachment, ...] = ()


_Port = tuple[str, str]
"""Switch ID, name of the port."""


@dataclass(frozen=True, slots=True)
class _Entry:
    port: _Port
    vlan: int | None


@dataclass(slots=True)
class _Tables:
    """All MAC tables, by MAC and by port."""

    where: dict[str, set[_Entry]] = field(default_factory=lambda: defaultdict(set))
    behind: dict[_Port, set[tuple[int | None, str]]] = field(
        default_factory=lambda: defaultdict(set)
    )
    facing: dict[_Port, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Trunks, with the IDs of the switches that lie behind them."""
    ahead: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def faces(self, switch: str, other: str) -> bool:
        """Tell whether a switch has another one behind one of its trunks."""
        return other in self._ahead()[switch]

    def _ahead(self) -> Mapping[str, set[str]]:
        """Return which switches each one has behind its trunks, over others as well."""
        if not self.ahead:
            for (switch, _), others in self.facing.items():
                self.ahead[switch] |= others
            _close(self.ahead)
        return self.ahead


def _close(ahead: dict[str, set[str]]) -> None:
    """Follow trunks over switches: who is ahead of my neighbour, is ahead of me."""
    for start in list(ahead):
        found: set[str] = set()
        waiting = list(ahead[start])
        while waiting:
            switch = waiting.pop()
            if switch not in found and switch != start:
                found.add(switch)
                waiting.extend(ahead.get(switch, ()))
        ahead[start] = found


def locate(switches: Iterable[Switch]) -> dict[str, Located]:
    """Return where each MAC is plugged in that any switch has learned; order does not matter.

    The MACs of the switches themselves are left out.
    """
    known = _by_id(switches)
    tables = _read(known)
    own = {mac for switch in known.values() for mac in switch.macs}
    _find_trunks(known, tables)
    names = {device_id: switch.name for device_id, switch in known.items()}
    return {
        mac: _place(entries, tables, names)
        for mac, entries in sorted(tables.where.items())
        if mac not in own
    }


def _by_id(switches: Iterable[Switch]) -> dict[str, Switch]:
    """Return switches by ID, several accounts of one put together."""
    known: dict[str, Switch] = {}
    for switch in switches:
        before = known.get(switch.device_id)
        if before is not None:
            switch = Switch(  # noqa: PLW2901 - the two are one
                device_id=switch.device_id,
                name=min(filter(None, (before.name, switch.name)), default=None),
                macs=before.macs | switch.macs,
                uplinks={**before.uplinks, **switch.uplinks},
                table=before.table + switch.table,
            )
        known[switch.device_id] = switch
    return dict(sorted(known.items()))


def _read(known: Mapping[str, Switch]) -> _Tables:
    tables = _Tables()
    for device_id, switch in known.items():
        for entry in switch.table:
            if entry.interface is None or entry.mac in switch.macs:
                continue
            if not is_identifying_mac(entry.mac):
                continue
            port = (device_id, entry.interface)
            tables.where[entry.mac].add(_Entry(port, entry.vlan))
            tables.behind[port].add((entry.vlan, entry.mac))
    return tables


def _find_trunks(known: Mapping[str, Switch], tables: _Tables) -> None:
    for device_id, switch in known.items():
        for name, neighbour in switch.uplinks.items():
            tables.facing[device_id, name].add(neighbour)
    for mac, ids in _owners(known).items():
        for entry in tables.where.get(mac, ()):
            if entry.port[0] not in ids:
                tables.facing[entry.port] |= ids
    _find_ways_back(known, tables)
    suspects = [port for port, macs in tables.behind.items() if len(macs) > 1]
    found = {port: _told_apart(port, tables) for port in suspects if port not in tables.facing}
    for port, others in found.items():
        if others:
            tables.facing[port] |= others


def _find_ways_back(known: Mapping[str, Switch], tables: _Tables) -> None:
    """Find the port that leads back to a switch which knows the way to us, where nobody told it.

    Whoever that switch has on other ports than ours, we have behind the port that leads to it.
    Most of them decide: one MAC at two places must not.
    """
    ports: dict[tuple[str, str], set[_Port]] = defaultdict(set)
    for port, others in tables.facing.items():
        for other in others & known.keys():
            ports[port[0], other].add(port)
    own: dict[str, list[_Port]] = defaultdict(list)
    for port in tables.behind:
        own[port[0]].append(port)
    found: dict[_Port, set[str]] = defaultdict(set)
    for (there, here), toward in ports.items():
        if (here, there) not in ports:
            away = [port for port in own[there] if port not in toward]
            for back in _most_common_port(here, away, tables):
                found[back].add(there)
    for port, others in found.items():
        tables.facing[port] |= others


def _most_common_port(here: str, elsewhere: Iterable[_Port], tables: _Tables) -> list[_Port]:
    """Return the one port of a switch that has most of the MACs on these ports of another."""
    votes = Counter(
        entry.port
        for port in elsewhere
        for _, mac in tables.behind[port]
        for entry in tables.where[mac]
        if entry.port[0] == here
    )
    first = votes.most_common(2)
    is_clear = len(first) == 1 or (len(first) > 1 and first[0][1] > first[1][1])
    return [first[0][0]] if is_clear else []


def _owners(known: Mapping[str, Switch]) -> Mapping[str, set[str]]:
    """Return which switches have a MAC as their own; a pair may share one."""
    owners: dict[str, set[str]] = defaultdict(set)
    for device_id, switch in known.items():
        for mac in switch.macs:
            owners[mac].add(device_id)
    return owners


def _told_apart(port: _Port, tables: _Tables) -> set[str]:
    """Return the switches that see two MACs of this port, of one VLAN, on two ports of theirs."""
    first: dict[tuple[object, ...], str] = {}
    others: set[str] = set()
    for vlan, mac in tables.behind[port]:
        for entry in tables.where[mac]:
            switch, name = entry.port
            if switch == port[0]:
                continue
            if first.setdefault((vlan, entry.vlan, switch), name) != name:
                others.add(switch)
    return others


def _place(entries: Iterable[_Entry], tables: _Tables, names: Mapping[str, str | None]) -> Located:
    every = sorted(entries, key=_entry_key)
    edges: dict[_Port, _Entry] = {}
    for entry in every:
        if not tables.facing.get(entry.port):
            edges.setdefault(entry.port, entry)
    at = {
        port: Attachment(
            device_id=port[0], device=names[port[0]], interface=port[1], vlan=entry.vlan
        )
        for port, entry in edges.items()
    }
    nearest = _nearest(list(edges), tables)
    return Located(
        attachment=at[nearest] if nearest else None,
        switches=frozenset(entry.port[0] for entry in every),
        places=tuple(at[port] for port in _apart(list(edges), tables)),
    )


def _entry_key(entry: _Entry) -> tuple[str, str, int]:
    return (*entry.port, _NO_VLAN if entry.vlan is None else entry.vlan)


def _nearest(edges: Sequence[_Port], tables: _Tables) -> _Port | None:
    """Return the port with the fewest MACs, if there is one.

    Aggregates of several switches that all have it are one cable bundle to a host on two switches:
    the first stands for them.
    """
    if len(edges) > 1 and all(_AGGREGATE.match(name) for _, name in edges):
        return edges[0]
    if len(edges) == 1:
        return edges[0]
    sizes = sorted((len({mac for _, mac in tables.behind[port]}), port) for port in edges)
    if not sizes or sizes[0][0] == sizes[1][0]:
        return None
    return sizes[0][1]


def _apart(edges: Sequence[_Port], tables: _Tables) -> list[_Port]:
    """Return the edge ports of different switches of which it is known that none leads to another.

    So it is known only if each has the other switch behind a trunk, and these ports are none.
    """
    found: set[_Port] = set()
    for number, (switch, name) in enumerate(edges):
        for other, other_name in edges[number + 1 :]:
            if switch == other or (_AGGREGATE.match(name) and _AGGREGATE.match(other_name)):
                continue
            if tables.faces(switch, other) and tables.faces(other, switch):
                found |= {(switch, name), (other, other_name)}
    return sorted(found)
