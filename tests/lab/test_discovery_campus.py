"""What discovery says of a real network: VLANs without our leg, crawl, and what then changes."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from pdsno.domain.entities import DeviceStatus, DeviceType, LinkStatus
from pdsno.domain.messages import DiscoveryReport
from pdsno.domain.observations import Outcome
from pdsno.intake.reports import ReportIntake
from pdsno.lab.runner import Lab
from pdsno.nib import NIBStore
from tests.lab.campus import CREDENTIALS, LAN, SECOND, VLAN10, VLAN20, Site, campus, run_in, shell
from tests.lab.lab_support import poll

pytestmark = pytest.mark.lab

SILENT_HOSTS = {
    "f0:18:98:33:10:11": ("10.10.0.11", "sw2", "eth3"),
    "b8:27:eb:7c:10:12": ("10.10.0.12", "sw2", "eth5"),
    "00:80:77:1d:20:11": ("10.20.0.11", "sw2", "eth4"),
}
SNMPD = "/usr/sbin/snmpd -Lf /dev/null -I -smux,mteTrigger,mteTriggerConf -p /run/snmpd.pid"
LLDPD = "lldpd -x -X /var/agentx/master"
CRAWL = {"crawl": [VLAN10, VLAN20]}
BEHIND = "10.70.0.0/30"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("campus")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLAB_LABDIR_BASE", str(folder))
        with campus(folder) as running:
            yield running


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Site:
    """A local controller that knows nothing yet; routers know who talked to them, and nobody else.

    Without the flush a router would still tell of an address that another test gave to a host.
    """
    for gear in ("r1", "sw1", "sw2", "sw3"):
        run_in(lab, gear, "ip", "neigh", "flush", "all")
    for host, gateway in (("h-v10", "10.10.0.1"), ("h-v10b", "10.10.0.1"), ("h-v20", "10.20.0.1")):
        run_in(lab, host, "ping", "-c1", "-W2", gateway)
    return Site(lab, tmp_path / "lc")


def test_hosts_in_vlans_without_our_leg_are_found_with_address_and_switch_port(site: Site) -> None:
    site.cycle(subnets=[LAN, SECOND], **CRAWL)
    found = site.endpoints()
    for mac, (ip, switch, port) in SILENT_HOSTS.items():
        assert found[mac].ips == (ip,)
        place = found[mac].attachment
        assert place is not None
        assert (place.device, place.interface) == (switch, port)
    devices = site.devices()
    assert devices["sw2"].management_ip == "10.10.0.5"
    assert devices["sw2"].device_type is DeviceType.SWITCH
    assert "10.60.0.11" in devices, "the host of the second segment"


def test_neighbours_are_asked_only_where_policy_allows(site: Site) -> None:
    site.cycle()
    assert "sw2" not in site.devices()
    refused = site.outcomes()["10.10.0.5"]
    assert refused.probes[0].outcome is Outcome.NOT_TRIED
    assert "named as neighbour by r1" in refused.summary
    site.cycle(exclude=["10.10.0.5/32"], **CRAWL)
    assert "sw2" not in site.devices()
    assert site.outcomes()["10.10.0.5"].probes[0].outcome is Outcome.EXCLUDED
    site.cycle(**CRAWL)
    assert "sw2" in site.devices()


def test_links_are_confirmed_by_both_ends_and_unknown_neighbours_are_ghosts(site: Site) -> None:
    site.cycle(**CRAWL)
    links = site.links()
    confirmed = {ends for ends, link in links.items() if link.status is LinkStatus.CONFIRMED}
    assert {
        ("r1:eth1", "sw1:eth2"),
        ("r1:eth2", "sw2:eth1"),
        ("r1:eth3", "sw2:eth2"),
        ("sw1:eth5", "sw3:eth1"),
    } <= confirmed
    ghost = links["bastion:eth2", "inner:eth1"]
    assert ghost.status is LinkStatus.CLAIMED
    assert None in (ghost.a.device_id, ghost.b.device_id)


def test_a_device_that_only_a_jump_host_reaches_is_found_through_it(site: Site) -> None:
    before = site.run("lc", "ping", "-c1", "-W1", "10.70.0.2", check=False)
    assert " 0 received" in before, "no way there but through the bastion"
    config = site.folder / "ssh_config"
    config.write_text("Host 10.70.0.2\n  ProxyJump 10.50.0.20\n")
    credentials = site.folder / "credentials.yml"
    credentials.write_text(f"{CREDENTIALS}ssh_config: {config}\n")
    site.cycle(subnets=[LAN, BEHIND])
    inner = site.devices()["inner"]
    assert inner.management_ip == "10.70.0.2"
    assert site.links()["bastion:eth2", "inner:eth1"].status is LinkStatus.CONFIRMED
    assert "answered SSH" in site.outcomes()["10.70.0.2"].summary
    assert "SSH" not in site.outcomes()["10.70.0.1"].summary


def test_a_second_cycle_over_the_same_network_changes_nothing(site: Site) -> None:
    site.cycle(subnets=[LAN, SECOND], **CRAWL)
    result = site.cycle(subnets=[LAN, SECOND], **CRAWL)
    assert result["devices_changed"] == 0
    assert site.events() == []


def test_a_host_that_is_unplugged_is_inactive_after_its_misses_and_comes_back(site: Site) -> None:
    site.cycle()
    try:
        site.run("h1", "ip", "link", "set", "eth1", "down")
        site.cycle()
        assert "DEVICE_INACTIVE" not in site.event_types()
        site.cycle()
        assert site.event_types().count("DEVICE_INACTIVE") == 1
        assert site.devices()["10.50.0.11"].status is DeviceStatus.INACTIVE
    finally:
        site.run("h1", "ip", "link", "set", "eth1", "up")
    site.cycle()
    assert "DEVICE_RETURNED" in site.event_types()
    assert "DEVICE_APPEARED" not in site.event_types()


def test_a_host_with_another_address_has_moved(site: Site) -> None:
    site.cycle()
    try:
        shell(
            site.lab,
            "h2",
            ["ip addr del 10.50.0.12/24 dev eth1", "ip addr add 10.50.0.33/24 dev eth1"],
        )
        site.cycle()
        (moved,) = [e for e in site.events() if e.event_type == "DEVICE_MOVED"]
        assert moved.data["from"]["management_ip"] == "10.50.0.12"
        assert moved.data["to"]["management_ip"] == "10.50.0.33"
        assert "DEVICE_APPEARED" not in site.event_types()
    finally:
        shell(
            site.lab,
            "h2",
            ["ip addr del 10.50.0.33/24 dev eth1", "ip addr add 10.50.0.12/24 dev eth1"],
        )


def test_a_duplicate_address_is_a_conflict_told_once(site: Site) -> None:
    site.cycle()
    try:
        site.run("h2", "ip", "addr", "add", "10.50.0.11/24", "dev", "eth1")
        told = 0
        for _ in range(3):
            site.cycle()
            told += site.event_types().count("ADDRESS_CONFLICT")
        assert told == 1
    finally:
        site.run("h2", "ip", "addr", "del", "10.50.0.11/24", "dev", "eth1")
    assert {"10.50.0.11", "10.50.0.12"} <= {ip for d in site.devices().values() for ip in d.ips}


def test_a_router_that_reboots_is_missed_once_and_comes_back_as_itself(site: Site) -> None:
    site.cycle()
    before = site.devices()["r1"]
    try:
        site.run("r1", "ip", "link", "set", "eth1", "down")
        site.run("r1", "pkill", "snmpd|lldpd")
        site.cycle()
        assert (site.devices()["r1"].missed, site.devices()["r1"].status) == (1, "active")
        assert set(site.event_types()) <= {"DEVICE_CHANGED", "LINK_CHANGED"}
        assert changes_of_devices(site) == {
            "sw1": {"interfaces": {"eth2": {"oper_status": ["up", "down"]}}}
        }
    finally:
        site.run("r1", "ip", "link", "set", "eth1", "up")
        shell(site.lab, "r1", [SNMPD, LLDPD])
        poll(lambda: heard(site, "sw1", "eth2"), "sw1 to hear r1 again", timeout_s=60)
    site.cycle()
    after = site.devices()["r1"]
    assert (after.device_id, after.missed, after.status) == (before.device_id, 0, "active")
    assert set(site.event_types()) <= {"DEVICE_CHANGED", "LINK_CHANGED"}
    assert changes_of_devices(site) == {
        "sw1": {"interfaces": {"eth2": {"oper_status": ["down", "up"]}}}
    }
    assert site.links()["r1:eth1", "sw1:eth2"].status is LinkStatus.CONFIRMED


def changes_of_devices(site: Site) -> dict[str, Any]:
    """Return what the last cycle says has changed, by the device's name."""
    told = [event for event in site.events() if event.event_type == "DEVICE_CHANGED"]
    return {event.data["name"]: event.data["changes"] for event in told}


def test_a_replaced_card_changes_its_device_and_makes_no_other(site: Site) -> None:
    site.cycle()
    before = site.devices()["bastion"]
    old = next(i.mac for i in before.interfaces if i.name == "eth1")
    new = "00:1b:21:3c:50:20"
    try:
        site.run("bastion", "ip", "link", "set", "eth1", "address", new)
        site.cycle()
        (changed,) = [e for e in site.events() if e.event_type.startswith("DEVICE")]
        assert (changed.event_type, changed.subject) == ("DEVICE_CHANGED", before.device_id)
        assert changed.data["changes"]["interfaces"]["eth1"] == {"mac": [old, new]}
        assert changed.data["changes"]["macs"] == [[old], [new]]
    finally:
        site.run("bastion", "ip", "link", "set", "eth1", "address", str(old))


@pytest.mark.attack(46)
def test_one_mac_on_two_segments_is_told_once_and_joins_nobody(site: Site) -> None:
    both = {"subnets": [LAN, SECOND]}
    site.cycle(**both)
    twin = "00:14:22:4a:50:11"
    first = site.devices()["10.50.0.11"].device_id
    try:
        site.run("h-seg2", "ip", "link", "set", "eth1", "address", twin)
        site.cycle(**both)
        assert site.event_types() == ["DEVICE_APPEARED", "MAC_DUPLICATED"]
        assert ("ANOMALY_OPENED", "cloned_mac") in site.anomalies()
        (told,) = [e for e in site.events() if e.event_type == "MAC_DUPLICATED"]
        assert told.data["segments"] == {"eth1": ["10.50.0.11"], "eth2": ["10.60.0.11"]}
        with site.nib() as nib:
            twins = [d for d in nib.all_devices() if d.macs == (twin,)]
        assert sorted(d.ips for d in twins) == [("10.50.0.11",), ("10.60.0.11",)]
        assert first in {d.device_id for d in twins}
        site.cycle(**both)
        assert site.event_types() == ["DEVICE_INACTIVE"], (
            "the card that is gone, and no second alarm"
        )
    finally:
        site.run("h-seg2", "ip", "link", "set", "eth1", "address", "00:40:8c:66:60:11")


def test_one_address_in_two_namespaces_is_two_devices_here_and_above(
    site: Site, tmp_path: Path
) -> None:
    """sw2 takes the address of h1 in a LAN where another controller has its own namespace."""
    tenant = Site(site.lab, tmp_path / "tenant", node="h-v20", policy={"namespace": "tenant"})
    site.cycle()
    try:
        site.run("sw2", "ip", "addr", "add", "10.50.0.11/24", "dev", "br20")
        site.run("h-v20", "ip", "addr", "add", "10.50.0.62/24", "dev", "eth1")
        tenant.cycle()
        assert "10.50.0.11" in tenant.devices()["sw2"].ips
        above = NIBStore(tmp_path / "above.db")
        for number, one in enumerate((site, tenant)):
            take_in(above, one, f"local_cntl_campus_{number}")
        found = {(d.namespace, d.name) for d in above.all_devices() if "10.50.0.11" in d.ips}
        merged = [e for e in above.events(limit=1000) if e.event_type == "DEVICES_MERGED"]
        above.close()
        assert found == {("campus", None), ("tenant", "sw2")}
        assert merged == []
    finally:
        site.run("sw2", "ip", "addr", "del", "10.50.0.11/24", "dev", "br20")
        site.run("h-v20", "ip", "addr", "del", "10.50.0.62/24", "dev", "eth1")


def take_in(above: NIBStore, site: Site, reporter: str) -> None:
    """Apply what a controller has to report to the NIB of the tier above."""
    reader = TypeAdapter(DiscoveryReport)
    with site.nib() as nib:
        reports = [reader.validate_python(row.payload) for row in nib.outbox(limit=1000)]
    for report in reports:
        with above.transaction() as tx:
            ReportIntake("regional_cntl_campus_1").apply(tx, reporter, report)


def test_a_renamed_interface_is_one_change_of_one_device(site: Site) -> None:
    """Although its SNMP agent goes on calling it by its old name."""
    site.cycle()
    try:
        shell(site.lab, "bastion", ["ip link set eth2 down", "ip link set eth2 name inside up"])
        site.cycle()
        assert changes_of_devices(site)["bastion"] == {
            "interfaces": {"inside": {"renamed": ["eth2", "inside"]}}
        }
        assert "DEVICE_APPEARED" not in site.event_types()
    finally:
        shell(
            site.lab,
            "bastion",
            ["ip link set inside down", "ip link set inside name eth2 up",
             "ip addr replace 10.70.0.1/24 dev eth2"],
        )  # fmt: skip


def test_lldp_off_at_one_end_leaves_a_claimed_link(site: Site) -> None:
    site.cycle()
    assert site.links()["sw1:eth5", "sw3:eth1"].status is LinkStatus.CONFIRMED
    try:
        site.run("sw3", "pkill", "lldpd")
        poll(lambda: not heard(site, "sw1", "eth5"), "sw1 to forget sw3", timeout_s=40)
        site.cycle()
        (changed,) = site.events()
        assert changed.event_type == "LINK_CHANGED"
        assert changed.data["status"] == ["confirmed", "claimed"]
        assert site.anomalies() == {("ANOMALY_OPENED", "link_one_ended")}
        assert site.links()["sw1:eth5", "sw3:eth1"].status is LinkStatus.CLAIMED
    finally:
        shell(site.lab, "sw3", [LLDPD])
        poll(lambda: heard(site, "sw1", "eth5"), "sw1 to hear sw3 again", timeout_s=60)


def heard(site: Site, node: str, port: str) -> bool:
    told = site.run(node, "lldpcli", "show", "neighbors", "ports", port, check=False)
    return "SysName" in told


def test_a_switch_replaced_under_its_name_and_address_is_another_device(site: Site) -> None:
    site.cycle()
    before = site.devices()["sw3"]
    try:
        site.run("sw3", "ip", "link", "set", "eth1", "down")
        shell(
            site.lab,
            "spare",
            [
                "hostname sw3",
                "ip addr add 10.50.0.6/24 dev br0",
                "ip route replace 10.0.0.0/8 via 10.50.0.1",
            ],
        )
        (site.folder / "known_hosts").unlink(missing_ok=True)
        told: dict[str, list[str]] = defaultdict(list)
        for _ in range(2):
            site.cycle()
            for event in site.events():
                told[event.event_type].append(event.subject)
        with site.nib() as nib:
            now = {d.device_id: d for d in nib.all_devices()}
        assert now[before.device_id].status is DeviceStatus.INACTIVE
        (after,) = [
            d for d in now.values() if "10.50.0.6" in d.ips and d.status is DeviceStatus.ACTIVE
        ]
        assert (after.name, after.device_id != before.device_id) == ("sw3", True)
        assert told["DEVICE_APPEARED"] == [after.device_id]
        assert told["DEVICE_INACTIVE"] == [before.device_id]
        assert told.keys().isdisjoint({"DEVICES_MERGED", "DEVICE_MOVED", "DEVICE_RETURNED"})
    finally:
        shell(site.lab, "spare", ["hostname spare", "ip addr del 10.50.0.6/24 dev br0"])
        site.run("sw3", "ip", "link", "set", "eth1", "up")


@pytest.mark.attack(59)
def test_a_device_that_shows_another_host_key_is_told_nothing(site: Site) -> None:
    site.cycle()
    pins = site.folder / "known_hosts"
    ours = [line for line in pins.read_text().splitlines() if "10.50.0.20 " not in line]
    foreign = pins.read_text().split("10.50.0.5 ")[1].splitlines()[0]
    pins.write_text("\n".join([*ours, f"campus|10.50.0.20 {foreign}"]) + "\n")
    site.cycle()
    probes = {p.outcome for p in site.outcomes()["10.50.0.20"].probes}
    assert Outcome.HOST_KEY_CHANGED in probes
    assert site.event_types().count("SSH_HOST_KEY_CHANGED") == 1
    site.cycle()
    assert "SSH_HOST_KEY_CHANGED" not in site.event_types()
