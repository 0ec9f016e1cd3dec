"""Waits until the network between the nodes is ready: links, LLDP, OSPF, BGP, routes."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from pdsno.domain.errors import TransientError
from pdsno.lab import frr, processes
from pdsno.lab.boot import running_daemons
from pdsno.lab.state import LabEnd, LabLink, LabState

_POLL_S = 0.4
_STABLE_S = 1.0
_LLDPCLI_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """What one node does not have yet."""

    node: str
    what: str

    def __str__(self) -> str:
        return f"{self.node}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _OspfInterface:
    subnet: IPv4Network
    is_passive: bool
    full_neighbors: int


def lldp_neighbors(init: int) -> dict[str, list[tuple[str, str]]]:
    """Return, by local interface, the name and the port of each LLDP neighbour of a node."""
    command = ["lldpcli", "-f", "json0", "show", "neighbors"]
    done = processes.execute(init, command, stdin=None, timeout_s=_LLDPCLI_TIMEOUT_S)
    try:
        return _parse_lldp(json.loads(done.stdout))
    except (ValueError, LookupError) as error:
        raise TransientError(f"lldpd does not answer: {done.stderr.strip()}") from error


def _parse_lldp(answer: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for interface in answer["lldp"][0].get("interface", []):
        name = _first(_first(interface.get("chassis")).get("name")).get("value", "")
        port = _first(_first(interface.get("port")).get("id")).get("value", "")
        found.setdefault(interface["name"], []).append((name, port))
    return found


def _first(items: list[dict[str, Any]] | None) -> dict[str, Any]:
    return items[0] if items else {}


def _ospf_interfaces(init: int) -> dict[str, _OspfInterface]:
    answer = frr.show_json(init, "ospfd", "show ip ospf interface json")
    return {
        name: _OspfInterface(
            subnet=IPv4Interface(f"{item['ipAddress']}/{item['ipAddressPrefixlen']}").network,
            is_passive=bool(item.get("timerPassiveIface", False)),
            full_neighbors=int(item.get("nbrAdjacentCount", 0)),
        )
        for name, item in answer.get("interfaces", answer).items()
        if isinstance(item, dict) and item.get("ospfEnabled") and "ipAddress" in item
    }


def _routes(init: int) -> set[IPv4Network]:
    """Read the node's IPv4 routing table, with the default route."""
    found = set()
    for line in Path(f"/proc/{init}/net/route").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[0] == "eth0":
            continue
        address = int.from_bytes(bytes.fromhex(fields[1]), "little")
        mask = int.from_bytes(bytes.fromhex(fields[7]), "little")
        found.add(IPv4Network((address, mask.bit_count())))
    return found


class Convergence:
    """Looks at a lab whose nodes are up; `inits` are their first processes."""

    def __init__(self, state: LabState, inits: Mapping[str, int]) -> None:
        self._state = state
        self._inits = inits
        self._daemons = {name: running_daemons(init) for name, init in inits.items()}

    def speakers(self, daemon: str) -> list[str]:
        """Return the nodes that run a daemon."""
        return [name for name, running in self._daemons.items() if daemon in running]

    def links_between(self, daemon: str) -> list[LabLink]:
        """Return the links both ends of which run a daemon."""
        speakers = set(self.speakers(daemon))
        return [link for link in self._state.links if {link.a.node, link.b.node} <= speakers]

    def lacks(self) -> list[Lack]:
        """Say what is missing now, node by node; empty if the network is ready."""
        checks = (self._links_down, self._lldp_missing, self._ospf_missing, self._bgp_missing)
        return [lack for check in checks for lack in check()]

    def wait(self, timeout_s: float) -> list[Lack]:
        """Wait until nothing is missing and routes have not changed for a second.

        Returns what was still missing at the deadline.
        """
        deadline = time.monotonic() + timeout_s
        routes: dict[str, set[IPv4Network]] = {}
        stable_since = time.monotonic()
        while True:
            missing = self._lacks_or_silence()
            current = {name: _routes(self._inits[name]) for name in self.speakers("zebra")}
            now = time.monotonic()
            if missing or current != routes:
                routes, stable_since = current, now
            if not missing and (now - stable_since >= _STABLE_S or not current):
                return []
            if now > deadline:
                return missing or [Lack(node="lab", what="its routes keep changing")]
            time.sleep(_POLL_S)

    def _lacks_or_silence(self) -> list[Lack]:
        try:
            return self.lacks()
        except TransientError as error:
            return [Lack(node="lab", what=str(error))]

    def _ends(self, daemon: str | None = None) -> Iterator[tuple[LabEnd, LabEnd]]:
        links = self.links_between(daemon) if daemon else self._state.links
        for link in links:
            yield link.a, link.b
            yield link.b, link.a

    def _links_down(self) -> Iterator[Lack]:
        for end, _ in self._ends():
            path = Path(f"/proc/{self._inits[end.node]}/root/sys/class/net/{end.interface}")
            try:
                is_up = (path / "operstate").read_text().strip() in {"up", "unknown"}
            except OSError:
                is_up = False
            if not is_up:
                yield Lack(node=end.node, what=f"interface {end.interface} is down")

    def _lldp_missing(self) -> Iterator[Lack]:
        ends = list(self._ends("lldpd"))
        nodes = dict.fromkeys(end.node for end, _ in ends)
        neighbors = {name: lldp_neighbors(self._inits[name]) for name in nodes}
        for end, peer in ends:
            seen = neighbors[end.node].get(end.interface, [])
            if (peer.node, peer.interface) not in seen:
                what = f"no LLDP neighbour {peer.node}:{peer.interface} on {end.interface}"
                yield Lack(node=end.node, what=what)

    def _ospf_missing(self) -> Iterator[Lack]:
        tables = {name: _ospf_interfaces(self._inits[name]) for name in self.speakers("ospfd")}
        groups = {name: {name} for name in tables}
        for end, peer in self._ends("ospfd"):
            own = tables[end.node].get(end.interface)
            other = tables[peer.node].get(peer.interface)
            if own is None or other is None or own.is_passive or other.is_passive:
                continue
            if own.full_neighbors == 0:
                what = f"no full OSPF neighbour on {end.interface} (towards {peer.node})"
                yield Lack(node=end.node, what=what)
            joined = groups[end.node] | groups[peer.node]
            for name in joined:
                groups[name] = joined
        yield from self._unreachable(tables, groups)

    def _unreachable(
        self, tables: Mapping[str, dict[str, _OspfInterface]], groups: Mapping[str, set[str]]
    ) -> Iterator[Lack]:
        """Find subnets that OSPF announces and a router of the same domain has no route to."""
        for name, own in tables.items():
            known = _routes(self._inits[name]) | {item.subnet for item in own.values()}
            wanted = {item.subnet for other in groups[name] for item in tables[other].values()}
            for subnet in sorted(wanted - known):
                if not any(subnet.subnet_of(route) for route in known):
                    yield Lack(node=name, what=f"no route to {subnet}")

    def _bgp_missing(self) -> Iterator[Lack]:
        for name in self.speakers("bgpd"):
            answer = frr.show_json(self._inits[name], "bgpd", "show bgp summary json")
            peers = {
                peer: item.get("state", "unknown")
                for family in answer.values()
                if isinstance(family, dict)
                for peer, item in family.get("peers", {}).items()
            }
            for peer, session_state in peers.items():
                if session_state != "Established":
                    yield Lack(node=name, what=f"BGP session with {peer} is {session_state}")
