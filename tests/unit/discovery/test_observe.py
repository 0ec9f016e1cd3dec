import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from pdsno.discovery import observe as observe_module
from pdsno.discovery.ledger import Findings, Found, Ledger
from pdsno.discovery.observe import Observations, observe
from pdsno.discovery.query import Candidate, QueryLimits
from pdsno.discovery.scope import ProbeScope
from pdsno.discovery.sweep.heard import STOPPED
from pdsno.discovery.sweep.run import SweepOptions, TargetSweep
from pdsno.discovery.targets import Target, hosts_of, plan_targets, prefixes_without
from pdsno.domain.entities import Interface, Neighbor
from pdsno.domain.observations import (
    Facts,
    Interruption,
    Method,
    Outcome,
    Probe,
    Sighting,
    StopReason,
    SweepResult,
)
from pdsno.southbound.access import DeviceAccess
from pdsno.southbound.credentials import Credentials, SnmpV2cCredential

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCESS = DeviceAccess(Credentials(snmp=(SnmpV2cCredential(name="ro", community="x"),)))
SUBNET = "10.0.0.0/29"


@dataclass
class Network:
    """In place of sweeps and queries. `up` answer a sweep, `tells` answer a query.

    Of a sweep or a query that is `stopped_after` some addresses, the others are not asked.
    """

    up: set[str] = field(default_factory=set)
    tells: dict[str, Facts] = field(default_factory=dict)
    swept: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    stopped_after: int | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    waits_for_stop: bool = False

    def sweep(
        self,
        targets: Sequence[Target],
        _options: SweepOptions,
        *,
        stop: threading.Event,
        on_progress: Callable[[int], None],
        on_sighting: Callable[[Sighting], None],
        on_swept: Callable[[Mapping[str, Sequence[Probe]]], None],
    ) -> tuple[TargetSweep, ...]:
        done = []
        for target in targets:
            hosts = hosts_of(prefixes_without(target.network, target.exclude), target.network)
            asked = hosts[: self.stopped_after]
            if self.stopped_after is not None:
                self.stop.set()
                assert stop.wait(10)
            self.swept += asked
            seen = tuple(self._sighting(a) for a in asked if a in self.up)
            for sighting in seen:
                on_sighting(sighting)
            probes = {a: (self._probe(a),) for a in asked}
            on_swept(probes)
            on_progress(len(asked))
            late = Probe(method=Method.ARP, outcome=Outcome.NOT_TRIED, detail=STOPPED)
            excluded = Probe(method=Method.ARP, outcome=Outcome.EXCLUDED, detail="by policy")
            result = SweepResult(
                subnet=target.subnet,
                sightings=tuple(replace(s, segment="eth1") for s in seen),
                probed=tuple(asked),
                duration_s=0.1,
                methods=(Method.ARP,),
                is_complete=asked == hosts,
            )
            out = {a: (late,) for a in hosts if a not in asked}
            out |= {a: (excluded,) for a in target.exclude if "/" not in a}
            done.append(TargetSweep(target=target, result=result, probes={**out, **probes}))
        return tuple(done)

    def _sighting(self, address: str) -> Sighting:
        return Sighting(address=address, mac=None, method=Method.ARP, at=NOW)

    def _probe(self, address: str) -> Probe:
        is_up = address in self.up
        return Probe(method=Method.ARP, outcome=Outcome.ANSWERED if is_up else Outcome.SILENT)

    def query(
        self,
        candidates: Sequence[Candidate],
        _access: DeviceAccess,
        *,
        ledger: Ledger,
        stop: threading.Event,
        why_stopped: Callable[[], str],
        **_: object,
    ) -> Ledger:
        if self.waits_for_stop:
            assert stop.wait(10)
        for candidate in candidates:
            address = candidate.address
            if ledger.was_asked(address, Method.SNMP):
                continue
            if stop.is_set():
                ledger.not_tried([address], Method.SNMP, why_stopped())
                continue
            self.asked.append(address)
            facts = self.tells.get(address)
            outcome = Outcome.ANSWERED if facts else Outcome.TIMEOUT
            ledger.probe(address, Probe(method=Method.SNMP, outcome=outcome), facts)
        return ledger


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    made = Network()
    monkeypatch.setattr(observe_module, "sweep_targets", made.sweep)
    monkeypatch.setattr(observe_module, "query_all", made.query)
    return made


def look(
    network: Network,
    *,
    scope: ProbeScope | None = None,
    query: bool = True,
    deadline_s: float | None = None,
    kept: Findings | None = None,
    keep: Callable[[Findings], None] | None = None,
    on_found: Callable[[Found], None] | None = None,
    exclude: Sequence[str] = (),
) -> Observations:
    return observe(
        plan_targets([SUBNET], exclude=exclude),
        namespace="lab",
        access=ACCESS,
        query=query,
        limits=QueryLimits(deadline_s=deadline_s),
        stop=network.stop,
        scope=scope,
        kept=kept,
        keep=keep,
        on_found=on_found,
    )


def router(address: str, *neighbors: str) -> Facts:
    return Facts(
        source="snmp",
        address=address,
        at=NOW,
        name=f"r-{address}",
        interfaces=(Interface(name="eth0", ips=(f"{address}/29",)),),
        neighbors=tuple(
            Neighbor(local_interface=f"eth{n}", remote_management_ip=ip)
            for n, ip in enumerate(neighbors)
        ),
    )


def summaries(seen: Observations) -> dict[str, str]:
    return {o.address: o.summary for o in seen.outcomes}


def test_a_neighbour_beyond_every_swept_subnet_is_asked_and_covered(network: Network) -> None:
    network.up = {"10.0.0.1"}
    network.tells = {
        "10.0.0.1": router("10.0.0.1", "10.9.0.1", "192.0.2.1"),
        "10.9.0.1": router("10.9.0.1", "10.9.0.2"),
    }
    seen = look(network, scope=ProbeScope(subnets=(SUBNET,), crawl=("10.9.0.0/24",)))
    assert network.asked == ["10.0.0.1", "10.9.0.1", "10.9.0.2"]
    assert [f.address for f in seen.facts] == ["10.0.0.1", "10.9.0.1"]
    # One told, one was silent: both were really asked. Nobody else out there was.
    assert seen.coverage.covers("lab", "10.9.0.1")
    assert seen.coverage.covers("lab", "10.9.0.2")
    assert not seen.coverage.covers("lab", "192.0.2.1")
    assert summaries(seen)["192.0.2.1"] == (
        "SNMP not tried (named as neighbour by r-10.0.0.1; outside of what policy allows)"
    )
    assert summaries(seen)["10.9.0.2"] == "SNMP timeout"
    assert seen.is_complete


def test_without_a_scope_the_targets_are_what_may_be_asked(network: Network) -> None:
    network.up = {"10.0.0.1"}
    network.tells = {"10.0.0.1": router("10.0.0.1", "10.0.0.5", "10.0.0.6", "10.0.1.1")}
    seen = look(network, exclude=["10.0.0.6/32"])
    assert network.asked == ["10.0.0.1", "10.0.0.5"]
    assert "excluded by policy" in summaries(seen)["10.0.0.6"]
    assert "outside of what policy allows" in summaries(seen)["10.0.1.1"]


def test_who_answered_in_a_passive_prefix_is_not_asked(network: Network) -> None:
    network.up = {"10.0.0.1", "10.0.0.2"}
    look(network, scope=ProbeScope(subnets=(SUBNET,), passive_only=("10.0.0.2/32",)))
    assert network.asked == ["10.0.0.1"]


def test_at_the_deadline_a_look_ends_with_the_reason_on_every_record(network: Network) -> None:
    network.up = {"10.0.0.1", "10.0.0.2"}
    network.waits_for_stop = True
    started = time.monotonic()
    seen = look(network, deadline_s=0.2)
    assert time.monotonic() - started < 5
    assert not seen.is_complete
    assert seen.interruptions == (Interruption(reason=StopReason.DEADLINE, detail="0.2 s"),)
    assert summaries(seen)["10.0.0.1"] == (
        "answered ARP; SNMP not tried (the deadline of 0.2 s came first)"
    )
    assert "deadline" in seen.notes[0]


def test_a_caller_who_stops_it_knows_why_himself(network: Network) -> None:
    network.up = {"10.0.0.1"}
    network.stopped_after = 2
    seen = look(network, deadline_s=60.0)
    assert seen.interruptions == ()
    assert not seen.is_complete
    assert summaries(seen) == {
        "10.0.0.1": "answered ARP; SNMP not tried (stopped before its turn)",
        "10.0.0.2": "ARP silent",
        **{f"10.0.0.{n}": "ARP not tried (stopped before its turn)" for n in (3, 4, 5, 6)},
    }
    assert seen.coverage.prefixes == ("10.0.0.1/32", "10.0.0.2/32")


def test_a_later_look_goes_on_where_the_first_was_stopped_and_tells_everything(
    network: Network,
) -> None:
    network.up = {"10.0.0.1", "10.0.0.5"}
    network.tells = {a: router(a) for a in network.up}
    network.stopped_after = 2
    kept: list[Findings] = []
    look(network, keep=kept.append)
    assert (network.swept, network.asked) == (["10.0.0.1", "10.0.0.2"], [])
    network.swept.clear()
    network.stopped_after, network.stop = None, threading.Event()
    seen = look(network, kept=kept[-1])
    assert network.swept == ["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]
    assert sorted(network.asked) == ["10.0.0.1", "10.0.0.5"]
    assert seen.is_complete
    network.stop = threading.Event()
    whole = look(network)
    assert seen.outcomes == whole.outcomes
    assert seen.coverage == whole.coverage
    assert {s.address for s in seen.sweeps[0].sightings} == network.up
    assert {f.address for f in seen.facts} == network.up


def test_each_host_is_news_as_it_answers_and_as_it_tells(network: Network) -> None:
    network.up = {"10.0.0.1"}
    network.tells = {"10.0.0.1": router("10.0.0.1")}
    news: list[Found] = []
    look(network, on_found=news.append)
    assert [(n.address, n.facts is not None) for n in news] == [
        ("10.0.0.1", False),
        ("10.0.0.1", True),
    ]


def test_without_query_nobody_is_asked(network: Network) -> None:
    network.up = {"10.0.0.1"}
    seen = look(network, query=False)
    assert network.asked == []
    assert summaries(seen)["10.0.0.1"] == "answered ARP"
