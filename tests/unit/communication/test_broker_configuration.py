import shutil
from pathlib import Path

import pytest

from pdsno.communication import broker_launch
from pdsno.communication.broker import Mosquitto, MosquittoSettings, render_configuration
from pdsno.domain.errors import InputError, OperationError


def test_the_configuration_bounds_queues_by_bytes_and_saves_often() -> None:
    settings = MosquittoSettings(listen="10.0.0.1", port=1884, state_dir=Path("/var/lib/x"))
    lines = render_configuration(settings).splitlines()
    assert "listener 1884 10.0.0.1" in lines
    assert "persistence_location /var/lib/x/" in lines
    assert "autosave_interval 5" in lines
    assert "max_keepalive 60" in lines
    assert "max_queued_bytes 67108864" in lines
    assert not [line for line in lines if line.startswith("user ")]


def test_a_directory_that_could_add_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="white space"):
        Mosquitto(MosquittoSettings(state_dir=tmp_path / "a\nuser root"))


def test_without_mosquitto_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_launch, "run_as", lambda _settings: None)
    monkeypatch.setattr(shutil, "which", lambda *_args, **_options: None)
    with pytest.raises(OperationError, match="apt install mosquitto"):
        Mosquitto(MosquittoSettings(state_dir=tmp_path, port=1)).start()
