"""Where the API may listen: on loopback plainly, anywhere else over TLS."""

import ipaddress
import socket
import ssl
import stat
from pathlib import Path
from typing import TypeAlias

from pdsno.domain.errors import InputError

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_listen_address(host: str, *, has_tls: bool) -> None:
    """Raise InputError unless the API may listen there: anything but loopback needs TLS.

    Takes an IP address, or `localhost` and what it resolves to here; other names are refused,
    since what they mean may change.
    """
    addresses = _addresses(host)
    if has_tls or all(address.is_loopback for address in addresses):
        return
    raise InputError(
        f"the API carries tokens and listens on {host} over TLS only: give this controller an "
        "identity (it then uses its own certificate), or name a certificate of yours as "
        "`api: {certificate: FILE, key: FILE}`; without either use 127.0.0.1"
    )


def api_tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what serves the API over TLS 1.3 with a certificate of the company's own CA.

    `certificate` is PEM with the leaf first and what is between it and the root; `key` is its
    private key, in PEM without a passphrase. Both are read once: after a renewal restart the
    controller. Raises InputError naming the file and the remedy.
    """
    _check_key(key)
    _check_readable(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3

    def no_passphrase() -> str:
        raise InputError(
            f"the key {key} has a passphrase, which nobody could enter: "
            f"`openssl pkey -in {key} -out PLAIN_KEY` removes it"
        )

    try:
        context.load_cert_chain(certificate, key, password=no_passphrase)
    except ssl.SSLError as error:
        raise InputError(
            f"{certificate} and {key} are no certificate and its key in PEM: "
            f"{_why(error)}; the file of the certificate holds the leaf first"
        ) from error
    except OSError as error:
        raise InputError(f"cannot read {certificate} or {key}: {error.strerror}") from error
    return context


def _addresses(host: str) -> list[_Address]:
    if host == "localhost":
        try:
            told = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError as error:
            raise InputError("localhost is not known here: use 127.0.0.1") from error
        return [_address(str(item[4][0])) for item in told]
    return [_address(host)]


def _address(host: str) -> _Address:
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise InputError(
            f"the API cannot listen on {host!r}: give an IP address, or localhost"
        ) from error
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _check_key(path: Path) -> None:
    _check_readable(path)
    mode = path.stat().st_mode
    if mode & stat.S_IRWXO:
        raise InputError(
            f"everybody on this machine may read the key {path}: chmod 640 {path}, or 600"
        )


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _why(error: ssl.SSLError) -> str:
    known = {
        "KEY_VALUES_MISMATCH": "the key is of another certificate",
        "NO_START_LINE": "one of them is not PEM",
    }
    return known.get(error.reason or "", (error.reason or "unreadable").replace("_", " ").lower())
