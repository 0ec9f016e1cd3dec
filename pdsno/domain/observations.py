"""What sweeps and queries find, before it is resolved into devices."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pdsno.domain.entities import DeviceType, Interface, Neighbor
from pdsno.domain.evidence import Evidence


class Method(StrEnum):
    """How an address was asked."""

    ARP = "arp"
    ICMP = "icmp"
    TCP = "tcp"
    NEIGHBOUR_TABLE = "neighbour-table"
    SNMP = "snmp"
    SSH = "ssh"


class Outcome(StrEnum):
    """What came of one probe of one address."""

    ANSWERED = "answered"
    SILENT = "silent"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    AUTHENTICATION_FAILED = "authentication failed"
    SESSION_CLOSED = "session closed by device"
    PARSER_FAILED = "parser failed"
    NOT_SUPPORTED = "not supported"
    HOST_KEY_CHANGED = "host key changed"
    EXCLUDED = "excluded"
    PASSIVE_ONLY = "passive only"
    NOT_TRIED = "not tried"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """One probe of one address. `detail` is for people (credential name, command), no secrets.

    EXCLUDED, PASSIVE_ONLY and NOT_TRIED sent nothing: `detail` says by whose word.
    """

    method: Method
    outcome: Outcome
    detail: str = ""
    rtt_ms: float | None = None


_NAMES = {
    Method.ARP: "ARP",
    Method.ICMP: "ICMP",
    Method.TCP: "TCP",
    Method.NEIGHBOUR_TABLE: "neighbour table",
    Method.SNMP: "SNMP",
    Method.SSH: "SSH",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AddressOutcome:
    """The record of one address in one cycle: every probe and what came of it."""

    namespace: str
    address: str
    probes: tuple[Probe, ...]

    @property
    def is_answered(self) -> bool:
        """Whether anything answered from the address."""
        return any(probe.outcome is Outcome.ANSWERED for probe in self.probes)

    @property
    def summary(self) -> str:
        """One line for people: `answered ARP; SNMP timeout; SSH authentication failed`."""
        parts = []
        answered = [_NAMES[p.method] for p in self.probes if p.outcome is Outcome.ANSWERED]
        if answered:
            parts.append(f"answered {', '.join(answered)}")
        for probe in self.probes:
            if probe.outcome is not Outcome.ANSWERED:
                detail = f" ({probe.detail})" if probe.detail else ""
                parts.append(f"{_NAMES[probe.method]} {probe.outcome.value}{detail}")
        return "; ".join(parts)


class StopReason(StrEnum):
    """Why a cycle, or the sweep of one segment, ended before its end."""

    SHUTDOWN = "controller stopped"
    PAUSED = "paused"
    WINDOW_CLOSED = "scan window closed"
    DEADLINE = "deadline"
    LINK_LOST = "link lost"
    GATEWAY_LOST = "gateway lost"


@dataclass(frozen=True, kw_only=True, slots=True)
class Interruption:
    """A sweep or a cycle was cut short. `where` is the interface or the gateway, "" for all."""

    reason: StopReason
    where: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Authority:
    """By whose word a cycle probed, and within what limits: what an auditor asks first.

    `source` is `policy EPOCH.VERSION` or `settings`; `requested_by` names who asked for this
    cycle out of turn ("" by schedule). `credentials` are names, never secrets.
    """

    source: str
    requested_by: str = ""
    rate_pps: float | None = None
    exclude: tuple[str, ...] = ()
    passive_only: tuple[str, ...] = ()
    crawl: tuple[str, ...] = ()
    query: bool = True
    credentials: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CycleRecord:
    """One cycle in the ledger. `counts` are addresses by outcome: `answered`, `SSH timeout`."""

    cycle_id: str
    region: str
    local_controller: str
    namespace: str
    subnets: tuple[str, ...]
    authority: Authority
    started_at: datetime
    finished_at: datetime
    is_complete: bool
    counts: Mapping[str, int]
    notes: tuple[str, ...] = ()
    interruptions: tuple[Interruption, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """One raw finding: an address answered, with its MAC where the method shows it.

    `segment` names the LAN on which the MAC was seen, in the observer's words (interface, VLAN);
    None is "not told". Equal MACs on two segments may be two machines.
    """

    address: str
    mac: str | None
    method: Method
    at: datetime
    rtt_ms: float | None = None
    segment: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepResult:
    """What one sweep of one subnet found and what it really covered.

    `probed` are prefixes that were really asked; `is_complete` is False when the sweep was cut
    short (then `probed` is less than the subnet). `notes` say what could not be done and why.
    """

    subnet: str
    sightings: tuple[Sighting, ...]
    probed: tuple[str, ...]
    duration_s: float
    methods: tuple[Method, ...]
    is_complete: bool = True
    notes: tuple[str, ...] = ()
    interruptions: tuple[Interruption, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ArpEntry:
    """An entry of a device's ARP or ND table; `vrf` None is the default routing instance."""

    ip: str
    mac: str
    interface: str | None = None
    vrf: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MacTableEntry:
    """An entry of a switch's forwarding table."""

    mac: str
    vlan: int | None
    interface: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Vlan:
    """A VLAN that a device knows."""

    id: int
    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """A physical part with a model or serial of its own."""

    name: str
    model: str | None = None
    serial: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Announcement:
    """What the device at `address` says by LLDP or CDP that it is: its sysDescr, or a version."""

    address: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What one source (`snmp` or `ssh`) told about the device at `address`, normalised.

    None and empty mean "not told", never "has none". `chassis_id` is what LLDP announces,
    a normalised MAC where it is one. `engine_id` is the SNMP engine's, in hexadecimal.
    `ssh_host_key` is `type SHA256:fingerprint`. `announcements` are the neighbours' own words.
    """

    source: str
    address: str
    at: datetime
    name: str | None = None
    vendor: str | None = None
    model: str | None = None
    platform: str | None = None
    os_version: str | None = None
    serial: str | None = None
    device_type: DeviceType = DeviceType.UNKNOWN
    chassis_id: str | None = None
    interfaces: tuple[Interface, ...] = ()
    neighbors: tuple[Neighbor, ...] | None = None
    announcements: tuple[Announcement, ...] = ()
    arp: tuple[ArpEntry, ...] = ()
    mac_table: tuple[MacTableEntry, ...] = ()
    vlans: tuple[Vlan, ...] = ()
    modules: tuple[Module, ...] = ()
    uptime_s: int | None = None
    engine_id: str | None = None
    ssh_host_key: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryResult:
    """Everything that came of asking one address: facts by source, and every probe made."""

    address: str
    facts: tuple[Facts, ...]
    probes: tuple[Probe, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedDevice:
    """One device as one cycle saw it: resolved from sightings and facts, without an ID yet.

    `shared_ips` are addresses that other devices call their own as well. `evidence` says why its
    findings are one device, and what it was kept apart from.
    """

    at: datetime
    namespace: str
    management_ip: str | None
    macs: tuple[str, ...]
    ips: tuple[str, ...]
    sightings: tuple[Sighting, ...]
    facts: tuple[Facts, ...]
    shared_ips: frozenset[str] = frozenset()
    evidence: tuple[Evidence, ...] = ()
