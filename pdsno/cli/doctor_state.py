"""What `pdsno doctor` finds out of a state directory: disk, NIB, certificates, file modes."""

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pdsno.cli.doctor_report import Finding, failed, ok, parted, size, skipped, span, warning
from pdsno.domain.errors import (
    InputError,
    NotFoundError,
    OperationError,
    PDSNOError,
    TransientError,
)

if TYPE_CHECKING:
    from pdsno.identity.pki.overview import CertificateView
    from pdsno.nib.care import NIBPlace
    from pdsno.nib.glance import Glance

NIB_FILE = "nib.sqlite"
_WHO_MAY = "run this as root, or as the controller's user"
_MIB = 1024 * 1024
_LITTLE_SPACE, _NO_SPACE = 512 * _MIB, 32 * _MIB
_LITTLE_SHARE, _NO_SHARE = 10, 100
"""Of a small file system the tenth, and the hundredth part."""
_MOST_CHECKED = 2048 * _MIB
_OLD_S, _TOO_OLD_S = 15 * 60, 24 * 3600
_PRIVATE = ("key.pem", NIB_FILE, "context.yaml", "tls", "authority")


# --- disk ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """The file system that a directory is on; free is what is left for us."""

    free: int
    total: int
    is_read_only: bool


def judge_disk(disk: Disk, directory: Path) -> Finding:
    """Tell whether the NIB can grow."""
    if disk.is_read_only:
        return failed(
            "disk",
            f"the file system of {directory} is mounted read-only",
            f"dmesg says why (often a failing disk); then mount -o remount,rw "
            f"$(stat -c %m {directory})",
        )
    told = f"{size(disk.free)} of {size(disk.total)} free"
    if disk.free < min(_NO_SPACE, disk.total // _NO_SHARE):
        return failed("disk", told, f"free some space where {directory} is: nothing can be kept")
    if disk.free < min(_LITTLE_SPACE, disk.total // _LITTLE_SHARE):
        return warning("disk", told, f"free some space where {directory} is, before it is full")
    return ok("disk", told)


def disk(directory: Path) -> Finding:
    """Look at the file system of a state directory."""
    try:
        found = os.statvfs(directory)
    except OSError as error:
        return failed("disk", f"{directory}: {error.strerror}", "see its owner, mode and mount")
    return judge_disk(
        Disk(
            free=found.f_bavail * found.f_frsize,
            total=found.f_blocks * found.f_frsize,
            is_read_only=bool(found.f_flag & os.ST_RDONLY),
        ),
        directory,
    )


# --- database --------------------------------------------------------------------------------


def judge_database(seen: "Glance", path: str) -> Finding:
    """Tell whether the NIB is whole, and of this release."""
    if seen.is_empty:
        return failed(
            "database",
            f"{path} is empty: was it copied without its -wal file?",
            "copy both while the controller is stopped, or restore a backup",
        )
    if seen.revision is None:
        return failed(
            "database",
            f"{path} is a database, but not a NIB",
            "move it aside, or name another state_dir",
        )
    if not seen.is_current and not seen.is_older:
        return failed(
            "database",
            f"schema {seen.revision} is of a newer release than this one",
            "upgrade PDSNO, or restore the backup from before",
        )
    if seen.faults:
        return failed(
            "database",
            f"damaged: {seen.faults[0]}" + (", and more" if len(seen.faults) > 1 else ""),
            f"stop the controller, move {path} with its -wal and -shm files aside, and restore a "
            "backup",
        )
    checked = "its pages not looked through" if seen.faults is None else "no damage"
    if seen.is_older:
        return warning(
            "database",
            f"schema {seen.revision} is of an older release; {checked}",
            "nothing: it is upgraded when the controller starts",
        )
    return ok("database", f"schema {seen.revision}, {checked}")


def judge_backlog(seen: "Glance", now: datetime) -> Finding:
    """Tell whether reports get through to the tier above."""
    if not seen.is_current:
        return skipped("outbox", "the NIB's schema is of another release")
    if not seen.waiting or seen.oldest is None:
        return ok("outbox", "nothing waits")
    age_s = (now - seen.oldest).total_seconds()
    told = f"{seen.waiting} messages wait, the oldest for {span(age_s)}"
    remedy = "see parent and broker above: they are kept, and sent when either is there"
    if age_s > _TOO_OLD_S:
        return failed("outbox", told, remedy)
    if age_s > _OLD_S:
        return warning("outbox", told, remedy)
    return ok("outbox", told)


def database(place: "NIBPlace", now: datetime) -> list[Finding]:
    """Look at a NIB without touching it, its outbox included."""
    from pdsno.nib.glance import glance
    from pdsno.nib.place import file_of, is_postgres

    is_file = not is_postgres(place.url)
    try:
        octets = file_of(place.url).stat().st_size if is_file else 0
        seen = glance(place, checks_pages=octets <= _MOST_CHECKED)
    except (FileNotFoundError, NotFoundError):
        why = f"there is no NIB at {place.url} yet"
        return [skipped("database", why), skipped("outbox", why)]
    except PermissionError:
        detail = f"you may not read {place.url}"
        return [failed("database", detail, _WHO_MAY)]
    except (OperationError, InputError) as error:
        is_busy = is_file and isinstance(error, TransientError)
        judge = warning if is_busy else failed
        return [judge("database", *parted(error)), skipped("outbox", "the NIB cannot be read")]
    return [judge_database(seen, place.url), judge_backlog(seen, now)]


# --- certificates ----------------------------------------------------------------------------


def judge_certificate(view: "CertificateView", now: datetime) -> Finding:
    """Tell how one certificate stands."""
    from pdsno.identity.pki.renewal import Standing

    check = "certificate"
    left_s = (view.not_after - now).total_seconds()
    named = f"{view.kind.value} {view.subject}"
    remedy = f"renewed by: {view.renewed_by}"
    match view.status:
        case Standing.EXPIRED:
            is_own = view.renewed_by == "itself"
            hint = "; it renews itself when its parent can be reached" if is_own else ""
            return failed(check, f"{named} expired {span(-left_s)} ago", remedy + hint)
        case Standing.NOT_YET_VALID:
            ahead_s = (view.not_before - now).total_seconds()
            detail = f"{named} holds only in {span(ahead_s)}"
            return failed(check, detail, "set this machine's clock: it is behind")
        case Standing.RENEWAL_DUE:
            detail = f"{named} is due for renewal, {span(left_s)} left"
            return warning(check, detail, remedy)
    return ok(check, f"{named}, {span(left_s)} left")


def certificates(state_dir: Path, now: datetime) -> list[Finding]:
    """Look at all certificates, and let OpenSSL judge the chain as a handshake would."""
    from pdsno.identity.pki.overview import overview

    try:
        has_any = any((state_dir / name).exists() for name in ("tls/tls.pem", "authority"))
        views = overview(state_dir, now) if has_any else ()
    except PermissionError as error:
        return [failed("certificate", f"you may not read {error.filename}", _WHO_MAY)]
    except PDSNOError as error:
        return [failed("certificate", *parted(error))]
    if not has_any:
        return [skipped("certificate", "none yet: it has not joined")]
    return [*(judge_certificate(view, now) for view in views), *_chain(state_dir)]


def _chain(state_dir: Path) -> list[Finding]:
    from pdsno.controllers.context_manager import ContextManager
    from pdsno.domain.peers import server_name
    from pdsno.identity.pki.contexts import check_handshake
    from pdsno.identity.pki.tls_identity import TlsIdentity

    remedy = "restore the tls folder from a backup, or join again with a new token"
    try:
        tls = TlsIdentity(state_dir / "tls")
        if not tls.has_certificate:
            return [skipped("chain", "no certificate of its own yet")]
        identity = tls.identity
        name = server_name(identity.controller_id, identity.region)
        check_handshake(tls.certificate_file.read_bytes(), tls.roots_pem, name)
        generation = ContextManager(state_dir / "context.yaml").get("generation")
    except (PDSNOError, OSError) as error:
        return [failed("chain", str(error), remedy)]
    told = f", generation {generation}" if generation is not None else ""
    return [ok("chain", f"{identity.controller_id} is certified under its root{told}")]


# --- secrets ---------------------------------------------------------------------------------


def judge_mode(path: Path, mode: int, owner: int, owners: Iterable[int]) -> Finding | None:
    """Return what is wrong with a secret's file, None if nothing is."""
    if stat.S_IMODE(mode) & 0o077:
        octal = f"{stat.S_IMODE(mode):04o}"
        fix = "go-rwx" if stat.S_ISDIR(mode) else "600"
        return failed("secrets", f"others may read {path} (mode {octal})", f"chmod {fix} {path}")
    if owner not in owners:
        detail = f"{path} belongs to uid {owner}, who is neither root nor the controller"
        return failed("secrets", detail, f"chown it to the owner of {path.parent}")
    return None


def secrets(state_dir: Path | None, others: Sequence[Path]) -> list[Finding]:
    """Look at the modes of all that must not be read by others."""
    kept = _kept_secrets(state_dir) if state_dir is not None else []
    found: list[Finding] = []
    looked = 0
    for path in [*kept, *others]:
        try:
            status, folder = path.stat(), path.parent.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            found.append(skipped("secrets", f"{path}: {error.strerror}"))
            continue
        looked += 1
        owners = {0, os.geteuid(), folder.st_uid}
        fault = judge_mode(path, status.st_mode, status.st_uid, owners)
        found += [fault] if fault else []
    return found or [ok("secrets", f"{looked} files are for their owner only")]


def _kept_secrets(state_dir: Path) -> list[Path]:
    paths = [state_dir / name for name in _PRIVATE]
    try:
        return [*paths, *(file for path in paths if path.is_dir() for file in path.iterdir())]
    except OSError:
        return paths
