"""`pdsno nib history|diff|set|release` and `--as-of`, against a real API."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pdsno.cli.main import main
from pdsno.cli.moments import moment
from pdsno.domain.entities import DeviceStatus, OperatorRole
from pdsno.nib import NIBStore
from tests.unit.api.serving import device, put, put_token, served

ALICE = "pdsno_" + "alice".ljust(43, "-")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        put(store, device(1, name="spine1", region="zone-A"), device(2, name="leaf1"))
        put_token(store, ALICE, name="alice", role=OperatorRole.OPERATOR)
        yield store


@pytest.fixture
def run(
    nib: NIBStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """Return a function that runs `pdsno nib ...`: exit code, stdout, stderr."""

    def invoke(*args: str) -> tuple[int, str, str]:
        code = main(["nib", *args])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    with served(nib) as api:
        monkeypatch.setenv("PDSNO_API", api.url)
        monkeypatch.setenv("PDSNO_API_TOKEN", ALICE)
        yield invoke


def then() -> str:
    """Return a time after all that was written and before all that will be."""
    time.sleep(0.002)
    now = datetime.now(UTC)
    time.sleep(0.002)
    return now.isoformat()


def change(nib: NIBStore, number: int, **values: object) -> None:
    with nib.transaction() as tx:
        held = tx.device(f"dev_{number:04}")
        assert held is not None
        tx.put_device(replace(held, **values), expected_version=held.version)  # type: ignore[arg-type]


def test_diff_tells_what_came_went_and_changed(run: Run, nib: NIBStore) -> None:
    since = then()
    change(nib, 1, os_version="9")
    change(nib, 2, status=DeviceStatus.INACTIVE)
    put(nib, device(3, name="new1"))
    code, out, _ = run("diff", "--since", since, "-o", "json")
    assert code == 0
    told = json.loads(out)["devices"]
    assert {what: [item["name"] for item in items] for what, items in told.items()} == {
        "appeared": ["new1"], "disappeared": ["leaf1"], "returned": [], "changed": ["spine1"],
    }  # fmt: skip
    assert told["changed"][0]["changes"] == {"os_version": [None, "9"]}
    code, table, _ = run("diff", "--since", since)
    assert [line.split()[0] for line in table.splitlines()] == [
        "CHANGE", "appeared", "disappeared", "changed",
    ]  # fmt: skip
    assert run("diff", "--since", since, "--exit-code")[0] == 1


def test_diff_of_nothing_says_so_and_exits_with_0(run: Run) -> None:
    code, out, err = run("diff", "--since", then(), "--exit-code")
    assert (code, out, err) == (0, "", "nothing changed\n")


def test_diff_from_before_the_history_says_since_when_it_tells(run: Run) -> None:
    code, out, err = run("diff", "--since", "1d")
    assert code == 0
    assert "begins at" in err
    assert out.count("appeared") == 2


def test_history_names_a_device_as_people_do(run: Run, nib: NIBStore) -> None:
    change(nib, 1, os_version="9")
    _, out, _ = run("history", "spine1", "--field", "os_version", "-o", "json")
    (entry,) = json.loads(out)
    assert (entry["old"], entry["new"]) == (None, "9")
    with nib.transaction() as tx:
        tx.retire_device("dev_0001")
    code, out, _ = run("history", "dev_0001")
    assert code == 0
    assert len(out.splitlines()) == 4
    assert run("history", "spine1")[0] == 1


def test_lists_show_what_was(run: Run, nib: NIBStore) -> None:
    at = then()
    change(nib, 1, name="core1")
    assert "spine1" in run("devices", "--as-of", at)[1]
    assert "spine1" not in run("devices")[1]
    assert json.loads(run("device", "spine1", "--as-of", at, "-o", "json")[1])["name"] == "spine1"
    code, _, err = run("links", "--as-of", "2020-01-01")
    assert code == 2
    assert "begins at" in err


def test_fields_are_set_and_released(run: Run, nib: NIBStore) -> None:
    code, out, _ = run("set", "spine1", "name=core1", "type=router", "note=rack 4", "-o", "json")
    assert code == 0
    assert json.loads(out)["pinned"] == ["device_type", "name", "notes"]
    assert run("release", "core1", "name", "type")[0] == 0
    found = nib.device("dev_0001")
    assert found is not None
    assert (found.name, found.device_type, found.notes) == ("spine1", "unknown", "rack 4")


def test_tags_are_added_and_taken_away_one_by_one(run: Run, nib: NIBStore) -> None:
    run("set", "spine1", "tags=a,b")
    run("set", "spine1", "tag+=c", "tag-=a")
    found = nib.device("dev_0001")
    assert found is not None
    assert found.tags == ("b", "c")


@pytest.mark.parametrize(
    "args",
    [
        ("set", "spine1", "serial=x"),
        ("set", "spine1", "name"),
        ("set", "spine1", "name="),
        ("set", "spine1", "name+=x"),
        ("set", "spine1", "type=toaster"),
        ("set", "spine1"),
        ("release", "spine1", "serial"),
        ("diff", "--since", "yesterday"),
        ("diff", "--since", "1h", "--until", "2h"),
        ("diff",),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    run: Run, nib: NIBStore, args: tuple[str, ...]
) -> None:
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert not nib.events()


def test_times_are_read_as_people_say_them() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert moment("90s", now=now) == now - timedelta(seconds=90)
    assert moment("2w", now=now) == now - timedelta(weeks=2)
    assert moment("2026-03-01", now=now) == now - timedelta(hours=12)
    assert moment("2026-03-01T13:00:00+01:00", now=now) == now
