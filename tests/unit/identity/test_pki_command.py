"""`pdsno pki` on a state directory, as an operator calls it."""

import csv
import io
import json
from pathlib import Path

import pytest

from pdsno.cli.main import main
from tests.pki import Pki, copy_pki, make_pki


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("original"))


@pytest.fixture
def pki(original: Pki, tmp_path: Path) -> Pki:
    return copy_pki(original, tmp_path / "pki")


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    code = main(["pki", *map(str, args)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_show_lists_the_chain_and_warns_of_the_root_key(
    pki: Pki, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "show", "--state-dir", pki.directory / "gc", "-o", "json")
    assert code == 0
    rows = json.loads(out)
    assert [row["kind"] for row in rows] == ["root", "global authority", "controller"]
    assert [row["sha256"] for row in rows] == [
        pki.root_sha256,
        pki.global_authority.sha256,
        pki.gc.tls.certificate_sha256,
    ]
    assert {row["status"] for row in rows} == {"in force"}
    assert "root-key.pem" in err
    assert "export-root-key" in err
    assert "PRIVATE" not in out + err


def test_show_works_for_every_tier_and_only_the_global_one_is_warned(
    pki: Pki, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = {"rc": ["root", "global authority", "regional authority", "controller"]}
    kinds["lc"] = kinds["rc"]
    kinds["broker"] = ["root", "global authority", "controller"]
    for folder, wanted in kinds.items():
        code, out, err = run(capsys, "show", "--state-dir", pki.directory / folder, "-o", "csv")
        assert code == 0
        assert [row["kind"] for row in csv.DictReader(io.StringIO(out))] == wanted
        assert err == ""


def test_the_yearly_way_of_the_root_key(
    pki: Pki, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state, key = pki.directory / "gc", tmp_path / "root.pem"
    code, _, err = run(capsys, "export-root-key", "--state-dir", state, "--to", key)
    assert code == 0, err
    assert not pki.global_vault.has_root_key
    before = pki.global_authority.sha256
    code, _, err = run(capsys, "renew-authority", "--state-dir", state)
    assert code == 1
    assert "--root-key" in err
    code, _, err = run(capsys, "renew-authority", "--state-dir", state, "--root-key", key)
    assert code == 0, err
    assert "warning" not in err
    assert pki.global_authority.sha256 != before
    assert not pki.global_vault.has_root_key


def test_settings_name_the_state_directory_as_well(
    pki: Pki, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "gc.yaml"
    settings.write_text("role: global\nstate_dir: pki/gc\n")
    code, out, _ = run(capsys, "show", "--settings", settings, "-o", "json")
    assert code == 0
    assert json.loads(out)[0]["sha256"] == pki.root_sha256


def test_wrong_usage_is_one_line_that_says_what_is_missing(
    pki: Pki, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = pki.directory / "gc"
    for args, code, text in (
        (("show",), 2, "--state-dir"),
        (("show", "--state-dir", state, "--settings", "x"), 2, "either"),
        (("show", "--state-dir", tmp_path / "missing"), 2, "no directory"),
        (("show", "--state-dir", tmp_path), 1, "no certificates"),
        (("export-root-key", "--state-dir", state), 2, "--to"),
        (("export-root-key", "--state-dir", pki.directory / "rc", "--to", "x"), 1, "no root key"),
    ):
        found, out, err = run(capsys, *args)
        assert (found, out) == (code, "")
        assert text in err
        assert len(err.splitlines()) == 1
