"""TLS to a broker: our newest certificate at each connect, and the broker's name checked."""

import ssl
from typing import Any, cast

from pdsno.domain.trust_ports import TransportSecurity


class NamedContext:
    """Stands where an MQTT library wants an SSLContext, and puts in the name that it would not.

    Libraries check the certificate against the address that they connect to; ours bear names.
    """

    check_hostname = True

    def __init__(self, tls: TransportSecurity, server_name: str) -> None:
        self._tls = tls
        self._server_name = server_name
        self._shown = ""

    @property
    def is_outdated(self) -> bool:
        """Whether we have another certificate by now than the broker was shown last."""
        return self._shown not in ("", self._tls.certificate_sha256)

    @property
    def context(self) -> ssl.SSLContext:
        """What to give the library: this, which has of an SSLContext what it uses."""
        return cast("ssl.SSLContext", self)

    def wrap_socket(self, sock: Any, *, server_hostname: str = "", **options: Any) -> ssl.SSLSocket:  # noqa: ANN401 - ssl's
        """Return the socket in TLS, by the certificate that we have now.

        The handshake is made here, and not left to the library, which would not close the socket
        when it fails.
        """
        del server_hostname
        options["do_handshake_on_connect"] = False
        self._shown = self._tls.certificate_sha256
        context = self._tls.client_context()
        secured = context.wrap_socket(sock, server_hostname=self._server_name, **options)
        try:
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        return secured
