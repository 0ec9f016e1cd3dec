"""`pdsno discover` on a LAN of namespaces, as an operator runs it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.integration.lan import Lan, lan
from tests.integration.waiting import wait_until

pytestmark = pytest.mark.lab

PDSNO = (sys.executable, "-m", "pdsno.cli.main")
# Without any capability, and able to read the interpreter even where that lies below /root.
UNPRIVILEGED = ("unshare", "--user", "--map-user=1000", "--map-group=1000")

PI, DELL, TWIN = "b8:27:eb:00:00:11", "00:14:22:00:00:12", "00:80:77:00:00:11"
ROUTER, SECOND = "3c:d9:2b:00:00:13", "f0:18:98:00:00:14"


@pytest.fixture(scope="module")
def net() -> Iterator[Lan]:
    with lan() as made:
        made.address("192.0.2.1/26", "198.51.100.1/28")
        made.host("mute", PI, "192.0.2.11/26", sysctls=["net.ipv4.icmp_echo_ignore_all=1"])
        made.host("two", DELL, "192.0.2.12/26", "192.0.2.42/26")
        # A second machine with an address that is taken, and one on the second subnet.
        made.host("twin", TWIN, "192.0.2.12/26")
        made.host("second", SECOND, "198.51.100.14/28")
        router = made.host("router", ROUTER, "192.0.2.13/26", sysctls=["net.ipv4.ip_forward=1"])
        made.run(router, "ip", "addr", "add", "203.0.113.1/32", "dev", "lo")
        made.in_sweeper("ip", "route", "add", "203.0.113.0/29", "via", "192.0.2.13")
        made.in_sweeper("sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
        yield made


def discover(
    net: Lan, *args: str, before: tuple[str, ...] = (), expect: int = 0
) -> list[dict[str, Any]]:
    done = net.in_sweeper(
        *before, *PDSNO, "discover", *args, "--no-names", "-o", "json", check=False
    )
    assert done.returncode == expect, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def by_ip(row: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    hosts: dict[str, list[dict[str, Any]]] = {}
    for host in row["hosts"]:
        hosts.setdefault(host["ip"], []).append(host)
    return hosts


def test_everybody_on_the_lan_is_found_also_who_ignores_ping(net: Lan) -> None:
    (row,) = discover(net, "192.0.2.0/26", "--rate", "400")
    hosts = by_ip(row)
    assert set(hosts) == {"192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.42"}
    assert (row["probed"], row["answered"], row["complete"]) == (61, 4, True)
    (mute,) = hosts["192.0.2.11"]
    assert mute["methods"] == ["arp"]
    assert mute["vendor"] == "Raspberry Pi Foundation"
    (router,) = hosts["192.0.2.13"]
    assert router["methods"] == ["arp", "icmp"]
    assert 0 < router["rtt_ms"] < 1000


def test_a_second_machine_that_claims_an_address_is_kept(net: Lan) -> None:
    (row,) = discover(net, "192.0.2.8/29", "--rate", "400", "--method", "arp")
    assert {host["mac"] for host in by_ip(row)["192.0.2.12"]} == {DELL, TWIN}


def test_a_secondary_address_is_the_source_for_its_own_subnet(net: Lan) -> None:
    (row,) = discover(net, "198.51.100.0/28", "--rate", "400")
    (host,) = row["hosts"]
    assert (host["ip"], host["mac"], host["methods"]) == (
        "198.51.100.14",
        SECOND,
        ["arp", "icmp"],
    )


def test_behind_a_router_ping_finds_who_answers(net: Lan) -> None:
    first, second = discover(net, "203.0.113.0/29", "192.0.2.8/29", "--rate", "400")
    (host,) = first["hosts"]
    assert (host["ip"], host["mac"], host["methods"]) == ("203.0.113.1", None, ["icmp"])
    assert second["answered"] == 3


def test_exclusions_are_not_probed(net: Lan) -> None:
    (row,) = discover(net, "192.0.2.0/26", "--exclude", "192.0.2.8/29", "--rate", "400")
    assert set(by_ip(row)) == {"192.0.2.42"}
    assert row["probed"] == 61 - 8


def test_packets_are_paced(net: Lan) -> None:
    (row,) = discover(net, "192.0.2.48/28", "--rate", "50", "--method", "arp")
    # 16 addresses (not the broadcast one), three passes each.
    assert row["duration_s"] >= 3 * 15 / 50


def test_a_network_without_a_route_is_told_and_not_covered(net: Lan) -> None:
    (row,) = discover(net, "172.16.0.0/30", "--rate", "400", expect=1)
    assert (row["probed"], row["answered"], row["complete"]) == (0, 0, False)
    assert "Network is unreachable" in row["notes"][0]


def test_without_privileges_hosts_are_found_with_their_macs_and_it_is_said_what_lacks(
    net: Lan,
) -> None:
    (row,) = discover(net, "192.0.2.8/29", "--rate", "400", before=UNPRIVILEGED)
    hosts = by_ip(row)
    assert set(hosts) == {"192.0.2.11", "192.0.2.12", "192.0.2.13"}
    assert hosts["192.0.2.11"][0]["mac"] == PI
    assert "neighbour-table" in hosts["192.0.2.11"][0]["methods"]
    assert "could not ARP: needs CAP_NET_RAW" in row["notes"][0]


def test_without_ping_either_tcp_and_the_neighbour_table_do(net: Lan) -> None:
    net.in_sweeper("sysctl", "-qw", "net.ipv4.ping_group_range=1 0")
    try:
        (row,) = discover(net, "192.0.2.8/29", "--rate", "400", before=UNPRIVILEGED)
    finally:
        net.in_sweeper("sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
    assert set(by_ip(row)) == {"192.0.2.11", "192.0.2.12", "192.0.2.13"}
    assert any("could not ping" in note for note in row["notes"])


def test_ctrl_c_prints_what_was_found_marked_incomplete(net: Lan) -> None:
    command = ["ip", "netns", "exec", net.sweeper, *PDSNO, "discover", "192.0.2.0/26"]
    command += ["--rate", "20", "--no-names", "-o", "json", "--method", "arp"]
    sent = partial(net.in_sweeper, "cat", "/sys/class/net/br0/statistics/tx_packets")
    before = int(sent().stdout)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: int(sent().stdout) >= before + 60, "60 packets of 183", 60)
        process.send_signal(signal.SIGINT)  # `ip netns exec` becomes the command
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    (row,) = json.loads(out)
    assert row["complete"] is False
    assert row["probed"] < 61
    assert row["answered"] >= 3
    assert "stopped before the end" in err


def test_many_hosts_are_all_found_while_the_cpus_are_busy(net: Lan) -> None:
    """One host with 40 addresses stands for 40: what matters is who is heard."""
    addresses = [f"10.99.0.{n}/24" for n in range(10, 50)]
    net.host("many", "02:00:00:00:00:99", *addresses)
    net.address("10.99.0.1/24")
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], stdin=subprocess.DEVNULL)
        for _ in range(4)
    ]
    try:
        (row,) = discover(net, "10.99.0.0/24", "--rate", "max", "--method", "arp")
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert row["answered"] == 40
