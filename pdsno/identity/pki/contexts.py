"""TLS 1.3 with certificates of our roots, by Python's ssl, which is OpenSSL.

OpenSSL is also what judges chains here: `cryptography`'s own verifier refuses name constraints on
directory names.
"""

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pdsno.domain.errors import RemoteProtocolError

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of openssl/x509_vfy.h
_FLIGHTS = 4


class FollowingContext(ssl.SSLContext):
    """Hands each handshake to the newest of a series of contexts, which nobody else can reach.

    So a renewal never changes a context while another thread shakes hands with it, which OpenSSL
    does not allow; and what an HTTP library does to a context that it is given (adding the public
    CAs, switching verification off by a keyword) has no effect.
    """

    _newest: Callable[[], ssl.SSLContext]

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:  # noqa: ANN401 - ssl's own
        """Return a TLS socket of the newest context."""
        return self._newest().wrap_socket(*args, **kwargs)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:  # noqa: ANN401 - ssl's own
        """Return a TLS object, for asyncio, of the newest context."""
        return self._newest().wrap_bio(*args, **kwargs)


def following(newest: Callable[[], ssl.SSLContext]) -> FollowingContext:
    """Return a context that follows; `newest` is asked at each handshake."""
    model = newest()
    context = FollowingContext(model.protocol)
    context.check_hostname = model.check_hostname
    context.verify_mode = model.verify_mode
    context.minimum_version = model.minimum_version
    context._newest = newest  # noqa: SLF001 - SSLContext's __new__ takes no further arguments
    return context


def server_context(
    credential_pem: bytes, roots_pem: str, *, requires_client: bool
) -> ssl.SSLContext:
    """Return the context of a listener."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, roots_pem)
    context.verify_mode = ssl.CERT_REQUIRED if requires_client else ssl.CERT_NONE
    # A resumed session would not look at the client's certificate again.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    _present(context, credential_pem)
    return context


def client_context(credential_pem: bytes | None, roots_pem: str) -> ssl.SSLContext:
    """Return the context of a client; without a credential it shows none, as joiners do."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, roots_pem)
    context.hostname_checks_common_name = False
    if credential_pem is not None:
        _present(context, credential_pem)
    return context


def check_handshake(credential_pem: bytes, roots_pem: str, server_name: str) -> None:
    """Let OpenSSL judge a chain as it will in use: both ends of a handshake, in memory.

    Validity in time is not asked: a clock that is wrong here does not make the chain wrong.
    Raises RemoteProtocolError with OpenSSL's reason.
    """
    try:
        accepting = server_context(credential_pem, roots_pem, requires_client=True)
        connecting = client_context(credential_pem, roots_pem)
        for context in (accepting, connecting):
            context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = accepting.wrap_bio(to_server, to_client, server_side=True)
        client = connecting.wrap_bio(to_client, to_server, server_hostname=server_name)
        _shake_hands(client, server)
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or str(error)
        raise RemoteProtocolError(f"TLS does not accept the certificate: {reason}") from error


def _shake_hands(client: ssl.SSLObject, server: ssl.SSLObject) -> None:
    waiting = [client, server]
    for _ in range(_FLIGHTS):
        for side in tuple(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    if waiting:
        raise ssl.SSLError("the handshake came to no end")


def _context(side: int, roots_pem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=roots_pem)
    return context


def _present(context: ssl.SSLContext, credential_pem: bytes) -> None:
    """Let it show a certificate: private key and chain in PEM."""
    with _as_file(credential_pem) as path:
        context.load_cert_chain(path)


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Give ssl the file name that it wants, but of a file in memory: no copy stays behind."""
    descriptor = os.memfd_create("pdsno-credential", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
