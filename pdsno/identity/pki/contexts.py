"""TLS 1.3 with certificates of our roots, by Python's ssl, which is OpenSSL.

OpenSSL is also what judges chains here: `cryptography`'s own verifier refuses name constraints on
directory names.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from pdsno.domain.errors import LocalProtocolError, RemoteProtocolError

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of openssl/x509_vfy.h
_FLIGHTS = 4


class PinnedContext(ssl.SSLContext):
    """Trusts the roots it was given and no others; nobody can switch its checks off.

    HTTP libraries do both to a context that is handed to them: they add the public CAs, or turn
    verification off with a keyword.
    """

    _is_sealed = False

    def load_verify_locations(self, *_: object, **__: object) -> NoReturn:
        """Refuse: the roots were given when it was made."""
        raise LocalProtocolError("this TLS context trusts PDSNO's roots only: add no others")

    def load_default_certs(self, *_: object, **__: object) -> NoReturn:
        """Refuse: the public CAs say nothing about controllers."""
        self.load_verify_locations()

    def set_default_verify_paths(self) -> NoReturn:
        """Refuse, for the same reason."""
        self.load_verify_locations()

    def __setattr__(self, name: str, value: object) -> None:
        if self._is_sealed and name in {"verify_mode", "check_hostname", "verify_flags"}:
            if value != getattr(self, name):
                raise LocalProtocolError(f"this TLS context's {name} is fixed")
            return
        super().__setattr__(name, value)

    def trust(self, roots_pem: str) -> None:
        """Trust these roots from now on, besides those of before."""
        ssl.SSLContext.load_verify_locations(self, cadata=roots_pem)

    def present(self, credential_pem: bytes) -> None:
        """Show this certificate (private key and chain in PEM) in handshakes from now on."""
        with _as_file(credential_pem) as path:
            self.load_cert_chain(path)

    def seal(self) -> None:
        """Fix what it checks."""
        self._is_sealed = True


def server_context(
    credential_pem: bytes, roots_pem: str, *, requires_client: bool
) -> PinnedContext:
    """Return the context of a listener."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, roots_pem)
    context.verify_mode = ssl.CERT_REQUIRED if requires_client else ssl.CERT_NONE
    # A resumed session would not look at the client's certificate again.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    context.present(credential_pem)
    context.seal()
    return context


def client_context(credential_pem: bytes | None, roots_pem: str) -> PinnedContext:
    """Return the context of a client; without a credential it shows none, as joiners do."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, roots_pem)
    context.hostname_checks_common_name = False
    if credential_pem is not None:
        context.present(credential_pem)
    context.seal()
    return context


def check_handshake(credential_pem: bytes, roots_pem: str, server_name: str) -> None:
    """Let OpenSSL judge a chain as it will in use: both ends of a handshake, in memory.

    Validity in time is not asked: a clock that is wrong here does not make the chain wrong.
    Raises RemoteProtocolError with OpenSSL's reason.
    """
    try:
        sides = (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)
        contexts = [_context(side, roots_pem) for side in sides]
        for context in contexts:
            context.verify_mode = ssl.CERT_REQUIRED
            context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
            context.present(credential_pem)
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = contexts[0].wrap_bio(to_server, to_client, server_side=True)
        client = contexts[1].wrap_bio(to_client, to_server, server_hostname=server_name)
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


def _context(side: int, roots_pem: str) -> PinnedContext:
    context = PinnedContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.trust(roots_pem)
    return context


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
