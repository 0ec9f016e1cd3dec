"""A token is read once while nothing is committed, and a revocation counts at once all the same."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pdsno.domain.entities import ApiTokenRecord
from pdsno.domain.ports import NIB
from pdsno.nib import NIBStore
from tests.contract.nib_suite import SQLITE, STORED, Store, name_of
from tests.unit.api.serving import NOW, TOKEN, Api, device, put, put_token, served

# What `pdsno api-token revoke` does, on the controller's machine but not in its process.
REVOKE = """
import sys
from datetime import datetime
from pdsno.nib import NIBStore
from tests.unit.api.serving import TOKEN, put_token
with NIBStore(sys.argv[1]) as nib:
    put_token(nib, TOKEN, revoked_at=datetime.fromisoformat(sys.argv[2]))
"""


class Counting(NIBStore):
    """Counts how often a token is read."""

    reads = 0

    def api_token(self, token_sha256: str) -> ApiTokenRecord | None:
        self.reads += 1
        return super().api_token(token_sha256)


@contextmanager
def counted(place: str) -> Iterator[tuple[Counting, Api]]:
    with Counting(place) as nib, served(nib) as api:
        assert api.ask("devices").status_code == 200
        nib.reads = 0
        yield nib, api


@pytest.fixture(params=["sqlite", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory://" if request.param == "memory" else str(tmp_path / "nib.db")


def test_a_known_token_is_not_read_again_while_nothing_is_committed(place: str) -> None:
    with counted(place) as (nib, api):
        for _ in range(5):
            assert api.ask("devices").status_code == 200
        assert nib.reads == 0


def test_whatever_is_committed_lets_a_token_be_read_again(place: str) -> None:
    with counted(place) as (nib, api):
        for number in range(1, 4):
            put(nib, device(number))
            for _ in range(3):
                assert api.ask("devices").status_code == 200
            assert nib.reads == number


def test_a_token_that_is_not_known_is_read_each_time(place: str) -> None:
    other = "pdsno_" + "u" * 43
    with counted(place) as (nib, api):
        for _ in range(3):
            answer = api.ask("devices", headers={"Authorization": f"Bearer {other}"})
            assert answer.status_code == 401
        assert nib.reads >= 3


@pytest.mark.attack(12)
@pytest.mark.parametrize("store", STORED, ids=name_of)
def test_a_revocation_by_another_process_counts_on_the_next_request(
    store: Store, tmp_path: Path
) -> None:
    with store.open(tmp_path) as nib, served(nib) as api:
        for _ in range(3):
            assert api.ask("devices").status_code == 200
        revoke = [sys.executable, "-c", REVOKE, store.place(tmp_path), NOW.isoformat()]
        subprocess.run(revoke, check=True, timeout=60)
        answer = api.ask("devices")
        assert (answer.status_code, answer.json()["reason"]) == (401, "REVOKED")


def test_a_revocation_counts_while_others_are_committed_all_the_time(tmp_path: Path) -> None:
    with SQLITE.open(tmp_path) as nib, served(nib) as api:
        for number in range(10):
            put(nib, device(number))
            assert api.ask("devices").status_code == 200
            put_token(nib, TOKEN, revoked_at=NOW)
            put(nib, device(100 + number))
            assert api.ask("devices").status_code == 401
            put_token(nib, TOKEN)


# --- the mark that this rests on -------------------------------------------------------------


def put_and_take_back(nib: NIBStore) -> None:
    with suppress(ZeroDivisionError), nib.transaction() as change:
        change.put_device(device(1), expected_version=None)
        raise ZeroDivisionError


def test_the_mark_changes_with_each_commit_and_with_nothing_else(
    store: Store, nib: NIBStore
) -> None:
    port: NIB = nib
    before = port.state_mark()
    if store.name == "postgresql":
        assert before is None
        return
    nib.devices()
    assert nib.state_mark() == before
    put_and_take_back(nib)
    assert nib.state_mark() == before
    seen: set[int | None] = {before}
    for number in range(5):
        put(nib, device(number))
        mark = nib.state_mark()
        assert mark not in seen
        assert mark == nib.state_mark()
        seen.add(mark)
