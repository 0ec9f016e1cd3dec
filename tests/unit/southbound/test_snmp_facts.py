from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.entities import DeviceType
from pdsno.domain.observations import Facts
from pdsno.southbound.mibs import addresses, bridge, entity, interfaces, lldp
from pdsno.southbound.mibs.system import SYS_DESCR, SYS_OBJECT_ID, make_of, parse_system
from pdsno.southbound.mibs.varbinds import Value, mac, text
from pdsno.southbound.snmp_facts import WALKS, build_facts
from tests.unit.southbound.recorded import recorded_varbinds

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LLDP = "1.0.8802.1.1.2.1"


def facts_of(varbinds: dict[str, Value]) -> Facts:
    return build_facts("10.10.10.1", varbinds, NOW, told=set(WALKS))


def test_a_recorded_frr_router_tells_all_of_itself() -> None:
    facts = facts_of(recorded_varbinds("frr_router"))
    assert facts.name == "leaf1"
    assert facts.platform == "linux"
    assert facts.os_version == "6.1.0-18-amd64"
    assert facts.device_type is DeviceType.ROUTER
    assert facts.chassis_id == "aa:c1:ab:c1:45:f0"
    by_name = {i.name: i for i in facts.interfaces}
    assert set(by_name) == {"eth0", "eth1", "eth2", "eth3", "lo"}
    assert by_name["eth3"].mac == "aa:c1:ab:e6:6e:d3"
    assert by_name["eth3"].ips == ("10.10.10.1/24", "fe80::a8c1:abff:fee6:6ed3/64")
    assert by_name["lo"].mac is None
    assert "10.255.1.3/32" in by_name["lo"].ips
    assert by_name["eth1"].mtu == 9500
    assert by_name["eth1"].oper_status == by_name["eth1"].admin_status == "up"
    assert facts.neighbors is not None
    ends = {(n.local_interface, n.remote_name, n.remote_interface) for n in facts.neighbors}
    assert ends == {
        ("eth1", "spine1", "eth1"),
        ("eth2", "spine2", "eth1"),
        ("eth3", "sw-a", "eth1"),
    }
    assert ("10.1.0.1", "eth1") in {(entry.ip, entry.interface) for entry in facts.arp}


def test_a_recorded_linux_bridge_is_a_switch() -> None:
    facts = facts_of(recorded_varbinds("linux_switch"))
    assert facts.name == "sw-a"
    assert facts.device_type is DeviceType.SWITCH


def test_without_lldp_neighbours_are_not_told_and_with_an_empty_table_there_are_none() -> None:
    varbinds = recorded_varbinds("frr_router")
    silent = {oid: v for oid, v in varbinds.items() if not oid.startswith(LLDP)}
    assert facts_of(silent).neighbors is None
    alone = {oid: v for oid, v in varbinds.items() if not oid.startswith(f"{LLDP}.4")}
    assert facts_of(alone).neighbors == ()


@pytest.mark.parametrize(
    ("descr", "object_id", "expected"),
    [
        ("Linux h 6.1.0-18-amd64 #1 SMP", "1.3.6.1.4.1.8072.3.2.10", (None, "linux")),
        (
            "Cisco IOS Software, C3560 Software, Version 15.0(2)SE5, RELEASE",
            "1.3.6.1.4.1.9.1.1",
            ("Cisco", "cisco_ios"),
        ),
        (
            "Cisco NX-OS(tm) n9000, Version 9.3(5), Interim",
            "1.3.6.1.4.1.9.12.3.1.3.1",
            ("Cisco", "cisco_nxos"),
        ),
        (
            "Arista Networks EOS version 4.28.1F running on",
            "1.3.6.1.4.1.30065.1",
            ("Arista", "arista_eos"),
        ),
        (
            "Juniper Networks, Inc. ex2200 internet router, kernel JUNOS 12.3R1.7",
            "",
            ("Juniper", "juniper_junos"),
        ),
        ("RouterOS CCR1009", "1.3.6.1.4.1.14988.1", ("MikroTik", "mikrotik_routeros")),
        ("something of its own", "1.3.6.1.4.1.12356.101", ("Fortinet", "fortinet")),
        ("something of its own", "1.3.6.1.4.1.28557.1", ("Hillstone", None)),
        ("", "", (None, None)),
    ],
)
def test_the_system_group_names_vendor_and_platform(
    descr: str, object_id: str, expected: tuple[str | None, str | None]
) -> None:
    make = make_of(parse_system({SYS_DESCR: descr.encode(), SYS_OBJECT_ID: object_id}))
    assert (make.vendor, make.platform) == expected


def test_versions_are_cut_out_of_the_description() -> None:
    def version(descr: str) -> str | None:
        return make_of(parse_system({SYS_DESCR: descr.encode()})).os_version

    assert version("Cisco IOS Software, C3560, Version 15.0(2)SE5, RELEASE") == "15.0(2)SE5"
    assert version("Juniper Networks, Inc. x, kernel JUNOS 12.3R1.7, Build") == "12.3R1.7"
    assert version("Arista Networks EOS version 4.28.1F running on x") == "4.28.1F"


# --- addresses and interfaces ----------------------------------------------------------------


def test_a_prefix_length_comes_from_whichever_table_tells_it() -> None:
    old: dict[str, Value] = {
        "1.3.6.1.2.1.4.20.1.2.10.0.0.1": 2,
        "1.3.6.1.2.1.4.20.1.3.10.0.0.1": "255.255.255.252",
        "1.3.6.1.2.1.4.34.1.3.1.4.10.0.0.1": 2,
        "1.3.6.1.2.1.4.34.1.5.1.4.10.0.0.1": "0.0",
    }
    assert addresses.parse_addresses(old) == {2: ("10.0.0.1/30",)}


def test_broadcast_addresses_of_the_address_table_are_nobodys() -> None:
    table: dict[str, Value] = {
        "1.3.6.1.2.1.4.34.1.3.1.4.10.0.0.1": 2,
        "1.3.6.1.2.1.4.34.1.4.1.4.10.0.0.1": 1,
        "1.3.6.1.2.1.4.34.1.3.1.4.10.0.0.255": 2,
        "1.3.6.1.2.1.4.34.1.4.1.4.10.0.0.255": 3,
    }
    assert addresses.parse_addresses(table) == {2: ("10.0.0.1",)}


def test_ipv6_addresses_are_read_out_of_the_index() -> None:
    index = "2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1"
    table: dict[str, Value] = {
        f"1.3.6.1.2.1.4.34.1.3.{index}": 7,
        f"1.3.6.1.2.1.4.34.1.5.{index}": f"1.3.6.1.2.1.4.32.1.5.7.{index}.64",
    }
    assert addresses.parse_addresses(table) == {7: ("2001:db8::1/64",)}


def test_interfaces_without_ifname_use_ifdescr_and_never_share_a_name() -> None:
    table: dict[str, Value] = {
        "1.3.6.1.2.1.2.2.1.2.1": b"port",
        "1.3.6.1.2.1.2.2.1.2.2": b"port",
        "1.3.6.1.2.1.31.1.1.1.1.3": b"Gi0/3",
        "1.3.6.1.2.1.2.2.1.5.3": 4294967295,
        "1.3.6.1.2.1.31.1.1.1.15.3": 10000,
        "1.3.6.1.2.1.2.2.1.5.1": 100_000_000,
    }
    rows = interfaces.parse_interfaces(table)
    assert [row.name for row in rows.values()] == ["port", "port (ifIndex 2)", "Gi0/3"]
    assert (rows[1].speed_mbps, rows[2].speed_mbps, rows[3].speed_mbps) == (100, None, 10000)


# --- LLDP ------------------------------------------------------------------------------------

NAMES = {1: "eth1", 10: "Gi1/0/10"}


def remote(index: str, **cells: Value) -> dict[str, Value]:
    columns = {"chassis_kind": 4, "chassis": 5, "port_kind": 6, "port": 7, "descr": 8, "name": 9}
    return {f"{LLDP}.4.1.1.{columns[k]}.{index}": v for k, v in cells.items()}


def test_a_port_that_is_named_by_its_mac_is_shown_by_its_description() -> None:
    table = remote(
        "0.1.1",
        chassis_kind=4,
        chassis=bytes.fromhex("aabbccddeeff"),
        port_kind=3,
        port=bytes.fromhex("aabbccddee01"),
        descr=b"eth7",
        name=b"far",
    )
    (entry,) = lldp.parse_neighbors(table, {}, NAMES, {})
    assert (entry.local_interface, entry.remote_interface) == ("eth1", "eth7")
    assert entry.remote_chassis_id == "aa:bb:cc:dd:ee:ff"


def test_the_local_port_is_found_by_id_then_mac_then_number() -> None:
    local = lldp.parse_local_ports(
        {
            f"{LLDP}.3.7.1.2.5": 5,
            f"{LLDP}.3.7.1.3.5": b"Gi1/0/10",
            f"{LLDP}.3.7.1.2.6": 3,
            f"{LLDP}.3.7.1.3.6": bytes.fromhex("020000000001"),
        }
    )
    by_mac = {"02:00:00:00:00:01": "eth1"}
    assert lldp.interface_of(5, local, NAMES, by_mac) == "Gi1/0/10"
    assert lldp.interface_of(6, local, NAMES, by_mac) == "eth1"
    assert lldp.interface_of(10, {}, NAMES, {}) == "Gi1/0/10"
    assert lldp.interface_of(99, {}, NAMES, {}) == "port 99"


def test_several_neighbours_on_one_port_are_all_kept() -> None:
    table = remote("0.1.1", name=b"one", port_kind=5, port=b"a")
    table |= remote("0.1.2", name=b"two", port_kind=5, port=b"b")
    names = {e.remote_name for e in lldp.parse_neighbors(table, {}, NAMES, {})}
    assert names == {"one", "two"}


def test_the_management_address_is_read_out_of_the_index() -> None:
    table = remote("0.1.1", name=b"far")
    table |= {f"{LLDP}.4.2.1.3.0.1.1.2.16.{'.'.join(['32', '1'] + ['0'] * 14)}": 2}
    table |= {f"{LLDP}.4.2.1.3.0.1.1.1.4.10.0.0.7": 2}
    (entry,) = lldp.parse_neighbors(table, {}, NAMES, {})
    assert entry.remote_management_ip == "10.0.0.7"


def test_malformed_lldp_strings_become_clean_text_or_nothing() -> None:
    table = remote(
        "0.1.1",
        chassis_kind=4,
        chassis=b"\x00\x01",  # says MAC, is none
        port_kind=5,
        port=b"\xff\xfe\x1b[31mred\x00\n",
        name=b"\x00\x00",
    )
    table |= remote("0.1.2", chassis_kind=5, chassis=b"", name=b"")
    table |= remote("0.10.3", chassis_kind=5, chassis=b"\x01\x0a\x00\x00", name=b"x" * 5000)
    found = lldp.parse_neighbors(table, {}, NAMES, {})
    for entry in found:
        for told in (entry.remote_name, entry.remote_interface, entry.remote_chassis_id):
            assert told is None or (told.isprintable() and len(told) <= 255)
    assert {e.local_interface for e in found} == {"Gi1/0/10"}


# --- the rest --------------------------------------------------------------------------------


def test_forwarding_tables_name_the_port_and_the_vlan() -> None:
    table: dict[str, Value] = {
        "1.3.6.1.2.1.17.1.4.1.2.3": 10,
        "1.3.6.1.2.1.17.7.1.2.2.1.2.20.0.17.34.51.68.85": 3,
        "1.3.6.1.2.1.17.7.1.2.2.1.3.20.0.17.34.51.68.85": 3,
        "1.3.6.1.2.1.17.4.3.1.2.0.17.34.51.68.85": 3,
        "1.3.6.1.2.1.17.4.3.1.2.2.17.34.51.68.99": 3,
        "1.3.6.1.2.1.17.4.3.1.3.2.17.34.51.68.99": 4,  # self
    }
    (entry,) = bridge.parse_fdb(table, NAMES)
    assert (entry.mac, entry.vlan, entry.interface) == ("00:11:22:33:44:55", 20, "Gi1/0/10")


def test_the_first_chassis_gives_model_and_serial_and_parts_stay_parts() -> None:
    base = "1.3.6.1.2.1.47.1.1.1.1"
    table: dict[str, Value] = {
        f"{base}.5.1": 3,
        f"{base}.11.1": b"FOC1",
        f"{base}.13.1": b"WS-C3560",
        f"{base}.5.2": 9,
        f"{base}.7.2": b"slot 1",
        f"{base}.11.2": b"SFP9",
    }
    found = entity.parse_entity(table)
    assert (found.model, found.serial) == ("WS-C3560", "FOC1")
    assert [(m.name, m.serial) for m in found.modules] == [("slot 1", "SFP9")]


def test_macs_are_read_from_bytes_and_from_text() -> None:
    assert mac(bytes.fromhex("001122334455")) == "00:11:22:33:44:55"
    assert mac(b"00:11:22:33:44:55") == "00:11:22:33:44:55"
    assert mac(bytes(6)) is None
    assert mac(b"") is None


COLUMNS = [column for columns in WALKS.values() for column in columns]


@given(
    st.dictionaries(
        st.tuples(
            st.sampled_from(COLUMNS),
            st.lists(st.integers(0, 300), min_size=1, max_size=20).map(tuple),
        ),
        st.one_of(st.none(), st.binary(max_size=40), st.integers(), st.text(max_size=20)),
        max_size=40,
    )
)
def test_no_agent_can_make_the_parsers_raise(
    table: dict[tuple[str, tuple[int, ...]], Value],
) -> None:
    facts_of({f"{oid}.{'.'.join(map(str, index))}": v for (oid, index), v in table.items()})


@given(st.binary(max_size=600))
def test_text_from_a_device_is_one_printable_line(raw: bytes) -> None:
    found = text(raw)
    assert found is None or (found.isprintable() and len(found) <= 255)
