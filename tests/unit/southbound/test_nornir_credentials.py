"""Credentials and platforms out of what containerlab writes beside a lab, and Nornir's files."""

import os
from pathlib import Path

import pytest

from pdsno.domain.errors import InputError
from pdsno.integrations.clab_format import _KINDS
from pdsno.southbound.clab_kinds import PLATFORM_OF_KIND
from pdsno.southbound.credentials import Credentials, load_credentials

# As containerlab writes them: a lab of cEOS, cRPD, FRR and SR Linux.
CLAB_ANSIBLE = """\
all:
  vars:
    # The generated inventory is assumed to be used from the clab host.
    # Hence no http proxy should be used. Therefore we make sure the http
    # module does not attempt using any global http proxy.
    ansible_httpapi_use_proxy: false
  children:
    arista_ceos:
      vars:
        # ansible_connection: set ansible_connection variable if required
        ansible_user: admin
        ansible_password: admin
      hosts:
        clab-mixed-leaf1:
          ansible_host: 172.20.20.11
        clab-mixed-leaf2:
          ansible_host: 172.20.20.12
          ansible_user: ops
          ansible_password: other
    juniper_crpd:
      vars:
        # ansible_connection: set ansible_connection variable if required
        ansible_user: root
        ansible_password: clab123
      hosts:
        clab-mixed-edge:
          ansible_host: 172.20.20.20
    linux:
      hosts:
        clab-mixed-frr:
          ansible_host: 172.20.20.30
    nokia_srlinux:
      vars:
        ansible_network_os: nokia.srlinux.srlinux
        # default connection type for nodes of this kind
        # feel free to override this in your inventory
        ansible_connection: ansible.netcommon.httpapi
        ansible_user: admin
        ansible_password: NokiaSrl1!
      hosts:
        clab-mixed-srl:
          ansible_host: 172.20.20.40
    spine:
      hosts:
        clab-mixed-edge:
          ansible_host: 172.20.20.20
"""
CLAB_NORNIR = """\
---
leaf1:
    username: admin
    password: admin
    platform: {leaf}
    hostname: 172.20.20.11
    groups:
      - leaves
leaf2:
    username: ops
    password: other
    platform: {leaf}
    hostname: 172.20.20.12
edge:
    username: root
    password: clab123
    platform: juniper_crpd
    hostname: 172.20.20.20
frr:
    username:{space}
    password:{space}
    platform: linux
    hostname: 172.20.20.30
srl:
    username: admin
    password: NokiaSrl1!
    platform: nokia_srlinux
    hostname: 172.20.20.40
"""
LOGINS = {
    ("admin", "admin", ("172.20.20.11/32",)),
    ("ops", "other", ("172.20.20.12/32",)),
    ("root", "clab123", ("172.20.20.20/32",)),
    ("admin", "NokiaSrl1!", ("172.20.20.40/32",)),
}
PLATFORMS = {
    "172.20.20.11": "arista_eos", "172.20.20.12": "arista_eos", "172.20.20.20": "juniper_junos",
}  # fmt: skip


def loaded(folder: Path, **inventories: str) -> Credentials:
    """Return what a credentials file tells that names these inventories and nothing else."""
    file = folder / "credentials.yml"
    file.write_text(
        "".join(f"{kind}: {{inventory: {path}}}\n" for kind, path in inventories.items())
    )
    file.chmod(0o600)
    return load_credentials(file)


def told(found: Credentials) -> set[tuple[str, str | None, tuple[str, ...]]]:
    return {(one.username, one.password, one.scope.subnets) for one in found.ssh}


def nornir_file(folder: Path, leaf: str = "arista_ceos") -> str:
    path = folder / "nornir-simple-inventory.yml"
    path.write_text(CLAB_NORNIR.format(leaf=leaf, space=" "))
    return str(path)


def test_containerlab_s_ansible_inventory_gives_logins_and_what_kinds_run(tmp_path: Path) -> None:
    path = tmp_path / "ansible-inventory.yml"
    path.write_text(CLAB_ANSIBLE)
    found = loaded(tmp_path, ansible=str(path))
    assert told(found) == LOGINS
    assert found.platforms == PLATFORMS
    assert "ansible root at clab-mixed-edge" in found.names


@pytest.mark.parametrize("leaf", ["arista_ceos", "eos", "arista_eos"])
def test_containerlab_s_nornir_inventory_gives_the_same_by_each_of_its_platform_names(
    tmp_path: Path, leaf: str
) -> None:
    found = loaded(tmp_path, nornir=nornir_file(tmp_path, leaf))
    assert told(found) == LOGINS
    assert found.platforms == {**PLATFORMS, "172.20.20.30": "linux"}
    assert "nornir root at edge" in found.names


def test_kinds_are_read_as_they_are_written() -> None:
    written = {kind: platform for platform, kind in _KINDS.items() if platform != "nokia_srl"}
    assert PLATFORM_OF_KIND.items() >= written.items()


def test_both_together_do_not_clash(tmp_path: Path) -> None:
    path = tmp_path / "ansible-inventory.yml"
    path.write_text(CLAB_ANSIBLE)
    found = loaded(tmp_path, nornir=nornir_file(tmp_path), ansible=str(path))
    assert told(found) == LOGINS
    assert [one.name.split()[0] for one in found.ssh] == ["ansible"] * 4 + ["nornir"] * 4
    assert found.platforms.items() >= PLATFORMS.items()


def test_a_login_goes_to_its_own_host_alone(tmp_path: Path) -> None:
    found = loaded(tmp_path, nornir=nornir_file(tmp_path))
    reach = [one.username for one in found.ssh if one.scope.covers("172.20.20.20", "default")]
    assert reach == ["root"]
    assert not [one for one in found.ssh if one.scope.covers("172.20.20.99", "default")]


def test_groups_and_defaults_beside_the_hosts_count_in_nornir_s_order(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(
        "a: {hostname: 192.0.2.1, groups: [core, all]}\nb: {hostname: 192.0.2.2, username: own}\n"
    )
    (tmp_path / "groups.yaml").write_text(
        "core: {username: core, groups: [top]}\ntop: {platform: cisco_xr, port: 2222}\n"
        "all: {platform: cisco_ios}\n"
    )
    (tmp_path / "defaults.yaml").write_text("{username: nobody, password: shared}\n")
    found = loaded(tmp_path, nornir=str(tmp_path / "hosts.yaml"))
    assert [(one.username, one.password, one.port) for one in found.ssh] == [
        ("core", "shared", 2222), ("own", "shared", 22),
    ]  # fmt: skip
    assert found.platforms == {"192.0.2.1": "cisco_xr"}


def test_what_was_refused_may_be_tried_again_after_the_inventory_changed(tmp_path: Path) -> None:
    path = nornir_file(tmp_path)
    before = loaded(tmp_path, nornir=path).changed_at
    assert before is not None
    later = before + 1000
    os.utime(path, (later, later))
    assert loaded(tmp_path, nornir=path).changed_at == pytest.approx(later)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [s3cret", "hosts.yaml, line 2: not YAML"),
        ("a: s3cret", "expected a mapping"),
        ("- s3cret", "expected a mapping"),
        ("a: !python/object:s3cret {}", "hosts.yaml, line 1: not YAML, or with a tag"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_not_quoted(
    tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "hosts.yaml").write_text(f"{text}\n")
    with pytest.raises(InputError) as caught:
        loaded(tmp_path, nornir=str(tmp_path / "hosts.yaml"))
    assert complaint in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nornir: hosts.yaml", "nornir: expected a mapping with 'inventory'"),
        ("nornir: {}", "nornir: 'inventory' is missing"),
        ("nornir: {inventory: a, vault_password_file: b}", "only 'inventory' is known"),
        ("nornir: {inventory: /none/hosts.yaml}", "/none/hosts.yaml: cannot be read: No such file"),
    ],
)
def test_a_wrong_entry_says_what_is_wrong(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "credentials.yml"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(InputError, match=complaint):
        load_credentials(file)
