"""How commands get into a controller's API: its URL, a token, and the CA of its certificate.

A token comes from `--token-file`, else PDSNO_API_TOKEN, else from what is kept in `api.yml`: never
from an argument, which every user of the machine could read in the list of processes.
"""

import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from pdsno.domain.errors import InputError, OperationError
from pdsno.integrations import nib_rest
from pdsno.integrations.nib_rest import (
    CA_VARIABLE,
    DEFAULT_API,
    TOKEN,
    TOKEN_VARIABLE,
    is_loopback,
)

_OWN_S = 3600
_FOREVER = "9999"
_PORTS = {"http": 80, "https": 443}
_MAKE_ONE = "pdsno api-token create --save URL makes and keeps one"

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Result = TypeVar("_Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiTarget:
    """Whose API to ask, and how. `ca` None: the machine's own CAs; `origin` is of the token.

    `named` are the files by which it was looked up: the token's and the CA's.
    """

    url: str
    token: str | None = None
    origin: str = ""
    ca: Path | None = None
    named: tuple[Path | None, Path | None] = (None, None)


def access_options(command: _Command) -> _Command:
    """Add `--token-file` and `--ca`; the command receives `token_file` and `ca` for `look_up`."""
    with_ca = click.option(
        "--ca",
        type=click.Path(path_type=Path),
        envvar=CA_VARIABLE,
        show_envvar=True,
        metavar="FILE",
        help="CA of the API's certificate, in PEM.",
    )(command)
    return click.option(
        "--token-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help=f"Holds the API token (mode 0600).  [default: ${TOKEN_VARIABLE}, or the kept one]",
    )(with_ca)


def api_options(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """Add `--api`, `--token-file` and `--ca`; the command receives `api: ApiTarget`."""

    @wraps(command)
    def call(*, api: str, token_file: Path | None, ca: Path | None, **own: object) -> _Result:
        return command(api=look_up(api, token_file=token_file, ca=ca), **own)

    return click.option(
        "--api",
        envvar="PDSNO_API",
        default=default_api,
        show_default=DEFAULT_API,
        show_envvar=True,
        metavar="URL",
        help="Whose NIB to read.",
    )(access_options(call))


def look_up(url: str, *, token_file: Path | None = None, ca: Path | None = None) -> ApiTarget:
    """Return how to ask the API at a URL.

    Raises InputError for a URL, token or CA that cannot be, also if the token would travel in the
    clear; OperationError for a file that cannot be read, or that others can read.
    """
    url = checked_url(url)
    named = (token_file, ca)
    kept = _kept().get(_key(url), {})
    if kept.get("until", _FOREVER) < _now():
        kept = {}
    token, origin = _token(token_file, kept.get("token"))
    if token is None:
        token, origin = _of_this_host(url)
        kept = _kept().get(_key(url), {}) if token else {}
    if ca is None and "ca" in kept:
        ca = Path(kept["ca"])
    if ca is not None:
        check_ca(ca)
    if token is not None and not _is_private(url):
        raise InputError(
            f"{url} would carry the token in the clear: off loopback the API speaks https://"
        )
    return ApiTarget(url=url, token=token, origin=origin, ca=ca, named=named)


def look_up_again(target: ApiTarget) -> ApiTarget:
    """Return how to ask the same API now: what is kept may have changed. Raises as `look_up`."""
    token_file, ca = target.named
    return look_up(target.url, token_file=token_file, ca=ca)


def default_api() -> str:
    """Return the URL that is asked if none is named.

    That of the controller on this machine, else of the demo or site that keeps its token here,
    else the usual one.
    """
    own = _api_of_this_host()
    if own:
        return own
    try:
        kept = _kept()
    except (InputError, OperationError):
        return DEFAULT_API  # whoever needs the file is told what is wrong with it
    return next((url for url, entry in kept.items() if entry.get("default")), DEFAULT_API)


@cache
def _api_of_this_host() -> str:
    """Return where the controller on this machine serves its API, if its administrator asks."""
    from pdsno.cli.admin_client import AdminClient, default_socket

    socket_path = default_socket()
    if not socket_path.is_socket():
        return ""
    try:
        return str(AdminClient(socket_path).get("/status").get("api") or "")
    except (InputError, OperationError):
        return ""  # not an administrator


def checked_url(url: str) -> str:
    """Return the URL of an API without a slash at its end. Raises InputError if it is none."""
    try:
        return nib_rest.checked_url(url)
    except nib_rest.WrongAccessError as error:
        raise InputError(str(error)) from error


# --- what is kept ----------------------------------------------------------------------------


def access_file() -> Path:
    """Return the file that keeps tokens by URL ($XDG_CONFIG_HOME/pdsno/api.yml)."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "pdsno" / "api.yml"


def remember(
    url: str, token: str, ca_pem: str = "", *, is_default: bool = False, until: str = ""
) -> Path:
    """Keep a token, and perhaps the CA, for the API at a URL; return the file (mode 0600).

    What was kept for that URL goes. With `is_default` it is the one to ask if none is named;
    `until` is when it stops being good (ISO 8601, UTC).
    Raises InputError for no URL, OperationError if it cannot be
    kept.
    """
    key = _key(checked_url(url))
    with _changing() as kept:
        entry = {"token": token}
        if ca_pem:
            ca = access_file().with_name(f"{re.sub('[^a-z0-9.]+', '-', key)}.pem")
            _write(ca, ca_pem)
            entry["ca"] = str(ca)
        if until:
            entry["until"] = until
        if is_default:
            entry["default"] = "yes"
            for other in kept.values():
                other.pop("default", None)
        kept[key] = entry
    return access_file()


def forget(url: str) -> None:
    """Drop what is kept for the API at a URL, if anything is. Raises as `remember`."""
    key = _key(checked_url(url))
    if key not in _kept():
        return
    with _changing() as kept:
        entry = kept.pop(key, {})
    if "ca" in entry and Path(entry["ca"]).parent == access_file().parent:
        Path(entry["ca"]).unlink(missing_ok=True)


@contextmanager
def _changing() -> Iterator[dict[str, dict[str, str]]]:
    """Give the entries to change, then write them; other processes wait."""
    import yaml

    file = access_file()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise OperationError(f"cannot keep the token in {file}: {error.strerror}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        kept = _kept()
        yield kept
        _write(file, yaml.safe_dump(kept, sort_keys=True))
    finally:
        os.close(folder)


def _kept() -> dict[str, dict[str, str]]:
    from pdsno.strict_yaml import StrictYamlError, load_strict

    file = access_file()
    if not file.exists():
        return {}
    try:
        entries, _ = load_strict(read_private(file))
    except StrictYamlError as error:
        raise InputError(f"{file}: {error}") from error
    is_sound = isinstance(entries, dict) and all(
        isinstance(entry, dict)
        and entry.keys() <= {"token", "ca", "default", "until"}
        and all(isinstance(value, str) for value in entry.values())
        for entry in entries.values()
    )
    if entries is None or not isinstance(entries, dict) or not is_sound:
        raise InputError(f"{file} shall map URLs to `token` and `ca`: correct or remove it")
    return entries


def _write(file: Path, text: str) -> None:
    from pdsno.identity.private_files import replace_private

    try:
        replace_private(file, text.encode())
    except OSError as error:
        raise OperationError(f"cannot write {file}: {error.strerror}") from error


def read_private(file: Path) -> str:
    """Return the text of a file that holds a secret. Raises as `look_up`."""
    from pdsno.identity.private_files import read_private

    try:
        return read_private(file, what="the file").decode()
    except FileNotFoundError as error:
        raise InputError(f"there is no file {file}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 text") from error


# --- tokens, URLs, CAs -----------------------------------------------------------------------


def _token(token_file: Path | None, kept: str | None) -> tuple[str | None, str]:
    if token_file is not None:
        token, origin = read_private(token_file).strip(), f"in {token_file}"
    elif os.environ.get(TOKEN_VARIABLE):
        token, origin = os.environ[TOKEN_VARIABLE].strip(), f"in {TOKEN_VARIABLE}"
    elif kept is not None:
        token, origin = kept, f"kept in {access_file()}"
    else:
        return None, ""
    if not TOKEN.fullmatch(token):
        raise InputError(f"what is {origin} is no API token (pdsno_…); {_MAKE_ONE}")
    return token, origin


def _of_this_host(url: str) -> tuple[str | None, str]:
    """Return a token that the controller on this machine makes for its administrators, or none.

    Its admin socket knows who they are; they need not show more. The token is kept for an hour.
    """
    from pdsno.cli.admin_client import AdminClient, default_socket

    socket_path = default_socket()
    if url != _api_of_this_host():
        return None, ""
    body = {"name": f"cli-{secrets.token_hex(4)}", "role": "admin", "ttl_s": _OWN_S}
    try:
        made = AdminClient(socket_path).post("/api-token", body)
    except (InputError, OperationError):
        return None, ""  # not an administrator: the API says what is missing
    until = (datetime.now(UTC) + timedelta(seconds=_OWN_S - 60)).isoformat(timespec="seconds")
    remember(url, made["token"], made["ca"], until=until)
    return made["token"], f"made at {socket_path}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _key(url: str) -> str:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}:{parts.port or _PORTS[parts.scheme]}{parts.path}"


def _is_private(url: str) -> bool:
    return urlsplit(url).scheme == "https" or is_loopback(url)


def check_ca(path: Path) -> None:
    """Raise InputError for a file that is no CA in PEM."""
    try:
        nib_rest.check_ca(path)
    except nib_rest.WrongAccessError as error:
        raise InputError(str(error)) from error
