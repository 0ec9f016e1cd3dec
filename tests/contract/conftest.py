"""Fixtures of the contract tests.

`nib` is for the conformance suite: every test runs over every store. `api` shows `memory_nib`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pdsno.nib import NIBStore
from tests.contract.nib_suite import STORES, Store, name_of
from tests.postgres import postgres
from tests.unit.api.serving import Api, served


@pytest.fixture(autouse=True)
def _empty_databases() -> Iterator[None]:
    """Leave no row in PostgreSQL for the next test, if it was used at all."""
    yield
    if postgres.cache_info().currsize:
        postgres().release()


@pytest.fixture(params=STORES, ids=name_of)
def store(request: pytest.FixtureRequest) -> Store:
    assert isinstance(request.param, Store)
    return request.param


@pytest.fixture
def nib(store: Store, tmp_path: Path) -> Iterator[NIBStore]:
    with store.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def memory_nib() -> Iterator[NIBStore]:
    """An empty NIB, for what is the same over every store."""
    with NIBStore("memory://") as opened:
        yield opened


@pytest.fixture
def api(memory_nib: NIBStore) -> Iterator[Api]:
    with served(memory_nib) as running:
        yield running
