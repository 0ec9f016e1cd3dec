"""`pdsno doctor` on real files and sockets, each broken on purpose and sound."""

import json
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pdsno.cli import doctor, doctor_host, doctor_peers, doctor_ports, doctor_state
from pdsno.cli.api_access import remember
from pdsno.cli.doctor_report import Finding, Outcome
from pdsno.cli.main import main
from pdsno.nib import NIBStore
from pdsno.nib.care import NIBPlace
from pdsno.nib.glance import glance
from pdsno.node.admin import AdminSocket
from tests.pki import make_pki
from tests.postgres import postgres
from tests.unit.api.serving import NOW, TOKEN, event, served

OK, WARNING, FAILED, SKIPPED = Outcome
MESSAGE = "INSERT INTO outbox VALUES ('s', {0}, 'm{0}', 'DISCOVERY_REPORT', '{{}}', '{1}', NULL)"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Make the state of a regional controller that has stopped."""
    pki = make_pki(tmp_path / "pki")
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    shutil.copytree(pki.rc.tls.certificate_file.parent, folder / "tls")
    with NIBStore(folder / "nib.sqlite") as store, store.transaction() as change:
        change.append_event(event("DEVICE_APPEARED", "dev_1"))
    context = folder / "context.yaml"
    context.write_text("controller_id: regional_cntl_zone-A_1\ngeneration: 4\n")
    context.chmod(0o600)
    return folder


@pytest.fixture
def settings(state: Path) -> Path:
    """Make its settings: nobody listens where it says."""
    file = state.parent / "settings.yml"
    file.write_text(
        "role: regional\nregion: zone-A\nstate_dir: state\nadmin_socket: admin.sock\n"
        f"rest_port: {free_port()}\njoin_port: {free_port()}\nurl: https://127.0.0.1:8002\n"
        f'parent: {{id: global_cntl_1, url: "https://127.0.0.1:{free_port()}"}}\n'
        f"broker: {{host: 127.0.0.1, port: {free_port()}}}\napi: {{port: {free_port()}}}\n"
    )
    return file


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


Examine = Callable[..., dict[str, dict[str, str]]]


@pytest.fixture
def examine(capsys: pytest.CaptureFixture[str]) -> Examine:
    """Return a function that runs the command and gives the worst finding of each check."""

    def invoke(*args: str, code: int | None = None) -> dict[str, dict[str, str]]:
        ended = main(["doctor", *args, "-o", "json"])
        rows = json.loads(capsys.readouterr().out)
        assert ended == any(row["outcome"] == "failed" for row in rows)
        assert code is None or ended == code
        order = ["skipped", "ok", "warning", "failed"]
        rows.sort(key=lambda row: order.index(row["outcome"]))
        return {row["check"]: row for row in rows}

    return invoke


def outcomes(found: list[Finding]) -> list[Outcome]:
    return [finding.outcome for finding in found]


# --- the NIB ---------------------------------------------------------------------------------


def look(state: Path) -> list[Finding]:
    return doctor_state.database(at(state / "nib.sqlite"), datetime.now(UTC))


def at(path: Path) -> NIBPlace:
    return NIBPlace(url=str(path))


def test_a_sound_nib_is_looked_at_and_not_touched(state: Path) -> None:
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in state.glob("nib*")}
    assert outcomes(look(state)) == [OK, OK]
    assert {f: (f.read_bytes(), f.stat().st_mtime_ns) for f in state.glob("nib*")} == before


def test_a_nib_in_use_is_read_while_it_is_written(state: Path) -> None:
    with NIBStore(state / "nib.sqlite") as store, store.transaction() as change:
        change.append_event(event("DEVICE_CHANGED", "dev_1"))
        assert outcomes(look(state)) == [OK, OK]


def test_a_nib_of_a_folder_that_cannot_be_written_is_read(state: Path) -> None:
    shutil.copy(state / "nib.sqlite", state / "copy.sqlite")
    assert glance(at(state / "copy.sqlite"), checks_pages=True).faults == ()
    assert sorted(f.name for f in state.glob("copy*")) == ["copy.sqlite"]


def test_damage_is_found(state: Path) -> None:
    with (state / "nib.sqlite").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096 * 4))
    database, _ = look(state)
    assert database.outcome is FAILED
    assert "restore a backup" in database.remedy


def test_what_is_no_nib_is_told(state: Path) -> None:
    file = state / "nib.sqlite"
    assert outcomes(doctor_state.database(at(state / "none"), NOW)) == [SKIPPED, SKIPPED]
    for content, word in ((b"no database, but long enough" * 99, "not a SQLite"), (b"", "empty")):
        file.write_bytes(content)
        database, outbox = look(state)
        assert (database.outcome, outbox.outcome) == (FAILED, SKIPPED)
        assert word in f"{database.detail} {database.remedy}"


@pytest.mark.parametrize(("revision", "outcome"), [("0001", WARNING), ("9999", FAILED)])
def test_a_schema_of_another_release_is_left_as_it_is(
    state: Path, revision: str, outcome: Outcome
) -> None:
    with closing(sqlite3.connect(state / "nib.sqlite")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    assert outcomes(look(state)) == [outcome, SKIPPED]
    assert glance(at(state / "nib.sqlite"), checks_pages=False).revision == revision


def test_a_backlog_is_found_in_the_outbox(state: Path) -> None:
    long_ago = f"{datetime.now(UTC) - timedelta(hours=2):%Y-%m-%dT%H:%M:%S.%f}Z"
    with closing(sqlite3.connect(state / "nib.sqlite")) as connection, connection:
        for number in range(3):
            connection.execute(MESSAGE.format(number, long_ago))
    _, outbox = look(state)
    assert outbox.outcome is WARNING
    assert "3 messages wait, the oldest for 2 h" in outbox.detail


# --- certificates and secrets ----------------------------------------------------------------


def test_sound_certificates_are_judged_one_by_one_and_together(state: Path) -> None:
    found = doctor_state.certificates(state, datetime.now(UTC))
    assert set(outcomes(found)) == {OK}
    assert found[-1].check == "chain"
    assert "regional_cntl_zone-A_1" in found[-1].detail
    assert "generation 4" in found[-1].detail
    late = doctor_state.certificates(state, datetime.now(UTC) + timedelta(days=30))
    assert FAILED in outcomes(late)


def test_a_chain_under_another_root_is_told(state: Path, tmp_path: Path) -> None:
    other = make_pki(tmp_path / "other")
    (state / "tls" / "roots.pem").write_bytes(other.rc.tls.roots_file.read_bytes())
    found = {item.check: item for item in doctor_state.certificates(state, datetime.now(UTC))}
    assert found["chain"].outcome is FAILED
    assert "join again" in found["chain"].remedy


def test_a_damaged_certificate_and_none_at_all_differ(state: Path) -> None:
    file = next((state / "tls").glob("tls.pem"))
    file.write_bytes(b"half a cert")
    assert FAILED in outcomes(doctor_state.certificates(state, NOW))
    shutil.rmtree(state / "tls")
    assert outcomes(doctor_state.certificates(state, NOW)) == [SKIPPED]


def test_somebody_who_may_not_read_the_certificates_is_told_who_may(state: Path) -> None:
    assert OK in outcomes(doctor_state.certificates(state, NOW))
    (state / "tls").chmod(0o000)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        (found,) = doctor_state.certificates(state, NOW)
    finally:
        if is_root:
            os.seteuid(0)
        (state / "tls").chmod(0o700)
    assert (found.outcome, found.check) == (FAILED, "certificate")
    assert "you may not read" in found.detail
    assert found.remedy == "run this as root, or as the controller's user"


def test_secrets_that_others_can_read_are_told(state: Path) -> None:
    assert outcomes(doctor_state.secrets(state, [])) == [OK]
    (state / "tls" / "tls.pem").chmod(0o644)
    credentials = state / "credentials.yml"
    credentials.touch(mode=0o604)
    found = doctor_state.secrets(state, [credentials, state / "none"])
    assert outcomes(found) == [FAILED, FAILED]
    assert {finding.remedy.split()[-1] for finding in found} == {
        str(state / "tls" / "tls.pem"),
        str(credentials),
    }


def test_a_disk_is_looked_at_where_the_state_is(state: Path) -> None:
    assert doctor_state.disk(state).outcome in {OK, WARNING}
    assert doctor_state.disk(state / "none").outcome is FAILED


# --- the machine -----------------------------------------------------------------------------


def test_the_machine_is_looked_at() -> None:
    assert doctor_host.rights(sweeps=True).outcome in {OK, WARNING}
    names = [interface.name for interface in doctor_host.interfaces() if interface.is_loopback]
    assert names == ["lo"]
    assert len(doctor_host.network(is_needed=False)) == 2
    assert doctor_host.clock().outcome in {OK, WARNING, SKIPPED}
    assert {f.check for f in doctor_host.programs(needs_broker=True, needs_local=True)} == {
        "mosquitto",
        "libraries",
    }
    assert not doctor_host._is_there("no_such_library")
    assert not doctor_host._is_there("no_such_library.part")


def test_who_listens_is_found_by_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (ours,) = [item for item in doctor_ports.listeners() if item.port == port]
        assert ours.address == "127.0.0.1"
        assert f"(pid {os.getpid()})" in ours.program
    assert not [item for item in doctor_ports.listeners() if item.port == port]


# --- the API ---------------------------------------------------------------------------------


def test_the_api_is_asked_with_the_kept_token() -> None:
    with NIBStore("memory://") as store, served(store) as api:
        assert doctor_peers.api(api.url).outcome is WARNING
        remember(api.url, "pdsno_" + "x" * 43)
        refused = doctor_peers.api(api.url)
        assert refused.outcome is FAILED
        remember(api.url, TOKEN)
        good = doctor_peers.api(api.url)
        assert good.outcome is OK
        assert "global_cntl_1" in good.detail
    away = doctor_peers.api(api.url)
    assert away.outcome is FAILED
    assert "nobody listens there" in away.detail


# --- the command -----------------------------------------------------------------------------


def test_a_stopped_controller_is_looked_at_by_its_settings(
    settings: Path, examine: Examine
) -> None:
    found = examine("--settings", str(settings), code=1)
    assert found["settings"]["outcome"] == "ok"
    assert found["controller"]["outcome"] == "warning"
    assert found["database"]["outcome"] == found["outbox"]["outcome"] == "ok"
    assert found["chain"]["outcome"] == "ok"
    for peer in ("parent", "broker"):
        assert found[peer]["outcome"] == "failed"
        assert "nobody listens there" in found[peer]["detail"]
        assert f"correct `{peer}`" in found[peer]["remedy"]
    assert found["API"]["outcome"] == "skipped"
    assert list(found["API"]) == ["of", "check", "outcome", "detail", "remedy"]


def test_a_running_controller_is_asked_at_its_socket(
    settings: Path, examine: Examine, tmp_path: Path
) -> None:
    with NIBStore("memory://") as store, served(store) as api:
        remember(api.url, TOKEN)
        status = {
            "controller_id": "rc", "is_validated": True, "api": api.url, "mqtt_connected": True,
        }  # fmt: skip
        admin = AdminSocket(tmp_path / "admin.sock", {"GET /status": lambda _: status})
        admin.start()
        try:
            found = examine("--settings", str(settings))
        finally:
            admin.close()
    assert found["controller"]["outcome"] == "ok"
    assert found["API"]["outcome"] == "ok"
    assert "the controller is connected" in found["broker"]["detail"]


def test_settings_that_are_wrong_are_a_finding_and_the_machine_is_looked_at(
    settings: Path, examine: Examine
) -> None:
    settings.write_text("role: regionl\n")
    found = examine("--settings", str(settings), code=1)
    assert "must be global, regional or local" in found["settings"]["detail"]
    assert "clock" in found
    assert "database" not in found


def test_a_site_of_pdsno_up_is_looked_at_tier_by_tier(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site"
    shutil.copytree(state, site / "regional")
    (site / "local").mkdir(mode=0o700)
    NIBStore(site / "local" / "nib.sqlite").close()
    main(["doctor", "--state-dir", str(site), "-o", "json"])
    rows = json.loads(capsys.readouterr().out)
    of = {row["of"] for row in rows}
    assert of == {"", "regional", "local"}
    assert [r["outcome"] for r in rows if (r["of"], r["check"]) == ("local", "database")] == ["ok"]


def test_only_a_state_directory_is_enough(state: Path, examine: Examine) -> None:
    found = examine("--state-dir", str(state))
    assert found["database"]["outcome"] == "ok"
    assert found["parent"]["outcome"] == "skipped"
    assert doctor._role(state) == "regional"
    empty = examine("--state-dir", str(state / "tls"), code=1)
    assert "no state directory" in empty["settings"]["detail"]


def test_the_report_is_a_line_each_with_the_remedy_below(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (state / "key.pem").touch(mode=0o644)
    assert main(["doctor", "--state-dir", str(state)]) == 1
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("failed   secrets"))
    assert "others may read" in lines[at]
    assert lines[at + 1].strip().endswith(f"chmod 600 {state / 'key.pem'}")
    assert "1 failed" in captured.err


def test_without_a_controller_the_machine_alone_is_looked_at(
    examine: Examine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "_SERVICE_SETTINGS", tmp_path / "none.yml")
    monkeypatch.setattr(doctor, "_SERVICE_STATE", tmp_path / "none")
    monkeypatch.setattr("pdsno.settings.default_state_dir", lambda: tmp_path / "none")
    found = examine()
    assert found["settings"]["outcome"] == "skipped"
    assert found["API"]["outcome"] == "skipped"
    assert "database" not in found


def test_it_is_quick(state: Path) -> None:
    started = time.monotonic()
    main(["doctor", "--state-dir", str(state)])
    assert time.monotonic() - started < 10


# --- a NIB on PostgreSQL ---------------------------------------------------------------------


@pytest.mark.integration
def test_a_nib_on_postgresql_is_looked_at_and_one_that_is_away_told() -> None:
    rig = postgres()
    url = rig.url(rig.empty_database())
    nothing = doctor_state.database(NIBPlace(url=url), NOW)
    NIBStore(url).close()
    good = doctor_state.database(NIBPlace(url=url), NOW)
    away = f"postgresql+psycopg://pdsno@127.0.0.1:{free_port()}/pdsno"
    bad = doctor_state.database(NIBPlace(url=away), NOW)
    assert outcomes(nothing) == [SKIPPED, SKIPPED]
    assert outcomes(good) == [OK, OK]
    assert outcomes(bad) == [FAILED, SKIPPED]
    assert bad[0].remedy
