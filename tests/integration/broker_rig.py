"""A real mosquitto over TLS with rights by subject, and clients that may misbehave."""

import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pdsno.communication.broker import BrokerTls, Mosquitto, MosquittoSettings
from pdsno.domain.broker_rights import BrokerRights, rights_of
from pdsno.domain.entities import ControllerStatus
from pdsno.domain.errors import OperationError
from pdsno.domain.identifiers import Role
from tests.integration.waiting import wait_until
from tests.pki import Member, Pki, make_member, make_pki, record_of

OK = "Success"
ALONE = "No matching subscribers"
REFUSED = "Not authorized"


@contextmanager
def open_directory() -> Iterator[Path]:
    """Give a folder that the broker's user can reach: tmp_path is closed to others."""
    directory = Path(tempfile.mkdtemp(prefix="pdsno-broker-"))
    try:
        directory.chmod(0o711)
        yield directory
    finally:
        shutil.rmtree(directory)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Rig:
    """One broker, and the certificates of a small system: two LCs in zone-A, an RC of zone-B."""

    pki: Pki
    lc2: Member
    other_rc: Member
    broker_member: Member
    settings: MosquittoSettings
    clients: list["Raw"] = field(default_factory=list)

    def start(self) -> None:
        """Start the broker on a free port, which another process may take before us."""
        for attempt in range(5):
            self.settings = replace(self.settings, port=free_port())
            self.broker = Mosquitto(self.settings)
            self.broker.apply_rights(self.rights())
            try:
                self.broker.start()
            except OperationError as error:
                if attempt == 4 or "port is taken" not in str(error):
                    raise
            else:
                return

    @property
    def members(self) -> tuple[Member, ...]:
        return (self.pki.gc, self.pki.rc, self.pki.lc, self.lc2, self.other_rc, self.broker_member)

    def rights(self, *, without: Sequence[Member] = ()) -> BrokerRights:
        """Return the rights of all; those in `without` were revoked."""
        return rights_of(
            replace(
                record_of(member),
                status=ControllerStatus.REVOKED if member in without else ControllerStatus.ACTIVE,
            )
            for member in self.members
        )

    def renew(self, by: Pki, *, is_join: bool = False) -> None:
        """Put a new certificate where the broker's is kept, of an authority of this system."""
        tls, authority = self.broker_member.tls, by.global_authority
        issued = authority.issue_leaf(
            tls.new_request(),
            controller_id=self.broker_member.controller_id,
            role=Role.BROKER,
            region=self.broker_member.region,
            key_id=self.broker_member.key_id,
            addresses=("127.0.0.1",),
            now=datetime.now(UTC),
        )
        tls.accept(issued.chain_pem, authority.roots_pem, is_join=is_join)

    def client(self, member: Member, **options: Any) -> "Raw":  # noqa: ANN401 - of Raw
        return self.with_context(member.tls.client_context(), **options)

    def with_context(self, context: ssl.SSLContext, **options: Any) -> "Raw":  # noqa: ANN401 - of Raw
        raw = Raw(context, self.settings.port, **options)
        self.clients.append(raw)
        raw.connect()
        return raw


@contextmanager
def running_rig(**options: Any) -> Iterator[Rig]:  # noqa: ANN401 - of MosquittoSettings
    """Give a broker with TLS and the rights of all members; `options` are MosquittoSettings'."""
    with open_directory() as directory:
        pki = make_pki(directory / "pki")
        authority, regional = pki.global_authority, pki.regional_authority
        lc2 = make_member(regional, directory / "lc2", "local_cntl_zone-A_2", Role.LOCAL, "zone-A")
        other_rc = make_member(
            authority, directory / "rc-b", "regional_cntl_zone-B_1", Role.REGIONAL, "zone-B"
        )
        broker_member = make_member(
            authority,
            directory / "broker-tls",
            pki.broker.controller_id,
            Role.BROKER,
            None,
            addresses=("127.0.0.1",),
        )
        rig = Rig(
            pki=pki,
            lc2=lc2,
            other_rc=other_rc,
            broker_member=broker_member,
            settings=replace(settings_for(broker_member, directory / "broker", 1), **options),
        )
        rig.start()
        try:
            yield rig
        finally:
            for client in rig.clients:
                client.close()
            rig.broker.stop()


def settings_for(member: Member, state_dir: Path, port: int) -> MosquittoSettings:
    return MosquittoSettings(
        port=port,
        state_dir=state_dir,
        tls=BrokerTls(
            certificate_file=member.tls.certificate_file, roots_file=member.tls.roots_file
        ),
    )


class Raw:
    """A paho client of one certificate, without any of our own care."""

    def __init__(
        self,
        context: ssl.SSLContext,
        port: int,
        *,
        client_id: str = "whatever",
        username: str | None = None,
        will: str | None = None,
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
    ) -> None:
        self._port = port
        self._version = version
        self.is_up = threading.Event()
        self.subscribed = threading.Event()
        self.messages: list[tuple[str, bytes]] = []
        self.disconnects: list[str] = []
        self._answers: dict[int, str] = {}
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version
        )
        self.client.tls_set_context(context)
        if username is not None:
            self.client.username_pw_set(username, "x")
        if will is not None:
            self.client.will_set(will, b"will", qos=1, retain=True)
        self.client.on_connect = lambda *_: self.is_up.set()
        self.client.on_disconnect = lambda _c, _u, _f, reason, _p: self.disconnects.append(
            str(reason)
        )
        self.client.on_message = lambda _c, _u, m: self.messages.append((m.topic, bytes(m.payload)))
        self.client.on_publish = lambda _c, _u, mid, reason, _p: self._answers.__setitem__(
            mid, str(reason)
        )
        self.client.on_subscribe = lambda *_: self.subscribed.set()

    def connect(self) -> None:
        """Connect once; raises OSError, or fails if nothing comes."""
        options: dict[str, Any] = {}
        if self._version is MQTTProtocolVersion.MQTTv5:
            kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            kept.SessionExpiryInterval = 3600
            options = {"clean_start": False, "properties": kept}
        self.client.connect("127.0.0.1", self._port, **options)
        self.client.loop_start()
        wait_until(lambda: self.is_up.is_set() or self.disconnects, "an answer")
        assert self.is_up.is_set(), f"no connection: {self.disconnects}"

    def publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> str:
        """Return the broker's answer."""
        mid = self.client.publish(topic, payload, qos=1, retain=retain).mid
        wait_until(lambda: mid in self._answers, f"an answer on {topic}")
        return self._answers[mid]

    def subscribe(self, *filters: str) -> None:
        self.subscribed.clear()
        self.client.subscribe([(name, 1) for name in filters])
        assert self.subscribed.wait(10), "no answer to a subscription"

    @property
    def topics(self) -> set[str]:
        return {topic for topic, _ in self.messages}

    def break_off(self) -> None:
        """Lose the connection without a word, as when the power goes."""
        sock = self.client.socket()
        assert sock is not None
        self.client.loop_stop()
        sock.close()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def served_serial(rig: Rig) -> int:
    """Return the serial number of the certificate that the broker shows."""
    context = rig.pki.lc.tls.client_context()
    with (
        socket.create_connection(("127.0.0.1", rig.settings.port), timeout=10) as plain,
        context.wrap_socket(
            plain, server_hostname="broker-cntl-global-1.global.pdsno.internal"
        ) as tls,
    ):
        der = tls.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number
