"""Commands find no access to any API but what a test gives them."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_access_of_ours(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    home = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    for variable in ("PDSNO_API_TOKEN", "PDSNO_CA", "PDSNO_API"):
        monkeypatch.delenv(variable, raising=False)
    return home
