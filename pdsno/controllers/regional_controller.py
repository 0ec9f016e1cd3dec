"""The regional controller: admits local controllers, merges their reports, tells the global one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

import structlog

from pdsno.communication import topics
from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.mqtt_client import ControllerMQTTClient
from pdsno.communication.payloads import read
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.controllers.admission import Admissions
from pdsno.controllers.base_controller import Options
from pdsno.controllers.child_calls import ChildCalls
from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.escalating import admission_event, ask_above, refusal_event
from pdsno.controllers.loop import Loop
from pdsno.controllers.member_controller import MemberController
from pdsno.controllers.parenting import Parenting
from pdsno.controllers.pausing import OwnPause, in_words, pauses_of
from pdsno.controllers.report_desk import take_report
from pdsno.controllers.withdrawing import check_may_withdraw, put_status, withdrawal_event
from pdsno.domain.entities import ControllerRecord, ControllerStatus
from pdsno.domain.errors import (
    LocalProtocolError,
    OperationError,
    PDSNOError,
    Refusal,
    RefusedError,
)
from pdsno.domain.identifiers import Role, check_region
from pdsno.domain.messages import (
    DiscoveryReport,
    DiscoveryRequest,
    EscalationRequest,
    Handler,
    Message,
    MessageType,
    PolicyUpdate,
    Reply,
    ValidationResult,
)
from pdsno.domain.policy import Policy, RegionPolicy, is_inside
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.domain.reports import snapshot_of
from pdsno.identity.exchange import Surroundings
from pdsno.identity.validator_identity import ValidatorIdentity
from pdsno.policy.withdrawals import changed_by
from pdsno.signing import SigningKey

log = structlog.get_logger()


class RegionalController(MemberController):
    """One per region. Until the global controller validates it, its ID is `temp_id`."""

    role: ClassVar[Role] = Role.REGIONAL

    def __init__(  # noqa: PLR0913 - the documented constructor
        self,
        temp_id: str,
        region: str,
        context_manager: ContextManager,
        nib_store: NIB,
        http_client: ControllerHTTPClient | None = None,
        enable_rest: bool = True,  # noqa: FBT001, FBT002 - the documented constructor
        rest_port: int = 8002,
        *,
        mqtt_broker: str | None = None,
        options: Options | None = None,
    ) -> None:
        self._admissions: Admissions | None = None
        self._join_server: ControllerRESTServer | None = None
        self._own_pause = OwnPause(context_manager)
        self._policy_loops: tuple[Loop, ...] = ()
        self._parenting = Parenting(nib_store, own_status=self._status, policy_for=self._policy_for)
        super().__init__(
            controller_id=temp_id,
            region=check_region(region),
            context_manager=context_manager,
            nib_store=nib_store,
            http_client=http_client,
            mqtt_broker=mqtt_broker,
            rest_port=rest_port if enable_rest else None,
            options=options or Options(),
        )
        self._calls = ChildCalls(
            self.http_client, lambda: self.controller_id, self._parenting.children
        )
        self._offer_stream()
        self._parenting.pull_gaps(self._calls, {MessageType.DISCOVERY_REPORT: self._on_report})

    # --- admitting local controllers -----------------------------------------------------------

    def _require_admissions(self) -> Admissions:
        if not self.is_validated or self.options.key is None:
            raise RefusedError(Refusal.NO_DELEGATION, "this regional controller is not validated")
        self._admissions = self._admissions or self._build_admissions(self.options.key)
        return self._admissions

    @property
    def admissions(self) -> Admissions:
        """Who may join our region. Raises RefusedError NO_DELEGATION until we are validated."""
        return self._require_admissions()

    def _build_admissions(self, key: SigningKey) -> Admissions:
        tls, vault = self.options.tls, self.options.authority
        if tls is None or vault is None:
            raise LocalProtocolError("a regional controller with a key needs tls and authority")
        me = ValidatorIdentity(
            controller_id=self.controller_id, role=Role.REGIONAL, region=self.region
        )
        around = Surroundings(
            authority=vault.authority,
            server_cert_sha256=lambda: tls.certificate_sha256,
            escalate=self._escalate,
            regain=self._regain,
            in_transaction=self._queue_admission,
            on_admitted=self._tell_of_admission,
            on_locked=self._tell_withdrawn,
            on_refused=self._tell_of_refusal,
        )
        return Admissions(nib=self.nib_store, key=key, me=me, surroundings=around)

    def _servers(self) -> list[ControllerRESTServer]:
        """Return the mTLS server and, once we may admit others, the join listener."""
        servers = super()._servers()
        if self.options.tls is None or self._verifier is None:
            return servers
        if self._join_server is None:
            self._join_server = self.admissions.listener(
                self.controller_id, self.options, self._verifier, self._verifier
            )
        return [*servers, self._join_server]

    def _escalate(self, request: EscalationRequest) -> ValidationResult:
        """Ask the global controller; raises TransientError while it is away."""
        parent = self.options.parent
        if parent is None:
            msg = "this regional controller has no parent to ask"
            raise LocalProtocolError(msg)
        return ask_above(self.http_client, parent, self.controller_id, request)

    def _regain(self) -> None:
        """Ask for our next certificates now; in vain, the admission says what is missing."""
        try:
            self.renew_certificates()
        except PDSNOError as error:
            log.warning("authority_not_renewed", why=str(error))

    def _queue_admission(self, tx: NIBTransaction, record: ControllerRecord) -> None:
        """Let the global controller know for sure: with the admission, or not at all."""
        event = admission_event(record)
        if record.status is not ControllerStatus.ACTIVE:
            event = withdrawal_event(record, "")
        tx.enqueue(MessageType.SYSTEM_EVENT, event)

    def _tell_of_admission(self, record: ControllerRecord) -> None:
        """Let the region hear of it, and listen to the new one."""
        self._wake_relay()
        self._listen_to(record)
        topic = topics.events(self.region or "")
        self._publish(topic, MessageType.SYSTEM_EVENT, admission_event(record))

    def _tell_of_refusal(self, applicant: str, reason: str) -> None:
        topic = topics.events(self.region or "")
        self._publish(topic, MessageType.SYSTEM_EVENT, refusal_event(applicant, reason))

    # --- taking rights back ------------------------------------------------------------------

    def withdraw(self, controller_id: str, wanted: ControllerStatus, *, by: str) -> bool:
        """Revoke, block or unblock (`active`) a local controller of ours, also while alone.

        Tells whether that changed anything. Raises NotFoundError, InputError.
        """
        check_may_withdraw(self.nib_store.controller(controller_id), region=self.region)
        with self.nib_store.transaction() as tx:
            changed = put_status(tx, controller_id, wanted, actor=self.controller_id, by=by)
            if changed is not None:
                event = withdrawal_event(changed, by)
                tx.enqueue(MessageType.SYSTEM_EVENT, event)
        if changed is None:
            return False
        self._tell_withdrawn(changed, by=by)
        return True

    def _tell_withdrawn(self, record: ControllerRecord, *, by: str = "") -> None:
        self._parenting.children.forget(record.controller_id)
        self._wake_relay()
        topic = topics.events(self.region or "")
        self._publish(topic, MessageType.SYSTEM_EVENT, withdrawal_event(record, by))

    def _policy_kept(self, tx: NIBTransaction, old: Policy | None, new: Policy) -> None:
        """Follow what policy says of our local controllers' rights, in its own transaction."""
        ours = tx.controllers(role=Role.LOCAL, region=self.region)
        for record in changed_by(old, new, ours):
            tx.put_controller(record, expected_version=record.version)
            self._parenting.children.forget(record.controller_id)

    # --- reports -----------------------------------------------------------------------------

    def _on_report(self, message: Message) -> Reply:
        """Take in a report of a local controller, over MQTT or REST."""
        self._parenting.child(message, Role.LOCAL)
        report = read(message, DiscoveryReport)
        if report.region != self.region:
            raise RefusedError(Refusal.WRONG_REGION, f"{report.region} is not {self.region}")
        reply = take_report(self._parenting, message, report, own_id=self.controller_id)
        self._wake_relay()
        log.info(
            "report_taken_in",
            sender_id=message.sender_id,
            over="mqtt" if message.topic else "rest",
            devices=len(report.devices),
            seen=len(report.seen),
        )
        return reply

    @property
    def streams_in(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        """What became of our local controllers' messages, by sender and stream."""
        return self._parenting.streams.counts()

    def _wake_relay(self) -> None:
        if self._relay is not None:
            self._relay.wake()

    def _enqueue_snapshot(self, tx: NIBTransaction) -> None:
        """Tell the global controller anew what we have, and whom we admitted."""
        for part in snapshot_of(tx, self.region or "", "", datetime.now(UTC)):
            tx.enqueue(MessageType.DISCOVERY_SUMMARY, part)
        for record in tx.controllers(role=Role.LOCAL, region=self.region):
            self._queue_admission(tx, record)

    # --- what comes down ---------------------------------------------------------------------

    def _handlers(self) -> Mapping[MessageType, Handler]:
        return {
            # Here, over mTLS, only renewals come: who is not admitted yet has no certificate.
            MessageType.VALIDATION_REQUEST: lambda m: self._require_admissions().on_request(m),
            MessageType.CHALLENGE_RESPONSE: lambda m: self._require_admissions().on_response(m),
            MessageType.DISCOVERY_REPORT: self._on_report,
            MessageType.STATUS: self._on_status,
            MessageType.POLICY_UPDATE: self._on_policy_message,
            MessageType.DISCOVERY_REQUEST: self._on_discovery_request,
        }

    def _on_status(self, message: Message) -> Reply | None:
        self._parenting.child(message, Role.LOCAL)
        return self._parenting.on_status(message)

    def _on_discovery_request(self, message: Message) -> None:
        self._require_parent(message)
        self.request_discovery(read(message, DiscoveryRequest))

    def _on_command(self, command: DiscoveryRequest) -> None:
        try:
            self.request_discovery(command)
        except RefusedError as error:
            log.warning("request_refused", why=str(error), by=command.requested_by)

    def request_discovery(self, request: DiscoveryRequest) -> tuple[str, ...]:
        """Ask our local controllers for a cycle now; returns who was asked.

        With subnets, only those whose targets they are. Raises RefusedError if none of them may
        probe now (PAUSED, OUTSIDE_WINDOW).
        """
        region = self._own_policy()
        if region is not None and region.is_paused:
            raise RefusedError(Refusal.PAUSED, f"probing is paused {in_words(region.pause)}")
        children = (
            child
            for child in self.nib_store.controllers(role=Role.LOCAL, region=self.region)
            if self._has_targets(child, request.subnets)
        )
        return self._calls.request(children, request)

    def _has_targets(self, child: ControllerRecord, subnets: tuple[str, ...]) -> bool:
        region = self._own_policy()
        local = region.local(child.controller_id) if region else None
        targets = local.subnets if local else child.subnets
        return all(is_inside(subnet, targets) for subnet in subnets)

    # --- policy ------------------------------------------------------------------------------

    def _own_policy(self) -> RegionPolicy | None:
        """Return policy for our region, with our own word on pausing added."""
        policy = self.nib_store.policy()
        region = policy.region(self.region or "") if policy else None
        return self._own_pause.over(region) if region else None

    def _policy_for(self, child: ControllerRecord) -> PolicyUpdate | None:
        policy = self.nib_store.policy()
        if policy is None or child.role is not Role.LOCAL:
            return None
        return PolicyUpdate(epoch=policy.epoch, version=policy.version, region=self._own_policy())

    def _policy_changed(self, update: PolicyUpdate) -> None:
        log.info("policy_applied", epoch=update.epoch, version=update.version)
        self._own_pause.forget_overlay()
        self._wake_policy()

    def _wake_policy(self) -> None:
        for loop in self._policy_loops:  # not here: this thread takes in messages
            loop.wake()

    def _publish_policy(self) -> None:
        policy = self.nib_store.policy()
        if policy is not None:
            update = PolicyUpdate(
                epoch=policy.epoch, version=policy.version, region=self._own_policy()
            )
            topic = topics.policy(self.region or "")
            self._publish(topic, MessageType.POLICY_UPDATE, update, retain=True)

    def _push_policy(self) -> None:
        """Send policy over REST to local controllers that say they have an older one."""
        children = self.nib_store.controllers(role=Role.LOCAL, region=self.region)
        self._calls.push(children, self._policy_for)

    # --- pause -------------------------------------------------------------------------------

    def pause(self, *, by: str, reason: str = "", region: str | None = None) -> tuple[str, ...]:
        """Stop all probing of our region at once, also while the global controller is away.

        Raises InputError for another region than ours.
        """
        self._require_own_region(region)
        if self._own_pause.begin(by, reason):
            self._tell_of_pause("DISCOVERY_PAUSED", by=by, reason=reason)
        return (self.region or "",)

    def resume(self, *, by: str, region: str | None = None) -> tuple[str, ...]:
        """Lift the pause that was ordered here.

        Raises OperationError if policy keeps the region paused, saying where to lift that.
        """
        self._require_own_region(region)
        if self._own_pause.end():
            self._tell_of_pause("DISCOVERY_RESUMED", by=by)
        left = self._own_policy()
        if left is not None and left.is_paused:
            words = f"still paused {in_words(left.pause)}"
            raise OperationError(f"{words}: resume region {self.region} on the global controller")
        return (self.region or "",)

    @property
    def probing(self) -> Mapping[str, object]:
        """Whether our region is paused, by whom and why."""
        return {"paused": pauses_of(filter(None, [self._own_policy()]))}

    def _tell_of_pause(self, event_type: str, **data: str) -> None:
        """Record it, let the global controller hear of it for sure, and tell the region."""
        event = self.record(event_type, self.region or "", **data)
        with self.nib_store.transaction() as tx:
            tx.enqueue(MessageType.SYSTEM_EVENT, event)
        self._wake_relay()
        self._wake_policy()

    # --- life --------------------------------------------------------------------------------

    def _subscribe(self, client: ControllerMQTTClient) -> None:
        region = self.region or ""
        client.subscribe(topics.discovery_all(region), handler=self._on_mqtt_report)
        client.subscribe(topics.policy_global(), handler=self._on_policy_message)
        client.subscribe(topics.events_system(), handler=self._on_event_message)
        for child in self.nib_store.controllers(role=Role.LOCAL, region=self.region):
            self._listen_to(child)

    def _on_mqtt_report(self, message: Message) -> None:
        self._on_report(message)  # the sender learns of it when it next asks

    def _listen_to(self, child: ControllerRecord) -> None:
        if self.mqtt_client is not None:
            topic = topics.status(child.controller_id)
            self.mqtt_client.subscribe(topic, handler=self._on_status)

    def _build_loops(self) -> list[Loop]:
        publish = Loop("policy", self._publish_policy, interval_s=lambda: 60.0)
        every_s = self.options.status_interval_s
        push = Loop("policy-push", self._push_policy, interval_s=lambda: every_s)
        self._policy_loops = (publish, push)
        if self.mqtt_client is not None:
            self.mqtt_client.on_connect(publish.wake)
        if self.options.parent is not None:
            self._relay = self._new_relay(self._rest_transports())
        streams = self._parenting.streams_loop(Role.LOCAL, self.region)
        return [*super()._build_loops(), publish, push, streams]

    def close(self) -> None:
        """Stop the relay, loops and connections; idempotent."""
        if self._relay is not None:
            self._relay.stop()
            self._relay = None
        self._parenting.streams.close()
        super().close()
