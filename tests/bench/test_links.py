"""How long the links of a large network take, at a tier that holds all of it."""

import time

import pytest

from pdsno.domain.entities import Device, Interface, LinkStatus, Neighbor
from pdsno.domain.links import derive_links, link_events
from tests.unit.domain.builders import NOW

DEVICES = 10_000
FAR_PORT = {1: 2, 2: 1, 3: 4, 4: 3}
STEP = {1: 1, 2: -1, 3: 100, 4: -100}
LIMIT_S = 2.0


def card(number: int, port: int) -> str:
    return f"00:11:00:{number >> 8:02x}:{number & 255:02x}:{port:02x}"


def switch(number: int) -> Device:
    """A switch with 48 ports in a torus; its neighbours tell abbreviated ports."""
    ports = range(1, 49)
    neighbors = []
    for port, step in STEP.items():
        far = (number + step) % DEVICES
        neighbors.append(
            Neighbor(
                local_interface=f"GigabitEthernet0/{port}",
                remote_name=f"sw{far}",
                remote_interface=f"Gi0/{FAR_PORT[port]}",
                remote_chassis_id=card(far, 0),
                remote_management_ip=f"10.0.{far >> 8}.{far & 255}",
            )
        )
    return Device(
        device_id=f"dev_{number:05}",
        name=f"sw{number}",
        namespace="zone-A",
        chassis_id=card(number, 0),
        macs=tuple(card(number, port) for port in ports),
        ips=(f"10.0.{number >> 8}.{number & 255}",),
        interfaces=tuple(
            Interface(name=f"GigabitEthernet0/{port}", mac=card(number, port)) for port in ports
        ),
        neighbors=tuple(neighbors),
        first_seen=NOW,
        last_seen=NOW,
    )


@pytest.mark.bench
def test_the_links_of_ten_thousand_devices_are_derived_in_two_seconds() -> None:
    devices = [switch(number) for number in range(DEVICES)]
    took_s = []
    for _ in range(3):
        started = time.perf_counter()
        links = derive_links(devices)
        took_s.append(time.perf_counter() - started)
    started = time.perf_counter()
    events = link_events((), links, actor="gc", now=NOW, region_of=lambda _: "zone-A")
    told_s = time.perf_counter() - started
    print(
        f"\n{len(links)} links of {DEVICES} devices in {min(took_s):.2f} s; events {told_s:.2f} s"
    )
    assert {link.status for link in links} == {LinkStatus.CONFIRMED}
    assert len(links) == len(events) == 2 * DEVICES
    assert min(took_s) < LIMIT_S
