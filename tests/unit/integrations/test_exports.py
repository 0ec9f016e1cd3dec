"""Exports: taken by the real tools, the same each time, and no name in them does anything."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pdsno.domain.entities import Device, LinkStatus
from pdsno.integrations import export_csv
from pdsno.integrations.export_ansible import ansible_host, ansible_list, ansible_yaml
from pdsno.integrations.export_netbox import netbox_requests
from pdsno.integrations.export_nornir import nornir_files, nornir_hosts
from pdsno.southbound.ansible_inventory import read_inventory
from tests.unit.api.serving import device
from tests.unit.integrations.ansible_runs import STRICT, run
from tests.unit.integrations.hostile import NAMES, TEMPLATE, cabled, hostile, strange_endpoint
from tests.unit.integrations.netbox_schemas import VERSIONS, writing

HEAD = "Made by a test."
DEVICES = hostile()


def ansible(folder: Path, *args: str) -> dict[str, Any]:
    """Return what the real `ansible-inventory` makes of an inventory."""
    done = run(folder, "ansible-inventory", *args, env=STRICT)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def hosts_of(found: dict[str, Any]) -> dict[str, Any]:
    hosts: dict[str, Any] = found["_meta"]["hostvars"]
    return hosts


def test_ansible_takes_the_file_and_runs_nothing_of_it(tmp_path: Path) -> None:
    file = tmp_path / "pdsno.yml"
    file.write_text(ansible_yaml(DEVICES, head=HEAD))
    found = ansible(tmp_path, "-i", str(file), "--list")
    hosts = hosts_of(found)
    assert len(hosts) == len(DEVICES)
    by_id = {one["pdsno_device_id"]: one for one in hosts.values()}
    for one in DEVICES:
        told = by_id[one.device_id]
        assert text_of(told.get("pdsno_name")) == one.name
        assert text_of(told.get("pdsno_os_version")) == one.os_version
        assert told.get("ansible_host") == one.management_ip
    assert {name for name in found if name.startswith("region_")} == {
        "region_zone_a_2", "region_zone_a_3",
    }  # fmt: skip
    assert found["platform_cisco_ios"]["hosts"]
    assert not Path("/tmp/pdsno-owned").exists()  # noqa: S108 - the attack's own file


def text_of(value: Any) -> Any:  # noqa: ANN401 - a text, or a marked one
    return value["__ansible_unsafe"] if isinstance(value, dict) else value


def test_a_script_that_prints_the_list_is_a_dynamic_inventory(tmp_path: Path) -> None:
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps(ansible_list(DEVICES)))
    script = tmp_path / "pdsno.sh"
    script.write_text(f"#!/bin/sh\nexec cat {listed}\n")
    script.chmod(0o755)
    hosts = hosts_of(ansible(tmp_path, "-i", str(script), "--list"))
    assert len(hosts) == len(DEVICES)
    versions = {text_of(one.get("pdsno_os_version")) for one in hosts.values()}
    assert versions == {TEMPLATE, None}
    assert not Path("/tmp/pdsno-owned").exists()  # noqa: S108 - the attack's own file


def test_what_is_a_template_is_marked_in_both_forms() -> None:
    text = ansible_yaml([device(1, name="a", os_version=TEMPLATE)], head=HEAD)
    assert f'pdsno_os_version: !unsafe "{TEMPLATE}"' in text
    assert "!unsafe" not in ansible_yaml([device(1, name="a", os_version="17.3 {x}")], head=HEAD)
    one = ansible_host([device(1, name="a", os_version=TEMPLATE)], "a")
    assert one["pdsno_os_version"] == {"__ansible_unsafe": TEMPLATE}
    assert ansible_host([device(1, name="a")], "b") == {}


def test_our_own_reader_takes_the_file_too(tmp_path: Path) -> None:
    file = tmp_path / "pdsno.yml"
    file.write_text(ansible_yaml(DEVICES, head=HEAD))
    found = read_inventory(file, lambda text: text)
    assert len(found.hosts) == len(DEVICES)
    assert {one.get("pdsno_name") for one in found.hosts.values()} >= {*NAMES} - {""}


def test_host_names_stay_as_they_are_where_they_can() -> None:
    plain = [device(1, name="sw1.example.net"), device(2, name="b-r2"), device(3)]
    assert list(ansible_list(plain)["_meta"]["hostvars"]) == ["b-r2", "dev_0003", "sw1.example.net"]
    alike = [
        device(1, name="sw", region="A"),
        device(2, name="sw", region="B"),
        device(3, name="sw", region="B"),
        device(4, name="sw-A"),
    ]
    assert list(ansible_list(alike)["_meta"]["hostvars"]) == [
        "sw-A-dev_0004", "sw-dev_0001", "sw-dev_0002", "sw-dev_0003",
    ]  # fmt: skip
    assert list(ansible_list(alike[:2])["_meta"]["hostvars"]) == ["sw-A", "sw-B"]


def test_nornir_takes_the_files(tmp_path: Path) -> None:
    from nornir.core.inventory import Inventory  # noqa: PLC0415 - slow, and for this test only
    from nornir.plugins.inventory import SimpleInventory  # noqa: PLC0415 - as above

    for name, text in nornir_files(DEVICES, head=HEAD).items():
        (tmp_path / name).write_text(text)
    loaded: Inventory = SimpleInventory(
        host_file=str(tmp_path / "hosts.yaml"),
        group_file=str(tmp_path / "groups.yaml"),
        defaults_file=str(tmp_path / "defaults.yaml"),
    ).load()
    assert len(loaded.hosts) == len(DEVICES)
    one = next(host for host in loaded.hosts.values() if host.data["device_id"] == "dev_0001")
    assert (one.hostname, one.platform, one.username, one.password) == (
        "10.0.0.1", "cisco_ios", None, None,
    )  # fmt: skip
    assert {group.name for group in one.groups} == {
        "region_zone_a_2", "type_router", "platform_cisco_ios", "status_active",
    }  # fmt: skip
    names = {host.data.get("name") for host in loaded.hosts.values()}
    assert names >= {*NAMES} - {""}
    alone = yaml.safe_load(nornir_hosts(DEVICES, head=HEAD))
    assert alone.keys() == set(loaded.hosts)
    assert not any("groups" in host for host in alone.values())


def test_no_cell_of_the_csv_is_a_formula() -> None:
    tables = {
        "devices": export_csv.devices_csv(DEVICES),
        "interfaces": export_csv.interfaces_csv(DEVICES),
        "links": export_csv.links_csv([cabled("dev_0001", "dev_0002", "=HYPERLINK(1)")]),
        "endpoints": export_csv.endpoints_csv([strange_endpoint()]),
    }
    for name, text in tables.items():
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert rows, name
        cells = [value for row in rows for value in row.values()]
        assert not [one for one in cells if one.lstrip()[:1] in tuple("=+-@")], name
    devices = list(csv.DictReader(io.StringIO(tables["devices"], newline="")))
    assert len(devices) == len(DEVICES)
    assert {row["name"] for row in devices} >= {"'=cmd|'/c calc'!A0", "'@sum", "x\n---\ny: 1"}


@pytest.mark.parametrize(
    ("value", "written"),
    [("=1+1", "'=1+1"), (" =1", "' =1"), ("\uff1d1", "'\uff1d1"), ("\t=1", "'\t=1"), ("-70", "-70"),
     ("-1+2", "'-1+2"), (-3.5, "-3.5"), (None, ""), (["a", "b"], "a b"), ("a\x00b", "ab"),
     ("plain", "plain")],
)  # fmt: skip
def test_a_cell_is_escaped_only_where_it_must(value: object, written: str) -> None:
    assert export_csv.cell(value) == written


# --- NetBox ----------------------------------------------------------------------------------


def filled(value: Any, ids: dict[str, int]) -> Any:  # noqa: ANN401 - any JSON
    """Put in IDs as whoever carries the requests out does; an ID that is not known yet fails."""
    if isinstance(value, dict):
        if value.keys() == {"$id"}:
            return ids[value["$id"]]
        return {key: filled(one, ids) for key, one in value.items()}
    return [filled(one, ids) for one in value] if isinstance(value, list) else value


LINKS = [
    cabled("dev_0001", "dev_0002"),
    cabled("dev_0001", "dev_0003"),
    cabled("dev_0004", "dev_0005", "Loopback0"),
    cabled("dev_0006", "dev_0007", status=LinkStatus.CONFLICT),
    cabled("dev_0008", "dev_0009", "Gi0/1"),
    cabled("dev_0010", "nobody"),
]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_request_is_what_netbox_publishes_and_in_order(version: str) -> None:
    ids: dict[str, int] = {}
    bodies: dict[tuple[str, int], dict[str, Any]] = {}
    for one in netbox_requests(DEVICES, LINKS).requests:
        body = filled(one.body, ids)
        if one.method == "PATCH":
            assert one.id is not None
            key = (one.resource, filled(one.id, ids))
            body = bodies[key] | body
            bodies[key] = body
        else:
            assert one.ref not in ids
            ids[one.ref] = len(ids) + 1
            bodies[one.resource, ids[one.ref]] = body
            assert filled(dict(one.find), ids)
        writing(version, one.resource).validate(body)
    kinds = [key[0] for key in bodies]
    assert kinds.count("dcim/devices") == len(DEVICES)
    assert kinds.count("dcim/cables") == 2


def test_what_cannot_be_said_to_netbox_is_told() -> None:
    found = netbox_requests(DEVICES, LINKS)
    assert found.notes == (
        "1 links are left out: a port of theirs is cabled already",
        "2 links are left out: an end is no port that can be cabled",
        "1 links are left out: their ends contradict each other",
    )
    lost = netbox_requests([device(1, name="ap", management_ip="10.0.0.1")], [])
    assert lost.requests[-1].body["address"] == "10.0.0.1/32"
    assert lost.requests[-1].body["description"].startswith("ap, PDSNO")
    assert lost.notes == ("1 addresses are assigned to no interface: none was told that has them",)


def bodies(devices: list[Device], resource: str, **options: bool) -> list[dict[str, Any]]:
    found = netbox_requests(devices, [], **options).requests
    return [one.body for one in found if one.resource == resource and one.method == "POST"]


def test_before_4_2_a_mac_is_a_field_of_its_interface() -> None:
    one = [DEVICES[0]]
    assert bodies(one, "dcim/mac-addresses", has_mac_objects=False) == []
    old = bodies(one, "dcim/interfaces", has_mac_objects=False)
    assert old[0]["mac_address"] == "00:50:56:00:00:01"
    assert bodies(one, "dcim/mac-addresses")[0]["mac_address"] == "00:50:56:00:00:01"
    assert "mac_address" not in bodies(one, "dcim/interfaces")[0]


def test_equal_addresses_of_two_regions_do_not_clash() -> None:
    addresses = bodies(DEVICES[:2], "ipam/ip-addresses")
    vrfs = {one["address"]: one.get("vrf") for one in addresses}
    assert vrfs["10.0.0.1/24"] is None
    assert {str(one["vrf"]) for one in addresses if one["address"] == "192.168.0.1/24"} == {
        "{'$id': 'vrf:zone-A'}", "{'$id': 'vrf:zone_A'}",
    }  # fmt: skip
    shared = bodies([DEVICES[0], replace(DEVICES[2], region="zone-A")], "ipam/ip-addresses")
    assert {one.get("role") for one in shared if one["address"] == "192.168.0.1/24"} == {"vip"}
    assert not [one for one in addresses if one["address"].startswith(("fe80", "127."))]


# --- all of them -----------------------------------------------------------------------------


def test_exports_are_the_same_whatever_the_order() -> None:
    def all_of(devices: list[Device]) -> list[object]:
        return [
            ansible_yaml(devices, head=HEAD),
            ansible_list(devices),
            nornir_files(devices, head=HEAD),
            export_csv.devices_csv(devices),
            export_csv.interfaces_csv(devices),
            netbox_requests(devices, LINKS),
        ]

    assert all_of(DEVICES) == all_of(DEVICES[::-1])


def test_no_key_that_could_hold_a_secret_is_exported() -> None:
    text = ansible_yaml(DEVICES, head=HEAD) + str(nornir_files(DEVICES, head=HEAD))
    for word in ("password", "username", "ansible_user", "community", "host_key", "engine_id"):
        assert word not in text
