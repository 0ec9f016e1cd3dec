"""`pdsno controller list` over a real admin socket."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from pdsno.cli.main import main
from pdsno.domain.identifiers import Role
from pdsno.node.admin import AdminSocket
from pdsno.node.admin_calls import admin_calls
from tests.integration.tiers import Tiers, policy

Run = Callable[..., str]
GC, RC = "global_cntl_1", "regional_cntl_zone-A_1"


@pytest.fixture
def tiers(tmp_path: Path) -> Iterator[Tiers]:
    with ExitStack() as stack:
        yield Tiers(tmp_path, stack)


@pytest.fixture
def run(tiers: Tiers, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that asks a global controller with one regional controller below it."""
    gc = tiers.gc()
    gc.apply_policy(policy("zone-A"))
    tiers.rc("zone-A", gc)
    admin = AdminSocket(tiers.folder / "admin.sock", admin_calls(gc))
    admin.start()
    tiers.stack.callback(admin.close)

    def invoke(*words: str) -> str:
        capsys.readouterr()  # what was logged meanwhile
        code = main(["controller", "list", "--socket", str(admin.path), *words])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out

    return invoke


def test_every_controller_is_listed_with_the_end_of_its_certificate(run: Run, tiers: Tiers) -> None:
    rows = {row["controller_id"]: row for row in json.loads(run("-o", "json"))}
    assert set(rows) == {GC, RC}
    assert (rows[RC]["role"], rows[RC]["region"], rows[RC]["status"]) == (
        Role.REGIONAL,
        "zone-A",
        "active",
    )
    assert rows[RC]["url"].startswith("https://127.0.0.1:")
    for name, key in ((GC, "gc"), (RC, "rc-zone-A")):
        end = datetime.fromisoformat(rows[name]["not_after"])
        assert end == tiers.tls(key).not_after
        assert end > datetime.now(UTC) + timedelta(days=6)


def test_it_is_written_in_every_format(run: Run) -> None:
    assert yaml.safe_load(run("-o", "yaml")) == json.loads(run("-o", "json"))
    header, *lines = run("-o", "csv").splitlines()
    assert header.startswith("controller_id,role,region,status,state,url,last_seen,not_after")
    assert [line.split(",")[0] for line in lines] == [GC, RC]
    table = run()
    assert GC in table
    assert RC in table


def test_neither_keys_nor_certificates_are_told(run: Run) -> None:
    told = run("-o", "json")
    assert "BEGIN" not in told
    assert "key" not in told
