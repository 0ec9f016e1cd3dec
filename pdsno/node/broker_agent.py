"""The broker's process: mosquitto under rights that the global controller gives."""

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from pdsno.communication.broker import Bridge, BrokerTls, Mosquitto, MosquittoSettings
from pdsno.controllers.base_controller import Options
from pdsno.controllers.broker_controller import BrokerCallbacks, BrokerController
from pdsno.controllers.parent_link import Parent
from pdsno.domain.broker_rights import BrokerRights
from pdsno.domain.errors import InputError, OperationError
from pdsno.domain.peers import server_name
from pdsno.identity.keys import load_or_create_key
from pdsno.identity.pki.vault import TlsIdentity
from pdsno.node.admission_wait import join_when_possible
from pdsno.node.compose import open_state
from pdsno.settings import BridgeSettings, BrokerNodeSettings, ParentSettings

log = structlog.get_logger()

_CONNECT_TIMEOUT_S = 5.0


class BrokerAgent:
    """Joins, supervises mosquitto, keeps its rights and its certificate up to date.

    Its own secrets are in `agent` below the state directory, where mosquitto, which runs as
    another user, cannot reach them; mosquitto has `mosquitto`, with a copy of the certificate.
    """

    def __init__(self, settings: BrokerNodeSettings, *, certificate_check_s: float = 60.0) -> None:
        if settings.parent is None:
            raise InputError("an agent needs `parent` in the broker's settings: who gives rights")
        self._settings = settings
        self._stop = threading.Event()
        _make_passable(settings.state_dir)
        agent_dir = settings.state_dir / "agent"
        context, nib = open_state(agent_dir)
        self._tls = tls_identity(settings)
        self._nib = nib
        self.mosquitto = Mosquitto(mosquitto_settings(settings, self._tls))
        self.controller = BrokerController(
            temp_id=_temporary_id(settings),
            region=settings.region,
            context_manager=context,
            nib_store=nib,
            options=Options(
                key=load_or_create_key(agent_dir / "key.pem"),
                tls=self._tls,
                parent=Parent(
                    controller_id=settings.parent.id,
                    url=settings.parent.url,
                    join_url=settings.parent.joining,
                ),
                addresses=_own_addresses(settings.listen, settings.parent),
                certificate_check_s=certificate_check_s,
            ),
            rights_file=agent_dir / "rights.json",
            callbacks=BrokerCallbacks(
                on_rights=self._apply_rights,
                on_certificate=self._renew_certificate,
                on_standing=self._follow_standing,
            ),
        )
        self._lock = threading.Lock()
        self._may_serve = True

    def run(self) -> None:
        """Run until `request_stop`. Raises OperationError if mosquitto cannot start."""
        controller = self.controller
        try:
            if not controller.is_validated and not join_when_possible(
                controller, self._settings.join_token_file, subnets=(), stop=self._stop
            ):
                return
            if self._settings.bridge is not None:
                check_bridge(self._settings.bridge, self._tls)
            with self._lock:
                self.mosquitto.apply_rights(controller.rights)
                self.mosquitto.start()
            controller.serve()
            self._stop.wait()
        finally:
            controller.close()
            with self._lock:
                self._may_serve = False
                self.mosquitto.stop()
            self._nib.close()

    def request_stop(self) -> None:
        """Ask `run` to return; safe from a signal handler."""
        self._stop.set()

    def _apply_rights(self, rights: BrokerRights) -> None:
        self.mosquitto.apply_rights(rights)

    def _renew_certificate(self) -> None:
        self.mosquitto.renew_certificate()

    def _follow_standing(self, is_standing: bool) -> None:  # noqa: FBT001 - a callback
        with self._lock:
            if not is_standing:
                self.mosquitto.stop()
            elif self._may_serve:
                self.mosquitto.start()


def tls_identity(settings: BrokerNodeSettings) -> TlsIdentity:
    """Return the certificate of a broker, or the place for it."""
    return TlsIdentity(settings.state_dir / "agent" / "tls")


def mosquitto_settings(settings: BrokerNodeSettings, tls: TlsIdentity) -> MosquittoSettings:
    """Return what mosquitto is to do for a broker that has a parent."""
    bridge = settings.bridge
    if bridge is not None and settings.region is None:
        raise InputError("`bridge` is for the broker of one region: set `region`")
    return MosquittoSettings(
        listen=settings.listen,
        port=settings.number,
        state_dir=settings.state_dir / "mosquitto",
        tls=BrokerTls(certificate_file=tls.certificate_file, roots_file=tls.roots_file),
        bridge=(
            Bridge(host=bridge.host, port=bridge.port, region=settings.region or "")
            if bridge is not None
            else None
        ),
    )


def check_bridge(bridge: BridgeSettings, tls: TlsIdentity) -> None:
    """Raise OperationError if who is at the other end of a bridge is not the broker named there.

    mosquitto checks only that the certificate names the address, and 2.0.11 hangs for good when
    it does not. One that is away is no error: mosquitto connects when it is back.
    """
    remedy = (
        f"`bridge: {{host: {bridge.host}}}` must be an address, or a name, that is in the "
        f"certificate of {bridge.id}: it names the one from which that broker joined, and "
        f"{server_name(bridge.id, None)}"
    )
    for name in (bridge.host, server_name(bridge.id, None)):
        try:
            with _connected(bridge) as plain:
                tls.client_context().wrap_socket(plain, server_hostname=name).close()
        except ssl.SSLCertVerificationError as error:
            raise OperationError(
                f"the broker above at {bridge.host}:{bridge.port} is not to be trusted "
                f"({error.verify_message}): {remedy}"
            ) from error
        except OSError as error:
            log.warning("bridge_unreachable", broker=f"{bridge.host}:{bridge.port}", why=str(error))
            return


@contextlib.contextmanager
def _connected(bridge: BridgeSettings) -> Iterator[socket.socket]:
    address = (bridge.host, bridge.port)
    with socket.create_connection(address, timeout=_CONNECT_TIMEOUT_S) as plain:
        yield plain


def _own_addresses(listen: str, parent: ParentSettings) -> tuple[str, ...]:
    """Return the address that our certificate shall name, for bridges: where others reach us."""
    try:
        address = ipaddress.ip_address(listen)
    except ValueError:
        return ()
    if not address.is_unspecified:
        return (listen,)
    parts = urlsplit(parent.url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, target = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(target)  # sends nothing: the kernel tells which address it would use
            return (str(probe.getsockname()[0]),)
    except OSError as error:
        log.warning("own_address_unknown", parent=parent.url, why=str(error))
        return ()


def _temporary_id(settings: BrokerNodeSettings) -> str:
    """Return a provisional ID: good until validation, for people who read logs."""
    host = "".join(c if c.isalnum() else "-" for c in socket.gethostname().split(".")[0])
    return f"temp-broker-{settings.region or 'global'}-{host}"[:95]


def _make_passable(directory: Path) -> None:
    """Make the state directory: mosquitto's user may pass through it, and see nothing of it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o711)
    except OSError as error:
        raise OperationError(
            f"cannot use the state directory {directory}: {error.strerror}"
        ) from error
