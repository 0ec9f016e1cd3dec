"""A NIB of each kind, and a site whose cycles go into it."""

from collections.abc import Iterator

import pytest

from pdsno.domain.ports import NIB
from pdsno.nib import NIBStore
from tests.unit.discovery.cycle_site import CycleSite


@pytest.fixture(params=["memory", "sqlite"])
def nib(request: pytest.FixtureRequest, tmp_path: object) -> Iterator[NIB]:
    store = NIBStore("memory://" if request.param == "memory" else f"{tmp_path}/nib.db")
    yield store
    store.close()


@pytest.fixture
def site(nib: NIB) -> CycleSite:
    return CycleSite(nib)
