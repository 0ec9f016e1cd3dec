"""`pdsno nib endpoints`, `pdsno nib probes` and the ledger, against a real API."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from pdsno.api import ControllerInfo
from pdsno.cli.main import main
from pdsno.domain.identifiers import Role
from pdsno.nib import NIBStore
from tests.unit.api.serving import (
    TOKEN,
    controller,
    cycle,
    device,
    endpoint,
    info,
    outcome,
    put,
    seen,
    served,
)

Run = Callable[..., tuple[str, str]]


def local() -> ControllerInfo:
    return replace(info(), role=Role.LOCAL)


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDSNO_API_TOKEN", TOKEN)


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        yield store


@pytest.fixture
def run(
    nib: NIBStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """Return a function that runs `pdsno nib ...` successfully: stdout and stderr."""
    with served(nib, local) as api:
        monkeypatch.setenv("PDSNO_API", api.url)

        def invoke(*args: str) -> tuple[str, str]:
            code = main(["nib", *args])
            captured = capsys.readouterr()
            assert code == 0, captured.err
            return captured.out, captured.err

        yield invoke


def keep_endpoints(nib: NIBStore) -> None:
    random = endpoint(2, mac="02:00:00:00:00:02", is_random_mac=True, attachment=None, vendor=None)
    with nib.transaction() as change:
        change.put_endpoints([endpoint(1), random])


def keep_cycles(nib: NIBStore) -> None:
    found = [outcome(f"10.1.0.{n}", is_answered=n == 1) for n in (1, 2)]
    with nib.transaction() as change:
        change.put_cycle(cycle("c1"), [found[0]], keep_cycles=5)
        newer = cycle("c2", counts={"answered": 1, "silent": 250, "SSH timeout": 1})
        change.put_cycle(newer, found, keep_cycles=5)


def test_the_table_of_endpoints_says_where_each_is_plugged_in(run: Run, nib: NIBStore) -> None:
    keep_endpoints(nib)
    out, _ = run("endpoints")
    header, first, second = out.splitlines()
    assert header.split() == [
        "MAC", "IPS", "VENDOR", "SWITCH", "PORT", "VLAN", "LAST_SEEN", "SOURCES"
    ]  # fmt: skip
    assert first.split() == [
        "00:50:56:00:00:01", "10.1.20.1", "Acme", "spine1", "eth3", "20", "2026-03-01T12:00:00Z",
        "arp-table,", "mac-table",
    ]  # fmt: skip
    assert "spine1" not in second


def test_filters_of_endpoints_travel_to_the_api(run: Run, nib: NIBStore) -> None:
    keep_endpoints(nib)

    def found(*args: str) -> list[str]:
        return [row["endpoint_id"] for row in json.loads(run("endpoints", *args, "-o", "json")[0])]

    assert found() == ["ep_0001", "ep_0002"]
    assert found("--random-mac") == ["ep_0002"]
    assert found("--fixed-mac", "--vlan", "20") == ["ep_0001"]
    assert found("--ip", "10.1.20.0/24", "--device-id", "dev_0001") == ["ep_0001"]
    assert found("--mac", "0200.0000.0002") == ["ep_0002"]
    assert found("--seen-since", "2027-01-01T00:00:00Z") == []


def test_csv_of_endpoints_is_flat(run: Run, nib: NIBStore) -> None:
    keep_endpoints(nib)
    out, _ = run("endpoints", "--q", "acme", "-o", "csv")
    (row,) = csv.DictReader(io.StringIO(out, newline=""))
    assert (row["switch"], row["switch_id"], row["port"]) == ("spine1", "dev_0001", "eth3")
    assert "attachment" not in row


def test_no_devices_but_endpoints_is_hinted_at_in_one_line(run: Run, nib: NIBStore) -> None:
    assert run("devices") == ("", "no devices found\n")
    keep_endpoints(nib)
    for filters in ((), ("--region", "zone-A"), ("--ip", "10.1.20.1")):
        out, err = run("devices", *filters)
        assert (out, len(err.splitlines())) == ("", 1)
        assert "pdsno nib endpoints" in err
    for filters in (("--region", "zone-B"), ("--name", "spine1"), ("--status", "active")):
        assert run("devices", *filters) == ("", "no devices found\n")
    put(nib, device(1))
    assert run("devices")[1] == ""


def test_probes_come_with_the_counts_of_their_cycle_on_stderr(run: Run, nib: NIBStore) -> None:
    keep_cycles(nib)
    out, err = run("probes", "--answered")
    assert "10.1.0.1" in out
    assert "10.1.0.2" not in out
    assert err == ("cycle c2: 250 silent, 1 SSH timeout, 1 answered; cut short: link lost (eth1)\n")
    out, err = run("probes", "--cycle-id", "c1", "-o", "json")
    assert [row["address"] for row in json.loads(out)] == ["10.1.0.1"]
    assert err.startswith("cycle c1: ")


def test_the_ledger_shows_who_allowed_what(run: Run, nib: NIBStore) -> None:
    keep_cycles(nib)
    out, _ = run("probes", "--cycles")
    header, newest, older = out.splitlines()
    assert {"ALLOWED_BY", "REQUESTED_BY", "RATE_PPS", "CREDENTIALS"} <= set(header.split())
    assert newest.split()[-1] == "c2"
    assert older.split()[-1] == "c1"
    for told in ("policy 0.3", "alice", "12.5", "10.1.0.7/32", "250 silent", "link lost (eth1)"):
        assert told in newest
    whole = json.loads(run("probes", "--cycles", "-o", "json")[0])
    assert whole[0]["authority"]["credentials"] == ["ro"]
    (first, _) = csv.DictReader(io.StringIO(run("probes", "--cycles", "-o", "csv")[0], newline=""))
    assert first["allowed_by"] == "policy 0.3"
    assert "authority" not in first


def test_the_ledger_takes_no_filter(
    run: Run, nib: NIBStore, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_cycles(nib)
    run("probes")
    assert main(["nib", "probes", "--cycles", "--answered"]) == 2
    assert "takes no filter" in capsys.readouterr().err


def test_a_local_controller_without_a_cycle_says_so(run: Run) -> None:
    for args in (("probes",), ("probes", "--cycles")):
        out, err = run(*args)
        assert (out, err) == ("", "no cycles found: this controller has finished none yet\n")
    assert run("probes", "--cycles", "-o", "json") == ("[]\n", "")


def test_a_controller_above_names_those_that_have_the_ledger(
    nib: NIBStore, capsys: pytest.CaptureFixture[str]
) -> None:
    with nib.transaction() as change:
        change.put_controller(controller("lc_1", Role.LOCAL, "zone-A"), expected_version=None)
    with served(nib) as api:
        for args in (["probes"], ["probes", "--cycles"]):
            assert main(["nib", *args, "--api", api.url]) == 0
            out, err = capsys.readouterr()
            assert out == ""
            (line,) = err.splitlines()
            assert "this is a global controller; ask a local one (lc_1) with --api" in line


# --- one endpoint ----------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["ep_0001", "00-50-56-00-00-01", "10.1.20.1"])
def test_an_endpoint_is_shown_by_whatever_it_alone_has(nib: NIBStore, run: Run, named: str) -> None:
    with nib.transaction() as change:
        change.put_endpoints([endpoint(1), endpoint(2)])
        change.put_endpoint_sightings([seen(1, ip="10.1.20.77")])
    told = json.loads(run("endpoint", named, "-o", "json")[0])
    assert told["endpoint_id"] == "ep_0001"
    table = run("endpoint", named)[0]
    assert "00:50:56:00:00:01" in table
    assert "10.1.20.77" in table


@pytest.mark.parametrize("named", ["ep_none", "10.99.0.1", "nobody at all"])
def test_an_endpoint_that_is_not_there_is_told(
    nib: NIBStore, run: Run, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    keep_endpoints(nib)
    assert run("endpoint", "ep_0001")
    assert main(["nib", "endpoint", named]) == 1
    assert "pdsno nib endpoints lists all" in capsys.readouterr().err


def test_an_address_of_two_endpoints_wants_an_id(
    nib: NIBStore, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with nib.transaction() as change:
        change.put_endpoints([endpoint(1), endpoint(2, ips=("10.1.20.1",), namespace="zone-B")])
    assert run("endpoint", "ep_0002")
    assert main(["nib", "endpoint", "10.1.20.1"]) == 2
    assert "ep_0001 (zone-A), ep_0002 (zone-B)" in capsys.readouterr().err


def test_health_says_who_answers(run: Run) -> None:
    told = json.loads(run("health", "-o", "json")[0])
    assert (told["role"], told["status"]) == ("local", "ok")
    assert "global_cntl_1" in run("health")[0]
