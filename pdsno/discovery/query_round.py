"""What all queries of one look share: whom to ask, how patiently, and who has told already."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from pdsno.discovery.ledger import Ledger
from pdsno.discovery.sweep.pacing import Pacer
from pdsno.domain.observations import Facts, Method, Outcome, Probe
from pdsno.domain.profiles import facts_ips, facts_macs
from pdsno.southbound.access import DeviceAccess
from pdsno.southbound.snmp_session import SnmpOptions
from pdsno.southbound.ssh import MAX_WORKERS
from pdsno.southbound.ssh_transport import SshOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryLimits:
    """How fast, how many at a time, and how patiently.

    `rate_pps` paces what is sent on one L2 segment (None: as fast as it goes), and
    `snmp_requests_per_s` one agent. `deadline_s` ends the whole look, sweep included; what one
    device may cost is in `snmp` and `ssh`.
    """

    rate_pps: float | None = 100.0
    snmp_requests_per_s: float = 50.0
    deadline_s: float | None = None
    snmp_parallel: int = 64
    ssh_parallel: int = MAX_WORKERS
    ssh_port_timeout_s: float = 2.0
    snmp: SnmpOptions = field(default_factory=SnmpOptions)
    ssh: SshOptions = field(default_factory=SshOptions)

    @property
    def snmp_options(self) -> SnmpOptions:
        """The SNMP options with the pace of `snmp_requests_per_s`."""
        return replace(self.snmp, requests_per_s=self.snmp_requests_per_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """An address to ask, with the MACs seen there.

    Who `is_silent` lies behind a jump host, where SNMP does not reach.
    """

    address: str
    macs: frozenset[str] = frozenset()
    is_silent: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryStep:
    """Progress: `done` of `total` in this stage (`snmp` or `ssh`)."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One round of queries: by whose credentials, within what limits, into which ledger.

    `why_stopped` says, once `stop` is set, why.
    """

    access: DeviceAccess
    ledger: Ledger
    limits: QueryLimits
    pacer: Pacer
    stop: threading.Event
    on_step: Callable[[QueryStep], None] = lambda _: None
    why_stopped: Callable[[], str] = lambda: "stopped"


class Claims:
    """Which queried device says that an address is its own."""

    def __init__(self, facts: Iterable[Facts] = ()) -> None:
        self._by_ip: dict[str, Facts] = {}
        for item in facts:
            self.add(item)

    def add(self, facts: Facts) -> None:
        """Take in what a device told; the first to claim an address keeps it."""
        for ip in facts_ips(facts):
            self._by_ip.setdefault(ip, facts)

    def queried_at(self, candidate: Candidate) -> str | None:
        """Return where the device with this address was queried, if it was.

        Where another MAC than that device's was seen, somebody else has the address.
        """
        owner = self._by_ip.get(candidate.address)
        if owner is None or owner.address == candidate.address:
            return None
        macs = facts_macs(owner)
        if candidate.macs and macs and not candidate.macs & macs:
            return None
        return owner.address


def elsewhere(method: Method, address: str) -> Probe:
    """It did answer here; its facts were read at another of its addresses."""
    return Probe(method=method, outcome=Outcome.ANSWERED, detail=f"queried at {address}")


class StepCounter:
    """Counts answers, from several threads, and tells."""

    def __init__(self, stage: str, total: int, on_step: Callable[[QueryStep], None]) -> None:
        self._stage = stage
        self._total = total
        self._on_step = on_step
        self._done = 0
        self._lock = threading.Lock()

    def tick(self) -> None:
        """One more is done."""
        with self._lock:
            self._done += 1
            step = QueryStep(stage=self._stage, done=self._done, total=self._total)
        self._on_step(step)
