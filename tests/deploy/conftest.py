"""The lab of hosts, up once for all steps, and steps in the order in which they are written."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.support import REPOSITORY, Deployment, build_bundles, hosts_script, left_behind


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each step stands on those before it; other tests run in random order."""
    here = Path(__file__).parent
    steps = [item for item in items if here in item.path.parents]
    in_order = iter(sorted(steps, key=lambda item: item.location[1] or 0))
    items[:] = [next(in_order) if item in steps else item for item in items]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    old, new = build_bundles(tmp_path_factory.mktemp("bundles"))
    assert not Path("/run/pdsno-lab-hosts").exists(), "make lab-hosts-down first"
    hosts_script("up")
    shutil.rmtree(REPOSITORY / "backups", ignore_errors=True)
    try:
        yield Deployment(old=old, new=new)
    finally:
        hosts_script("down")
        shutil.rmtree(REPOSITORY / "backups", ignore_errors=True)
        assert left_behind() == []
