"""Fixtures of the NIB's conformance suite: every test runs over every store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pdsno.nib import NIBStore
from tests.contract.nib_suite import STORES, Store, name_of
from tests.postgres import postgres


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
