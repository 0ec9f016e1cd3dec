"""`pdsno verify` with a real API, against every kind of source."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pdsno.cli.main import main
from pdsno.domain.entities import (
    DeviceStatus,
    FieldSource,
    Interface,
    Link,
    LinkEnd,
    LinkStatus,
    Neighbor,
)
from pdsno.domain.identifiers import Role
from pdsno.nib import NIBStore
from tests.unit.api.serving import NOW, TOKEN, controller, device, endpoint, put, served
from tests.unit.integrations.fake_netbox import TOKEN as NETBOX_TOKEN
from tests.unit.integrations.fake_netbox import FakeNetBox, running
from tests.unit.integrations.netbox_world import small


def switch(number: int, **values: object) -> dict[str, object]:
    ports = (
        Interface(
            name="GigabitEthernet0/1",
            mac=f"00:50:56:00:00:0{number}",
            ips=(f"10.1.0.{number}/24",),
            admin_status="up",
            oper_status="up",
        ),
        Interface(name="GigabitEthernet0/2"),
    )
    default: dict[str, object] = {
        "name": f"sw{number}", "region": "ams", "serial": f"FOC{number}", "vendor": "Cisco",
        "model": "C9300-48P", "platform": "cisco_ios", "management_ip": f"10.1.0.{number}",
        "macs": (f"00:50:56:00:00:0{number}",), "ips": (f"10.1.0.{number}",),
        "interfaces": ports, "sources": ("snmp", "ssh"),
        "neighbors": (Neighbor(local_interface="Gi0/1", remote_name="sw9"),),
        "provenance": {"serial": FieldSource(source="snmp", at=NOW)},
    }  # fmt: skip
    return default | values


def filled(nib: NIBStore, **of_sw2: object) -> None:
    put(nib, device(1, **switch(1)), device(2, **switch(2, **of_sw2)))
    a, b = (
        LinkEnd(device_id=f"dev_000{n}", device=f"sw{n}", interface="GigabitEthernet0/1")
        for n in (1, 2)
    )
    link = Link(link_id="l1", a=a, b=b, source="lldp", status=LinkStatus.CONFIRMED, last_seen=NOW)
    with nib.transaction() as change:
        change.replace_links([link])
        change.put_endpoints([endpoint(3, ips=("10.1.0.3",), region="ams", namespace="ams")])
        change.put_controller(
            controller("local_cntl_ams_1", Role.LOCAL, "ams"), expected_version=None
        )


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        yield store


@pytest.fixture(autouse=True)
def _api(nib: NIBStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with served(nib) as running_api:
        monkeypatch.setenv("PDSNO_API", running_api.url)
        monkeypatch.setenv("PDSNO_API_TOKEN", TOKEN)
        monkeypatch.setenv("NETBOX_TOKEN", NETBOX_TOKEN)
        monkeypatch.delenv("NETBOX_URL", raising=False)
        yield


@pytest.fixture
def netbox() -> Iterator[FakeNetBox]:
    with running(small("4.6")) as fake:
        yield fake


ANSIBLE = """
all:
  children:
    switches:
      hosts:
        SW1: {ansible_host: 10.1.0.1}
        sw2.example.net: {ansible_host: 10.1.0.2}
      vars:
        ansible_network_os: cisco.ios.ios
        ansible_password: hunter2-secret
    servers:
      hosts:
        10.1.0.3: {}
        localhost: {ansible_connection: local}
"""
NORNIR = """
sw1: {hostname: 10.1.0.1, groups: [switches], password: hunter2-secret}
sw2: {hostname: 10.1.0.2, groups: [switches]}
"""
CLAB = """
name: x
topology:
  nodes:
    sw1: {kind: cisco_iol, mgmt-ipv4: 10.1.0.1, labels: {pdsno.region: ams}}
    sw2: {kind: cisco_iol, mgmt-ipv4: 10.1.0.2}
    srv: {kind: linux, exec: [ip addr add 10.1.0.3/24 dev eth1]}
    br: {kind: bridge}
  links:
    - endpoints: ["sw1:Gi0/1", "sw2:Gi0/1"]
    - endpoints: ["sw1:Gi0/2", "srv:eth1"]
    - endpoints: ["sw2:Gi0/3", "br:x"]
"""
GROUPS = "switches: {platform: cisco_ios}\n"


def sources(folder: Path) -> dict[str, Path]:
    (folder / "nornir").mkdir()
    found = {
        "ansible": folder / "inventory.yml",
        "ansible-ini": folder / "hosts",
        "ansible-folder": folder / "folder",
        "nornir": folder / "nornir" / "hosts.yaml",
        "clab": folder / "lab.clab.yml",
    }
    found["ansible"].write_text(ANSIBLE)
    ini = "sw1 ansible_host=10.1.0.1\nsw2 ansible_host=10.1.0.2\n"
    found["ansible-ini"].write_text(ini)
    found["ansible-folder"].mkdir()
    (found["ansible-folder"] / "a.ini").write_text(ini)
    found["nornir"].write_text(NORNIR)
    (folder / "nornir" / "groups.yaml").write_text(GROUPS)
    found["clab"].write_text(CLAB)
    return found


def verified(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, Any]:
    code = main(["verify", *args, "-o", "json"])
    out, err = capsys.readouterr()
    assert "hunter2" not in out + err
    return code, json.loads(out) if out else {"error": err}


@pytest.mark.parametrize("kind", ["ansible", "ansible-ini", "ansible-folder", "nornir", "clab"])
def test_an_equal_network_is_0_a_different_one_1(
    nib: NIBStore, capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str
) -> None:
    source = str(sources(tmp_path)[kind])
    filled(nib)
    code, found = verified(capsys, "--against", source)
    assert (code, found["equal"]) == (0, True), found
    put(nib, device(9, name="rogue", region="ams", ips=("10.1.0.66",)))
    code, found = verified(capsys, "--against", source)
    assert code == 1
    assert [one["name"] for one in found["unexpected"]] == ["rogue"]
    assert (found["missing"], found["different"], found["ambiguous"]) == ([], [], [])


def test_netbox_is_compared_field_by_field_with_evidence(
    nib: NIBStore, netbox: FakeNetBox, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(nib, serial="FOC7")
    put(nib, device(4, name="spare", region="ams", serial="FOC9"))
    code, found = verified(capsys, "--against", "netbox", "--netbox", netbox.url)
    assert code == 1
    assert (found["missing"], found["unexpected"], found["ambiguous"]) == ([], [], [])
    spare, serial = found["different"]
    assert (spare["name"], spare["field"], spare["expected"]) == ("spare", "status", "offline")
    assert (serial["name"], serial["expected"], serial["found"]) == ("sw2", "FOC2", "FOC7")
    assert (serial["told_by"], serial["record"]) == ("snmp", "dev_0002")
    assert serial["place"] == f"{netbox.url}/dcim/devices/2/"
    assert serial["last_seen"].startswith("2026-03-01T12:00:00")
    assert {method for method, _ in netbox.asked} == {"GET"}
    assert (found["links_expected"], found["links_found"]) == (1, 1)


def test_an_empty_nib_misses_everything_and_says_where_nobody_looked(
    nib: NIBStore, netbox: FakeNetBox, capsys: pytest.CaptureFixture[str]
) -> None:
    record = controller("local_cntl_ams_1", Role.LOCAL, "ams")
    with nib.transaction() as change:
        change.put_controller(record, expected_version=None)
    code, found = verified(capsys, "--against", "netbox", "--netbox", netbox.url)
    assert code == 1
    names = [one["name"] for one in found["missing"]]
    assert names == ["srv1", "sw1", "sw2", "sw1:Gi0/1 - sw2:Gi0/1"]
    assert found["missing"][0]["evidence"] == "10.1.0.3 is probed by local_cntl_ams_1"
    assert any("no regions of this NIB: ams" in note for note in found["notes"])


def test_what_vanished_shows_its_last_record(
    nib: NIBStore, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    filled(nib, status=DeviceStatus.INACTIVE)
    code, found = verified(capsys, "--against", str(sources(tmp_path)["nornir"]))
    assert code == 1
    (one,) = found["missing"]
    assert (one["record"], one["found"]) == ("dev_0002", "inactive")


def test_findings_are_narrowed_and_the_exit_code_with_them(
    nib: NIBStore, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    source = str(sources(tmp_path)["nornir"])
    filled(nib, platform="arista_eos")
    assert verified(capsys, "--against", source)[0] == 1
    assert verified(capsys, "--against", source, "--only", "missing")[0] == 0
    assert verified(capsys, "--against", source, "--ignore", "sw*:platform")[0] == 0
    patterns = tmp_path / "ignore"
    patterns.write_text("# known\nsw2  # old\n")
    code, found = verified(capsys, "--against", source, "--ignore-file", str(patterns))
    assert (code, found["ignored"]) == (0, 1)
    assert verified(capsys, "--against", source, "--ignore", "sw1")[0] == 1
    code, found = verified(capsys, "--against", source, "--region", "nowhere")
    assert code == 1
    assert len(found["missing"]) == 2


def test_tables_csv_and_yaml_show_the_same_findings(
    nib: NIBStore, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    source = str(sources(tmp_path)["nornir"])
    filled(nib, platform="arista_eos")
    assert main(["verify", "--against", source]) == 1
    table, summary = capsys.readouterr()
    assert "platform" in table
    assert "2 of 2 devices found; 0 missing, 0 unexpected, 1 different, 0 ambiguous" in summary
    main(["verify", "--against", source, "-o", "csv"])
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["kind"], row["field"], row["found"]) == ("different", "platform", "arista_eos")
    main(["verify", "--against", source, "-o", "yaml"])
    assert yaml.safe_load(capsys.readouterr().out)["different"][0]["record"] == "dev_0002"


def test_what_was_imported_is_what_is_verified(
    nib: NIBStore, netbox: FakeNetBox, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    filled(nib)
    file = tmp_path / "expect.yml"
    assert main(["netbox", "import", "--netbox", netbox.url, "--expect", str(file)]) == 0
    capsys.readouterr()
    code, found = verified(capsys, "--against", str(file))
    assert (code, found["against"]) == (0, netbox.url), found


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--against", "nowhere.yml"], "there is no such file"),
        (["--against", "netbox"], "name the NetBox with --netbox URL"),
        (["--against", "netbox", "--netbox", "ftp://x"], "is no URL"),
        (["--against", "netbox", "--netbox", "http://netbox.example"], "token in the clear"),
        (["--against", "{nornir}", "--netbox", "http://127.0.0.1:1"], "with --against netbox only"),
        (["--against", "{nornir}", "--as", "topology"], "not a containerlab topology"),
        (["--against", "{nornir}", "--as", "expectation"], "does not begin with 'kind:"),
        (["--against", "{broken}"], "not YAML"),
        (["--against", "{empty}"], "names no host"),
        (["--against", "netbox", "--netbox", "http://127.0.0.1:1", "--site-region", "x"],
         "write SITE=REGION"),
        ([], "Missing option '--against'"),
    ],
)  # fmt: skip
def test_wrong_usage_is_2_and_one_line(
    nib: NIBStore,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    args: list[str],
    said: str,
) -> None:
    files = {name: str(path) for name, path in sources(tmp_path).items()}
    for name, text in (("broken", "a: [1, password: hunter2"), ("empty", "{}")):
        files[name] = str(tmp_path / f"{name}.yml")
        Path(files[name]).write_text(text)
    filled(nib)
    assert main(["verify", *(arg.format(**files) for arg in args)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "hunter2" not in err
    assert err.count("\n") == 1


def test_netbox_without_a_token_says_how_to_give_one(
    nib: NIBStore, netbox: FakeNetBox, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    filled(nib)
    monkeypatch.delenv("NETBOX_TOKEN")
    asked = ["verify", "--against", "netbox", "--netbox", netbox.url]
    assert main(asked) == 2
    assert "name a file with it by --netbox-token-file" in capsys.readouterr().err
    file = tmp_path / "token"
    file.write_text(NETBOX_TOKEN + "\n")
    file.chmod(0o644)
    assert main([*asked, "--netbox-token-file", str(file)]) != 0
    file.chmod(0o600)
    assert main([*asked, "--netbox-token-file", str(file)]) == 0
