from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pdsno.domain.errors import InputError
from pdsno.southbound.credentials import (
    Credentials,
    SnmpV2cCredential,
    SnmpV3Credential,
    SshCredential,
    load_credentials,
    parse_credentials,
)

V3 = {
    "name": "v3",
    "version": 3,
    "user": "pdsno",
    "auth_protocol": "SHA256",
    "auth_password": "authpass12",
    "priv_protocol": "AES",
    "priv_password": "privpass12",
}


def written(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "credentials.yml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_is_read_in_its_order(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        snmp:
          - {name: ro, version: 2c, community: s3cret}
          - {name: v3, version: 3, user: pdsno, auth_protocol: SHA, auth_password: authpass12}
        ssh:
          - {name: ops, username: ops, password: s3cret, port: 2222}
          - {name: key, username: ops, key_file: /etc/key}
        """,
    )
    found = load_credentials(path)
    assert found == Credentials(
        snmp=(
            SnmpV2cCredential(name="ro", community="s3cret"),
            SnmpV3Credential(
                name="v3", user="pdsno", auth_protocol="SHA", auth_password="authpass12"
            ),
        ),
        ssh=(
            SshCredential(name="ops", username="ops", password="s3cret", port=2222),
            SshCredential(name="key", username="ops", key_file="/etc/key"),
        ),
    )


def test_an_empty_file_holds_no_credentials(tmp_path: Path) -> None:
    assert not load_credentials(written(tmp_path, "# none yet\n"))


@pytest.mark.attack(63)
def test_no_secret_shows_in_a_repr() -> None:
    found = parse_credentials(
        {
            "snmp": [{"name": "ro", "version": "2c", "community": "s3cret"}, V3],
            "ssh": [{"name": "ops", "username": "ops", "password": "s3cret"}],
        }
    )
    shown = repr(found)
    assert "ops" in shown
    for secret in ("s3cret", "authpass12", "privpass12"):
        assert secret not in shown


def test_a_file_that_everybody_may_read_is_warned_about(tmp_path: Path) -> None:
    with capture_logs() as logs:
        load_credentials(written(tmp_path, "ssh: []", mode=0o644))
    assert [entry["event"] for entry in logs] == ["credentials_world_readable"]
    with capture_logs() as logs:
        load_credentials(written(tmp_path, "ssh: []", mode=0o600))
    assert logs == []


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (["snmp"], "expected a mapping with the lists"),
        ({"snmpv2": []}, "unknown key 'snmpv2'"),
        ({"snmp": {"community": "x"}}, "snmp: expected a list"),
        ({"snmp": ["public"]}, "snmp, entry 1: expected a mapping"),
        ({"snmp": [{"name": "a", "community": "x"}]}, "'version' must be 2c or 3"),
        ({"snmp": [{"name": "a", "version": "2c"}]}, "'community' is missing"),
        (
            {"snmp": [{"name": "a", "version": "2c", "community": "x", "comm": "y"}]},
            "unknown field 'comm'",
        ),
        ({"snmp": [{"name": "a", "version": "2c", "community": 123}]}, "must be text"),
        ({"snmp": [V3 | {"auth_protocol": "SHA1"}]}, "'auth_protocol' must be one of"),
        ({"snmp": [V3 | {"auth_password": "short"}]}, "at least 8 characters"),
        (
            {"snmp": [{k: v for k, v in V3.items() if not k.startswith("auth")}]},
            "'priv_protocol' needs 'auth_protocol'",
        ),
        (
            {"snmp": [{k: v for k, v in V3.items() if k != "priv_password"}]},
            "belong together",
        ),
        ({"ssh": [{"name": "a", "username": "ops"}]}, "either 'password' or 'key_file'"),
        (
            {"ssh": [{"name": "a", "username": "ops", "password": "x", "port": 70000}]},
            "'port' must be a number",
        ),
        (
            {
                "snmp": [{"name": "a", "version": "2c", "community": "x"}],
                "ssh": [{"name": "a", "username": "ops", "password": "x"}],
            },
            "'a' is used twice",
        ),
    ],
)
def test_a_wrong_entry_is_named_in_one_line(document: object, complaint: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_credentials(document)
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.attack(61)
@pytest.mark.parametrize("text", ["snmp: [", "a: b: c", "\tx"])
def test_what_is_no_yaml_is_refused_without_quoting_it(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, f"password: s3cret\n{text}")
    with pytest.raises(InputError) as refused:
        load_credentials(path)
    assert str(path) in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yml: cannot read the credentials file"):
        load_credentials(tmp_path / "nowhere.yml")


@pytest.mark.attack(61)
def test_a_repeated_key_is_refused_without_quoting_the_file(tmp_path: Path) -> None:
    path = tmp_path / "credentials.yml"
    path.write_text("ssh:\n  - {name: a, username: u, password: one, password: two}\n")
    path.chmod(0o600)
    with pytest.raises(InputError, match="line 2") as error:
        load_credentials(path)
    assert "one" not in str(error.value)
    assert "two" not in str(error.value)
