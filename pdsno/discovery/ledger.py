"""The ledger of one look: every address, what was sent to it, and what came of that."""

import ipaddress
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pdsno.domain.observations import AddressOutcome, Facts, Method, Outcome, Probe, Sighting

UNSENT = frozenset({Outcome.EXCLUDED, Outcome.PASSIVE_ONLY, Outcome.NOT_TRIED})
"""Nothing was sent: policy, a budget or the clock forbade it."""

QUERIES = frozenset({Method.SNMP, Method.SSH})

_UNSWEPT = UNSENT | {Outcome.UNREACHABLE}

_NAMES = {Method.NEIGHBOUR_TABLE: "neighbour table"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """News while a look goes on: somebody answered (`sighting`), or told about itself (`facts`)."""

    address: str
    sighting: Sighting | None = None
    facts: Facts | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """All that a ledger held at one time."""

    sightings: tuple[Sighting, ...] = ()
    facts: tuple[Facts, ...] = ()
    probes: Mapping[str, tuple[Probe, ...]]


class Ledger:
    """What one look found so far; any thread may write. The same sighting twice is one.

    `on_found` hears each host when it first answers, and whenever it tells something.
    """

    def __init__(
        self,
        kept: Findings | None = None,
        on_found: Callable[[Found], None] = lambda _: None,
    ) -> None:
        """Begin with what an earlier look kept; what it had not tried is forgotten."""
        self._on_found = on_found
        self._lock = threading.Lock()
        self._sightings: dict[tuple[str, str | None, Method], Sighting] = {}
        self._addresses: set[str] = set()
        self._facts: list[Facts] = []
        self._probes: dict[str, list[Probe]] = {}
        self._changes = 0
        if kept is not None:
            self._begin_with(kept)

    def _begin_with(self, kept: Findings) -> None:
        for sighting in kept.sightings:
            self._sightings[sighting.address, sighting.mac, sighting.method] = sighting
            self._addresses.add(sighting.address)
        self._facts.extend(kept.facts)
        for address, probes in kept.probes.items():
            made = [probe for probe in probes if probe.outcome is not Outcome.NOT_TRIED]
            if made:
                self._probes[address] = made

    # --- what comes in -------------------------------------------------------------------

    def see(self, sighting: Sighting) -> None:
        """Keep that somebody answered; told again, the later account holds."""
        with self._lock:
            is_new = sighting.address not in self._addresses
            self._addresses.add(sighting.address)
            self._sightings[sighting.address, sighting.mac, sighting.method] = sighting
            self._changes += 1
        if is_new:
            self._on_found(Found(address=sighting.address, sighting=sighting))

    def sweep(self, probes: Mapping[str, Sequence[Probe]]) -> None:
        """Keep what a sweep did at addresses; told again, the later account holds."""
        with self._lock:
            for address, made in probes.items():
                queries = [p for p in self._probes.get(address, ()) if p.method in QUERIES]
                self._probes[address] = [*made, *queries]
            self._changes += 1

    def probe(self, address: str, probe: Probe, facts: Facts | None = None) -> None:
        """Keep what came of one query."""
        with self._lock:
            self._probes.setdefault(address, []).append(probe)
            self._changes += 1
            if facts is not None:
                self._facts.append(facts)
        if facts is not None:
            self._on_found(Found(address=address, facts=facts))

    def not_tried(self, addresses: Iterable[str], method: Method, reason: str) -> None:
        """Keep that nobody asked these by this method, and why."""
        for address in addresses:
            self.probe(address, Probe(method=method, outcome=Outcome.NOT_TRIED, detail=reason))

    # --- what is known -------------------------------------------------------------------

    @property
    def changes(self) -> int:
        """How often something was added: equal numbers, equal contents."""
        with self._lock:
            return self._changes

    @property
    def facts(self) -> tuple[Facts, ...]:
        """What was told so far, in the order in which it came."""
        with self._lock:
            return tuple(self._facts)

    @property
    def probes(self) -> Mapping[str, tuple[Probe, ...]]:
        """Every probe made, by address."""
        return self.findings().probes

    def probes_of(self, address: str) -> tuple[Probe, ...]:
        """Return every probe of one address."""
        with self._lock:
            return tuple(self._probes.get(address, ()))

    def is_known(self, address: str) -> bool:
        """Tell whether anything is on record about an address."""
        with self._lock:
            return address in self._probes

    def is_seen(self, address: str) -> bool:
        """Tell whether somebody answered at an address."""
        with self._lock:
            return address in self._addresses

    def was_asked(self, address: str, method: Method) -> bool:
        """Tell whether a query by this method came to some end, even a bad one."""
        return any(p.method is method and p.outcome not in UNSENT for p in self.probes_of(address))

    def findings(self) -> Findings:
        """Return everything as it is now."""
        with self._lock:
            return Findings(
                sightings=tuple(self._sightings.values()),
                facts=tuple(self._facts),
                probes={address: tuple(made) for address, made in self._probes.items()},
            )

    def outcomes(self, namespace: str) -> tuple[AddressOutcome, ...]:
        """Return the record of each address, ordered by address (IPv4 first)."""
        found = self.findings().probes
        return tuple(
            AddressOutcome(namespace=namespace, address=address, probes=found[address])
            for address in sorted(found, key=address_order)
        )


def address_order(address: str) -> tuple[int, int]:
    """Return the sort key of an address: by number, IPv4 before IPv6."""
    ip = ipaddress.ip_address(address)
    return ip.version, int(ip)


def swept(probes: Mapping[str, Sequence[Probe]]) -> set[str]:
    """Return the addresses whose sweep came to its end, on a network that was there."""
    return {
        address
        for address, made in probes.items()
        if any(p.method not in QUERIES and p.outcome not in _UNSWEPT for p in made)
    }


def counts(outcomes: Iterable[AddressOutcome]) -> dict[str, int]:
    """Return how many addresses came to which outcome.

    Each address counts once as `answered`, `silent`, `excluded`, `passive only` or `not tried`;
    and once more for each method that failed there: `SNMP timeout`, `SSH authentication failed`.
    """
    found: Counter[str] = Counter()
    for record in outcomes:
        state = _state(record)
        found[state] += 1
        if state not in UNSENT:
            found.update({_failure(p) for p in record.probes if _is_failure(p)})
    return dict(sorted(found.items()))


def _state(record: AddressOutcome) -> str:
    if record.is_answered:
        return Outcome.ANSWERED.value
    unsent = [probe.outcome for probe in record.probes if probe.outcome in UNSENT]
    if unsent and len(unsent) == len(record.probes):
        return unsent[0].value
    return Outcome.SILENT.value


def _is_failure(probe: Probe) -> bool:
    return probe.outcome not in (Outcome.ANSWERED, Outcome.SILENT)


def _failure(probe: Probe) -> str:
    name = _NAMES.get(probe.method, probe.method.value.upper())
    return f"{name} {probe.outcome.value}"
