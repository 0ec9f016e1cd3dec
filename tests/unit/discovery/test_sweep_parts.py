import threading
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pdsno.cli.discover_view import hosts_seen, probed_count
from pdsno.discovery.sweep.icmp import checksum
from pdsno.discovery.sweep.neighbours import read_neighbours
from pdsno.discovery.sweep.pacing import Pacer
from pdsno.domain.observations import Method, Sighting, SweepResult
from tests.unit.domain.builders import NOW

TABLE = """IP address       HW type     Flags       HW address            Mask     Device
10.0.0.1         0x1         0x2         02:00:00:00:00:01     *        eth1
10.0.0.2         0x1         0x0         00:00:00:00:00:00     *        eth1
10.0.0.3         0x1         0x2         02:00:00:00:00:03     *        eth0
10.0.0.9         0x1         0x2         02:00:00:00:00:09     *        eth1
half a line
"""


def test_only_complete_entries_of_the_asked_addresses_on_the_lan_count(tmp_path: Path) -> None:
    table = tmp_path / "arp"
    table.write_text(TABLE)
    asked = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    found = read_neighbours(asked, "eth1", table=table)
    assert [(s.address, s.mac) for s in found] == [("10.0.0.1", "02:00:00:00:00:01")]


@given(st.binary(max_size=64))
def test_a_packet_with_its_checksum_sums_to_zero(data: bytes) -> None:
    padded = data + b"\0" * (len(data) % 2)
    assert checksum(padded + checksum(data).to_bytes(2)) == 0


def test_threads_that_share_a_pacer_keep_its_rate_together() -> None:
    pacer = Pacer(200, threading.Event())
    sent = []

    def send() -> None:
        for _ in range(10):
            assert pacer.wait()
            sent.append(time.monotonic())

    threads = [threading.Thread(target=send) for _ in range(3)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == 30
    # 30 packets, 5 ms apart; up to 20 ms may be caught up with.
    assert max(sent) - started >= 29 * 0.005 - 0.021


def test_a_paced_wait_ends_when_told_to_stop() -> None:
    stop = threading.Event()
    pacer = Pacer(0.01, stop)
    assert pacer.wait()
    threading.Timer(0.05, stop.set).start()
    started = time.monotonic()
    assert not pacer.wait()
    assert time.monotonic() - started < 5


def seen(address: str, method: Method, mac: str | None, rtt_ms: float | None = None) -> Sighting:
    return Sighting(address=address, mac=mac, method=method, at=NOW, rtt_ms=rtt_ms)


def test_hosts_are_ordered_as_numbers_and_two_claimants_of_an_address_are_two_rows() -> None:
    rows = hosts_seen(
        [
            seen("10.0.0.10", Method.ARP, "b8:27:eb:00:00:01", 2.0),
            seen("10.0.0.10", Method.ICMP, None, 1.0),
            seen("10.0.0.9", Method.ARP, "02:00:00:00:00:01"),
            seen("10.0.0.9", Method.ARP, "02:00:00:00:00:02"),
        ]
    )
    assert [(row["ip"], row["mac"]) for row in rows] == [
        ("10.0.0.9", "02:00:00:00:00:01"),
        ("10.0.0.9", "02:00:00:00:00:02"),
        ("10.0.0.10", "b8:27:eb:00:00:01"),
    ]
    assert rows[2]["methods"] == ["arp", "icmp"]
    assert rows[2]["vendor"] == "Raspberry Pi Foundation"
    assert rows[2]["rtt_ms"] == 1.0


def test_the_network_and_broadcast_address_are_not_counted_as_probed() -> None:
    sweep = SweepResult(
        subnet="10.0.0.0/24",
        sightings=(),
        probed=("10.0.0.0/25",),
        duration_s=0.0,
        methods=(Method.ARP,),
    )
    assert probed_count(sweep) == 127
