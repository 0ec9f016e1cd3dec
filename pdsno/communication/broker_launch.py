"""What stands around a mosquitto process: its user, its files, its command line, its port."""

import contextlib
import errno
import os
import pwd
import shutil
import socket
import ssl
from pathlib import Path

from pdsno.communication.broker_greeting import greet
from pdsno.communication.broker_settings import CONFIGURATION, MosquittoSettings
from pdsno.domain.errors import InputError, OperationError

_SEARCH_PATH = os.pathsep.join((os.defpath, "/usr/sbin", "/usr/local/sbin", "/sbin"))


def run_as(settings: MosquittoSettings) -> str | None:
    """Return the user to become (or stay, for root), or None to stay who we are."""
    if os.geteuid() != 0:
        if settings.user is not None and _uid_of(settings.user) != os.geteuid():
            raise InputError(f"only root can run mosquitto as {settings.user}")
        return None
    user = settings.user or "mosquitto"
    try:
        pwd.getpwnam(user)
    except KeyError as error:
        raise OperationError(
            f"there is no user {user} to run the broker as: apt install mosquitto makes one"
        ) from error
    return user


def _uid_of(user: str) -> int | None:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def give_directory(settings: MosquittoSettings) -> None:
    """Make the state directory, with what is in it, its user's. Raises OSError."""
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    user = run_as(settings)
    if user is not None and user != "root":
        entry = pwd.getpwnam(user)
        for path in (settings.state_dir, *settings.state_dir.glob("mosquitto.*")):
            os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def put_file(settings: MosquittoSettings, name: str, content: bytes) -> None:
    """Replace a file of the state directory whole, readable by its user only. Raises OSError.

    mosquitto may read it at any moment; half an access control list would let everybody do
    everything.
    """
    user = run_as(settings)
    path = settings.state_dir / name
    draft = settings.state_dir / f".{name}.new"
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if user is not None and user != "root":
            entry = pwd.getpwnam(user)
            os.fchown(descriptor, entry.pw_uid, entry.pw_gid)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)


def command(settings: MosquittoSettings) -> list[str]:
    """Return the command line: as its user, and ending with us, however we end."""
    binary = _find("mosquitto", "mosquitto")
    user = run_as(settings)
    # setpriv, for mosquitto's own change of user would undo the wish to end with us.
    drop = [_find("setpriv", "util-linux"), "--pdeathsig", "TERM"]
    if user is not None and user != "root":
        entry = pwd.getpwnam(user)
        drop += ["--reuid", str(entry.pw_uid), "--regid", str(entry.pw_gid), "--init-groups"]
    return [*drop, "--", binary, "-c", str(settings.state_dir / CONFIGURATION)]


def is_installed() -> bool:
    """Tell whether this machine has a mosquitto to start."""
    return bool(shutil.which("mosquitto") or shutil.which("mosquitto", path=_SEARCH_PATH))


def _find(program: str, package: str) -> str:
    path = shutil.which(program) or shutil.which(program, path=_SEARCH_PATH)
    if path is None:
        raise OperationError(f"{program} is not installed: apt install {package}")
    return path


def check_port(host: str, port: int) -> None:
    """Raise OperationError if mosquitto cannot listen there: it says so later and less clearly."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            number = error.errno if isinstance(error, OSError) else None
            remedy = {
                errno.EADDRINUSE: "the port is taken; stop what listens there (ss -ltnp) or "
                "choose another port",
                errno.EADDRNOTAVAIL: "this machine has no such address; ip address shows its own",
            }.get(number or 0, str(error))
            raise OperationError(f"mosquitto cannot listen on {host}:{port}: {remedy}") from error


def answers(settings: MosquittoSettings, certificate: Path, *, timeout_s: float) -> bool:
    """Tell whether mosquitto itself answers, and not only the kernel for it.

    2.0.11 can get lost for good in a bridge that could not verify the broker above.
    """
    try:
        with socket.create_connection(_own_address(settings), timeout=timeout_s) as connection:
            if settings.tls is None:
                return greet(connection) is not None
            with _own_context(certificate).wrap_socket(connection) as tls:
                with contextlib.suppress(OSError):
                    tls.unwrap()  # or mosquitto complains of the end
                return True
    except OSError:
        return False


def _own_context(certificate: Path) -> ssl.SSLContext:
    """Return a context to see whether our own child answers: who it is, we know."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(certificate)
    return context


def _own_address(settings: MosquittoSettings) -> tuple[str, int]:
    any_address = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
    return any_address.get(settings.listen, settings.listen), settings.port
