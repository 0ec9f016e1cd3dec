"""`pdsno inventory` over a real API: filters, files, and what is never exported."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pdsno.cli.inventory import HEAD
from pdsno.cli.main import main
from pdsno.domain.entities import DeviceStatus
from pdsno.lab.reader import load_topology
from pdsno.nib import NIBStore
from tests.unit.api.serving import TOKEN, Api, device, endpoint, put, served
from tests.unit.integrations.hostile import cabled, hostile

PORTS = hostile()[0].interfaces[:1]
DEVICES = [
    device(
        1, name="sw1", region="zone-A", management_ip="10.0.0.1", platform="cisco_ios",
        interfaces=PORTS, ssh_host_key="SECRET-KEY", engine_id="SECRET-ENGINE",
    ),
    device(2, name="sw2", region="zone-B", management_ip="10.0.1.1", interfaces=PORTS),
    device(3, name="old", region="zone-A", status=DeviceStatus.INACTIVE),
]  # fmt: skip


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with NIBStore("memory://") as nib:
        put(nib, *DEVICES)
        with nib.transaction() as change:
            change.replace_links([cabled("dev_0001", "dev_0002")])
            change.put_endpoints([endpoint(1)])
        with served(nib) as api:
            yield api


@pytest.fixture(autouse=True)
def _api(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDSNO_API", api.url)
    monkeypatch.setenv("PDSNO_API_TOKEN", TOKEN)


def exported(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(["inventory", *args]) == 0
    out = capsys.readouterr().out
    assert "SECRET" not in out
    assert TOKEN not in out
    return out


def test_ansible_gets_the_active_devices_and_filters_narrow(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = yaml.safe_load(exported(capsys, "ansible"))
    assert found["all"]["hosts"].keys() == {"sw1", "sw2"}
    assert found["all"]["hosts"]["sw1"]["ansible_network_os"] == "cisco.ios.ios"
    assert found["all"]["children"]["region_zone_a"]["hosts"].keys() == {"sw1"}
    one = yaml.safe_load(exported(capsys, "ansible", "--region", "zone-A", "--status", "any"))
    assert one["all"]["hosts"].keys() == {"sw1", "old"}
    listed = json.loads(exported(capsys, "ansible", "--list"))
    assert listed["region_zone_b"] == {"hosts": ["sw2"]}
    assert json.loads(exported(capsys, "ansible", "--host", "sw1"))["ansible_host"] == "10.0.0.1"


def test_netbox_and_csv_are_written_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.loads(line) for line in exported(capsys, "netbox").splitlines()]
    assert [one["path"] for one in lines if one["ref"].startswith("cable:")] == [
        "/api/dcim/cables/"
    ]
    assert exported(capsys, "netbox", "--netbox-version", "3.7").count("mac-addresses") == 0
    for what, count in (("devices", 2), ("interfaces", 2), ("links", 1), ("endpoints", 1)):
        rows = list(csv.reader(io.StringIO(exported(capsys, "csv", "--what", what))))
        assert len(rows) == count + 1


def test_clab_is_the_file_of_the_api_with_hosts_and_stand_ins_if_asked_for(
    api: Api, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    head, _, text = exported(capsys, "clab", "--status", "any").partition("\n")
    assert head == f"# {HEAD}"
    assert text == api.ask("topology", params={"format": "clab"}).text
    assert exported(capsys, "clab", "--region", "zone-A", "--endpoints", "--stand-ins") != text
    whole = {"format": "clab", "region": "zone-A", "endpoints": "true", "stand_ins": "true"}
    narrowed = api.ask("topology", params=whole).text
    out = tmp_path / "found.clab.yml"
    asked = ["clab", "--region", "zone-A", "--status", "any", "--endpoints", "--stand-ins"]
    exported(capsys, *asked, "--out", str(out))
    assert out.read_text() == f"# {HEAD}\n{narrowed}"
    exported(capsys, *asked, "--out", str(out))
    lab = load_topology(out)
    assert lab.name == "zone-A"
    assert {node.name for node in lab.nodes} > {"sw1", "old"}
    assert len(lab.links) == 2


def test_a_file_is_replaced_only_if_it_is_an_earlier_export(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "hosts.yml"
    asked = ["ansible", "--out", str(file)]
    exported(capsys, *asked)
    first = file.read_text()
    exported(capsys, *asked)
    assert file.read_text() == first
    file.write_text("all: {hosts: {mine: {}}}\n")
    assert main(["inventory", *asked]) == 2
    assert "exists: name another file, or replace it with --force" in capsys.readouterr().err
    assert "mine" in file.read_text()
    exported(capsys, *asked, "--force")
    assert file.read_text() == first
    assert [path.name for path in tmp_path.iterdir()] == ["hosts.yml"]


def test_nornir_writes_its_three_files_or_one_that_stands_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "nornir"
    exported(capsys, "nornir", "--out", str(folder))
    assert {path.name for path in folder.iterdir()} == {
        "hosts.yaml", "groups.yaml", "defaults.yaml",
    }  # fmt: skip
    exported(capsys, "nornir", "--out", str(folder))
    (folder / "groups.yaml").write_text("mine: {}\n")
    assert main(["inventory", "nornir", "--out", str(folder)]) == 2
    capsys.readouterr()
    assert yaml.safe_load(exported(capsys, "nornir")).keys() == {"sw1", "sw2"}


def test_what_cannot_be_written_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    for args, code in (
        (["nornir", "--out", str(tmp_path / "file")], 2),
        (["nornir", "--out", str(tmp_path / "file" / "x")], 1),
        (["ansible", "--out", str(tmp_path)], 1),
        (["csv", "--out", str(tmp_path / "none" / "x.csv")], 1),
    ):
        assert main(["inventory", *args]) == code, args
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("pdsno: error: ")
        assert "bug" not in err
        assert err.count("\n") == 1


@pytest.mark.parametrize("kind", ["ansible", "nornir"])
def test_an_export_verifies_as_equal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str
) -> None:
    out = tmp_path / ("nornir" if kind == "nornir" else "hosts.yml")
    exported(capsys, kind, "--out", str(out))
    source = out / "hosts.yaml" if kind == "nornir" else out
    assert main(["verify", "--against", str(source), "-o", "json"]) == 0


def test_an_export_of_nothing_is_an_error_not_an_empty_inventory(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["inventory", "ansible", "--region", "nowhere"]) == 2
    assert "has no device to export (region nowhere, status active)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["ansible", "--list", "--host", "a"], "exclude each other"),
        (["netbox", "--netbox-version", "four"], "write it as 4.2"),
        (["csv", "--what", "tea"], "is not one of"),
    ],
)
def test_wrong_usage_is_2(capsys: pytest.CaptureFixture[str], args: list[str], said: str) -> None:
    assert main(["inventory", *args]) == 2
    assert said in capsys.readouterr().err
