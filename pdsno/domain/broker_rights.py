"""Which controller may publish and read what at a broker."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectRights:
    """The rights of one certificate subject (RFC 4514 text), as MQTT topics and filters."""

    subject: str
    publish: tuple[str, ...] = ()
    read: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerRights:
    """All rights at a broker; whoever is not named has none. `version` tells contents apart."""

    version: str
    subjects: tuple[SubjectRights, ...] = ()
