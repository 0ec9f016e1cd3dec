"""Nornir over Ansible's inventory: by the real `ansible-inventory`, through Nornir's own start."""

from pathlib import Path
from typing import Any

import pytest
from netmiko.ssh_dispatcher import CLASS_MAPPER
from nornir import InitNornir
from nornir.core import Nornir

from pdsno.domain.errors import InputError, OperationError, TransientError
from pdsno.integrations.nornir_ansible import PDSNOAnsibleInventory
from pdsno.integrations.platform_names import NETMIKO_TYPES, netmiko_name
from tests.unit.integrations.ansible_runs import run

pytestmark = pytest.mark.integration

HOSTS = """
all:
  vars: {ansible_user: netops}
  children:
    core:
      hosts:
        r1: {ansible_host: 192.0.2.1, ansible_network_os: cisco.ios.ios, snmp: {port: 1161}}
        r2: {ansible_host: 192.0.2.2, ansible_port: 2222, ansible_user: own, pdsno_platform: frr}
    site:
      children: {core: , hosts: }
    hosts:
      hosts:
        gc1.example.net:
          {ansible_ssh_private_key_file: /k, description: "{{ lookup('pipe', 'x') }}"}
"""
SECRETS = "vault_password: 'p4ss: {word} #'\nansible_password: '{{ vault_password }}'\n"
PASSWORD, WRONG = "vault password\n", "another\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an inventory of a folder, with a group's secrets in a file that ansible-vault sealed."""
    folder = tmp_path_factory.mktemp("site")
    secrets = folder / "inventory" / "group_vars" / "core" / "vault.yml"
    secrets.parent.mkdir(parents=True)
    (folder / "inventory" / "hosts.yml").write_text(HOSTS)
    (folder / "inventory" / "more.ini").write_text("[site]\nold ansible_host=192.0.2.9\n")
    (folder / "right").write_text(PASSWORD)
    (folder / "wrong").write_text(WRONG)
    secrets.write_text(SECRETS)
    done = run(folder, "ansible-vault", "encrypt", "--vault-password-file", "right", str(secrets))
    assert done.returncode == 0, done.stderr
    assert "p4ss" not in secrets.read_text()
    return folder


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def nornir(site: Path) -> Nornir:
    """Start Nornir by the plugin's name, as a user's settings do."""
    options = {
        "inventory": str(site / "inventory"), "vault_password_file": str(site / "right"),
    }  # fmt: skip
    return InitNornir(
        inventory={"plugin": "PDSNOAnsibleInventory", "options": options},
        logging={"enabled": False},
    )


def test_connection_variables_become_what_nornir_connects_by(nornir: Nornir) -> None:
    r1, r2 = nornir.inventory.hosts["r1"], nornir.inventory.hosts["r2"]
    assert (r1.hostname, r1.port, r1.username, r1.platform) == (
        "192.0.2.1", None, "netops", "cisco_ios",
    )  # fmt: skip
    assert r1.password == r2.password == "p4ss: {word} #"
    assert (r2.hostname, r2.port, r2.username, r2.platform) == ("192.0.2.2", 2222, "own", "frr")
    asked = r2.get_connection_parameters("netmiko")
    assert (asked.platform, asked.hostname, asked.port) == ("cisco_ios", "192.0.2.2", 2222)
    server = nornir.inventory.hosts["gc1.example.net"]
    assert (server.hostname, server.password) == ("gc1.example.net", None)
    extras = server.get_connection_parameters("netmiko").extras
    assert extras == {"use_keys": True, "key_file": "/k"}


def test_groups_and_groups_of_groups_are_there_to_filter_by(nornir: Nornir) -> None:
    assert nornir.inventory.groups.keys() == {"core", "site", "hosts"}
    inside = nornir.filter(filter_func=lambda host: host.has_parent_group("site"))
    assert inside.inventory.hosts.keys() == {"r1", "r2", "gc1.example.net", "old"}
    core = nornir.filter(filter_func=lambda host: host.has_parent_group("core"))
    assert core.inventory.hosts.keys() == {"r1", "r2"}


def test_what_a_script_sets_as_default_counts_where_the_inventory_says_nothing(
    nornir: Nornir,
) -> None:
    nornir.inventory.defaults.password = "shared"
    hosts = nornir.inventory.hosts
    assert (hosts["old"].password, hosts["r1"].password) == ("shared", "p4ss: {word} #")
    nornir.inventory.defaults.password = None


def test_each_variable_is_in_a_host_s_data_and_none_is_run(nornir: Nornir) -> None:
    assert nornir.inventory.hosts["r1"]["snmp"] == {"port": 1161}
    assert nornir.inventory.hosts["gc1.example.net"]["description"] == "{{ lookup('pipe', 'x') }}"


def load(inventory: Path | str, **options: Any) -> None:  # noqa: ANN401 - of the plugin
    PDSNOAnsibleInventory(inventory=str(inventory), **options).load()


@pytest.mark.parametrize(
    ("password", "said"),
    [("wrong", "no vault secrets were found that could decrypt"), (None, "no vault secrets found")],
)
def test_a_vault_that_does_not_open_is_an_error(
    site: Path, password: str | None, said: str
) -> None:
    options = {"vault_password_file": str(site / password)} if password else {}
    with pytest.raises(InputError, match=said) as caught:
        load(site / "inventory", **options)
    assert str(site / "inventory") in str(caught.value)
    assert "vault_password_file" in str(caught.value)


def inline(folder: Path, password_file: Path) -> Path:
    """Write an inventory in which one value alone is sealed."""
    done = run(
        folder, "ansible-vault", "encrypt_string", "--vault-password-file", str(password_file),
        "s3cret", "--name", "ansible_password",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "group_vars").mkdir()
    (folder / "group_vars" / "all.yml").write_text(done.stdout)
    (folder / "hosts.yml").write_text("all: {hosts: {r1: }}\n")
    return folder / "hosts.yml"


def test_a_value_sealed_inside_a_file_is_opened_or_an_error(site: Path, tmp_path: Path) -> None:
    hosts = inline(tmp_path, site / "right")
    right = str(site / "right")
    found = PDSNOAnsibleInventory(inventory=str(hosts), vault_password_file=right).load()
    assert found.hosts["r1"].password == "s3cret"
    with pytest.raises(InputError) as caught:
        load(hosts)
    assert "host r1: 'ansible_password' is left sealed (!vault)" in str(caught.value)
    with pytest.raises(InputError, match="with another password; or seal its whole file"):
        load(hosts, vault_password_file=str(site / "wrong"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("all: {hosts: {a: {ansible_password: 's3cret}}}\n", "YAML parsing failed"),
        ("all: {hosts: {a: {ansible_password: [s3cret}}\n", "YAML parsing failed"),
        ("all: {hosts: {}}\n", "names no host"),
        ("all: {hosts: {a: {ansible_port: s3cret}}}\n", "ansible_port must be a number"),
        ("all: {hosts: {a: {ansible_password: '{{ s3cret | b }}'}}}\n", "is a template"),
    ],
)
def test_an_inventory_that_is_wrong_is_an_error_that_quotes_no_value(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "hosts.yml").write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        load(tmp_path / "hosts.yml")
    assert "s3cret" not in str(caught.value)


def test_one_source_of_several_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {a: }}\n")
    good, bad = str(tmp_path / "hosts.yml"), str(tmp_path / "none.yml")
    assert PDSNOAnsibleInventory(inventory=[good]).load().hosts.keys() == {"a"}
    with pytest.raises(InputError, match=r"failed to parse inventory source .*none.yml"):
        PDSNOAnsibleInventory(inventory=[good, bad]).load()


def test_without_ansible_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OperationError, match="install ansible-core"):
        load("hosts.yml", program="/none/ansible-inventory")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(OperationError, match="there is no ansible-inventory here"):
        load("hosts.yml")


def test_a_program_that_hangs_or_prints_something_else_is_an_error(tmp_path: Path) -> None:
    program = tmp_path / "ansible-inventory"
    program.write_text("#!/bin/sh\necho nonsense\n")
    program.chmod(0o755)
    with pytest.raises(OperationError, match="is not JSON"):
        load("hosts.yml", program=str(program))
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    waiting = PDSNOAnsibleInventory(inventory="hosts.yml", program=str(program), timeout_s=0.2)
    with pytest.raises(TransientError, match=r"did not read hosts.yml in 0.2 s"):
        waiting.load()


@pytest.mark.parametrize(
    ("network_os", "platform"),
    [("cisco.ios.ios", "cisco_ios"), ("ios", "cisco_ios"), ("arista.eos.eos", "arista_eos"),
     ("cisco.nxos.nxos", "cisco_nxos"), ("cisco.iosxr.iosxr", "cisco_xr"),
     ("junipernetworks.junos.junos", "juniper_junos"), ("vyos.vyos.vyos", "vyos"),
     ("cisco.asa.asa", "cisco_asa"), ("dellemc.os10.os10", "dell_os10"),
     ("nokia.srlinux.srlinux", "nokia_srl"), ("nokia.sros.md", "nokia_sros"),
     ("fortinet.fortios.fortios", "fortinet"), ("community.network.ce", "huawei_vrp")],
)  # fmt: skip
def test_a_network_os_is_called_as_netmiko_calls_it(network_os: str, platform: str) -> None:
    assert netmiko_name(network_os) == platform
    assert platform in CLASS_MAPPER


def test_what_nobody_knows_keeps_its_name_and_nothing_has_none() -> None:
    assert netmiko_name("acme.box.BoxOS") == "BoxOS"
    assert netmiko_name(None) is netmiko_name("") is None
    assert set(NETMIKO_TYPES.values()) <= CLASS_MAPPER.keys()
    assert not NETMIKO_TYPES.keys() & CLASS_MAPPER.keys()
