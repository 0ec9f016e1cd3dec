"""Credentials out of an Ansible inventory and its vault: what Ansible itself would say."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pdsno.domain.errors import InputError
from pdsno.southbound.ansible_vault import PASSWORD_VARIABLE, decrypted
from pdsno.southbound.credentials import Credentials, SnmpV2cCredential, load_credentials

# Sealed by ansible-vault of ansible-core 2.16 with the password "vault password".
SEALED = (
    "$ANSIBLE_VAULT;1.1;AES256\n"
    "62353861313465356263656665316433643630323336643537353537633238663162356439366136\n"
    "3765653630616264323563646362376435363036373931330a363433396438613333396263626437\n"
    "63353065366230636464623435393739326330353838623338366437616339363936303661303432\n"
    "3564643561333932320a366239366566613165366335363663353865636434373435383138626433\n"
    "3333\n"
)
LABELLED = (
    "$ANSIBLE_VAULT;1.2;AES256;net\n"
    "33396635326136396633396238623665316536623261343332616338393666353834326364663737\n"
    "6438346135613434383430386133636339666638643238340a393033356538376362663431643765\n"
    "65383065396135343131333932366439346230306637643764663137626134383336336666323038\n"
    "6362356562333664370a666230616662373039313734636465636636333162616465616566626334\n"
    "6430\n"
)
PASSWORD = "vault password"
TEMPLATE = "ansible_user=a ansible_password={{s3cret|b}}"
YAML = """
all:
  vars: {ansible_user: pdsno, ansible_port: 22}
  children:
    network:
      vars: {ansible_password: from-the-inventory}
      children:
        core:
          hosts: {"core[1:2]": {}}
        access:
          hosts:
            acc1: {ansible_host: 192.0.2.21, ansible_user: other}
            acc2: {ansible_host: 192.0.2.22}
            acc3: {ansible_host: 192.0.2.23}
    servers:
      hosts:
        srv1: {ansible_host: 192.0.2.30, ansible_ssh_private_key_file: /k, ansible_port: 2222}
"""
INI = """
[edge]
edge1 ansible_host=192.0.2.41 ansible_network_os=cisco.iosxr.iosxr ansible_password='a b#c'
edge2 ansible_host=192.0.2.42  # the old one
[edge:vars]
ansible_network_os=junipernetworks.junos.junos
ansible_password=edge
[network:children]
edge
"""


@pytest.fixture(autouse=True)
def no_password_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An inventory of two files, with variables in files, some of them sealed."""
    inventory = tmp_path / "inventory"
    put(inventory / "hosts.yml", YAML)
    put(inventory / "more.ini", INI)
    plain = "ansible_network_os: cisco.ios.ios\nansible_password: '{{ core_password }}'\n"
    put(inventory / "group_vars/core/main.yml", plain)
    sealed = "".join(f"  {line}\n" for line in SEALED.splitlines())
    put(inventory / "group_vars/core/vault.yml", f"core_password: !vault |\n{sealed}")
    put(inventory / "host_vars/core1.yml", "ansible_host: 192.0.2.11\n")
    put(inventory / "host_vars/core2.yml", "ansible_host: 192.0.2.12\nansible_password: own\n")
    put(tmp_path / "vault-password", f"{PASSWORD}\n")
    source = f"{{inventory: {inventory}, vault_password_file: {tmp_path}/vault-password}}"
    first = "{name: first, username: x, password: y}"
    put(tmp_path / "credentials.yml", f"ssh: [{first}]\nansible: {source}\n")
    return tmp_path


def load(site: Path) -> Credentials:
    return load_credentials(site / "credentials.yml")


def test_sealed_texts_of_both_formats_are_opened() -> None:
    assert decrypted(SEALED, PASSWORD.encode()) == "opened"
    assert decrypted(LABELLED, PASSWORD.encode()) == "opened twice"


@pytest.mark.parametrize(
    ("text", "password", "complaint"),
    [
        (SEALED, "wrong", "with another password"),
        (SEALED.replace("AES256", "AES"), PASSWORD, "not known"),
        (SEALED.replace("1.1", "1.0"), PASSWORD, "not known"),
        (SEALED[:-4], PASSWORD, "damaged"),
        (SEALED[:30], PASSWORD, "damaged"),
        ("$ANSIBLE_VAULT;1.1;AES256\nxyz", PASSWORD, "damaged"),
    ],
)
def test_what_cannot_be_opened_is_told_apart(text: str, password: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        decrypted(text, password.encode())


def test_each_host_has_the_login_that_ansible_would_use(site: Path) -> None:
    found = load(site).ssh
    assert [(c.name, c.username, c.password, c.key_file, c.port) for c in found] == [
        ("first", "x", "y", None, 22),
        ("ansible pdsno at core1", "pdsno", "opened", None, 22),
        ("ansible pdsno at core2", "pdsno", "own", None, 22),
        ("ansible other at acc1", "other", "from-the-inventory", None, 22),
        ("ansible pdsno at acc2", "pdsno", "from-the-inventory", None, 22),
        ("ansible pdsno at srv1", "pdsno", None, "/k", 2222),
        ("ansible pdsno at edge1", "pdsno", "a b#c", None, 22),
        ("ansible pdsno at edge2", "pdsno", "edge", None, 22),
    ]


def test_a_login_may_be_sent_to_its_hosts_alone(site: Path) -> None:
    by_name = {c.name: c.scope for c in load(site).ssh}
    scope = by_name["ansible pdsno at acc2"]
    assert scope.subnets == ("192.0.2.22/32", "192.0.2.23/32")
    assert scope.covers("192.0.2.23", "any")
    assert not scope.covers("192.0.2.21", "any")


def test_platforms_are_hints_by_address_and_unknown_ones_are_left_out(site: Path) -> None:
    put(site / "inventory/host_vars/acc1.yml", "ansible_network_os: acme.nos.nos\n")
    assert load(site).platforms == {
        "192.0.2.11": "cisco_ios",
        "192.0.2.12": "cisco_ios",
        "192.0.2.41": "cisco_xr",
        "192.0.2.42": "juniper_junos",
    }


def test_a_community_of_the_inventory_is_for_its_hosts_alone(site: Path) -> None:
    put(site / "inventory/group_vars/access.yml", "pdsno_snmp_community: s3cret\n")
    (found,) = load(site).snmp
    assert isinstance(found, SnmpV2cCredential)
    assert (found.name, found.community) == ("ansible community at acc1", "s3cret")
    assert found.scope.subnets == ("192.0.2.21/32", "192.0.2.22/32", "192.0.2.23/32")


def test_the_password_file_may_be_named_by_ansibles_own_variable(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(site / "credentials.yml", f"ansible: {{inventory: {site}/inventory}}\n")
    with pytest.raises(InputError, match="name 'vault_password_file', or set ANSIBLE_VAULT_"):
        load(site)
    monkeypatch.setenv(PASSWORD_VARIABLE, str(site / "vault-password"))
    assert load(site).ssh[0].password == "opened"


def test_a_change_of_any_file_counts_as_a_change_of_the_credentials(site: Path) -> None:
    os.utime(site / "inventory/group_vars/core/main.yml", (4e9, 4e9))
    assert load(site).changed_at == 4e9


def test_a_host_whose_name_does_not_resolve_is_passed_over_with_a_word(site: Path) -> None:
    put(site / "inventory/third.ini", "nowhere.invalid ansible_password=x\n")
    with capture_logs() as logs:
        assert len(load(site).ssh) == 8
    assert [(e["event"], e["host"]) for e in logs] == [
        ("inventory_host_not_resolved", "nowhere.invalid")
    ]


@pytest.mark.attack(63)
@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("x.yml", "all: [1]", "x.yml: expected a mapping"),
        ("x.yml", "plugin: amazon.aws.aws_ec2\n", "plugin, which is never run"),
        ("x.yml", "all: {vars: {p: !secret s3cret}}", "x.yml, line 1: not YAML, or with a tag"),
        ("x.yml", "all: {hosts: {a: {password: 's3cret}}}", "x.yml, line 1: not YAML"),
        ("x.ini", "[g]\nhost s3cret\n", "x.ini, line 2: expected NAME=VALUE"),
        ("x.ini", "host a='s3cret\n", "x.ini, line 1: a quote is not closed"),
        ("x.ini", "host[a:f]\n", "only ranges of numbers"),
        ("x.ini", f"h ansible_host=192.0.2.1 {TEMPLATE}\n", "'ansible_password' is a template"),
    ],
)
def test_a_wrong_inventory_is_named_in_one_line_and_never_quoted(
    name: str, text: str, complaint: str, site: Path
) -> None:
    put(site / "inventory" / name, text)
    with pytest.raises(InputError) as refused:
        load(site)
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.attack(62)
def test_programs_are_never_run(site: Path) -> None:
    mark = site / "ran"
    script = site / "inventory/dynamic"
    put(script, f"#!/bin/sh\ntouch {mark}\necho '{{}}'\n")
    script.chmod(0o700)
    with pytest.raises(InputError, match="a program, which is never run: store what it prints"):
        load(site)
    script.unlink()
    password = site / "vault-password"
    password.write_text(f"#!/bin/sh\ntouch {mark}\n")
    password.chmod(0o700)
    with pytest.raises(InputError, match="programs are never run"):
        load(site)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("[x]", "ansible: expected a mapping with 'inventory'"),
        ("{}", "'inventory' is missing"),
        ("{inventory: /nowhere}", "/nowhere: cannot read the inventory: No such file"),
        ("{inventory: /x, vault: y}", "unknown field 'vault'"),
    ],
)
def test_a_source_that_is_wrong_is_named(source: str, complaint: str, tmp_path: Path) -> None:
    put(tmp_path / "credentials.yml", f"ansible: {source}\n")
    with pytest.raises(InputError, match=complaint):
        load(tmp_path)


def test_secrets_may_stand_in_the_environment_or_in_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "secret", "from-a-file\n")
    monkeypatch.setenv("PDSNO_TEST_COMMUNITY", "from-the-environment")
    entry = f"{{name: b, username: u, password: {{file: {tmp_path}/secret}}, enable_password: e}}"
    snmp = "{name: a, version: 2c, community: {env: PDSNO_TEST_COMMUNITY}}"
    put(tmp_path / "credentials.yml", f"snmp: [{snmp}]\nssh: [{entry}]\n")
    found = load(tmp_path)
    assert (found.snmp[0].community, found.ssh[0].password) == (  # type: ignore[union-attr]
        "from-the-environment",
        "from-a-file",
    )
    shown = repr(found)
    assert "from-" not in shown
    assert "'e'" not in shown
    monkeypatch.delenv("PDSNO_TEST_COMMUNITY")
    with pytest.raises(InputError, match="'community': the environment has no PDSNO_TEST_COMM"):
        load(tmp_path)
    (tmp_path / "secret").unlink()
    monkeypatch.setenv("PDSNO_TEST_COMMUNITY", "x")
    with pytest.raises(InputError, match="secret: No such file or directory"):
        load(tmp_path)
