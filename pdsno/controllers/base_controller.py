"""What every tier has: an identity, REST and MQTT, a status, and loops that can be stopped."""

import random
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import structlog

import pdsno
from pdsno.communication import topics
from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.mqtt_client import ControllerMQTTClient
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.event_publisher import CURSOR, EventPublisher, Published
from pdsno.controllers.loop import Loop
from pdsno.controllers.overdue_watch import LOOK_S, OverdueWatch
from pdsno.controllers.parent_link import Parent
from pdsno.controllers.refused_messages import RefusedMessages
from pdsno.controllers.seen_journal import SeenJournal
from pdsno.domain.entities import ControllerRecord, ControllerStatus, NewEvent
from pdsno.domain.errors import LocalProtocolError, PDSNOError
from pdsno.domain.identifiers import Role
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import Handler, MessageType, Status, SystemEvent
from pdsno.domain.persons_report import Tier
from pdsno.domain.ports import NIB
from pdsno.identity.directory import NIBVerifier
from pdsno.identity.pki.vault import AuthorityVault, TlsIdentity
from pdsno.signing import SigningKey

log = structlog.get_logger()

STATUS_INTERVAL_S = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerIdentity:
    """Whose certificate the MQTT broker must show."""

    controller_id: str
    region: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How a controller is connected.

    Without `key` and `tls` it runs in embedding mode: an in-memory key, loopback only. `authority`
    is where a global or regional controller keeps its issuing CA; `join_port` is its listener for
    those who have no certificate yet. `url` is where others reach our REST server, if they can,
    and `addresses` are those that our certificate shall name. Without `broker` the
    broker is on loopback and speaks no TLS. `validation_limit` is how many validation requests a
    minute one address may make. With `publish_events` a global or regional controller publishes
    its event log at the broker, for readers.
    """

    key: SigningKey | None = None
    tls: TlsIdentity | None = None
    authority: AuthorityVault | None = None
    parent: Parent | None = None
    url: str | None = None
    rest_host: str = "127.0.0.1"
    join_port: int = 0
    validation_limit: int = 5
    addresses: tuple[str, ...] = ()
    mqtt_port: int = 1883
    broker: BrokerIdentity | None = None
    publish_events: bool = False
    status_interval_s: float = STATUS_INTERVAL_S
    certificate_check_s: float = 60.0


class BaseController(ABC):
    """The common part of the three tiers; not used by itself."""

    role: ClassVar[Role]

    def __init__(
        self,
        *,
        controller_id: str,
        region: str | None,
        context_manager: ContextManager,
        nib_store: NIB,
        http_client: ControllerHTTPClient | None,
        mqtt_broker: str | None,
        rest_port: int | None,
        options: Options,
    ) -> None:
        self.context_manager = context_manager
        self.nib_store = nib_store
        self.region = region
        self.options = options
        self._controller_id = str(context_manager.get("controller_id", controller_id))
        self._started_at = datetime.now(UTC)
        self._verifier = NIBVerifier(nib_store) if options.key else None
        self._refused = RefusedMessages(nib_store, actor=lambda: self.controller_id, region=region)
        self.http_client = http_client or ControllerHTTPClient(
            signer=options.key, verifier=self._verifier, tls=options.tls
        )
        if (parent := options.parent) is not None:  # before anybody can make us ask it
            self.http_client.register_controller(
                parent.controller_id, parent.url, region=parent.region
            )
        self._mqtt_broker = mqtt_broker
        self.mqtt_client: ControllerMQTTClient | None = None
        self.rest_server = self._build_rest_server(rest_port) if rest_port is not None else None
        self._loops: list[Loop] = []
        self._publisher: EventPublisher | None = None
        self._serving: list[ControllerRESTServer] = []
        self._jitter = random.uniform(-1.0, 1.0)  # noqa: S311 - spreads load, hides nothing

    # --- identity ----------------------------------------------------------------------------

    @property
    def controller_id(self) -> str:
        """The assigned ID; until validated, the provisional one."""
        return self._controller_id

    @property
    def is_validated(self) -> bool:
        """Whether a validator gave us our ID (the global controller is its own)."""
        return self.context_manager.get("controller_id") is not None

    def _become(self, controller_id: str) -> None:
        """Take the assigned ID, for good."""
        self.context_manager.update(controller_id=controller_id)
        self._controller_id = controller_id
        if self.rest_server is not None:
            self.rest_server.controller_id = controller_id

    def _keep_own_record(self, *, parent_id: str | None, decided_by: str) -> None:
        """Let our own NIB list us, too."""
        key = self.options.key
        if key is None:
            return
        with self.nib_store.transaction() as tx:
            known = tx.controller(self.controller_id)
            record = ControllerRecord(
                controller_id=self.controller_id,
                role=self.role,
                region=self.region,
                status=known.status if known else ControllerStatus.ACTIVE,
                public_key=key.public_key,
                key_id=key.key_id,
                url=self.options.url,
                parent_id=parent_id,
                hostname=socket.gethostname(),
                validated_at=known.validated_at if known else datetime.now(UTC),
                decided_by=decided_by,
                last_seen=datetime.now(UTC),
                state="online",
            )
            tx.put_controller(record, expected_version=known.version if known else None)

    # --- REST --------------------------------------------------------------------------------

    @abstractmethod
    def _handlers(self) -> Mapping[MessageType, Handler]:
        """Return the messages that this tier answers over REST."""

    def _build_rest_server(self, port: int) -> ControllerRESTServer:
        server = ControllerRESTServer(
            controller_id=self._controller_id,
            port=port,
            host=self.options.rest_host,
            signer=self.options.key,
            verifier=self._verifier,
            tls=self.options.tls,
            peers=self._verifier,
            journal=self._journal(),
            on_refused=self._refused.note if self.options.key else None,
            info={"role": self.role.value, "region": self.region, "version": pdsno.__version__},
        )
        for message_type, handler in self._handlers().items():
            server.register_handler(message_type, handler)
        return server

    def _journal(self) -> SeenJournal | None:
        """Return what remembers messages over restarts; in embedding mode nothing does."""
        return SeenJournal(self.nib_store) if self.options.key else None

    def _require_rest_server(self) -> ControllerRESTServer:
        if self.rest_server is None:
            msg = "this controller was built with enable_rest=False"
            raise LocalProtocolError(msg)
        return self.rest_server

    def _servers(self) -> list[ControllerRESTServer]:
        """Return the servers of this tier that can serve by now."""
        return [self._require_rest_server()]

    def start_rest_server_background(self) -> None:
        """Serve other controllers from background threads; returns once they serve. Idempotent.

        A controller that is not validated has no certificate yet, and can serve only after that.
        """
        for server in self._servers():
            server.start_background()
            if server not in self._serving:
                self._serving.append(server)

    async def start_rest_server_async(self) -> None:
        """Serve other controllers until stopped."""
        server = self._require_rest_server()
        self._serving.append(server)
        await server.start()

    # --- MQTT --------------------------------------------------------------------------------

    def connect_mqtt(self) -> ControllerMQTTClient | None:
        """Connect to the broker in the background, with our last will; None if none is set."""
        if self._mqtt_broker is None or self.mqtt_client is not None:
            return self.mqtt_client
        broker = self.options.broker
        client = ControllerMQTTClient(
            controller_id=self.controller_id,
            broker_host=self._mqtt_broker,
            broker_port=self.options.mqtt_port,
            signer=self.options.key,
            verifier=self._verifier,
            journal=self._journal(),
            tls=self.options.tls if broker else None,
            broker_id=broker.controller_id if broker else None,
            broker_region=broker.region if broker else None,
        )
        if self.options.key is not None:
            client.on_refused(self._refused.note)
        client.set_will(
            topics.status(self.controller_id),
            lambda: jsonable(self._status("offline")),
        )
        self.mqtt_client = client
        self._subscribe(client)
        client.connect(wait=False)
        return client

    @abstractmethod
    def _subscribe(self, client: ControllerMQTTClient) -> None:
        """Subscribe to what this tier listens to."""

    def _publish(
        self, topic: str, message_type: MessageType, payload: object, *, retain: bool = False
    ) -> bool:
        """Publish what may be lost; tells whether the broker took it."""
        client = self.mqtt_client
        if client is None or not client.is_connected:
            return False
        try:
            client.publish(
                topic=topic, message_type=message_type, payload=jsonable(payload), retain=retain
            )
        except PDSNOError as error:
            log.warning("mqtt_publish_failed", topic=topic, error=str(error))
            return False
        return True

    # --- status and events -------------------------------------------------------------------

    def _status(self, state: str = "online") -> Status:
        policy = self.nib_store.policy()
        tail = self.nib_store.outbox_tail()
        return Status(
            state=state,
            role=self.role.value,
            region=self.region,
            streams=(tail,) if tail.seq else (),
            policy_epoch=policy.epoch if policy else 0,
            policy_version=policy.version if policy else 0,
        )

    @property
    def refused_counts(self) -> Mapping[str, int]:
        """Messages that were refused since the start, by reason."""
        return dict(self._refused.counts)

    @property
    def reports_waiting(self) -> int:
        """How many durable messages the parent has not confirmed yet."""
        first = self.nib_store.outbox(limit=1)
        return self.nib_store.outbox_tail().seq - first[0].seq + 1 if first else 0

    def _publish_status(self) -> None:
        self._publish(
            topics.status(self.controller_id), MessageType.STATUS, self._status(), retain=True
        )

    def record(self, event_type: str, subject: str, **data: Any) -> SystemEvent:  # noqa: ANN401 - flat JSON values
        """Append an event of ours to the log and return it for whoever should hear of it."""
        now = datetime.now(UTC)
        with self.nib_store.transaction() as tx:
            tx.append_event(
                NewEvent(
                    event_type=event_type,
                    subject=subject,
                    actor=self.controller_id,
                    at=now,
                    region=self.region,
                    data=data,
                )
            )
        return SystemEvent(event_type=event_type, subject=subject, at=now, data=data)

    # --- life --------------------------------------------------------------------------------

    def serve(self) -> None:
        """Connect MQTT and start the loops; idempotent. Ends with `close()`."""
        if self._loops:
            return
        self.connect_mqtt()
        self._loops = self._build_loops()
        for loop in self._loops:
            loop.start()

    def _build_loops(self) -> list[Loop]:
        interval_s = self.options.status_interval_s
        status = Loop("status", self._publish_status, interval_s=lambda: interval_s)
        if self.mqtt_client is not None:
            self.mqtt_client.on_connect(status.wake)
        if self.role not in (Role.REGIONAL, Role.GLOBAL):
            return [status]
        tier = Tier(controller_id=self.controller_id, role=self.role, region=self.region)
        watch = OverdueWatch(self.nib_store, tier, self.context_manager, self._started_at)
        overdue = Loop("overdue", watch.look, interval_s=lambda: LOOK_S)
        return [status, overdue, *self._publishing()]

    def _publishing(self) -> list[Loop]:
        """Return the loop that publishes our event log; without it, later ones begin later."""
        client = self.mqtt_client
        if client is None or not self.options.publish_events:
            if self.context_manager.get(CURSOR) is not None:
                self.context_manager.update(**{CURSOR: None})
            return []
        self._publisher = publisher = EventPublisher(
            self.nib_store,
            self.context_manager,
            client,
            region=self.region,
            actor=lambda: self.controller_id,
        )
        loop = Loop("events", publisher.step, interval_s=lambda: publisher.pause_s)
        client.on_connect(loop.wake)
        return [loop]

    @property
    def published_events(self) -> Published | None:
        """How publishing our event log stands; None if we do not publish it."""
        return self._publisher.published() if self._publisher is not None else None

    def close(self) -> None:
        """Stop loops, servers and connections; the NIB stays open. Idempotent."""
        if self._publisher is not None:
            self._publisher.close()
        for loop in self._loops:
            loop.stop()
        self._loops = []
        if self.mqtt_client is not None:
            self._publish(
                topics.status(self.controller_id),
                MessageType.STATUS,
                self._status("offline"),
                retain=True,
            )
            self.mqtt_client.disconnect()
            self.mqtt_client = None
        for server in self._serving:
            server.stop()
        self._serving = []
        self.http_client.close()
