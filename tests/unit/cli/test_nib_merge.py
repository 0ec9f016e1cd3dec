"""`pdsno nib merge`, `split`, `device --why`, `anomalies` and `anomaly` against a real API."""

import json
from collections.abc import Iterator

import pytest

from pdsno.api import Actions
from pdsno.cli.main import main
from pdsno.domain.anomalies.entities import Kind, Status
from pdsno.domain.entities import OperatorRole
from pdsno.domain.messages import DiscoveryRequest
from pdsno.nib import NIBStore
from tests.unit.api.serving import NOW, TOKEN, anomaly, device, info, making, put, put_token, served


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        put(
            store,
            device(1, name="core1", macs=("00:50:56:aa:bb:01",), ips=("10.1.0.1", "10.1.0.9")),
            device(2, name="core1-old", macs=("00:50:56:aa:bb:02",), ips=("10.1.0.2",)),
        )
        with store.transaction() as tx:
            tx.put_makings([making("dev_0001")])
            held = {"subnets": ["10.1.0.0/24"], "missing": 11, "names": ["a", "b", "c", "d"]}
            tx.put_anomalies(
                [
                    anomaly(1),
                    anomaly(2, kind=Kind.MASS_DISAPPEARANCE, subject="lc", evidence=held),
                    anomaly(3, status=Status.CLOSED, closed_at=NOW),
                ]
            )
        yield store


@pytest.fixture
def asked(nib: NIBStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[DiscoveryRequest]]:
    """Serve the NIB to the command line; returns what the controller is asked for."""
    asked: list[DiscoveryRequest] = []
    actions = Actions(request_discovery=asked.append, tell_above=lambda: None)
    with served(nib, info, actions=actions) as api:
        put_token(nib, TOKEN, name="alice", role=OperatorRole.APPROVER)
        monkeypatch.setenv("PDSNO_API", api.url)
        monkeypatch.setenv("PDSNO_API_TOKEN", TOKEN)
        yield asked


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["nib", *arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


pytestmark = pytest.mark.usefixtures("asked")


def test_why_a_device_is_one_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "device", "core1", "--why")
    assert code == 0
    assert "+80 same serial" in out
    assert "dev_0009 became part of it: 2 shared MACs" in out
    assert "ssh at 10.1.0.9: 10.1.0.9, s9" in out
    code, out, _ = run(capsys, "device", "core1", "--why", "-o", "json")
    assert json.loads(out)["told"][0]["by"] == "lc"


def test_merge_says_what_would_happen_then_does_it_and_the_old_id_leads_on(
    nib: NIBStore, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "merge", "core1", "core1-old", "--dry-run")
    assert (code, out.splitlines()[0]) == (0, "dev_0002 would be dev_0001 (core1)")
    assert len(nib.all_devices()) == 2
    code, out, _ = run(capsys, "merge", "core1", "10.1.0.2", "--note", "same box")
    assert (code, out.splitlines()[0]) == (0, "dev_0002 is now dev_0001 (core1)")
    assert nib.words()[0].by == "alice"
    code, out, err = run(capsys, "device", "dev_0002", "-o", "json")
    assert (code, json.loads(out)["device_id"]) == (0, "dev_0001")
    assert "dev_0002 was merged into dev_0001" in err


def test_split_shows_both_parts(nib: NIBStore, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "split", "core1", "--keep", "10.1.0.1", "--dry-run")
    assert (code, len(nib.all_devices())) == (0, 2)
    assert "a new device (other) would get:" in out
    code, out, _ = run(capsys, "split", "core1", "--keep", "10.1.0.1")
    assert code == 0
    assert len(nib.all_devices()) == 3
    assert "dev_0001 (core1) keeps:" in out


def test_what_is_no_part_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "split", "core1", "--keep", "10.9.9.9")
    assert (code, "is made of: snmp at 10.1.0.1" in err) == (2, True)


def test_anomalies_are_those_that_are_not_closed_unless_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = run(capsys, "anomalies", "-o", "json")
    assert [row["anomaly_id"] for row in json.loads(out)] == ["anom_0001", "anom_0002"]
    _, out, _ = run(capsys, "anomalies", "--closed", "-o", "json")
    assert [row["anomaly_id"] for row in json.loads(out)] == ["anom_0003"]
    _, out, _ = run(capsys, "anomalies", "--kind", "mass_disappearance", "-o", "csv")
    assert "names=a,b,c,…" in out
    code, _, err = run(capsys, "anomalies", "--closed", "--status", "open")
    assert (code, "exclude each other" in err) == (2, True)


def test_one_anomaly_is_shown_acknowledged_and_approved(
    nib: NIBStore, asked: list[DiscoveryRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "anomaly", "show", "anom_0001", "-o", "json")
    assert (code, json.loads(out)["kind"]) == (0, "address_conflict")
    code, out, _ = run(capsys, "anomaly", "ack", "anom_0001", "--note", "known")
    assert (code, out) == (0, "anom_0001 (address_conflict 10.1.0.1) is acknowledged\n")
    assert nib.anomalies().items[0].note == "known"
    code, _, _ = run(capsys, "anomaly", "approve", "anom_0002")
    assert (code, asked[0].accept_missing, asked[0].requested_by) == (0, True, "alice")
    code, _, err = run(capsys, "anomaly", "approve", "anom_0001")
    assert (code, "nothing is held" in err) == (2, True)
