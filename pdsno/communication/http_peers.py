"""The controllers that our HTTP client knows: where each listens, and the session to it."""

import contextlib
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import requests

from pdsno.communication.embedding import require_loopback
from pdsno.communication.http_tls import joining_context, new_session
from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import check_controller_id
from pdsno.domain.peers import server_name
from pdsno.domain.trust_ports import TransportSecurity


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """A controller that we call: `name` is what its certificate must bear."""

    controller_id: str
    url: str
    name: str

    def __str__(self) -> str:
        return f"{self.controller_id} at {self.url}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    """`shown` is the certificate of ours that the session's connections showed."""

    peer: Peer
    session: requests.Session | None = None
    shown: str = ""


class PeerBook:
    """Registered controllers. Thread-safe.

    With `tls` or `roots_pem` they speak TLS: to the first we show our certificate, to the second
    none. With neither they are on this machine.
    """

    def __init__(
        self, tls: TransportSecurity | None = None, roots_pem: str | bytes | None = None
    ) -> None:
        self._tls = tls
        self._roots = joining_context(roots_pem) if roots_pem is not None else None
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def anew(self) -> "PeerBook":
        """Return an empty book for connections that are made as ours are."""
        book = PeerBook(self._tls)
        book._roots = self._roots
        return book

    def register(self, controller_id: str, url: str, region: str | None) -> None:
        """Tell where a controller listens; a new URL replaces the old. Raises InputError."""
        check_controller_id(controller_id)
        peer = Peer(
            controller_id=controller_id,
            url=self._checked(url),
            name=server_name(controller_id, region),
        )
        with self._lock:
            known = self._entries.get(controller_id)
            if known is not None and known.peer == peer:
                return
            self._entries[controller_id] = _Entry(peer=peer)
        _close(known)

    def unregister(self, controller_id: str) -> None:
        """Forget a controller and close its connections; idempotent."""
        with self._lock:
            known = self._entries.pop(controller_id, None)
        _close(known)

    @property
    def urls(self) -> Mapping[str, str]:
        """The registered controllers: ID to URL."""
        with self._lock:
            return {name: entry.peer.url for name, entry in self._entries.items()}

    def peer(self, controller_id: str) -> Peer:
        """Return a registered controller; raises InputError for another."""
        with self._lock:
            entry = self._entries.get(controller_id)
        if entry is None:
            raise InputError(
                f"no address is known for controller {controller_id}: "
                f'call register_controller("{controller_id}", url) first'
            )
        return entry.peer

    def session(self, peer: Peer) -> requests.Session:
        """Return the session to a controller: a new one if we have a new certificate to show.

        Good for one request.
        """
        with self._lock:
            shown = self._tls.certificate_sha256 if self._tls is not None else ""
            known = self._entries.get(peer.controller_id) or _Entry(peer=peer)
            if known.session is not None and known.shown == shown:
                return known.session
            session = new_session(self._context(), known.peer.name)
            self._entries[peer.controller_id] = replace(known, session=session, shown=shown)
        _close(known)
        return session

    def _context(self) -> ssl.SSLContext | None:
        return self._tls.client_context() if self._tls is not None else self._roots

    def _checked(self, url: str) -> str:
        url = sound_url(url)
        parts = urlsplit(url)
        is_tls = self._tls is not None or self._roots is not None
        if is_tls and parts.scheme != "https":
            raise InputError(f"{url} is without TLS, which controllers speak: https://HOST:PORT")
        if not is_tls and parts.scheme == "https":
            raise InputError(f"{url} needs a certificate of ours: pass tls=, or join first")
        if not is_tls:
            require_loopback(parts.hostname or "")
        return url


def _close(entry: _Entry | None) -> None:
    """Close a session; whoever is using it gets its answer still."""
    if entry is not None and entry.session is not None:
        entry.session.close()


def sound_url(url: str) -> str:
    """Return a URL without its final slash; raises InputError if it is none of a controller."""
    is_sound = False
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        is_sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    if not is_sound:
        raise InputError(f"{url!r} is no URL of a controller: https://HOST:PORT")
    return url.rstrip("/")
