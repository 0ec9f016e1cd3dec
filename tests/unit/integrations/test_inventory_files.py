"""Inventories of Ansible and Nornir as expectations; nothing is resolved, run or unsealed."""

from pathlib import Path

import pytest

from pdsno.domain.errors import InputError
from pdsno.integrations.inventory_files import (
    from_ansible_inventory,
    from_nornir_inventory,
    looks_like_nornir,
)
from pdsno.integrations.platform_names import ANSIBLE_NETWORK_OS, own_platform


@pytest.mark.parametrize(
    ("name", "ours"),
    [("cisco.ios.ios", "cisco_ios"), ("IOS-XE", "cisco_ios"), ("Cisco IOS", "cisco_ios"),
     ("nxos", "cisco_nxos"), ("cisco-ios-xr", "cisco_xr"), ("junos", "juniper_junos"),
     ("arista_eos", "arista_eos"), ("community.routeros.routeros", "mikrotik_routeros"),
     ("linux", "linux"), ("Solaris 2.6", None), ("", None), (None, None)],
)  # fmt: skip
def test_platforms_of_others_are_ours_or_not_compared(name: str | None, ours: str | None) -> None:
    assert own_platform(name) == ours


def test_what_is_exported_to_ansible_comes_back_as_it_was() -> None:
    assert {own_platform(name): name for name in ANSIBLE_NETWORK_OS.values()} == ANSIBLE_NETWORK_OS


def test_variables_of_groups_and_files_count_and_sealed_ones_stay_sealed(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "group_vars" / "core.yml").write_text("ansible_network_os: arista.eos.eos\n")
    (tmp_path / "group_vars" / "all.yml").write_text(
        "ansible_password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n"
    )
    (tmp_path / "host_vars" / "r1.yml").write_text("pdsno_serial: 12345\npdsno_region: zone-A\n")
    (tmp_path / "hosts").write_text(
        "[core]\nr1 ansible_host=10.0.0.1\nr2 ansible_host=r2.mgmt.example\n"
        'r3 ansible_host="{{ lookup(1) }}"\n10.0.0.9\n'
    )
    found = from_ansible_inventory(tmp_path)
    told = {one.name: one for one in found.devices}
    assert (told["r1"].management_ip, told["r1"].serial, told["r1"].region) == (
        "10.0.0.1", "12345", "zone-A",
    )  # fmt: skip
    assert (told["r2"].management_ip, told["r2"].aliases) == (None, ("r2.mgmt.example",))
    assert (told["r3"].management_ip, told["r3"].aliases) == (None, ())
    assert told["10.0.0.9"].management_ip == "10.0.0.9"
    assert {one.platform for one in told.values()} == {"arista_eos"}
    assert not any(one.is_host for one in told.values())
    assert found.notes == ("1 values that ansible-vault sealed were left sealed",)


def test_nornirs_groups_are_inherited_depth_first(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(
        "a: {hostname: 10.0.0.1, groups: [leaf]}\n"
        "b: {hostname: 10.0.0.2, groups: [leaf], platform: linux}\n"
        "c: {hostname: c.example, data: {region: zone-B, serial: S1}}\n"
        "d:\n"
    )
    (tmp_path / "groups.yaml").write_text(
        "leaf: {groups: [all-leaves]}\nall-leaves: {platform: junos, groups: [leaf]}\n"
    )
    (tmp_path / "defaults.yaml").write_text("platform: nxos\n")
    found = from_nornir_inventory(tmp_path / "hosts.yaml")
    assert [(one.name, one.platform, one.is_host) for one in found.devices] == [
        ("a", "juniper_junos", False), ("b", "linux", True), ("c", "cisco_nxos", False),
        ("d", "cisco_nxos", False),
    ]  # fmt: skip
    c = found.devices[2]
    assert (c.region, c.serial, c.aliases) == ("zone-B", "S1", ("c.example",))


@pytest.mark.parametrize(
    ("document", "is_nornir"),
    [
        ({"r1": {"hostname": "x"}, "r2": None}, True),
        ({"all": {"hosts": {}}}, False),
        ({"r1": None}, False),
        ({"r1": {"hostname": "x"}, "g": {"hosts": {}}}, False),
        ({"r1": [1]}, False),
    ],
)
def test_nornirs_hosts_are_told_from_ansibles_groups(
    document: dict[str, object], is_nornir: bool
) -> None:
    assert looks_like_nornir(document) is is_nornir


@pytest.mark.parametrize("text", ["[1, 2]", "a: [hunter2", "a: 7", "a: {groups: x}\nb: [", ""])
def test_a_bad_hosts_file_names_itself_and_no_secret(tmp_path: Path, text: str) -> None:
    file = tmp_path / "hosts.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        from_nornir_inventory(file)
    assert str(file) in str(error.value)
    assert "hunter2" not in str(error.value)
