"""`pdsno doctor` and `pdsno settings check` know the settings of the broker's agent."""

import json
import socket
from pathlib import Path

import pytest

from pdsno.cli import doctor, doctor_broker
from pdsno.cli.doctor_ports import Listener
from pdsno.cli.doctor_report import Outcome
from pdsno.cli.main import main
from pdsno.domain.broker_rights import BrokerRights, SubjectRights
from pdsno.settings import BrokerNodeSettings

OK, WARNING, FAILED, SKIPPED = Outcome
RIGHTS = BrokerRights(version="1", subjects=(SubjectRights(subject="CN=lc", publish=("a",)),))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Settings of a broker on loopback that has never run."""
    path = tmp_path / "broker.yml"
    path.write_text(f"state_dir: state\nport: {free_port()}\n")
    return path


def examined(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, dict[str, str]]:
    """Return what is found about the broker, by check."""
    main(["doctor", *args, "-o", "json"])
    rows = json.loads(capsys.readouterr().out)
    return {row["check"]: row for row in rows if row["of"] == "broker"}


@pytest.mark.integration
def test_a_broker_that_never_ran_is_looked_at_by_its_settings(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = examined(capsys, "--settings", str(file))
    assert found["settings"]["outcome"] == found["mosquitto"]["outcome"] == "ok"
    assert found["process"]["outcome"] == "warning"
    assert "pdsno broker run" in found["process"]["remedy"]
    (port,) = (row for check, row in found.items() if check.startswith("port "))
    assert (port["outcome"], port["detail"]) == ("ok", "MQTT: free")
    assert found["state"]["outcome"] == found["parent"]["outcome"] == "skipped"


def test_settings_of_a_broker_where_services_have_them_are_found(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "_SERVICE_SETTINGS", tmp_path / "none.yml")
    monkeypatch.setattr(doctor, "_BROKER_SETTINGS", file)
    assert examined(capsys)["settings"]["outcome"] == "ok"
    file.write_text("listen: 192.0.2.1\n")
    main(["doctor", "-o", "json"])
    rows = json.loads(capsys.readouterr().out)
    (wrong,) = (row for row in rows if row["check"] == "settings")
    assert (wrong["outcome"], "set `parent" in wrong["detail"]) == ("failed", True)


def test_settings_are_taken_for_a_broker_s_if_they_can_be_nothing_else(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["settings", "check", str(file)]) == 0
    assert "sound settings for a broker" in capsys.readouterr().err
    for text, said in (
        ("port: 8883\nlisen: 127.0.0.1", "did you mean `listen`?"),
        ("region: zone-A\nsubnets: []", "`role` is missing"),
        ("", "`role` is missing"),
    ):
        file.write_text(text)
        assert main(["settings", "check", str(file)]) == 2
        assert said in capsys.readouterr().err


def test_a_folder_that_its_user_may_not_pass_through_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o750)
    above = [folder for folder in reversed(closed.parents) if not folder.stat().st_mode & 0o001]
    told = doctor_broker.judge_folders(closed / "state" / "mosquitto", "user mosquitto")
    assert told.outcome is FAILED
    # pytest's own folders may be closed as well; the first is named.
    assert told.remedy.startswith(f"chmod o+x {(*above, closed)[0]},")
    assert doctor_broker.judge_folders(Path("/none/of/these"), "user mosquitto").outcome is OK


def test_without_mosquitto_there_is_no_broker() -> None:
    assert doctor_broker.judge_program(is_there=True).outcome is OK
    told = doctor_broker.judge_program(is_there=False)
    assert (told.outcome, told.remedy) == (FAILED, "apt install mosquitto")


def test_a_port_that_somebody_else_has_is_told_from_its_own() -> None:
    settings = BrokerNodeSettings(port=1883)

    def judged(program: str) -> list[Outcome]:
        taken = Listener(address="127.0.0.1", port=1883, program=program)
        return [one.outcome for one in doctor_broker.judge_listener(settings, [taken])]

    assert judged("mosquitto (pid 7)") == [OK, OK]
    assert judged("python3 (pid 8)") == [WARNING, FAILED]


def test_nobody_has_rights_until_the_global_controller_gave_them_and_mosquitto_took_them() -> None:
    assert doctor_broker.judge_rights(None, why="there is none yet").outcome is WARNING
    assert doctor_broker.judge_rights(BrokerRights(version="")).outcome is WARNING
    good = doctor_broker.judge_rights(RIGHTS, is_in_force=True)
    assert (good.outcome, good.detail) == (OK, "1 controllers have rights")
    bad = doctor_broker.judge_rights(RIGHTS, is_in_force=False)
    assert (bad.outcome, "start the agent again" in bad.remedy) == (FAILED, True)
