"""What every test stands on: markers by folder, root checked once, no state left in the process."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

TESTS = Path(__file__).resolve().parent
MARKED_FOLDERS = ("lab", "integration", "bench", "deploy")
LAB_FILES = ("lab/", "acceptance/test_demo", "acceptance/test_docs")
LONGEST_FIRST = (
    "acceptance/test_no_loss",
    *LAB_FILES,
    "integration/test_trust_renewal",
    "integration/test_network_simulation",
    "acceptance/",
    "integration/",
    "contract/",
)

# A loaded machine is slow, not wrong: no deadline per example. The same examples in every run, so
# that what failed fails again; `--hypothesis-profile=explore` looks for others.
settings.register_profile("pdsno", deadline=None, database=None, derandomize=True, max_examples=40)
settings.register_profile(
    "explore", deadline=None, database=None, print_blob=True, max_examples=1000
)
settings.load_profile("pdsno")


class WholeFiles(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Of several workers each takes whole files; those that run labs share names and addresses."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0].removeprefix("tests/")
        return "lab" if file.startswith(LAB_FILES) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WholeFiles:
    return WholeFiles(config, log)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give each test the marker of its folder, so that none can be forgotten."""
    folder = item.path.relative_to(TESTS).parts[0]
    if folder in MARKED_FOLDERS:
        item.add_marker(getattr(pytest.mark, folder))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, lest one worker end alone; else the order stays random."""
    if hasattr(config, "workerinput"):
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    file = item.path.relative_to(TESTS).as_posix()
    return next((n for n, start in enumerate(LONGEST_FIRST) if file.startswith(start)), 99)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A lab test without root fails and says so: a skip would look like success."""
    if item.get_closest_marker("lab") and os.geteuid() != 0:
        pytest.fail(
            "needs root for network namespaces: run `make test` as root or with sudo; "
            "`make test-fast` runs the tests that need none",
            pytrace=False,
        )


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print figures at the end of the run: they are part of the result, passed or not."""
    told: list[tuple[str, object]] = request.node.user_properties
    return lambda text: told.append(("figures", text))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests told, from whichever worker."""
    reports = [r for found in terminalreporter.stats.values() for r in found]
    texts = [
        str(text)
        for report in reports
        if getattr(report, "when", None) == "teardown" or getattr(report, "failed", False)
        for name, text in getattr(report, "user_properties", ())
        if name == "figures"
    ]
    if texts:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(dict.fromkeys(texts)))


@pytest.fixture(autouse=True)
def _fresh_logging() -> Iterator[None]:
    """Undo what a test configured or bound."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
