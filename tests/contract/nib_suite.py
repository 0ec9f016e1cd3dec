"""The stores that the conformance suite runs over, and the values that it puts into them.

A backend joins the suite by a factory here; every test then runs over it too.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pdsno.domain.entities import (
    ApiTokenRecord,
    Attachment,
    ControllerRecord,
    Device,
    Endpoint,
    EndpointSighting,
    FieldSource,
    Interface,
    JoinTokenRecord,
    Link,
    LinkEnd,
    LinkStatus,
    Neighbor,
    NewEvent,
    OperatorRole,
    TokenStatus,
)
from pdsno.domain.identifiers import Role
from pdsno.domain.observations import Authority, CycleRecord
from pdsno.nib import NIBStore
from tests.postgres import postgres

T0 = datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """A backend under test: `open` opens the same NIB each time if it `is_stored`."""

    name: str
    is_stored: bool
    place: Callable[[Path], str]

    @contextmanager
    def open(self, folder: Path) -> Iterator[NIBStore]:
        with NIBStore(self.place(folder)) as nib:
            yield nib


_MEMORY = Store(name="memory", is_stored=False, place=lambda _: "memory://")
SQLITE = Store(name="sqlite", is_stored=True, place=lambda folder: str(folder / "nib.db"))
POSTGRES = Store(
    name="postgresql", is_stored=True, place=lambda folder: postgres().database(folder)
)
STORED = (SQLITE, pytest.param(POSTGRES, marks=pytest.mark.integration))
STORES = (_MEMORY, *STORED)


def name_of(store: Store) -> str:
    return store.name


def later(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def device(device_id: str = "dev_1", **values: object) -> Device:
    default: dict[str, Any] = {"device_id": device_id, "first_seen": T0, "last_seen": T0}
    return Device(**default | values)


def router(device_id: str = "dev_1") -> Device:
    """A device that has a value in every field."""
    return device(
        device_id,
        name="spine1",
        device_type="router",
        vendor="FRRouting",
        model="FRR",
        platform="frr",
        os_version="8.4",
        serial="S-1",
        region="zone-A",
        namespace="zone-A",
        local_controller="local_cntl_zone-A_1",
        management_ip="10.0.0.1",
        macs=("02:00:00:00:00:01", "02:00:00:00:00:02"),
        ips=("10.0.0.1", "10.1.0.1", "2001:db8::1"),
        interfaces=(
            Interface(
                name="eth1",
                mac="02:00:00:00:00:01",
                ips=("10.1.0.1/24", "2001:db8::1/64"),
                oper_status="up",
                admin_status="up",
                mtu=1500,
                speed_mbps=10_000,
                description="to leaf1",
            ),
            Interface(name="lo", ips=("10.0.0.1/32",), vrf="mgmt"),
        ),
        sources=("arp", "snmp", "ssh"),
        chassis_id="02:00:00:00:00:01",
        neighbors=(Neighbor(local_interface="eth1", remote_name="leaf1", remote_interface="eth1"),),
        provenance={"name": FieldSource(source="ssh", at=T0)},
        missed=2,
    )


def controller(controller_id: str = "local_cntl_zone-A_1", **values: object) -> ControllerRecord:
    default: dict[str, Any] = {
        "controller_id": controller_id,
        "role": Role.LOCAL,
        "region": "zone-A",
        "public_key": f"pub-{controller_id}",
        "key_id": f"kid-{controller_id}",
        "validated_at": T0,
    }
    return ControllerRecord(**default | values)


PORT = Attachment(device_id="dev_sw", device="sw1", interface="eth3", vlan=20)


def endpoint(endpoint_id: str = "ep_1", **values: object) -> Endpoint:
    """An endpoint that has a value in every field."""
    default: dict[str, Any] = {
        "namespace": "zone-A",
        "mac": "02:00:00:00:00:0a",
        "ips": ("10.1.0.10", "2001:db8::10"),
        "vendor": "Acme",
        "is_random_mac": False,
        "region": "zone-A",
        "local_controller": "local_cntl_zone-A_1",
        "attachment": PORT,
        "sources": ("arp", "mac-table"),
        "first_seen": T0,
        "last_seen": T0,
    }
    return Endpoint(endpoint_id=endpoint_id, **default | values)


def seen(endpoint_id: str = "ep_1", **values: object) -> EndpointSighting:
    """A sighting of an endpoint, at one moment unless told otherwise."""
    default: dict[str, Any] = {
        "ip": "10.1.0.10",
        "attachment": PORT,
        "source": "arp-table",
        "first_seen": T0,
        "last_seen": T0,
    }
    return EndpointSighting(endpoint_id=endpoint_id, **default | values)


def cycle(cycle_id: str, at: datetime = T0, **values: object) -> CycleRecord:
    """A cycle that ended at a time."""
    default: dict[str, Any] = {
        "region": "zone-A",
        "local_controller": "local_cntl_zone-A_1",
        "namespace": "zone-A",
        "subnets": ("10.1.0.0/24",),
        "authority": Authority(source="policy 0.1"),
        "started_at": at,
        "finished_at": at,
        "is_complete": True,
        "counts": {"answered": 1},
    }
    return CycleRecord(cycle_id=cycle_id, **default | values)


def link(link_id: str, a: str | None, b: str | None, **values: object) -> Link:
    default: dict[str, Any] = {
        "a": LinkEnd(device_id=a, device=a, interface="eth1"),
        "b": LinkEnd(device_id=b, device=b, interface="eth2"),
        "source": "lldp",
        "status": LinkStatus.CONFIRMED,
        "last_seen": T0,
    }
    return Link(link_id=link_id, **default | values)


def event(subject: str = "dev_1", **values: object) -> NewEvent:
    default: dict[str, Any] = {
        "event_type": "DEVICE_APPEARED",
        "actor": "local_cntl_zone-A_1",
        "at": T0,
        "region": "zone-A",
        "data": {"name": "spine1"},
    }
    return NewEvent(subject=subject, **default | values)


def token(jti_sha256: str, **values: object) -> JoinTokenRecord:
    default: dict[str, Any] = {
        "role": Role.LOCAL,
        "region": "zone-A",
        "status": TokenStatus.NEW,
        "created_at": T0,
        "expires_at": later(900),
    }
    return JoinTokenRecord(jti_sha256=jti_sha256, **default | values)


def api_token(token_sha256: str, **values: object) -> ApiTokenRecord:
    default: dict[str, Any] = {"name": "noc", "role": OperatorRole.VIEWER, "created_at": T0}
    return ApiTokenRecord(token_sha256=token_sha256, **default | values)


def put(nib: NIBStore, *devices: Device) -> tuple[Device, ...]:
    """Insert devices in one transaction and return them as stored."""
    with nib.transaction() as tx:
        return tuple(tx.put_device(d, expected_version=None) for d in devices)
