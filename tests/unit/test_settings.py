"""Settings files: what is right is read whole, what is wrong is named in one line."""

from pathlib import Path

import pytest

from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import Role
from pdsno.settings import load_broker_settings, load_settings

GLOBAL = "role: global\n"
LOCAL = """\
role: local
region: zone-A
parent: {id: regional_cntl_zone-A_1, url: "http://127.0.0.1:8002"}
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
        (GLOBAL + "listen: 10.0.0.1\n", "plain_transport"),
        (GLOBAL + "controller_id: a/b\n", "controller ID"),
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


def test_a_broker_off_loopback_needs_the_same_switch(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="plain_transport"):
        load_broker_settings(written(tmp_path, "listen: 10.0.0.1\n"))
    text = "listen: 10.0.0.1\nplain_transport: true\nstate_dir: here\n"
    assert load_broker_settings(written(tmp_path, text)).state_dir == tmp_path / "here"
