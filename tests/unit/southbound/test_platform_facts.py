import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdsno.domain.errors import InputError
from pdsno.domain.interface_names import canonical_interface
from pdsno.domain.jsonable import jsonable
from pdsno.domain.observations import Outcome
from pdsno.southbound.parsing import START_TIMEOUT_S, ParserPool, facts_of_recording
from pdsno.southbound.platforms import (
    PLATFORMS,
    command_named,
    platform_announced,
    platform_named,
    platform_of,
)
from pdsno.southbound.platforms.base import Platform
from pdsno.southbound.platforms.network_os import is_denied
from pdsno.southbound.platforms.ports_told import port_told
from pdsno.southbound.platforms.readings import Reading
from pdsno.southbound.platforms.templates import ParserError
from pdsno.southbound.platforms.words import duration_s, ip_with_length, speed_mbps
from pdsno.southbound.ssh import interpreted

FIXTURES = Path(__file__).parent / "fixtures"
RECORDINGS = sorted(FIXTURES.glob("*/*.txt"))


def told(rows: object) -> object:
    """Leave out what is not told, so that expectations hold only what a recording says."""
    if isinstance(rows, list):
        return [told(row) for row in rows]
    if isinstance(rows, dict):
        return {k: told(v) for k, v in rows.items() if v not in (None, [], "unknown")}
    return rows


def read_in_process(platform: str, command: str, text: str) -> Reading:
    found = platform_named(platform)
    return found.readers[command_named(found, command)](text)


@pytest.fixture(scope="module")
def parsers() -> Iterator[ParserPool]:
    with ParserPool(workers=1) as pool:
        yield pool


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_recording_tells_the_facts_written_beside_it(path: Path, parsers: ParserPool) -> None:
    text = path.read_text("utf-8")
    facts, _ = facts_of_recording(path.parent.name, path.stem, text, pool=parsers)
    item = jsonable(facts)
    assert isinstance(item, dict)
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert told({key: item.get(key) for key in expected}) == expected
    unexpected = {k for k, v in item.items() if v not in (None, [], "unknown")} - set(expected)
    assert unexpected <= {"source", "address", "at", "platform"}


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda p: p.name)
def test_every_reader_finds_its_template_and_survives_nonsense(platform: Platform) -> None:
    for reader in platform.readers.values():
        for text in ("", "nonsense\n\x00\x1b[2J", "% Invalid input", "a b c d e f g h\n" * 3):
            try:
                assert isinstance(reader(text), Reading)
            except (LookupError, TypeError, ValueError, AttributeError):
                continue


def test_a_line_that_a_template_does_not_know_costs_only_that_line() -> None:
    text = (FIXTURES / "cisco_ios" / "show_ip_arp.txt").read_text("utf-8")
    broken = text + "%SYS-5-CONFIG_I: Configured from console\n"
    reading = read_in_process("cisco_ios", "show ip arp", broken)
    assert [entry.ip for entry in reading.arp] == ["192.0.2.1"]
    assert reading.problem is not None
    assert "SYS-5-CONFIG_I" in reading.problem


def test_one_failing_command_is_named_and_the_rest_is_kept() -> None:
    ios = platform_named("cisco_ios")
    outputs = {
        "show version": (FIXTURES / "cisco_ios" / "show_version.txt").read_text("utf-8"),
        "show ip arp": "gibberish\n",
    }
    answer = interpreted("192.0.2.1", ios, outputs, "ops")
    assert answer.probe.outcome is Outcome.PARSER_FAILED
    assert "command 'show ip arp'" in answer.probe.detail
    assert answer.facts is not None
    assert answer.facts.name == "acc-1"


def test_refused_commands_are_told_apart_from_unknown_ones() -> None:
    ios = platform_named("cisco_ios")
    assert is_denied("% Authorization failed.")
    assert is_denied("Command authorization failed.\n")
    assert not is_denied("% Invalid input detected at '^' marker.")
    for text in ("% Authorization failed.", "     ^\n% Invalid input detected at '^' marker.\n"):
        assert ios.outputs({"show ip arp": text}).text("show ip arp") is None
    answer = interpreted(
        "192.0.2.1", ios, dict.fromkeys(ios.commands, "% Authorization failed."), "a"
    )
    assert answer.probe.outcome is Outcome.FAILED
    assert "authorization failed" in answer.probe.detail


@pytest.mark.parametrize(
    ("name", "style", "expected"),
    [
        ("Gi0/1", "ios", "GigabitEthernet0/1"),
        ("Gig 1/0/1", "ios", "GigabitEthernet1/0/1"),
        ("GigabitEthernet0/1", "ios", "GigabitEthernet0/1"),
        ("Te0/0/0/1", "ios", "TenGigE0/0/0/1"),
        ("Te1/1/1", "ios", "TenGigabitEthernet1/1/1"),
        ("Po1", "ios", "Port-channel1"),
        ("Po1", "nxos", "port-channel1"),
        ("Po1", "eos", "Port-Channel1"),
        ("Et1/1", "eos", "Ethernet1/1"),
        ("BAGG2", "comware", "Bridge-Aggregation2"),
        ("XGE0/0/1", "vrp", "XGigabitEthernet0/0/1"),
        ("ge-0/0/1.0", "ios", "ge-0/0/1.0"),
        ("eth0", "ios", "eth0"),
        ("A1", "procurve", "A1"),
        ("E1", "ios", "E1"),
        ("1/1/3", "aoscx", "1/1/3"),
    ],
)
def test_an_interface_has_one_name(name: str, style: str, expected: str) -> None:
    assert canonical_interface(name, style) == expected
    assert canonical_interface(expected, style) == expected


def test_the_port_of_a_neighbour_is_what_looks_like_one() -> None:
    assert port_told("Gi0/1", "uplink to core") == "GigabitEthernet0/1"
    assert port_told("527", "ge-0/0/1") == "ge-0/0/1"
    assert port_told("0200.5e00.0001", "eth0") == "eth0"
    assert port_told("0200.5e00.0001") == "02:00:5e:00:00:01"
    assert port_told("13", None) == "13"
    assert port_told(None, None) is None


def test_words_of_devices_become_numbers() -> None:
    assert duration_s("1 year, 2 weeks, 3 days, 4 hours, 5 minutes") == 33_019_500
    assert duration_s("5w3d20m51s") == 3_284_451
    assert duration_s("2 days, 12:34") == 218_040
    assert duration_s("never") is None
    assert [speed_mbps(t) for t in ("1000Mb/s", "10G", "a-100", "auto", "10000000 kbit")] == [
        *(1000, 10_000, 100, None, 10_000)
    ]
    assert ip_with_length("192.0.2.1", "255.255.255.0") == "192.0.2.1/24"
    assert ip_with_length("unassigned") is None


def test_other_tools_names_and_abbreviated_commands_are_understood() -> None:
    assert platform_named("cisco_xe").name == "cisco_ios"
    assert platform_named("vyatta_vyos").name == "vyos"
    ios = platform_named("cisco_ios")
    assert command_named(ios, "show_mac-address-table") == "show mac address-table"
    assert command_named(ios, "sh ver") == "show version"
    with pytest.raises(InputError, match=r"known are .*cisco_ios"):
        platform_named("cisco")
    with pytest.raises(InputError, match="'show version'"):
        command_named(ios, "reload")
    with pytest.raises(InputError, match="several"):
        command_named(ios, "sh i")


def test_platforms_that_announce_themselves_need_no_first_command() -> None:
    def named(text: str) -> str | None:
        found = platform_announced(text)
        return found.name if found else None

    assert named("SSH-2.0-ROSSSH") == "mikrotik_routeros"
    assert named("SSH-2.0-HUAWEI-1.5") == "huawei_vrp"
    assert named("SSH-2.0-Cisco-1.25") is None  # IOS, XE or XR
    assert named("SSH-2.0-OpenSSH_9.2") is None


def test_no_platform_takes_another_for_itself() -> None:
    for name in ("cisco_ios", "cisco_nxos", "arista_eos", "juniper_junos", "vyos"):
        text = (FIXTURES / name / "show_version.txt").read_text("utf-8")
        found = platform_of(text)
        assert found is not None
        assert found.name == name


def test_hostile_output_is_given_up_in_time_and_the_next_is_read() -> None:
    version = (FIXTURES / "cisco_ios" / "show_version.txt").read_text("utf-8")
    with ParserPool(workers=1, timeout_s=1.0, max_bytes=100_000) as pool:
        with pytest.raises(ParserError, match="longer than"):
            pool.read("cisco_ios", "show version", "x" * 100_001)
        # Every place in the blanks is a possible end of the template's `.*`.
        blanks = f"0 {' ' * 90_000}x"
        started = time.monotonic()
        with pytest.raises(ParserError, match="not read within 1 s"):
            pool.read("mikrotik_routeros", "/ip neighbor print detail", blanks)
        assert time.monotonic() - started < START_TIMEOUT_S
        facts, problem = facts_of_recording("cisco_ios", "show version", version, pool=pool)
    assert (facts.name, problem) == ("acc-1", None)


def test_a_closed_pool_reads_nothing() -> None:
    pool = ParserPool(workers=1)
    pool.close()
    pool.close()
    with pytest.raises(ParserError, match="stopped"):
        pool.read("cisco_ios", "show version", "")
