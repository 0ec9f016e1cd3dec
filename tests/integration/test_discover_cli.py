import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdsno.cli.main import main
from tests.integration.devices import COMMUNITY, snmpd


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What these runs keep is not left in the home of whoever runs the tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "pdsno" / "discover"


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with snmpd(tmp_path_factory.mktemp("snmpd")) as port:
        yield port


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["10.0.0.0.0/24"], "'10.0.0.0.0/24' is not a subnet"),
        (["10.0.0.1/24"], "did you mean 10.0.0.0/24?"),
        (["10.0.0.0/8"], "use --force"),
        (["2001:db8::/64"], "an IPv6 subnet is too large to sweep; name IPv4 subnets"),
        (["127.0.0.0/30", "--rate", "fast"], "neither a number of packets a second nor 'max'"),
        (["127.0.0.0/30", "--interface", "nope0"], "interface 'nope0' is not up"),
        (["127.0.0.0/30", "--method", "smoke"], "'smoke' is not one of"),
        (["127.0.0.0/30", "--explain", "here"], "'here' is no IP address"),
        (["127.0.0.0/30", "--query", "--credentials", "/nowhere.yml"], "/nowhere.yml: cannot read"),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_exit_code_2(
    args: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["discover", *args]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert complaint in err
    assert err.count("\n") == 1


def test_the_help_names_what_a_faster_rate_may_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["discover", "--help"]) == 0
    told = capsys.readouterr().out
    for word in ("Dynamic ARP Inspection", "--rate 10", "storm control", "Wi-Fi", "default: 100"):
        assert word in told


def test_a_host_is_swept_and_queried_by_its_own_credentials(
    agent: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    credentials = tmp_path / "credentials.yml"
    credentials.write_text(
        f"snmp: [{{name: ro, version: 2c, community: {COMMUNITY}, port: {agent}}}]"
    )
    credentials.chmod(0o600)
    # 127.0.0.1 is our own and not probed; the kernel answers for all of 127.0.0.0/8.
    args = ["127.0.0.0/30", "--query", "--credentials", str(credentials), "-o", "json"]
    assert main(["discover", *args, "--no-names"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    (host,) = row["hosts"]
    assert (row["subnet"], row["probed"], row["answered"]) == ("127.0.0.0/30", 1, 1)
    assert (host["ip"], host["methods"]) == ("127.0.0.2", ["icmp"])
    # The agent listens on 127.0.0.1 alone.
    assert host["outcome"] == "answered ICMP; SNMP timeout"


def test_explain_says_why_it_is_one_device_or_what_came_of_asking(
    capsys: pytest.CaptureFixture[str],
) -> None:
    args = ["discover", "127.0.0.0/30", "--no-names", "--snmp-community", "none", "--explain"]
    assert main([*args, "127.0.0.2"]) == 0
    told = capsys.readouterr().out
    assert "127.0.0.2 is of one device with 127.0.0.2" in told
    assert "ledger: answered ICMP; SNMP timeout" in told
    assert main([*args, "127.0.0.9"]) == 0
    told = capsys.readouterr().out
    assert "127.0.0.9: nobody answered there" in told
    assert "ledger: was not asked" in told


def test_query_shows_all_facts_with_their_sources(
    agent: int, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["127.0.0.1", "--snmp-port", str(agent), "--snmp-community", COMMUNITY]
    assert main(["query", *args, "-o", "json"]) == 0
    item = json.loads(capsys.readouterr().out)
    assert item["name"] == "test-agent"
    assert item["sources"] == ["snmp"]
    assert item["provenance"]["name"] == "snmp"
    assert any(i["name"] == "lo" for i in item["interfaces"])
    assert item["probes"][0]["outcome"] == "answered"
    assert main(["query", *args]) == 0
    assert "test-agent" in capsys.readouterr().out
    assert main(["query", *args, "-o", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("address,name")


def test_a_device_that_tells_nothing_is_one_line_and_exit_code_1(
    agent: int, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["127.0.0.1", "--snmp-port", str(agent), "--snmp-community", "wrong"]
    assert main(["query", *args]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "127.0.0.1 told nothing: SNMP timeout" in err
    assert "wrong SNMP v2c community" in err
    assert err.count("\n") == 1


def test_a_name_that_does_not_resolve_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "no-such-host.invalid"]) == 2
    assert "'no-such-host.invalid' is neither an address nor a name" in capsys.readouterr().err
