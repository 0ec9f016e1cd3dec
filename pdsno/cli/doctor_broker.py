"""What `pdsno doctor` finds out about the broker's agent, by its settings file."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pdsno.cli import doctor_peers, doctor_ports, doctor_state
from pdsno.cli.broker import mosquitto_of
from pdsno.cli.doctor_report import Finding, failed, ok, parted, skipped, warning
from pdsno.domain.errors import InputError, OperationError

if TYPE_CHECKING:
    from pdsno.communication.broker import MosquittoSettings
    from pdsno.domain.broker_rights import BrokerRights
    from pdsno.settings import BrokerNodeSettings

_PROGRAM = "mosquitto"
_ANYONE_PASSES = 0o001


def look_at(
    settings: "BrokerNodeSettings", listeners: Sequence[doctor_ports.Listener], now: datetime
) -> Iterator[Finding]:
    """Look at user, folders, mosquitto, port; and what an agent with a parent has besides."""
    wanted = mosquitto_of(settings)
    yield judge_program(is_there=_is_installed())
    yield from _user_and_folders(wanted)
    yield from judge_listener(settings, listeners)
    if not settings.state_dir.exists():
        yield skipped("state", f"there is no {settings.state_dir} yet: it has never run")
    else:
        yield doctor_state.disk(settings.state_dir)
    if settings.parent is None:
        yield skipped("parent", "none in the settings: no TLS, no rights, loopback only")
        return
    yield from _agent(settings, wanted, now)


# --- mosquitto -------------------------------------------------------------------------------


def judge_program(*, is_there: bool) -> Finding:
    """Tell whether there is a mosquitto to start."""
    if is_there:
        return ok(_PROGRAM, "installed")
    return failed(_PROGRAM, "not installed: there is no broker to run", "apt install mosquitto")


def _is_installed() -> bool:
    from pdsno.communication.broker import is_installed

    return is_installed()


def _user_and_folders(wanted: "MosquittoSettings") -> Iterator[Finding]:
    from pdsno.communication.broker_launch import run_as
    from pdsno.communication.broker_settings import check_settings

    try:
        check_settings(wanted)
        user = run_as(wanted)
    except (InputError, OperationError) as error:
        yield failed("rights", *parted(error))
        return
    if user in {None, "root"}:
        yield ok("rights", "mosquitto runs as whoever runs the agent")
        return
    yield judge_folders(wanted.state_dir, f"user {user}")


def judge_folders(state_dir: Path, who: str) -> Finding:
    """Tell whether mosquitto's user may pass through all folders above its own."""
    for folder in reversed(state_dir.parents):
        try:
            mode = folder.stat().st_mode
        except FileNotFoundError:
            break  # the agent makes the rest, with the modes that it needs
        except OSError as error:
            return skipped("rights", f"{folder}: {error.strerror}")
        if not mode & _ANYONE_PASSES:
            detail = f"{who} may not pass through {folder} (mode {mode & 0o7777:04o})"
            return failed("rights", detail, f"chmod o+x {folder}, or choose another state_dir")
    return ok("rights", f"mosquitto runs as {who}, and reaches {state_dir}")


def judge_listener(
    settings: "BrokerNodeSettings", listeners: Sequence[doctor_ports.Listener]
) -> list[Finding]:
    """Tell whether the broker runs, and whether its port is its own."""
    wanted = doctor_ports.Wanted(number=settings.number, purpose="MQTT", address=settings.listen)
    taken = next((item for item in listeners if item.takes(wanted)), None)
    is_running = taken is not None and taken.program.startswith(_PROGRAM)
    (port,) = doctor_ports.judge_ports([wanted], listeners, is_running=is_running)
    if is_running:
        return [ok("process", f"mosquitto runs on {settings.listen}:{settings.number}"), port]
    detail = f"no mosquitto listens on {settings.listen}:{settings.number}"
    remedy = "start it: pdsno broker run; if it has ended by itself, its log says why"
    return [warning("process", detail, remedy), port]


# --- an agent with a parent ------------------------------------------------------------------


def _agent(
    settings: "BrokerNodeSettings", wanted: "MosquittoSettings", now: datetime
) -> Iterator[Finding]:
    from pdsno.nib.care import NIBPlace
    from pdsno.node.broker_agent import tls_identity

    own = settings.state_dir / "agent"
    if settings.state_dir.exists():
        yield doctor_state.database(NIBPlace(url=str(own / doctor_state.NIB_FILE)), now)[0]
        yield from doctor_state.certificates(own, now)
        yield from _rights(own / "rights.json", wanted.state_dir)
    token = [settings.join_token_file] if settings.join_token_file is not None else []
    yield from doctor_state.secrets(own, token)
    try:
        tls = tls_identity(settings)
    except (InputError, OperationError):
        yield skipped("parent", "our certificate is no good: see above")
        return
    if settings.parent is not None:
        yield from doctor_peers.parent(settings.parent, None, tls)
    if settings.bridge is not None:
        bridge = settings.bridge
        yield doctor_peers.bridge(bridge.host, bridge.port, bridge.id, tls)


def _rights(kept: Path, mosquitto_dir: Path) -> Iterator[Finding]:
    from pydantic import TypeAdapter, ValidationError

    from pdsno.communication.broker_acl import render_acl
    from pdsno.communication.broker_settings import ACL
    from pdsno.domain.broker_rights import BrokerRights

    check = "access list"
    try:
        rights = TypeAdapter(BrokerRights).validate_json(kept.read_bytes())
        in_force = (mosquitto_dir / ACL).read_text()
    except FileNotFoundError as error:
        why = f"there is no {error.filename} yet"
        yield judge_rights(None, why=why)
    except (OSError, ValueError, ValidationError) as error:
        detail = f"{kept} cannot be read: {' '.join(str(error).split())[:120]}"
        yield warning(check, detail, "nothing: the agent asks the global controller for it anew")
    else:
        yield judge_rights(rights, is_in_force=render_acl(rights) == in_force)


def judge_rights(
    rights: "BrokerRights | None", *, why: str = "", is_in_force: bool = False
) -> Finding:
    """Tell who may do anything at the broker, and whether mosquitto has it so."""
    check = "access list"
    if rights is None or not rights.subjects:
        detail = f"nobody may do anything: {why or 'the global controller named nobody'}"
        remedy = "see parent: it tells who may; there, pdsno controller list shows who is in"
        return warning(check, detail, remedy)
    told = f"{len(rights.subjects)} controllers have rights"
    if is_in_force:
        return ok(check, told)
    remedy = "start the agent again: it writes mosquitto's list anew"
    return failed(check, f"{told}, and mosquitto's list says otherwise", remedy)
