"""How the IDs of LLDP are read, also from agents that do not keep to their subtypes."""

from datetime import UTC, datetime

import pytest

from pdsno.southbound.mibs.lldp import V1, chassis_id, port_id
from pdsno.southbound.mibs.system import SYS_NAME
from pdsno.southbound.snmp_facts import build_facts

ALIAS, MAC, ADDRESS, NAME, LOCAL = 1, 4, 5, 6, 7


@pytest.mark.parametrize(
    ("subtype", "value", "told"),
    [
        (MAC, b"\x02\x00\x00\x00\xbe\xef", "02:00:00:00:be:ef"),
        (MAC, b"switc1", "73:77:69:74:63:31"),
        (LOCAL, b"\x02\x00\x00\x00\xbe\xef", "02:00:00:00:be:ef"),
        (LOCAL, b"core-1", "core-1"),
        (LOCAL, b"core1\x00", "core1"),
        (NAME, "Übung".encode(), "Übung"),
        (ADDRESS, b"\x01\xc0\x00\x02\x07", "192.0.2.7"),
        (ADDRESS, b"\xc0\x00\x02\x07", "192.0.2.7"),
        (ADDRESS, b"192.0.2.7", "192.0.2.7"),
        (ADDRESS, b"\x06\x02\x00\x00\x00\xbe\xef", "06:02:00:00:00:be:ef"),
        (ADDRESS, b"", None),
        (None, None, None),
    ],
)
def test_a_chassis_id_is_read_by_its_subtype_and_by_what_it_is(
    subtype: int | None, value: bytes | None, told: str | None
) -> None:
    assert chassis_id(subtype, value) == told


def test_a_port_s_name_of_six_octets_stays_a_name() -> None:
    assert port_id(5, b"Te1/1\x00") == "Te1/1"
    assert port_id(7, b"Gi0/24") == "Gi0/24"
    assert port_id(7, b"\x02\x00\x00\x00\x00\x18") == "02:00:00:00:00:18"


def test_a_device_without_a_name_has_the_one_that_it_announces() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    announced = {V1.local_name: b"core-1.example.net"}
    assert build_facts("192.0.2.1", announced, at, told=()).name == "core-1.example.net"
    named = {**announced, SYS_NAME: b"core-1"}
    assert build_facts("192.0.2.1", named, at, told=()).name == "core-1"
