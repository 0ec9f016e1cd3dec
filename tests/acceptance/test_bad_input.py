"""Bad input: one clear line each, the right exit code, and no traceback."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pdsno.cli.main import main
from tests.acceptance.support import error_line, pdsno

NODE = "{kind: linux, image: alpine}"
TOPOLOGIES = {
    "unknown kind": (
        "topology: {nodes: {a: {kind: nokia_srlinux, image: x}}}",
        "topology.nodes.a.kind: kind 'nokia_srlinux'",
    ),
    "link to a missing node": (
        f"topology: {{nodes: {{a: {NODE}}}, links: [{{endpoints: ['a:eth1', 'zz:eth1']}}]}}",
        "there is no node 'zz'",
    ),
    "duplicate name": (
        f"topology:\n  nodes:\n    a: {NODE}\n    a: {NODE}",
        "'a' is defined twice (first at line 4)",
    ),
    "interface used twice": (
        f"topology:\n  nodes: {{a: {NODE}, b: {NODE}}}\n  links:\n"
        + "".join(f"    - endpoints: ['a:eth1', 'b:eth{n}']\n" for n in (1, 2)),
        "interface a:eth1 is used twice",
    ),
    "address outside": (
        "mgmt: {ipv4-subnet: 172.29.9.0/24}\ntopology:\n  nodes:\n    a:\n"
        + "".join(f"      {line}\n" for line in ("kind: linux", "mgmt-ipv4: 10.0.0.1")),
        "10.0.0.1 is not inside the management subnet 172.29.9.0/24",
    ),
    "no YAML": ("topology: [", "not YAML"),
}
SETTINGS = {
    "unknown field": ("role: global\nrole_: x", "`role_` is no setting; did you mean `role`?"),
    "duplicate key": ("role: global\nrole: local", "line 2: 'role' stands twice"),
    "wrong type": ("role: global\nrest_port: abc", "`rest_port` must be a whole number, not 'abc'"),
    "impossible port": ("role: global\nrest_port: 70000", "less than or equal to 65535"),
    "unknown role": ("role: king", "`role` must be global, regional or local, not 'king'"),
    "missing role": ("listen: 127.0.0.1", "`role` is missing"),
    "no parent": ("role: local\nregion: a", "needs `parent: {id, url}`"),
    "bad region": (
        "role: regional\nregion: a b\nparent: {id: g, url: 'https://127.0.0.1:1'}",
        "'a b' cannot name a region",
    ),
    "bad URL": ("role: regional\nregion: a\nparent: {id: g, url: x}", "is no controller's URL"),
    "bad subnet": ("role: global\nsubnets: [10.0.0.9/24]", "did you mean 10.0.0.0/24?"),
    "no list": ("role: global\nsubnets: 10.0.0.0/24", "`subnets` must be a list"),
    "plain URL": (
        "role: regional\nregion: a\nparent: {id: g, url: 'http://127.0.0.1:1'}",
        "is no controller's URL: write it as https://192.0.2.1:8001",
    ),
    "plain broker": (
        "role: global\nbroker: {host: 192.0.2.1}",
        "is not loopback: name the broker's certificate with `id: broker_cntl_global_1`",
    ),
    "gone": ("role: global\nplain_transport: true", "`plain_transport` is no setting"),
    "half a certificate": ("role: global\napi: {key: a.pem}", "give both files, or neither"),
    "no mapping": ("- a", "must be a mapping"),
    "no YAML": ("role: [", "line 2:"),
}
POLICY = "regions:\n  - region: zone-A\n    local_controllers:\n"
LOCAL = "      - {controller_id: local_cntl_zone-A_%s, subnets: [%s]}\n"
POLICIES = {
    "unknown field": ("regions:\n  - region: a\n    colour: red", "line 3: regions[0].colour"),
    "duplicate key": ("regions:\n  - region: a\n    region: b", "line 3: 'region' stands twice"),
    "wrong type": ("regions: 7", "regions"),
    "no subnet": (POLICY + LOCAL % (1, "x"), "'x' is not a subnet: write it as 192.0.2.0/24"),
    "too large": (POLICY + LOCAL % (1, "10.0.0.0/8"), "more than a /16"),
    "overlap": (
        POLICY + LOCAL % (1, "10.0.0.0/24") + LOCAL % (2, "10.0.0.128/25"),
        "10.0.0.0/24 of local_cntl_zone-A_1 and 10.0.0.128/25 of local_cntl_zone-A_2 overlap",
    ),
}
CREDENTIALS = {
    "unknown key": (
        "snmpp: []",
        "'snmpp': only 'snmp', 'ssh', 'ssh_config', 'ansible' and 'nornir' are known",
    ),
    "missing field": ("ssh: [{name: a}]", "ssh, entry 1: 'username' is missing"),
    "wrong version": ("snmp: [{name: a, version: 7}]", "'version' must be 2c or 3"),
    "no YAML": ("snmp: [", "not YAML"),
}
PORTS = {
    "--api-port": "operators' API",
    "--local-api-port": "API of the local tier",
    "--global-port": "global tier",
    "--regional-port": "regional tier",
    "--broker-port": "MQTT broker",
}


Here = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Here:
    """Run the command line in this process: most of a process's time is its start."""

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        code = main(list(words))
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(words, code, out, err)

    return run


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "input.yml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def up_words(state: Path) -> list[str]:
    """Give every port of `pdsno up` a free one."""
    ports = zip(PORTS, free_ports(len(PORTS)), strict=True)
    words = [str(word) for pair in ports for word in pair]
    return ["up", "--subnet", "192.0.2.0/30", "--state-dir", str(state), *words]


@pytest.mark.lab
@pytest.mark.parametrize("fault", TOPOLOGIES)
def test_a_wrong_topology_is_named_with_its_place(here: Here, tmp_path: Path, fault: str) -> None:
    text, wanted = TOPOLOGIES[fault]
    path = written(tmp_path, f"name: pdsno-wrong\n{text}\n")
    done = here("lab", "up", str(path))
    assert done.returncode == 2
    assert wanted in error_line(done)
    assert str(path) in error_line(done)


@pytest.mark.lab
def test_a_management_subnet_of_this_machine_is_refused_with_a_hint(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "name: pdsno-wrong\nmgmt: {network: pdsno-wrong, ipv4-subnet: 127.0.0.0/16}\n"
        f"topology: {{nodes: {{a: {NODE}}}}}\n",
    )
    done = pdsno("lab", "up", str(path))
    assert done.returncode == 1
    assert "127.0.0.0/16 overlaps this machine's route" in error_line(done)
    assert "choose another 'ipv4-subnet'" in error_line(done)


@pytest.mark.lab
@pytest.mark.parametrize("command", [["lab", "up"], ["demo"]])
def test_an_unreadable_topology_is_said_to_be(tmp_path: Path, command: list[str]) -> None:
    done = pdsno(*command, str(tmp_path / "none.yml"))
    assert done.returncode == 2
    assert error_line(done).endswith("none.yml: no such file")
    binary = tmp_path / "binary.yml"
    binary.write_bytes(b"\xff\xfe\x00")
    done = pdsno(*command, str(binary))
    assert done.returncode == 2
    assert "not a text file" in error_line(done)


@pytest.mark.attack(61)
@pytest.mark.parametrize("fault", SETTINGS)
def test_wrong_settings_are_named_with_their_place(here: Here, tmp_path: Path, fault: str) -> None:
    text, wanted = SETTINGS[fault]
    path = written(tmp_path, text + "\n")
    done = here("settings", "check", str(path))
    assert done.returncode == 2
    assert wanted in error_line(done)
    assert str(path) in error_line(done)


def test_sound_settings_pass_the_check(here: Here, tmp_path: Path) -> None:
    done = here("settings", "check", str(written(tmp_path, "role: global\n")))
    assert done.returncode == 0, done.stderr


def test_a_controller_does_not_start_on_wrong_settings(here: Here, tmp_path: Path) -> None:
    path = written(tmp_path, "role: global\nnonsense: 1\n")
    done = here("controller", "run", "--role", "global", "--settings", str(path))
    assert (done.returncode, "`nonsense` is no setting" in error_line(done)) == (2, True)
    path = written(tmp_path, "role: global\n")
    done = here("controller", "run", "--role", "local", "--settings", str(path))
    assert done.returncode == 2
    assert "the settings are for role global, not local" in error_line(done)
    done = here("controller", "run", "--role", "global", "--settings", str(tmp_path / "none"))
    assert (done.returncode, "No such file" in error_line(done)) == (2, True)


@pytest.mark.attack(61)
@pytest.mark.parametrize("fault", POLICIES)
def test_a_wrong_policy_is_named_with_its_place(here: Here, tmp_path: Path, fault: str) -> None:
    text, wanted = POLICIES[fault]
    path = written(tmp_path, text + "\n")
    done = here("policy", "apply", str(path))
    assert done.returncode == 2
    assert wanted in error_line(done)
    assert str(path) in error_line(done)


def test_a_sound_policy_finds_no_controller_where_none_runs(here: Here, tmp_path: Path) -> None:
    path = written(tmp_path, POLICY + LOCAL % (1, "10.0.0.0/24"))
    done = here("policy", "apply", str(path), "--socket", str(tmp_path / "none.sock"))
    assert done.returncode == 1
    assert "no controller is running here" in error_line(done)


@pytest.mark.parametrize("fault", CREDENTIALS)
def test_wrong_credentials_stop_before_anything_starts(
    here: Here, tmp_path: Path, fault: str
) -> None:
    text, wanted = CREDENTIALS[fault]
    path = written(tmp_path, text + "\n")
    state = tmp_path / "state"
    done = here(*up_words(state), "--credentials", str(path))
    assert done.returncode == 2
    assert wanted in error_line(done)
    assert str(path) in error_line(done)
    assert not state.exists()


def test_unreadable_credentials_are_said_to_be(tmp_path: Path) -> None:
    done = pdsno(*up_words(tmp_path / "state"), "--credentials", str(tmp_path / "none.yml"))
    assert done.returncode == 2
    assert "none.yml: cannot read the credentials file: No such file" in error_line(done)


@pytest.mark.parametrize(
    ("subnet", "wanted"),
    [
        ("foo", "'foo' is not a subnet: write it as 192.0.2.0/24"),
        ("10.0.0.0/33", "is not a subnet"),
        ("10.0.0.5/24", "has host bits set: did you mean 10.0.0.0/24?"),
        ("10.0.0.0/8", "has 16,777,216 addresses, more than a /16"),
        ("fd00::/120", "IPv6"),
    ],
)
def test_what_is_no_subnet_is_refused_by_every_command(
    here: Here, tmp_path: Path, subnet: str, wanted: str
) -> None:
    for words in (["discover", subnet], ["up", "--subnet", subnet, "--state-dir", str(tmp_path)]):
        done = here(*words)
        assert done.returncode == 2
        assert wanted in error_line(done)


@pytest.mark.integration
@pytest.mark.parametrize("option", PORTS)
def test_a_taken_port_is_named_with_the_option_that_chooses_another(
    state: Path, option: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = [*up_words(state), option, str(port)]
        done = pdsno(*words)
    assert done.returncode == 1
    line = error_line(done)
    assert f"port {port} ({PORTS[option]}) is taken" in line
    assert "ss -ltnp" in line
    assert option in line


def test_one_port_for_two_purposes_is_refused(state: Path) -> None:
    done = pdsno(*up_words(state), "--api-port", "7777", "--global-port", "7777")
    assert done.returncode == 2
    assert "--api-port and --global-port are both 7777" in error_line(done)


def test_nothing_to_discover_is_said_with_the_remedy(state: Path) -> None:
    words = up_words(state)
    words[1:3] = []
    done = pdsno(*words)
    assert done.returncode == 2
    assert "say what to discover: --subnet 192.0.2.0/24" in error_line(done)


@pytest.mark.parametrize("api", ["http://127.0.0.1:9", "http://[::1", "nonsense"])
def test_an_api_that_is_not_there_is_said_to_be(here: Here, api: str) -> None:
    done = here("nib", "devices", "--api", api)
    assert done.returncode in {1, 2}
    assert "API" in error_line(done) or "URL" in error_line(done)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["discovr"], "there is no command 'discovr'"),
        (["nib", "devices", "-o", "xml"], "'xml' is not one of"),
        (["up", "--interval", "1"], "1 is not in the range x>=5"),
        (["up", "--api-port", "99999"], "99999 is not in the range"),
        (["controller", "run", "--role", "king", "--settings", "x"], "'king' is not one of"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(here: Here, words: list[str], wanted: str) -> None:
    done = here(*words)
    assert done.returncode == 2
    assert wanted in error_line(done)
