import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.entities import DeviceType
from pdsno.domain.observations import Outcome
from pdsno.southbound.platforms import DETECTION_COMMAND, PLATFORMS, frr, linux, platform_of
from pdsno.southbound.platforms.base import Outputs, Platform
from pdsno.southbound.ssh import interpreted
from tests.unit.southbound.recorded import recorded_outputs

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ADDRESSES = "ip -j -d addr show"
LLDP = "/usr/sbin/lldpcli -f json0 show neighbors"


def linux_outputs(**changed: str) -> Outputs:
    outputs = recorded_outputs("linux_switch")
    names = {"addresses": ADDRESSES, "lldp": LLDP, "vtysh": "vtysh -c 'show version'"}
    names["forwarding"] = "cat /proc/sys/net/ipv4/ip_forward"
    return linux.PLATFORM.outputs(outputs | {names[k]: v for k, v in changed.items()})


def link(name: str, *ips: str, kind: str = "", master: str = "") -> dict[str, object]:
    row: dict[str, object] = {
        "ifname": name,
        "flags": ["BROADCAST", "UP", "LOWER_UP"],
        "operstate": "UP",
        "addr_info": [
            {"local": ip, "prefixlen": 24, "scope": "global", "family": "inet"} for ip in ips
        ],
    }
    if kind:
        row["linkinfo"] = {"info_kind": kind}
    if master:
        row["master"] = master
    return row


def test_each_platform_is_recognised_by_what_it_really_prints() -> None:
    assert platform_of(recorded_outputs("frr_router")[DETECTION_COMMAND]) is frr.PLATFORM
    assert platform_of(recorded_outputs("linux_switch")[DETECTION_COMMAND]) is linux.PLATFORM
    assert platform_of("sh: 1: show: not found") is linux.PLATFORM
    assert platform_of("Whatever OS, release 7") is None


def test_platforms_only_list_commands_that_read() -> None:
    readers = (
        *("show ", "cat /", "ip -j ", "/sbin/bridge -j fdb show", "hostname", "uname "),
        *("/usr/sbin/lldpcli -f json0 show ", "vtysh -c 'show ", "display ", "admin show "),
    )
    for platform in PLATFORMS:
        for command in platform.commands:
            is_print = platform.name == "mikrotik_routeros" and " print" in command
            assert command.startswith(readers) or is_print, command
        for command in (*platform.commands, *platform.session_commands):
            assert not set(command) & set(";&|><`$\n"), command


def test_a_session_sets_only_its_own_terminal() -> None:
    harmless = ("terminal ", "set cli screen-", "screen-length ", "no pag", "set terminal ")
    for platform in PLATFORMS:
        for command in platform.session_commands:
            assert command.startswith(harmless), command


def test_a_recorded_frr_router_is_read() -> None:
    outputs = frr.PLATFORM.outputs(recorded_outputs("frr_router"))
    facts = frr.parse(outputs, "10.10.10.1", NOW)
    assert outputs.problems == {}
    assert (facts.name, facts.platform, facts.os_version) == ("leaf1", "frr", "8.4.4")
    assert facts.device_type is DeviceType.ROUTER
    assert facts.neighbors is None
    by_name = {i.name: i for i in facts.interfaces}
    assert by_name["eth1"].description == "spine1"
    assert by_name["eth3"].mac == "aa:c1:ab:e6:6e:d3"
    assert "10.10.10.1/24" in by_name["eth3"].ips
    assert by_name["lo"].mac is None


def test_a_recorded_linux_bridge_is_a_switch_with_neighbours_and_a_mac_table() -> None:
    outputs = linux_outputs()
    facts = linux.parse(outputs, "10.10.10.5", NOW)
    assert outputs.problems == {}
    assert (facts.name, facts.platform, facts.device_type) == (
        "sw-a",
        "linux",
        DeviceType.SWITCH,
    )
    assert facts.os_version == "Debian GNU/Linux 12 (bookworm)"
    assert facts.chassis_id == "aa:c1:ab:06:2d:40"
    assert facts.neighbors is not None
    (neighbor,) = facts.neighbors
    assert (neighbor.local_interface, neighbor.remote_name, neighbor.remote_interface) == (
        "eth1",
        "leaf1",
        "eth3",
    )
    behind = {entry.mac: entry.interface for entry in facts.mac_table}
    assert behind["00:14:22:4a:10:11"] == "eth2"
    br0 = next(i for i in facts.interfaces if i.name == "br0")
    assert br0.ips[0] == "10.10.10.5/24"


def test_linux_with_frr_beneath_is_an_frr_router() -> None:
    outputs = linux_outputs(vtysh="FRRouting 8.4.4 (leaf1) on Linux(6.1.0).")
    facts = linux.parse(outputs, "10.10.10.5", NOW)
    assert (facts.platform, facts.os_version) == ("frr", "8.4.4")
    assert facts.device_type is DeviceType.ROUTER


@pytest.mark.parametrize(
    ("links", "forwarding", "expected"),
    [
        ([link("eth0", "10.0.0.1")], "1", DeviceType.SERVER),
        ([link("eth0", "10.0.0.1"), link("eth1", "10.0.1.1")], "1", DeviceType.ROUTER),
        ([link("eth0", "10.0.0.1"), link("eth1", "10.0.1.1")], "0", DeviceType.SERVER),
        # A container host forwards, and is no router; its bridge is none that hosts see.
        (
            [
                link("eth0", "10.0.0.1"),
                link("docker0", "172.17.0.1", kind="bridge"),
                link("veth1", master="docker0"),
                link("veth2", master="docker0"),
            ],
            "1",
            DeviceType.SERVER,
        ),
        (
            [link("br0", kind="bridge"), link("p1", master="br0"), link("p2", master="br0")],
            "0",
            DeviceType.SWITCH,
        ),
    ],
)
def test_the_kind_of_a_linux_machine_follows_from_its_interfaces(
    links: list[dict[str, object]], forwarding: str, expected: DeviceType
) -> None:
    outputs = linux_outputs(addresses=json.dumps(links), forwarding=forwarding)
    assert linux.parse(outputs, "10.0.0.1", NOW).device_type is expected


def test_without_lldpd_neighbours_are_not_told_and_with_none_heard_there_are_none() -> None:
    missing = linux_outputs(lldp="-bash: /usr/sbin/lldpcli: No such file or directory")
    assert linux.parse(missing, "10.0.0.1", NOW).neighbors is None
    assert missing.problems == {}
    alone = linux_outputs(lldp='{"lldp": [{}]}')
    assert linux.parse(alone, "10.0.0.1", NOW).neighbors == ()


def test_a_command_that_prints_no_json_is_named_and_the_rest_is_kept() -> None:
    outputs = recorded_outputs("linux_switch") | {ADDRESSES: "[{ segmentation fault"}
    answer = interpreted("10.0.0.1", linux.PLATFORM, outputs, "ops")
    assert answer.probe.outcome is Outcome.PARSER_FAILED
    assert f"command '{ADDRESSES}'" in answer.probe.detail
    assert answer.facts is not None
    assert answer.facts.name == "sw-a"
    assert answer.facts.neighbors


def test_an_unknown_command_in_frr_tells_nothing_and_is_no_failure() -> None:
    outputs = recorded_outputs("frr_router")
    outputs["show interface json"] = "% Unknown command: show interface json"
    answer = interpreted("10.0.0.1", frr.PLATFORM, outputs, "admin")
    assert answer.probe.outcome is Outcome.ANSWERED
    assert answer.facts is not None
    assert answer.facts.interfaces == ()


@pytest.mark.attack(49)
def test_terminal_escapes_are_cut_out() -> None:
    version = "\x1b[0m\x1b]0;title\x07FRRouting 8.4.4 (\x1b[1mleaf1\x1b[0m) on Linux"
    facts = frr.parse(frr.PLATFORM.outputs({"show version": version}), "10.0.0.1", NOW)
    assert facts.name == "leaf1"


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda p: p.name)
@given(
    noise=st.one_of(
        st.text(max_size=80),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["lldp", "interface", "name", "chassis", "id", "mac", "flags"]),
                    inner,
                    max_size=3,
                )
            ),
            max_leaves=8,
        ).map(json.dumps),
    )
)
def test_no_output_of_a_device_makes_a_query_raise(platform: Platform, noise: str) -> None:
    answer = interpreted("10.0.0.1", platform, dict.fromkeys(platform.commands, noise), "ops")
    assert answer.probe.outcome in (Outcome.ANSWERED, Outcome.PARSER_FAILED)
