"""Settings files: what is right is read whole, what is wrong is named in one line."""

from pathlib import Path

import pytest

from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import Role
from pdsno.node.compose import build_controller
from pdsno.settings import load_broker_settings, load_settings

GLOBAL = "role: global\n"
LOCAL = """\
role: local
region: zone-A
parent: {id: regional_cntl_zone-A_1, url: "https://127.0.0.1:8002"}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yml"
    path.write_text(text)
    return path


def test_a_minimal_file_gives_sane_defaults(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, GLOBAL))
    assert settings.role is Role.GLOBAL
    assert settings.port == 8001
    assert settings.listen == "127.0.0.1"
    assert settings.api is not None
    assert settings.api.port == 8080


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    text = LOCAL + "credentials_file: secrets.yml\nstate_dir: /var/lib/x\n"
    settings = load_settings(written(tmp_path, text))
    assert settings.credentials_file == tmp_path / "secrets.yml"
    assert settings.state_dir == Path("/var/lib/x")


def test_a_nib_may_be_elsewhere(tmp_path: Path) -> None:
    url = "postgresql+psycopg://pdsno@db.example/pdsno"
    text = GLOBAL + f"nib: {{url: '{url}', password_file: secrets/db}}\n"
    nib = load_settings(written(tmp_path, text)).nib
    assert nib is not None
    assert (nib.url, nib.password_file) == (url, tmp_path / "secrets" / "db")
    nib = load_settings(written(tmp_path, GLOBAL + "nib: {url: my.db}\n")).nib
    assert nib is not None
    assert nib.url == str(tmp_path / "my.db")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "`role`"),
        ("role: chief\n", "`role`"),
        ("role: local\n", "needs `region`"),
        ("role: local\nregion: zone-A\n", "needs `parent"),
        (LOCAL.replace("zone-A\n", "global\n", 1), "cannot name a region"),
        (GLOBAL + "colour: blue\n", "`colour`"),
        (GLOBAL + "rest_port: 0\n", "`rest_port`"),
        (GLOBAL + "role: local\n", "stands twice"),
        (GLOBAL + "broker: {host: 10.0.0.1}\n", "`id: broker_cntl_global_1`"),
        (GLOBAL + "plain_transport: true\n", "is no setting"),
        (GLOBAL + "api: {certificate: api.pem}\n", "give both files, or neither"),
        (LOCAL.replace("https:", "http:"), "write it as https://192.0.2.1:8001"),
        (GLOBAL + "controller_id: a/b\n", "controller ID"),
        (GLOBAL + "nib: {url: 'postgresql+psycopg://u:p@db/n'}\n", "`password_file`"),
        (GLOBAL + "nib: {url: 'postgresql+psycopg://u@db'}\n", "names no database"),
        (GLOBAL + "nib: {url: 'mysql://u@db/n'}\n", "give a file path"),
        (GLOBAL + "nib: {url: 'memory://'}\n", "cannot be kept in memory"),
        (GLOBAL + "nib: {url: n.db, password_file: p}\n", "leave it out"),
        ("- a\n", "must be a mapping"),
        ("role: [\n", "line 2"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as error:
        load_settings(path)
    assert says in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_settings(tmp_path / "none.yml")


def test_relative_paths_of_the_api_s_certificate_are_relative_to_the_file(tmp_path: Path) -> None:
    text = GLOBAL + "api: {certificate: api.pem, key: /etc/ssl/api.key}\n"
    settings = load_settings(written(tmp_path, text))
    assert settings.api is not None
    assert settings.api.certificate == tmp_path / "api.pem"
    assert settings.api.key == Path("/etc/ssl/api.key")


@pytest.mark.parametrize(
    ("parent", "joining"),
    [
        ('url: "https://192.0.2.1:8001"', "https://192.0.2.1:8011"),
        ('url: "https://[2001:db8::1]:8001"', "https://[2001:db8::1]:8011"),
        ('url: "https://gc.example"', "https://gc.example:453"),
        ('url: "https://192.0.2.1:65530"', "https://192.0.2.1:65520"),
        ('url: "https://a:8001", join_url: "https://b:9001"', "https://b:9001"),
    ],
)
def test_the_parent_admits_ten_ports_further_up_or_where_it_is_said_to(
    tmp_path: Path, parent: str, joining: str
) -> None:
    text = f"role: regional\nregion: zone-A\nparent: {{id: global_cntl_1, {parent}}}\n"
    settings = load_settings(written(tmp_path, text))
    assert settings.parent is not None
    assert settings.parent.joining == joining
    assert settings.joining_port == 8012


def test_a_broker_with_a_certificate_is_spoken_to_over_tls(tmp_path: Path) -> None:
    text = GLOBAL + "broker: {host: 10.0.0.1, id: broker_cntl_global_1}\n"
    settings = load_settings(written(tmp_path, text))
    assert settings.broker is not None
    assert settings.broker.number == 8883
    plain = load_settings(written(tmp_path, GLOBAL + "broker: {host: 127.0.0.1}\n"))
    assert plain.broker is not None
    assert plain.broker.number == 1883


def test_a_broker_off_loopback_needs_somebody_who_admits_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"`parent: \{id, url\}` and `join_token_file`"):
        load_broker_settings(written(tmp_path, "listen: 10.0.0.1\n"))
    text = (
        'listen: 10.0.0.1\nparent: {id: global_cntl_1, url: "https://10.0.0.2:8001"}\n'
        "state_dir: here\njoin_token_file: token\n"
    )
    settings = load_broker_settings(written(tmp_path, text))
    assert settings.state_dir == tmp_path / "here"
    assert settings.join_token_file == tmp_path / "token"
    assert settings.number == 8883
    assert load_broker_settings(written(tmp_path, "")).number == 1883


def test_a_bridge_needs_somebody_who_admits_the_broker(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`bridge` needs `parent`"):
        load_broker_settings(written(tmp_path, "bridge: {host: 127.0.0.1}\n"))


def test_events_are_published_unless_settings_say_no(tmp_path: Path) -> None:
    for text, publishes in (("", True), ("publish_events: false\n", False)):
        file = written(tmp_path, f"{GLOBAL}state_dir: state\n{text}")
        controller = build_controller(load_settings(file))
        controller.nib_store.close()
        assert controller.options.publish_events is publishes
