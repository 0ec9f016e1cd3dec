from datetime import UTC, datetime

from pdsno.domain.entities import DeviceType
from pdsno.domain.observations import Facts
from pdsno.southbound.mibs import addresses, bridge, cdp, entity, lldp, own_protocols, vrfs
from pdsno.southbound.mibs.system import ENGINE_ID, SYS_DESCR, SYS_OBJECT_ID
from pdsno.southbound.mibs.varbinds import Value, Varbinds
from pdsno.southbound.snmp_facts import WALKS, build_facts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = {1: "Gi0/1", 2: "Gi0/2"}
CDP = "1.3.6.1.4.1.9.9.23.1.2.1.1"
ENTITY = "1.3.6.1.2.1.47.1.1.1.1"
VTP = "1.3.6.1.4.1.9.9.46.1.3.1.1"


def facts_of(varbinds: Varbinds, told: set[str] | None = None) -> Facts:
    return build_facts("192.0.2.1", varbinds, NOW, told=set(WALKS) if told is None else told)


def part(index: int, kind: int, **texts: str) -> dict[str, Value]:
    columns = {"descr": 2, "name": 7, "software": 10, "serial": 11, "maker": 12, "model": 13}
    cells: dict[str, Value] = {f"{ENTITY}.5.{index}": kind}
    return cells | {f"{ENTITY}.{columns[k]}.{index}": v.encode() for k, v in texts.items()}


# --- CDP -------------------------------------------------------------------------------------


def test_cdp_neighbours_come_with_name_port_and_address() -> None:
    table: dict[str, Value] = {
        f"{CDP}.3.1.7": 1,
        f"{CDP}.4.1.7": bytes([192, 0, 2, 9]),
        f"{CDP}.6.1.7": b"core1.example.net",
        f"{CDP}.7.1.7": b"GigabitEthernet1/0/1",
        f"{CDP}.6.2.8": b"nexus(FOX1234ABCD)",
        f"{CDP}.6.2.9": b"",
    }
    first, second = cdp.parse_neighbors(table, NAMES)
    assert (first.local_interface, first.remote_name) == ("Gi0/1", "core1.example.net")
    assert first.remote_interface == "GigabitEthernet1/0/1"
    assert (first.remote_management_ip, first.protocol) == ("192.0.2.9", "cdp")
    assert (second.local_interface, second.remote_name) == ("Gi0/2", "nexus")


def test_neighbours_with_an_address_say_what_they_are_and_lldp_goes_before_cdp() -> None:
    remote, management = "1.0.8802.1.1.2.1.4.1.1", "1.0.8802.1.1.2.1.4.2.1.3"
    table: dict[str, Value] = {
        f"{remote}.5.0.1.1": b"a",
        f"{remote}.10.0.1.1": b"Juniper Networks, Inc. ex4300-48t Ethernet Switch",
        f"{management}.0.1.1.1.4.192.0.2.9": 2,
        f"{remote}.5.0.1.2": b"b",
        f"{remote}.10.0.1.2": b"nobody knows where",
        **{f"{CDP}.3.{n}.7": 1 for n in (1, 2)},
        f"{CDP}.4.1.7": bytes([192, 0, 2, 9]),
        f"{CDP}.5.1.7": b"JUNOS 20.4",
        f"{CDP}.6.1.7": b"ex1",
        f"{CDP}.4.2.7": bytes([192, 0, 2, 10]),
        f"{CDP}.5.2.7": b"Cisco IOS Software, C2960 Software",
        f"{CDP}.6.2.7": b"sw2",
    }
    told = {(a.address, a.text) for a in facts_of(table).announcements}
    assert told == {
        ("192.0.2.9", "Juniper Networks, Inc. ex4300-48t Ethernet Switch"),
        ("192.0.2.10", "Cisco IOS Software, C2960 Software"),
    }


def test_a_cdp_device_id_of_six_octets_is_a_mac() -> None:
    (entry,) = cdp.parse_neighbors({f"{CDP}.6.1.7": bytes.fromhex("02000000beef")}, NAMES)
    assert (entry.remote_name, entry.remote_chassis_id) == (None, "02:00:00:00:be:ef")
    (named,) = cdp.parse_neighbors({f"{CDP}.6.1.7": b"core10"}, NAMES)
    assert (named.remote_name, named.remote_chassis_id) == ("core10", None)


def test_whom_both_protocols_hear_is_listed_once() -> None:
    remote = "1.0.8802.1.1.2.1.4.1.1"
    table: dict[str, Value] = {
        "1.3.6.1.2.1.31.1.1.1.1.1": b"Gi0/1",
        f"{remote}.5.0.1.1": b"x",
        f"{remote}.9.0.1.1": b"core1.example.net",
        f"{CDP}.6.1.7": b"core1",
        f"{CDP}.6.1.8": b"phone",
    }
    neighbors = facts_of(table).neighbors
    assert neighbors is not None
    assert {(n.protocol, n.remote_name) for n in neighbors} == {
        ("lldp", "core1.example.net"),
        ("cdp", "phone"),
    }


def test_cdp_that_runs_and_hears_nobody_is_told_and_cdp_that_was_not_read_is_not() -> None:
    running: dict[str, Value] = {cdp.GLOBAL_RUN: 1}
    assert facts_of(running).neighbors == ()
    assert facts_of(running, told=set()).neighbors is None
    assert facts_of({cdp.GLOBAL_RUN: 2}).neighbors is None


# --- LLDP, second edition --------------------------------------------------------------------


def test_the_second_edition_of_lldp_is_read_by_interface_index() -> None:
    root = lldp.V2.root
    table: dict[str, Value] = {
        f"{root}.3.1.0": 4,
        f"{root}.3.2.0": bytes.fromhex("020000000001"),
        f"{root}.4.1.1.5.0.2.1.1": 4,
        f"{root}.4.1.1.6.0.2.1.1": bytes.fromhex("020000000002"),
        f"{root}.4.1.1.7.0.2.1.1": 5,
        f"{root}.4.1.1.8.0.2.1.1": b"eth9",
        f"{root}.4.1.1.10.0.2.1.1": b"far",
        f"{root}.4.2.1.3.0.2.1.1.1.4.192.0.2.7": 2,
    }
    (entry,) = lldp.parse_neighbors(table, {}, NAMES, {}, lldp.V2)
    assert (entry.local_interface, entry.remote_name) == ("Gi0/2", "far")
    assert (entry.remote_interface, entry.remote_management_ip) == ("eth9", "192.0.2.7")
    assert lldp.parse_chassis(table) == "02:00:00:00:00:01"


def test_a_management_address_without_its_length_is_still_read() -> None:
    table: dict[str, Value] = {
        "1.0.8802.1.1.2.1.4.1.1.9.0.1.1": b"far",
        "1.0.8802.1.1.2.1.4.2.1.3.0.1.1.1.192.0.2.7": 2,
    }
    (entry,) = lldp.parse_neighbors(table, {}, NAMES, {})
    assert entry.remote_management_ip == "192.0.2.7"


# --- bridges, addresses ----------------------------------------------------------------------


def vtp(vlan: int, name: str, state: int = 1, kind: int = 1) -> dict[str, Value]:
    return {
        f"{VTP}.2.1.{vlan}": state,
        f"{VTP}.3.1.{vlan}": kind,
        f"{VTP}.4.1.{vlan}": name.encode(),
    }


def test_vlans_of_vtp_are_asked_one_by_one_unless_one_table_has_them_all() -> None:
    table = vtp(1, "default") | vtp(20, "users") | vtp(30, "off", state=2) | vtp(1002, "f", kind=2)
    assert bridge.vlans_with_contexts(table) == (1, 20)
    assert [(v.id, v.name) for v in bridge.parse_vlans(table)] == [(1, "default"), (20, "users")]
    q_bridge = {"1.3.6.1.2.1.17.7.1.2.2.1.2.20.0.17.34.51.68.85": 3}
    assert bridge.vlans_with_contexts({**table, **q_bridge}) == ()


def test_the_table_of_a_context_gives_its_entries_their_vlan() -> None:
    index = "0.17.34.51.68.85"
    context: dict[str, Value] = {
        "1.3.6.1.2.1.17.1.4.1.2.7": 2,
        f"1.3.6.1.2.1.17.4.3.1.2.{index}": 7,
        f"1.3.6.1.2.1.17.4.3.1.3.{index}": 3,
    }
    (entry,) = bridge.parse_fdb({}, NAMES, {20: context})
    assert (entry.mac, entry.vlan, entry.interface) == ("00:11:22:33:44:55", 20, "Gi0/2")


def test_ipv6_addresses_of_the_old_table_are_read() -> None:
    octets = "32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1"
    expected = {3: ("2001:db8::1/64",)}
    assert addresses.parse_addresses({f"1.3.6.1.2.1.55.1.8.1.2.3.{octets}": 64}) == expected
    assert addresses.parse_addresses({f"1.3.6.1.2.1.55.1.8.1.2.3.16.{octets}": 64}) == expected


# --- ENTITY-MIB ------------------------------------------------------------------------------


def test_of_a_stack_the_first_member_that_tells_a_serial_speaks() -> None:
    table = (
        part(1, 11, descr="Stack")
        | part(1001, 3, model="WS-1")
        | part(2001, 3, model="WS-2", serial="FOC2", name="2")
        | part(3001, 3, model="WS-3", serial="FOC3", name="3")
    )
    found = entity.parse_entity(table)
    assert (found.model, found.serial) == ("WS-2", "FOC2")
    assert [(m.name, m.serial) for m in found.modules] == [("3", "FOC3")]


def test_a_board_number_is_no_model_and_a_frame_is_named_by_its_words() -> None:
    found = entity.parse_entity(part(1, 3, model="710-030012", name="ME60-X8 frame", serial="S1"))
    assert (found.model, found.hint) == (None, "ME60-X8")


def test_without_a_chassis_the_only_serial_of_a_board_is_the_devices() -> None:
    assert entity.parse_entity(part(1, 1) | part(2, 9, serial="B1")).serial == "B1"
    two = part(1, 10, serial="SFP1") | part(2, 6, serial="PSU1")
    assert entity.parse_entity(two).serial is None
    assert [m.serial for m in entity.parse_entity(two).modules] == ["SFP1", "PSU1"]


# --- hosts -----------------------------------------------------------------------------------


def test_a_ups_and_a_printer_are_endpoints_with_model_and_serial() -> None:
    ups = facts_of({"1.3.6.1.2.1.33.1.1.1.0": b"HUAWEI", "1.3.6.1.2.1.33.1.1.2.0": b"UPS5000"})
    assert (ups.vendor, ups.model, ups.device_type) == ("Huawei", "UPS5000", DeviceType.ENDPOINT)
    printer = facts_of(
        {
            SYS_OBJECT_ID: "1.3.6.1.4.1.1347.41",
            "1.3.6.1.2.1.43.5.1.1.17.1": b"LVX1234567",
            "1.3.6.1.2.1.25.3.2.1.3.1": b"ECOSYS M2540dn",
        }
    )
    assert (printer.vendor, printer.model, printer.serial) == (
        "Kyocera",
        "ECOSYS M2540dn",
        "LVX1234567",
    )
    assert printer.device_type is DeviceType.ENDPOINT


def test_the_engine_id_is_a_fact() -> None:
    assert facts_of({ENGINE_ID: bytes.fromhex("80001f8880")}).engine_id == "80001f8880"


def test_a_device_that_tells_no_table_is_what_it_calls_itself() -> None:
    descr = b"Acme x9 internet router, release 3"
    assert facts_of({SYS_DESCR: descr}).device_type is DeviceType.ROUTER


# --- VRFs ------------------------------------------------------------------------------------

L3VPN = "1.3.6.1.2.1.10.166.11.1.2.1.1.5"
IF_NAME, ARP = "1.3.6.1.2.1.31.1.1.1.1", "1.3.6.1.2.1.4.22.1.2"


def vrf_row(name: str, interface: int) -> dict[str, Value]:
    arcs = ".".join(str(octet) for octet in name.encode())
    return {f"{L3VPN}.{len(name)}.{arcs}.{interface}": 1}


def test_interfaces_and_their_arp_entries_are_in_the_vrf_that_the_device_tells() -> None:
    told = {
        **{f"{IF_NAME}.{n}": name.encode() for n, name in NAMES.items()},
        f"{ARP}.1.10.0.0.1": bytes.fromhex("005056000001"),
        f"{ARP}.2.10.0.0.1": bytes.fromhex("005056000002"),
        **vrf_row("blue", 2),
    }
    facts = facts_of(told)
    assert {i.name: i.vrf for i in facts.interfaces} == {"Gi0/1": None, "Gi0/2": "blue"}
    assert {(e.ip, e.mac[-2:], e.vrf) for e in facts.arp} == {
        ("10.0.0.1", "01", None),
        ("10.0.0.1", "02", "blue"),
    }


def test_the_default_instance_is_no_vrf_by_whatever_name() -> None:
    assert vrfs.parse_vrfs({**vrf_row("default", 1), **vrf_row("global", 2)}) == {}


def test_a_vrf_index_that_is_cut_short_is_passed_over() -> None:
    assert vrfs.parse_vrfs({f"{L3VPN}.4.98.108": 1, f"{L3VPN}.1.999.7": 1}) == {}


def test_cisco_and_arista_tell_vrfs_in_mibs_of_their_own() -> None:
    cisco = "1.3.6.1.4.1.9.9.711.1"
    told: dict[str, Value] = {
        f"{cisco}.1.1.1.2.5": b"Mgmt-vrf",
        f"{cisco}.2.1.1.5.5.1": 1,
        "1.3.6.1.4.1.30065.3.18.1.2.1.1.7": b"MGMT",
        "1.3.6.1.4.1.30065.3.18.1.2.1.1.8": b"default",
    }
    assert vrfs.parse_vrfs(told) == {1: "Mgmt-vrf", 7: "MGMT"}
    assert len(vrfs.columns_of("1.3.6.1.4.1.30065.1.3011")) == len(vrfs.COLUMNS) + 1


# --- FDP and EDP -----------------------------------------------------------------------------


def test_neighbours_by_fdp_and_edp_are_heard() -> None:
    fdp, edp = "1.3.6.1.4.1.1991.1.1.3.20.1.2.1.1", "1.3.6.1.4.1.1916.1.13.2.1"
    neighbor = "0.0.0.4.150.1.2.3"
    told: dict[str, Value] = {
        f"{fdp}.3.1.1": b"icx-core",
        f"{fdp}.5.1.1": bytes([192, 0, 2, 7]),
        f"{fdp}.7.1.1": b"ethernet1/1/3",
        f"{edp}.3.2.{neighbor}": b"summit",
        f"{edp}.5.2.{neighbor}": 1,
        f"{edp}.6.2.{neighbor}": 24,
    }
    first, second = own_protocols.parse_neighbors(told, NAMES)
    assert (first.local_interface, first.remote_name, first.protocol) == (
        "Gi0/1",
        "icx-core",
        "fdp",
    )
    assert (first.remote_interface, first.remote_management_ip) == ("ethernet1/1/3", "192.0.2.7")
    assert (second.local_interface, second.remote_name, second.protocol) == (
        "Gi0/2",
        "summit",
        "edp",
    )
    assert (second.remote_interface, second.remote_chassis_id) == ("1:24", "00:04:96:01:02:03")
    names = {f"{IF_NAME}.{n}": name.encode() for n, name in NAMES.items()}
    assert facts_of(told | names).neighbors == (first, second)


def test_a_phone_that_has_no_address_yet_is_known_by_its_ports_mac() -> None:
    remote = f"{lldp.V1.root}.4.1.1"
    told: dict[str, Value] = {}
    for index, last in (("0.1.5", "19"), ("0.2.6", "9a")):
        told |= {
            f"{remote}.4.{index}": 5,
            f"{remote}.5.{index}": bytes.fromhex("0100000000"),
            f"{remote}.6.{index}": 3,
            f"{remote}.7.{index}": bytes.fromhex(f"001565d3ea{last}"),
        }
    heard = lldp.parse_neighbors(told, {}, NAMES, {})
    assert [n.remote_chassis_id for n in heard] == ["00:15:65:d3:ea:19", "00:15:65:d3:ea:9a"]
