"""One SSH connection up to the log-in: the host's key is judged before anything is told."""

import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko  # type: ignore[import-untyped]
from paramiko.ssh_exception import SSHException  # type: ignore[import-untyped]

from pdsno.domain.errors import OperationError
from pdsno.domain.observations import Outcome
from pdsno.southbound.credential_entries import SshCredential
from pdsno.southbound.known_hosts import HostKey, HostKeyChangedError, KnownHosts
from pdsno.southbound.ssh_errors import SshError, refusal, translated

# Paramiko logs a traceback from its own thread for everything that it also raises to us.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

_BANNER_BYTES = 255  # RFC 4253 section 4.2
_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")
_LIBRARY = (SSHException, OSError, EOFError, ValueError)


@dataclass(frozen=True, kw_only=True, slots=True)
class SshOptions:
    """How patient we are, in seconds.

    `read_timeout_s` is for silence in the middle of an answer; `session_timeout_s` ends the
    session, whatever was read by then.
    """

    connect_timeout_s: float = 3.0
    login_timeout_s: float = 15.0
    read_timeout_s: float = 20.0
    session_timeout_s: float = 120.0


def connect(address: str, port: int, options: SshOptions) -> socket.socket:
    """Return a connected socket where a server has begun to speak; its words stay unread.

    Raises SshError: REFUSED, TIMEOUT, UNREACHABLE, SESSION_CLOSED (hung up without a word).
    """
    try:
        sock = socket.create_connection((address, port), timeout=options.connect_timeout_s)
    except ConnectionRefusedError as error:
        raise SshError(Outcome.REFUSED) from error
    except TimeoutError as error:
        raise SshError(Outcome.TIMEOUT) from error
    except OSError as error:
        raise SshError(Outcome.UNREACHABLE, error.strerror or "") from error
    try:
        sock.settimeout(options.login_timeout_s)
        banner = sock.recv(_BANNER_BYTES, socket.MSG_PEEK)
    except TimeoutError as error:
        sock.close()
        raise SshError(Outcome.TIMEOUT, "connected, but no SSH banner") from error
    except OSError as error:
        sock.close()
        raise SshError(Outcome.SESSION_CLOSED, "before its banner") from error
    if not banner:
        sock.close()
        raise SshError(Outcome.SESSION_CLOSED, "before its banner")
    return sock


def negotiate(
    sock: Any,  # noqa: ANN401 - a socket, or a channel of a jump host's connection
    name: str,
    known_hosts: KnownHosts,
    options: SshOptions,
) -> tuple[paramiko.Transport, HostKey]:
    """Return an encrypted connection to a server whose key is the one that we know, or new.

    `name` is the host's in `known_hosts`. Nothing was told yet, not even a user's name. Raises
    SshError, HOST_KEY_CHANGED among others; the socket is closed then.
    """
    try:
        transport = paramiko.Transport(sock)
    except _LIBRARY as error:
        sock.close()
        raise translated(error, "before its banner") from error
    try:
        transport.banner_timeout = options.login_timeout_s
        transport.auth_timeout = options.login_timeout_s
        transport.channel_timeout = options.login_timeout_s
        _prefer(transport, known_hosts.kinds(name))
        transport.start_client(timeout=options.login_timeout_s)
        shown = transport.get_remote_server_key()
        key = HostKey(kind=shown.get_name(), blob=shown.get_base64())
        known_hosts.check(name, key)
    except HostKeyChangedError as error:
        transport.close()
        raise SshError(Outcome.HOST_KEY_CHANGED, str(error)) from error
    except SshError:
        transport.close()
        raise
    except OperationError as error:
        transport.close()
        raise SshError(Outcome.FAILED, f"known hosts: {error}") from error
    except _LIBRARY as error:
        transport.close()
        raise translated(error, "during key exchange") from error
    return transport, key


def _prefer(transport: paramiko.Transport, kinds: Sequence[str]) -> None:
    """Ask for a key of a kind that we know: a host may have several, and shows but one."""
    security = transport.get_security_options()
    wanted = [s for k in kinds for s in (_RSA_SIGNATURES if k == "ssh-rsa" else (k,))]
    known = [kind for kind in wanted if kind in security.key_types]
    security.key_types = tuple(dict.fromkeys([*known, *security.key_types]))


def private_key(credential: SshCredential) -> paramiko.PKey | None:
    """Return the credential's key; None if it is a password. Raises SshError naming the file."""
    if credential.key_file is None:
        return None
    path = Path(credential.key_file).expanduser()
    secret = credential.key_passphrase
    try:
        return paramiko.PKey.from_path(path, None if secret is None else secret.encode())
    except FileNotFoundError as error:
        raise SshError(Outcome.NOT_TRIED, f"key file {path} does not exist") from error
    except (*_LIBRARY, TypeError) as error:
        # TypeError: encrypted, and no passphrase is given; or the other way round.
        why = "needs its passphrase" if isinstance(error, TypeError) else "cannot be read"
        raise SshError(Outcome.NOT_TRIED, f"key file {path} {why}") from error


def log_in(
    transport: paramiko.Transport, username: str, password: str | None, key: paramiko.PKey | None
) -> None:
    """Offer one credential, once. The operator's agent and own keys are never offered.

    Raises SshError; whatever it is, the device may have counted a failure.
    """
    try:
        if key is not None:
            further = transport.auth_publickey(username, key)
        else:
            further = transport.auth_password(username, password)
    except _LIBRARY as error:
        raise refusal(error) from error
    if further:
        detail = f"asks for more: {', '.join(further)}"
        raise SshError(Outcome.AUTHENTICATION_FAILED, detail)
