"""The lab that the demo runs on: real routers, one check for each thing that it is made for."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import netmiko
import pytest

from pdsno.domain.expectation import Expectation
from pdsno.lab.progress import Stage
from pdsno.lab.runner import Lab

LABS = Path(__file__).resolve().parents[2] / "lab"
SYS_NAME = "1.3.6.1.2.1.1.5.0"
ENGINE_ID = "1.3.6.1.6.3.10.2.1.1.0"
V2C = ("-v2c", "-c", "pdsno-ro")
V3 = ("-v3", "-l", "authPriv", "-u", "pdsno", "-a", "SHA", "-A", "authpass12",
      "-x", "AES", "-X", "privpass12")  # fmt: skip
ROUTERS = {
    "spine1": "10.255.1.1",
    "spine2": "10.255.1.2",
    "leaf1": "10.255.1.3",
    "leaf2": "10.255.1.4",
    "b-r1": "10.255.2.1",
    "b-r2": "10.255.2.2",
}
AGENTS = ROUTERS | {"sw-a": "10.10.10.5", "sw-b": "10.20.20.5"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Bring a copy up under another name, without controllers' processes.

    A demo that runs on this machine, and this test, do not disturb each other.
    """
    folder = tmp_path_factory.mktemp("two-regions")
    text = (LABS / "two-regions.clab.yml").read_text()
    text = text.replace("name: two-regions", "name: pdsno-test-two-regions", 1)
    text = text.replace("pdsno-mgmt", "pdsno-test-two").replace("172.30.30.", "172.29.74.")
    text = re.sub(r"^ +cmd: pdsno .*\n", "", text, flags=re.MULTILINE)
    (folder / "two-regions.clab.yml").write_text(text)
    (folder / "two-regions").symlink_to(LABS / "two-regions")
    running = Lab(folder / "two-regions.clab.yml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLAB_LABDIR_BASE", str(folder))
        running.up()
    yield running
    running.down()


@pytest.fixture(scope="module")
def truth(lab: Lab) -> Expectation:
    return lab.truth()


def snmp(lab: Lab, node: str, address: str, oid: str, *credentials: str) -> str:
    argv = ["snmpget", "-t1", "-r2", "-Oqv", *credentials, address, oid]
    return lab.exec(node, argv).stdout.strip().strip('"')


def pings(lab: Lab, node: str, address: str) -> bool:
    return lab.exec(node, ["ping", "-c1", "-W2", address]).returncode == 0


def test_it_comes_up_without_a_warning(lab: Lab) -> None:
    assert lab.warnings == ()
    assert {row.state for row in lab.status()} == {"running"}


@pytest.mark.parametrize("name", ROUTERS)
def test_ospf_knows_every_loopback(lab: Lab, name: str) -> None:
    routes = json.loads(lab.exec(name, ["vtysh", "-c", "show ip route json"]).stdout)
    assert {f"{address}/32" for address in ROUTERS.values()} <= set(routes)


@pytest.mark.parametrize("address", [*ROUTERS.values(), "10.99.0.2", "10.10.10.5"])
def test_the_local_controller_of_zone_a_reaches_its_devices_in_band(lab: Lab, address: str) -> None:
    assert pings(lab, "lc-a", address)
    route = lab.exec("lc-a", ["ip", "route", "get", address]).stdout
    assert "dev eth1" in route


def test_the_local_controller_of_zone_b_reaches_its_devices_in_band(lab: Lab) -> None:
    assert all(pings(lab, "lc-b", address) for address in ("10.255.2.1", "10.255.2.2"))


@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_answers_snmpv3_with_the_name_of_its_node(lab: Lab, name: str) -> None:
    controller = "lc-b" if name == "sw-b" else "lc-a"
    assert snmp(lab, controller, AGENTS[name], SYS_NAME, *V3) == name


def test_one_router_answers_snmpv3_only(lab: Lab) -> None:
    answers = {
        name: snmp(lab, "lc-a", address, SYS_NAME, *V2C) for name, address in ROUTERS.items()
    }
    assert answers == {name: "" if name == "leaf2" else name for name in ROUTERS}


def test_engine_ids_differ(lab: Lab) -> None:
    found = {snmp(lab, "lc-a", address, ENGINE_ID, *V3) for address in ROUTERS.values()}
    assert len(found) == len(ROUTERS)


def test_lldp_is_told_over_snmp(lab: Lab) -> None:
    remote_names = "1.0.8802.1.1.2.1.4.1.1.9"
    done = lab.exec("lc-a", ["snmpwalk", "-t1", "-r2", "-Oqv", *V2C, "10.255.1.1", remote_names])
    assert set(done.stdout.replace('"', "").split()) == {"leaf1", "leaf2", "b-r1"}


@pytest.mark.parametrize(
    ("user", "platform", "command", "expected"),
    [
        ("admin", "cisco_ios", "show interface brief", "10.255.1.3/32"),
        ("ops", "linux", "lldpcli -f json0 show neighbors", "spine2"),
    ],
)
def test_users_log_in_to_a_router_by_password(
    lab: Lab, user: str, platform: str, command: str, expected: str
) -> None:
    connection = netmiko.ConnectHandler(
        device_type=platform,
        host=str(lab.node("leaf1").mgmt_ipv4),
        username=user,
        password="pdsno-lab",
    )
    try:
        assert expected in connection.send_command(command)
    finally:
        connection.disconnect()


def test_a_wrong_password_is_refused(lab: Lab) -> None:
    with pytest.raises(netmiko.NetmikoAuthenticationException):
        netmiko.ConnectHandler(
            device_type="linux",
            host=str(lab.node("leaf1").mgmt_ipv4),
            username="ops",
            password="wrong",
        )


def test_ssh_answers_on_routers_and_switches(lab: Lab) -> None:
    for address in ("10.255.1.1", "10.10.10.5"):
        script = f"exec 3<>/dev/tcp/{address}/22; read -r -t 5 line <&3; echo $line"
        assert lab.exec("lc-a", ["bash", "-c", script]).stdout.startswith("SSH-2.0-OpenSSH")


def test_the_user_of_vtysh_may_configure(lab: Lab) -> None:
    argv = ["su", "admin", "-s", "/bin/sh", "-c", "vtysh -c 'show running-config'"]
    assert "router ospf" in lab.exec("spine2", argv).stdout


def test_one_host_ignores_ping_and_answers_arp(lab: Lab) -> None:
    assert not pings(lab, "lc-a", "10.10.10.11")
    neighbor = lab.exec("lc-a", ["ip", "neigh", "show", "10.10.10.11"]).stdout
    assert "00:14:22:4a:10:11" in neighbor


def test_one_host_has_two_addresses_on_one_mac(lab: Lab) -> None:
    addresses = ("10.10.10.12", "10.10.10.112")
    assert all(pings(lab, "lc-a", address) for address in addresses)
    neighbors = lab.exec("lc-a", ["ip", "neigh"]).stdout
    macs = {line.split()[4] for line in neighbors.splitlines() if line.startswith(addresses)}
    assert macs == {"3c:d9:2b:51:20:12"}


def test_one_address_is_another_host_in_each_region(lab: Lab) -> None:
    macs = set()
    for controller in ("lc-a", "lc-b"):
        assert pings(lab, controller, "192.168.50.10")
        shown = lab.exec(controller, ["ip", "neigh", "show", "192.168.50.10"]).stdout
        macs.add(shown.split()[4])
    assert macs == {"00:40:8c:66:12:16", "00:14:22:4a:10:24"}


def test_the_data_plane_does_not_lead_into_the_management_network(lab: Lab) -> None:
    broker = lab.node("broker").mgmt_ipv4
    assert broker is not None
    assert pings(lab, "leaf1", broker)
    lab.exec("h-a3", ["ip", "route", "add", f"{broker}/32", "via", "10.10.10.1"])
    assert not pings(lab, "h-a3", broker)


def test_the_truth_holds_devices_not_controllers(truth: Expectation) -> None:
    names = {device.name for device in truth.devices}
    assert len(names) == 18
    assert not names & {"gc", "broker", "rc-a", "lc-a", "rc-b", "lc-b"}


def test_the_truth_is_read_from_the_live_nodes(truth: Expectation) -> None:
    found = {device.name: device for device in truth.devices}
    assert found["h-a2"].addresses >= {"10.10.10.12", "10.10.10.112"}
    assert "00:80:77:1d:0a:15" in found["h-a5"].macs
    assert found["spine1"].addresses >= {"10.255.1.1", "10.1.0.1", "10.99.0.1"}
    assert not any("127.0.0.1" in device.addresses for device in truth.devices)


def test_the_truth_holds_the_links_between_lldp_speakers(truth: Expectation) -> None:
    pairs = {tuple(sorted(end.device for end in link.ends)) for link in truth.links or ()}
    assert pairs == {
        ("leaf1", "spine1"), ("leaf2", "spine1"), ("leaf1", "spine2"), ("leaf2", "spine2"),
        ("b-r1", "b-r2"), ("b-r1", "spine1"), ("leaf1", "sw-a"), ("b-r2", "sw-b"),
    }  # fmt: skip


def test_the_whole_lab_takes_less_than_a_gigabyte(lab: Lab) -> None:
    assert sum(row.memory_mib for row in lab.status()) < 1024


def test_progress_tells_the_stages_in_order(tmp_path: Path) -> None:
    path = tmp_path / "x.clab.yml"
    path.write_text(
        "name: pdsno-test-progress\nmgmt: {network: pdsno-test-p, ipv4-subnet: 172.29.75.0/24}\n"
        "topology: {nodes: {a: {kind: linux, image: pdsno-node, exec: [hostname]}}}\n"
    )
    seen: list[Stage] = []
    running = Lab(path)
    try:
        running.up(lambda stage, _node, _detail: seen.append(stage))
    finally:
        running.down()
    assert list(dict.fromkeys(seen)) == [
        Stage.PLAN, Stage.WIRE, Stage.BOOT, Stage.EXEC, Stage.CONVERGE, Stage.READY,
    ]  # fmt: skip
