"""Who may publish and read what at a broker: controllers by role, and readers."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from pdsno.domain import topics
from pdsno.domain.entities import ControllerRecord, ControllerStatus
from pdsno.domain.identifiers import Role
from pdsno.domain.peers import subject_text
from pdsno.domain.readers import Reader


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


def rights_of(
    records: Iterable[ControllerRecord],
    readers: Iterable[Reader] = (),
    *,
    broker_region: str | None = None,
) -> BrokerRights:
    """Return the rights that follow from a NIB's controllers: those of the active ones, by role.

    At the broker of one region (`broker_region`) only its controllers and the global one have any,
    and the readers of that region and of all.
    At the global broker a region's broker has those of its bridge: it brings up what its region
    may say, and takes down what it may read.
    """
    active = sorted(
        (record for record in records if record.status is ControllerStatus.ACTIVE),
        key=lambda record: record.controller_id,
    )
    if broker_region is not None:
        active = [record for record in active if _belongs(record, broker_region)]
    regions = _Regions(active)
    controllers = (_subject_rights(record, regions) for record in active)
    hearing = (
        _reader_rights(reader)
        for reader in sorted(readers, key=lambda reader: reader.name)
        if broker_region is None or reader.region in (None, broker_region)
    )
    subjects = (*(found for found in controllers if found is not None), *hearing)
    return BrokerRights(version=_version(subjects), subjects=subjects)


def _reader_rights(reader: Reader) -> SubjectRights:
    topic = topics.nib_events(reader.region) if reader.region else topics.nib_events_all()
    return SubjectRights(subject=reader.subject, read=(topic,))


class _Regions:
    """Whose status counts in each region: that of its local controllers, or of all of them."""

    def __init__(self, records: list[ControllerRecord]) -> None:
        self._local: dict[str | None, list[str]] = {}
        self._all: dict[str | None, list[str]] = {}
        for record in records:
            topic = topics.status(record.controller_id)
            if record.role is Role.LOCAL:
                self._local.setdefault(record.region, []).append(topic)
            if record.role is not Role.BROKER:
                self._all.setdefault(record.region, []).append(topic)

    def local_status(self, region: str) -> tuple[str, ...]:
        return tuple(self._local.get(region, ()))

    def every_status(self, region: str) -> tuple[str, ...]:
        return tuple(self._all.get(region, ()))


def _belongs(record: ControllerRecord, region: str) -> bool:
    if record.role is Role.BROKER:
        return False
    return record.role is Role.GLOBAL or record.region == region


def _subject_rights(record: ControllerRecord, regions: _Regions) -> SubjectRights | None:
    """Return the rights of a role; None for who has none, as the global broker itself."""
    region = record.region
    own_status = topics.status(record.controller_id)
    subject = subject_text(record.controller_id, record.role, region)
    if record.role is Role.GLOBAL:
        return SubjectRights(
            subject=subject,
            publish=(
                topics.policy_global(),
                topics.events_system(),
                topics.nib_events(None),
                own_status,
            ),
            read=(topics.status_all(), topics.events_all()),
        )
    if region is None:
        return None
    if record.role is Role.REGIONAL:
        return SubjectRights(
            subject=subject,
            publish=(
                topics.policy(region),
                topics.events(region),
                topics.nib_events(region),
                own_status,
            ),
            read=(
                topics.discovery_all(region),
                topics.policy_global(),
                topics.events_system(),
                *regions.local_status(region),
            ),
        )
    if record.role is Role.LOCAL:
        return SubjectRights(
            subject=subject,
            publish=(topics.discovery(region, record.controller_id), own_status),
            read=(topics.policy(region), topics.events(region), topics.events_system()),
        )
    return SubjectRights(
        subject=subject,
        publish=(
            topics.events(region),
            topics.nib_events(region),
            *regions.every_status(region),
        ),
        read=(topics.policy_global(), topics.events_system()),
    )


def _version(subjects: tuple[SubjectRights, ...]) -> str:
    content = json.dumps([[right.subject, right.publish, right.read] for right in subjects])
    return hashlib.sha256(content.encode()).hexdigest()[:32]
