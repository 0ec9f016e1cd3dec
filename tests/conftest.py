"""What every test stands on: markers by folder, root checked once, no state left in the process."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

TESTS = Path(__file__).resolve().parent
MARKED_FOLDERS = ("lab", "integration", "bench")

# A loaded machine is slow, not wrong: no deadline per example. The same examples in every run, so
# that what failed fails again; `--hypothesis-profile=explore` looks for others.
settings.register_profile("pdsno", deadline=None, database=None, derandomize=True)
settings.register_profile(
    "explore", deadline=None, database=None, print_blob=True, max_examples=1000
)
settings.load_profile("pdsno")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the marker of its folder, so that none can be forgotten."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in MARKED_FOLDERS:
            item.add_marker(getattr(pytest.mark, folder))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A lab test without root fails and says so: a skip would look like success."""
    if item.get_closest_marker("lab") and os.geteuid() != 0:
        pytest.fail(
            "needs root for network namespaces: run `make test` as root or with sudo; "
            "`make test-fast` runs the tests that need none",
            pytrace=False,
        )


@pytest.fixture(autouse=True)
def _fresh_logging() -> Iterator[None]:
    """Undo what a test configured or bound."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
