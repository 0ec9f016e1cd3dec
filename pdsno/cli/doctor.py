"""`pdsno doctor`: what is wrong here, and what to do about it."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pdsno.cli import (
    doctor_broker,
    doctor_events,
    doctor_host,
    doctor_peers,
    doctor_ports,
    doctor_state,
)
from pdsno.cli.doctor_report import (
    Finding,
    Outcome,
    failed,
    has_failed,
    ok,
    skipped,
    summary,
)
from pdsno.cli.output import OutputFormat, cell_text, output_option, render
from pdsno.domain.errors import InputError, PDSNOError
from pdsno.domain.identifiers import Role

if TYPE_CHECKING:
    from pdsno.identity.pki.tls_identity import TlsIdentity
    from pdsno.nib.care import NIBPlace
    from pdsno.settings import BrokerNodeSettings, NodeSettings

_SERVICE_SETTINGS = Path("/etc/pdsno/settings.yml")
_BROKER_SETTINGS = Path("/etc/pdsno/broker.yml")
_SERVICE_STATE = Path("/var/lib/pdsno")
_TIERS = (Role.GLOBAL, Role.REGIONAL, Role.LOCAL)
_COLOURS = {Outcome.OK: "green", Outcome.WARNING: "yellow", Outcome.FAILED: "red"}
_EPILOG = """\b
Examples:
  pdsno doctor                                    what is on this machine
  pdsno doctor --settings /etc/pdsno/settings.yml
  pdsno doctor --settings /etc/pdsno/broker.yml
  pdsno doctor --state-dir /var/lib/pdsno/site -o json

It works while controllers run and while they do not, and changes nothing.
Exit codes: 0 nothing failed (warnings may be left), 1 something did."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patient:
    """A controller to look at. `settings` None: only its state directory is known."""

    name: str
    role: Role | None
    state_dir: Path
    admin_socket: Path | None
    settings: "NodeSettings | None" = None
    is_of_site: bool = False

    @property
    def sweeps(self) -> bool:
        """Whether it sends probes."""
        return self.role in {Role.LOCAL, None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Subjects:
    """Whom and what to look at."""

    patients: Sequence[Patient] = ()
    broker: "BrokerNodeSettings | None" = None

    @property
    def is_nobody(self) -> bool:
        """Whether nothing of ours is set up here."""
        return not self.patients and self.broker is None


@click.command(epilog=_EPILOG, context_settings={"max_content_width": 100})
@click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings of a controller or of the broker.  [default: /etc/pdsno/settings.yml and "
    "broker.yml, if they are there]",
)
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A controller's state directory, or that of pdsno up.",
)
@output_option
def doctor(settings_file: Path | None, state_dir: Path | None, output: OutputFormat) -> int:
    """Look for what is wrong: rights, network, disk, NIB, certificates, clock, parent, broker, API.

    First what everything else stands on. Each finding that is not ok says what to do.
    """
    if settings_file is not None and state_dir is not None:
        raise click.UsageError("--settings and --state-dir exclude each other")
    found: list[Finding] = []
    for finding in _examine(settings_file, state_dir):
        found.append(finding)
        if output is OutputFormat.TABLE:
            _tell(finding)
    if output is not OutputFormat.TABLE:
        columns = ("of", "check", "outcome", "detail", "remedy")
        render([{name: getattr(item, name) for name in columns} for item in found], fmt=output)
    click.echo(summary(found), err=True)
    return 1 if has_failed(found) else 0


def _tell(finding: Finding) -> None:
    """Write a finding as it comes: some take seconds."""
    mark = click.style(f"{finding.outcome.value:<8}", fg=_COLOURS.get(finding.outcome))
    check = f"{finding.of} {finding.check}".strip()
    click.echo(f"{mark} {check:<24} {cell_text(finding.detail)}")
    if finding.remedy:
        arrow = "→" if (sys.stdout.encoding or "").lower().startswith("utf") else "->"
        click.echo(f"{'':<33} {arrow} {cell_text(finding.remedy)}")


# --- whom to look at -------------------------------------------------------------------------


def _examine(settings_file: Path | None, state_dir: Path | None) -> Iterator[Finding]:
    subjects = Subjects()
    try:
        subjects = _subjects(settings_file, state_dir)
    except InputError as error:
        yield failed("settings", str(error), "correct it: pdsno settings check FILE reads it again")
    else:
        yield from _about_settings(subjects)
    patients = subjects.patients
    needs_broker = any(item.is_of_site for item in patients)
    sweeps = subjects.is_nobody or any(item.sweeps for item in patients)
    yield doctor_host.rights(sweeps=sweeps)
    yield from doctor_host.network(is_needed=_leaves_the_machine(subjects))
    yield from doctor_host.programs(
        needs_broker=needs_broker, needs_local=any(item.role is Role.LOCAL for item in patients)
    )
    yield doctor_host.clock()
    listeners = doctor_ports.listeners()
    for patient in patients:
        for finding in _look_at(patient, listeners):
            yield replace(finding, of=patient.name)
    if subjects.broker is not None:
        for finding in doctor_broker.look_at(subjects.broker, listeners, datetime.now(UTC)):
            yield replace(finding, of="broker")
    if not patients:
        yield _saved_api()


def _leaves_the_machine(subjects: Subjects) -> bool:
    """Tell whether anybody here needs more network than loopback."""
    from pdsno.settings import is_loopback

    if any(item.sweeps for item in subjects.patients):
        return True
    named = [*(item.settings for item in subjects.patients), subjects.broker]
    listening = [item.listen for item in named if item is not None]
    return subjects.is_nobody or not all(map(is_loopback, listening))


def _about_settings(subjects: Subjects) -> Iterator[Finding]:
    if subjects.broker is not None:
        kind = "an agent" if subjects.broker.parent is not None else "a broker on loopback"
        yield replace(ok("settings", f"sound, for {kind}"), of="broker")
    for patient in subjects.patients:
        if patient.settings is not None:
            yield ok("settings", f"sound, for a {patient.settings.role.value} controller")
        else:
            why = f"pdsno up keeps none; its state is in {patient.state_dir.parent}"
            known = f"not given; looking at {patient.state_dir}"
            yield skipped("settings", why if patient.is_of_site else known)
            return
    if subjects.is_nobody:
        yield skipped(
            "settings", "no controller is set up here: --settings FILE or --state-dir DIR name one"
        )


def _subjects(settings_file: Path | None, state_dir: Path | None) -> Subjects:
    """Return whom to look at. Raises InputError for settings or a directory that are no good."""
    from pdsno.settings import default_state_dir, load_broker_settings

    if settings_file is not None:
        return _by_settings(settings_file)
    if state_dir is not None:
        return Subjects(patients=_by_state(state_dir))
    found = Subjects()
    if _SERVICE_SETTINGS.exists():
        found = _by_settings(_SERVICE_SETTINGS)
    if _BROKER_SETTINGS.exists():
        found = replace(found, broker=load_broker_settings(_BROKER_SETTINGS))
    places = (_SERVICE_STATE, default_state_dir())
    kept = next((place for place in places if _holds_state(place)), None)
    return Subjects(patients=_by_state(kept)) if found.is_nobody and kept is not None else found


def _by_settings(file: Path) -> Subjects:
    from pdsno.settings import BrokerNodeSettings, load_any_settings

    settings = load_any_settings(file)
    if isinstance(settings, BrokerNodeSettings):
        return Subjects(broker=settings)
    patient = Patient(
        name="",
        role=settings.role,
        state_dir=settings.state_dir,
        admin_socket=settings.admin_socket,
        settings=settings,
    )
    return Subjects(patients=[patient])


def _by_state(state_dir: Path) -> list[Patient]:
    if not _holds_state(state_dir):
        raise InputError(f"{state_dir} is no state directory: there is no NIB in it")
    return _site(state_dir) or [
        Patient(name="", role=_role(state_dir), state_dir=state_dir, admin_socket=None)
    ]


def _holds_state(directory: Path) -> bool:
    names = ("", *(role.value for role in _TIERS))
    return any((directory / name / doctor_state.NIB_FILE).exists() for name in names)


def _site(directory: Path) -> list[Patient]:
    """Return the tiers that `pdsno up` keeps in one directory."""
    sockets = {Role.GLOBAL: "admin.sock"}
    return [
        Patient(
            name=role.value,
            role=role,
            state_dir=directory / role.value,
            admin_socket=directory / sockets.get(role, f"{role.value}.sock"),
            is_of_site=True,
        )
        for role in _TIERS
        if (directory / role.value / doctor_state.NIB_FILE).exists()
    ]


def _role(state_dir: Path) -> Role | None:
    """Return the role by the ID that a controller was given, if it was."""
    from pdsno.controllers.context_manager import ContextManager

    try:
        own = str(ContextManager(state_dir / "context.yaml").get("controller_id", ""))
    except PDSNOError:
        return None  # the secrets and database checks tell of a damaged folder
    return next((role for role in _TIERS if own.startswith(f"{role.value}_")), None)


# --- one controller --------------------------------------------------------------------------


def _look_at(patient: Patient, listeners: Sequence[doctor_ports.Listener]) -> Iterator[Finding]:
    now = datetime.now(UTC)
    status: Mapping[str, Any] | None = None
    if patient.admin_socket is not None:
        finding, status = doctor_peers.controller(patient.admin_socket)
        yield finding
    settings = patient.settings
    if settings is not None:
        wanted = wanted_ports(settings)
        yield from doctor_ports.judge_ports(wanted, listeners, is_running=status is not None)
    if patient.state_dir.exists():
        yield doctor_state.disk(patient.state_dir)
        yield from doctor_state.database(_nib(patient), now)
        yield from doctor_state.certificates(patient.state_dir, now)
    else:
        yield skipped("state", f"there is no {patient.state_dir} yet: it has never run")
    yield from doctor_state.secrets(patient.state_dir, _other_secrets(settings))
    yield from _neighbours(patient, status)
    yield from doctor_events.look_at(status or {}, now)
    yield _api(patient, status)


def _nib(patient: Patient) -> "NIBPlace":
    from pdsno.nib.care import NIBPlace

    kept = patient.settings.nib if patient.settings is not None else None
    if kept is None:
        return NIBPlace(url=str(patient.state_dir / doctor_state.NIB_FILE))
    return NIBPlace(url=kept.url, password_file=kept.password_file)


def wanted_ports(settings: "NodeSettings") -> list[doctor_ports.Wanted]:
    """Return the ports that a controller listens on."""
    wanted = []
    if settings.role is not Role.LOCAL or settings.url is not None:
        purpose = "other controllers"
        wanted.append(_wanted(settings.port, purpose, settings.listen))
    if settings.role is not Role.LOCAL:
        wanted.append(_wanted(settings.joining_port, "those who join", settings.listen))
    if settings.api is not None:
        wanted.append(_wanted(settings.api.port, "operators' API", settings.api.listen))
    return wanted


def _wanted(number: int, purpose: str, address: str) -> doctor_ports.Wanted:
    return doctor_ports.Wanted(number=number, purpose=purpose, address=address)


def _other_secrets(settings: "NodeSettings | None") -> list[Path]:
    from pdsno.cli.api_access import access_file

    named: Iterable[Path | None] = ()
    if settings is not None:
        key = settings.api.key if settings.api else None
        password = settings.nib.password_file if settings.nib else None
        named = (settings.credentials_file, settings.join_token_file, key, password)
    return [*(path for path in named if path is not None), access_file()]


def _neighbours(patient: Patient, status: Mapping[str, Any] | None) -> Iterator[Finding]:
    settings = patient.settings
    if settings is None:
        why = "all tiers are in one process" if patient.is_of_site else "only --settings says where"
        yield skipped("parent", why)
        yield skipped("broker", why)
        return
    tls = _tls(settings.state_dir)
    if isinstance(tls, str):
        yield skipped("parent", tls)
        yield skipped("broker", tls)
        return
    if settings.parent is None:
        yield skipped("parent", f"a {settings.role.value} controller has none")
    else:
        region = settings.region if settings.role is Role.LOCAL else None
        yield from doctor_peers.parent(settings.parent, region, tls)
    if settings.broker is None:
        yield skipped("broker", "none in the settings: everything goes over REST")
    else:
        yield doctor_peers.broker(settings.broker, tls, status)


def _tls(state_dir: Path) -> "TlsIdentity | str":
    """Return how we speak TLS, or why we cannot."""
    from pdsno.identity.pki.tls_identity import TlsIdentity

    try:
        return TlsIdentity(state_dir / "tls")
    except PDSNOError:
        return "our certificate is no good: see above"


def _api(patient: Patient, status: Mapping[str, Any] | None) -> Finding:
    if patient.settings is not None and patient.settings.api is None:
        return skipped("API", "the settings want none")
    if status is None:
        return skipped("API", "the controller does not run, or may not be asked")
    url = status.get("api")
    if not url:
        return skipped("API", "the controller serves none (yet)")
    return doctor_peers.api(str(url))


def _saved_api() -> Finding:
    from pdsno.cli.api_access import access_file, default_api

    if not access_file().exists():
        return skipped("API", "no token is kept for any")
    return doctor_peers.api(default_api())
