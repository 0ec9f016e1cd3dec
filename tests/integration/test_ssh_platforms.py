import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from pdsno.domain.observations import Outcome
from pdsno.southbound.access import DeviceAccess
from pdsno.southbound.credentials import Credentials, SshCredential
from pdsno.southbound.hints import PlatformHint
from pdsno.southbound.platforms import DETECTION_COMMAND, platform_named
from pdsno.southbound.ssh import SshAnswer, SshQuerier
from pdsno.southbound.ssh_transport import SshOptions
from tests.integration.devices import fake_device

HOST = "127.0.0.1"
FIXTURES = Path(__file__).parents[1] / "unit" / "southbound" / "fixtures"
QUICK = SshOptions(read_timeout_s=8.0)


def printed_by(platform: str) -> Mapping[str, str]:
    """Return a platform's recorded outputs by command, with a terminal's line ends."""
    found = {}
    for command in platform_named(platform).readable:
        path = FIXTURES / platform / f"{re.sub(r'[ /]+', '_', command).strip('_')}.txt"
        if path.exists():
            found[command] = path.read_text("utf-8").replace("\n", "\r\n")
    return found


def ask(port: int, hint: str | None = None) -> SshAnswer:
    login = SshCredential(name="ops", username="ops", password="right", port=port)
    hints = {HOST: PlatformHint(platform=hint, why="SNMP")} if hint else None
    querier = SshQuerier(DeviceAccess(Credentials(ssh=(login,))), options=QUICK, hints=hints)
    return querier.query([HOST])[HOST]


def test_a_cisco_switch_without_enable_hears_only_what_its_platform_lists() -> None:
    outputs = printed_by("cisco_ios")
    ios = platform_named("cisco_ios")

    def reply(line: str) -> str:
        if line in ios.session_commands:
            return ""
        return outputs.get(line, "        ^\r\n% Invalid input detected at '^' marker.\r\n")

    with fake_device(reply, prompt="acc-1>") as device:
        answer = ask(device.port)
    assert answer.probe.outcome is Outcome.ANSWERED, answer.probe
    facts = answer.facts
    assert facts is not None
    assert (facts.name, facts.model, facts.serial) == ("acc-1", "WS-C2960X-24TS-L", "TST0000A001")
    assert facts.neighbors
    assert facts.neighbors[0].remote_interface == "GigabitEthernet0/1"
    assert {i.name for i in facts.interfaces} >= {"GigabitEthernet1/0/1", "Vlan1"}
    assert device.lines[0] == DETECTION_COMMAND
    assert set(device.lines) == {*ios.session_commands, *ios.commands}
    assert "enable" not in device.lines


def test_commands_that_aaa_denies_are_named_and_the_others_tell() -> None:
    outputs = printed_by("cisco_ios")

    def reply(line: str) -> str:
        return outputs.get(line, "% Authorization failed.\r\n")

    with fake_device(reply, prompt="acc-1>") as device:
        answer = ask(device.port)
    assert answer.probe.outcome is Outcome.ANSWERED
    assert "authorization failed for show inventory" in answer.probe.detail
    assert answer.facts is not None
    assert answer.facts.name == "acc-1"
    assert answer.facts.arp


def test_a_user_who_may_do_nothing_is_told_as_such() -> None:
    with fake_device(lambda _: "Command authorization failed.\r\n", prompt="acc-1>") as device:
        answer = ask(device.port)
    assert answer.probe.outcome is Outcome.NOT_SUPPORTED
    assert "authorization failed" in answer.probe.detail


def test_a_platform_that_snmp_told_is_not_asked_for_again() -> None:
    outputs = printed_by("huawei_vrp")
    vrp = platform_named("huawei_vrp")
    with fake_device(lambda line: outputs.get(line, ""), prompt="<core-1>") as device:
        answer = ask(device.port, "huawei_vrp")
    assert answer.probe.outcome is Outcome.ANSWERED, answer.probe
    assert answer.facts is not None
    assert answer.facts.model == "S5735-L24T4S-A1"
    assert DETECTION_COMMAND not in device.lines
    assert set(device.lines) == {*vrp.session_commands, *vrp.commands}


@pytest.mark.parametrize("hint", ["cisco_ios", "cisco_nxos", "huawei_vrp", "juniper_junos"])
def test_a_hint_that_is_wrong_never_decides(hint: str) -> None:
    outputs = printed_by("arista_eos")
    with fake_device(lambda line: outputs.get(line, "% Invalid input"), "leaf-1#") as device:
        answer = ask(device.port, hint)
    assert answer.probe.outcome is Outcome.ANSWERED, answer.probe
    assert answer.facts is not None
    assert (answer.facts.platform, answer.facts.vendor) == ("arista_eos", "Arista")
    assert device.lines.count(DETECTION_COMMAND) == 1


@pytest.mark.parametrize(
    ("platform", "prompt", "says_to_show_version"),
    [
        ("hp_comware", "<sw>", "% Unrecognized command found at '^' position."),
        ("huawei_vrp", "<sw>", "Error: Unrecognized command found at '^' position."),
        ("mikrotik_routeros", "[ops@branch-1] > ", "bad command name show (line 1 column 1)"),
        ("juniper_junos", "ops@edge-1> ", None),
        ("cisco_nxos", "leaf-1# ", None),
        ("vyos", "vyos@vyos:~$ ", None),
    ],
)
def test_platforms_are_recognised_by_their_answer_to_the_first_command(
    platform: str, prompt: str, says_to_show_version: str | None
) -> None:
    outputs = printed_by(platform)

    def reply(line: str) -> str:
        if line == DETECTION_COMMAND and says_to_show_version:
            return says_to_show_version
        return outputs.get(line, "")

    with fake_device(reply, prompt=prompt) as device:
        answer = ask(device.port)
    assert answer.probe.outcome is Outcome.ANSWERED, answer.probe
    assert answer.facts is not None
    assert answer.facts.platform == platform
    found = platform_named(platform)
    assert set(device.lines) == {DETECTION_COMMAND, *found.session_commands, *found.commands}
