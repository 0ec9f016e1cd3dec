"""What a Network Information Base holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pdsno.domain.identifiers import Role


class DeviceStatus(StrEnum):
    """Life-cycle state of a device."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    UNREACHABLE = "unreachable"
    QUARANTINED = "quarantined"
    DEGRADED = "degraded"


class DeviceType(StrEnum):
    """What a device is for."""

    ROUTER = "router"
    SWITCH = "switch"
    FIREWALL = "firewall"
    SERVER = "server"
    ENDPOINT = "endpoint"
    UNKNOWN = "unknown"


class LinkStatus(StrEnum):
    """Seen from both ends, from one, or the ends contradict each other."""

    CONFIRMED = "confirmed"
    CLAIMED = "claimed"
    CONFLICT = "conflict"


@dataclass(frozen=True, kw_only=True, slots=True)
class Interface:
    """One interface (RFC 8343). `ips` are `address/prefixlen`, bare if the length is unknown.

    `vrf` names the routing instance that the interface is in; None is the default one.
    """

    name: str
    mac: str | None = None
    ips: tuple[str, ...] = ()
    oper_status: str | None = None
    admin_status: str | None = None
    mtu: int | None = None
    speed_mbps: int | None = None
    description: str | None = None
    vrf: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbor:
    """One neighbour that a device hears by LLDP or CDP, as the device tells it."""

    local_interface: str
    remote_name: str | None = None
    remote_interface: str | None = None
    remote_chassis_id: str | None = None
    remote_management_ip: str | None = None
    protocol: str = "lldp"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldSource:
    """Where the value of a field came from, and when it was read there."""

    source: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """What a person set at this tier, over what the sources tell: it holds until it is released.

    `by` is the name of their token. `told` is what the sources have for the field meanwhile, and
    `told_by` whose word that is: a release returns to it.
    """

    value: str | tuple[str, ...]
    by: str
    at: datetime
    told: str | tuple[str, ...] | None = None
    told_by: FieldSource | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One device, one router with ten MACs and ten addresses included.

    `macs`, `ips` and `sources` are sorted and without repeats, `interfaces` sorted by name,
    `neighbors` by local interface; so equal devices compare equal. `ips` are unique only inside
    `namespace`. `management_ip` is the address by which we reach it. `provenance` maps a field's
    name to its source. `missed` counts covered cycles since it last answered. `notes`, `tags`
    (sorted), `site` and `location` are people's; `pins` are what was set at this tier, by field.
    """

    device_id: str
    name: str | None = None
    status: DeviceStatus = DeviceStatus.ACTIVE
    device_type: DeviceType = DeviceType.UNKNOWN
    vendor: str | None = None
    model: str | None = None
    platform: str | None = None
    os_version: str | None = None
    serial: str | None = None
    region: str = ""
    namespace: str = ""
    local_controller: str = ""
    management_ip: str | None = None
    macs: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    sources: tuple[str, ...] = ()
    first_seen: datetime
    last_seen: datetime
    version: int = 0
    chassis_id: str | None = None
    neighbors: tuple[Neighbor, ...] = ()
    provenance: Mapping[str, FieldSource] = field(default_factory=dict)
    missed: int = 0
    engine_id: str | None = None
    ssh_host_key: str | None = None
    notes: str | None = None
    tags: tuple[str, ...] = ()
    site: str | None = None
    location: str | None = None
    pins: Mapping[str, Pin] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """Where a host is plugged in: the switch port that learned its MAC, never a trunk.

    `device_id` is in the terms of the NIB that holds it; None for a switch that is not in it.
    """

    device_id: str | None
    device: str | None
    interface: str
    vlan: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """A host that merely is there: nobody could ask it what it is.

    Keyed by its MAC inside a namespace, by its address where no MAC was seen; `endpoint_id`
    follows from that key, so that every tier gives it the same. `ips` are the present ones,
    sorted. `is_random_mac` tells a locally administered MAC, which a phone gives up within a day.
    `sources` name who told: sweep methods, `arp-table`, `mac-table`.
    """

    endpoint_id: str
    namespace: str
    mac: str | None
    ips: tuple[str, ...] = ()
    vendor: str | None = None
    is_random_mac: bool = False
    region: str = ""
    local_controller: str = ""
    attachment: Attachment | None = None
    sources: tuple[str, ...] = ()
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointSighting:
    """A stretch of time in which an endpoint had one address at one place.

    (`endpoint_id`, `ip`, `attachment`) is its key; seen again, only `last_seen` moves.
    """

    endpoint_id: str
    ip: str | None
    attachment: Attachment | None
    source: str
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkEnd:
    """One end of a link; `device_id` is None for a neighbour that is not in the NIB."""

    device_id: str | None
    device: str | None
    interface: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A link between two interfaces (RFC 8345). `a` sorts before `b`; the ID follows from both."""

    link_id: str
    a: LinkEnd
    b: LinkEnd
    source: str
    status: LinkStatus
    last_seen: datetime


class ControllerStatus(StrEnum):
    """Whether a controller may act."""

    ACTIVE = "active"
    REVOKED = "revoked"
    """For good: its key never comes back."""
    BLOCKED = "blocked"
    """Until an operator unblocks it."""
    LOCKED = "locked"
    """Its certificate was renewed from two places: one of them has a copied key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ControllerRecord:
    """A controller we know: who it is, which key speaks for it, where it listens.

    `public_key` is the raw Ed25519 key in base64url; `key_id` its RFC 7638 thumbprint.
    `certificate` is the newest TLS chain given to it (PEM, leaf first), `generation` its number;
    `authority` the chain of a regional controller's issuing CA. Kept only by who issued them.
    """

    controller_id: str
    role: Role
    region: str | None
    status: ControllerStatus = ControllerStatus.ACTIVE
    public_key: str
    key_id: str
    url: str | None = None
    parent_id: str | None = None
    subnets: tuple[str, ...] = ()
    hostname: str = ""
    certificate: str = ""
    authority: str = ""
    generation: int = 0
    validated_at: datetime
    decided_by: str = ""
    last_seen: datetime | None = None
    state: str = "unknown"
    version: int = 0


class TokenStatus(StrEnum):
    """Life of a join token."""

    NEW = "new"
    RESERVED = "reserved"
    SPENT = "spent"
    REVOKED = "revoked"


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinTokenRecord:
    """What the validator keeps of a join token: never the token, only the hash of its `jti`."""

    jti_sha256: str
    role: Role
    region: str | None
    status: TokenStatus
    created_at: datetime
    expires_at: datetime
    reserved_by: str | None = None
    reserved_until: datetime | None = None
    spent_by: str | None = None


class OperatorRole(StrEnum):
    """What an operator may do; each includes those before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiTokenRecord:
    """What is kept of an operator's API token: never the token, only its SHA-256.

    `region` limits it to that region's data; None is all regions.
    """

    token_sha256: str
    name: str
    role: OperatorRole
    region: str | None = None
    created_at: datetime
    created_by: str = ""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewEvent:
    """A fact worth remembering, not yet in the log. `event_type` is in the past tense."""

    event_type: str
    subject: str
    actor: str
    at: datetime
    region: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """An entry of the append-only log, chained to the one before (see `chain`)."""

    seq: int
    event_type: str
    subject: str
    actor: str
    at: datetime
    region: str | None
    data: Mapping[str, Any]
    previous_hash: str
    hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxRow:
    """A durable message on its way to the parent; `seq` is dense from 1 inside the stream."""

    stream_id: str
    seq: int
    message_id: str
    message_type: str
    payload: Mapping[str, Any]
    created_at: datetime
    correlation_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What one reporter last said of one device; a tier's own device is merged from its claims.

    `device` carries the reporter's own ID; `device_id` is ours.
    """

    reporter: str
    device_id: str
    device: Device
