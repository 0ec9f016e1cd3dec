"""Interfaces and ARP entries of several routing instances keep them apart."""

import json
from datetime import UTC, datetime

import pytest

from pdsno.domain.observations import Facts
from pdsno.southbound.platforms import platform_named
from pdsno.southbound.vrf_names import vrf_named

NOW = datetime(2026, 11, 24, tzinfo=UTC)

EOS_VRFS = """\
Maximum number of vrfs allowed: 14
   VRF           Protocols       State         Interfaces
------------- --------------- ---------------- ----------
   BLUE          IPv4            routing       Et3, Vl20
   default       IPv4            routing       Et1, Et2
"""
EOS_ARP = """\
VRF: default
Address         Age (sec)  Hardware Addr   Interface
10.0.0.1          0:00:10  001c.7300.0001  Ethernet1
VRF: BLUE
Address         Age (sec)  Hardware Addr   Interface
10.0.0.1          0:00:10  001c.7300.0002  Vlan20, Ethernet3
"""
XR_INTERFACES = """\
GigabitEthernet0/0/0/1 is Up, ipv4 protocol is Up
  Vrf is BLUE (vrfid 0x60000003)
  Internet address is 10.0.0.1/24
  MTU is 1514 (1500 is available to IP)
GigabitEthernet0/0/0/2 is Up, ipv4 protocol is Up
  Vrf is default (vrfid 0x60000000)
  Internet address is 10.0.0.1/24
  MTU is 1514 (1500 is available to IP)
"""
IOS_INTERFACES = """\
GigabitEthernet0/1 is up, line protocol is up
  Internet address is 10.0.0.1/24
  Broadcast address is 255.255.255.255
  MTU is 1500 bytes
  VPN Routing/Forwarding "BLUE"
"""
VRP_INSTANCES = """\
 Total VPN-Instances configured : 1
 VPN-Instance Name and ID : BLUE, 1
  Interface Number : 2
  Interface list : Vlanif20,
                   GigabitEthernet0/0/3
"""
FRR_INTERFACES = {
    "eth1": {"hardwareAddress": "02:00:00:00:00:01", "vrfName": "default"},
    "eth2": {"hardwareAddress": "02:00:00:00:00:02", "vrfName": "BLUE"},
}
LINUX_ADDRESSES = [
    {"ifname": "BLUE", "flags": ["UP"], "linkinfo": {"info_kind": "vrf"}},
    {"ifname": "eth1", "flags": ["UP"], "master": "BLUE"},
    {"ifname": "eth2", "flags": ["UP"]},
]
LINUX_NEIGHBOURS = [
    {"dst": "10.0.0.9", "dev": "eth1", "lladdr": "02:00:00:00:00:09", "state": ["REACHABLE"]},
    {"dst": "10.0.0.9", "dev": "eth2", "lladdr": "02:00:00:00:00:0a", "state": ["REACHABLE"]},
]


def facts(platform: str, **outputs: str) -> Facts:
    chosen = platform_named(platform)
    return chosen.parse(chosen.outputs(outputs), "192.0.2.1", NOW)


@pytest.mark.parametrize(
    ("platform", "command", "output", "expected"),
    [
        ("arista_eos", "show vrf", EOS_VRFS, {"Ethernet3": "BLUE", "Vlan20": "BLUE"}),
        (
            "cisco_xr",
            "show ipv4 vrf all interface",
            XR_INTERFACES,
            {"GigabitEthernet0/0/0/1": "BLUE", "GigabitEthernet0/0/0/2": None},
        ),
        ("cisco_ios", "show ip interface", IOS_INTERFACES, {"GigabitEthernet0/1": "BLUE"}),
        (
            "huawei_vrp",
            "display ip vpn-instance interface",
            VRP_INSTANCES,
            {"GigabitEthernet0/0/3": "BLUE", "Vlanif20": "BLUE"},
        ),
        (
            "frr",
            "show interface json",
            json.dumps(FRR_INTERFACES),
            {"eth1": None, "eth2": "BLUE"},
        ),
        (
            "linux",
            "ip -j -d addr show",
            json.dumps(LINUX_ADDRESSES),
            {"BLUE": "BLUE", "eth1": "BLUE", "eth2": None},
        ),
    ],
)
def test_interfaces_name_their_routing_instance(
    platform: str, command: str, output: str, expected: dict[str, str | None]
) -> None:
    found = facts(platform, **{command: output})
    assert {i.name: i.vrf for i in found.interfaces} == expected


def test_one_address_in_two_routing_instances_is_two_arp_entries() -> None:
    eos = facts("arista_eos", **{"show ip arp vrf all": EOS_ARP})
    assert [(e.ip, e.mac, e.vrf) for e in eos.arp] == [
        ("10.0.0.1", "00:1c:73:00:00:01", None),
        ("10.0.0.1", "00:1c:73:00:00:02", "BLUE"),
    ]
    linux = facts(
        "linux",
        **{
            "ip -j -d addr show": json.dumps(LINUX_ADDRESSES),
            "ip -j neigh show": json.dumps(LINUX_NEIGHBOURS),
        },
    )
    assert {(e.mac[-2:], e.vrf) for e in linux.arp} == {("09", "BLUE"), ("0a", None)}


def test_the_vlan_of_a_bridge_is_that_of_its_tagged_port() -> None:
    rows = [
        {"ifname": "br20", "linkinfo": {"info_kind": "bridge"}},
        {
            "ifname": "eth1.20",
            "master": "br20",
            "linkinfo": {"info_kind": "vlan", "info_data": {"id": 20}},
        },
        {"ifname": "eth5", "master": "br20"},
    ]
    learned = [{"mac": "02:00:00:00:00:09", "ifname": "eth5", "master": "br20", "state": ""}]
    found = facts(
        "linux",
        **{
            "ip -j -d addr show": json.dumps(rows),
            "/sbin/bridge -j fdb show": json.dumps(learned),
        },
    )
    assert [(e.interface, e.vlan) for e in found.mac_table] == [("eth5", 20)]


@pytest.mark.parametrize("name", ["default", "global", '"default"', "", None, " master "])
def test_the_default_instance_has_no_name(name: str | None) -> None:
    assert vrf_named(name) is None


def test_a_management_instance_keeps_its_name() -> None:
    assert vrf_named("management") == "management"
