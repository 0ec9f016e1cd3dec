"""The regional controller: admits local controllers, merges their reports, tells the global one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

import structlog

from pdsno.communication import topics
from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.mqtt_client import ControllerMQTTClient
from pdsno.communication.payloads import read
from pdsno.communication.relay import OutboxRelay
from pdsno.controllers.admission import Admissions
from pdsno.controllers.base_controller import Options
from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.loop import Loop
from pdsno.controllers.member_controller import MemberController
from pdsno.controllers.parenting import Parenting
from pdsno.domain.entities import ControllerRecord
from pdsno.domain.errors import LocalProtocolError, PDSNOError, Refusal, RefusedError
from pdsno.domain.identifiers import Role, check_region, uuid7
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import (
    DiscoveryReport,
    DiscoveryRequest,
    EscalationRequest,
    Handler,
    Message,
    MessageType,
    PolicyUpdate,
    Reply,
    SystemEvent,
    ValidationResult,
)
from pdsno.domain.policy import RegionPolicy, is_inside
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.domain.reports import as_snapshot, in_parts, is_first_of_stream
from pdsno.intake.reports import ReportIntake
from pdsno.policy.distribute import for_region

log = structlog.get_logger()

_DECISION_S = 6.0
"""How long the global controller may take: less than an applicant waits for our answer."""


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

    # --- admitting local controllers -----------------------------------------------------------

    def _require_admissions(self) -> Admissions:
        if not self.is_validated or self.options.key is None:
            raise RefusedError(Refusal.NO_DELEGATION, "this regional controller is not validated")
        if self._admissions is None:
            self._admissions = Admissions.of_region(
                nib=self.nib_store,
                key=self.options.key,
                validator_id=self.controller_id,
                region=self.region or "",
                delegation=lambda: self.context_manager.get("delegation"),
                escalate=self._escalate,
                in_transaction=self._queue_admission,
                on_admitted=self._tell_of_admission,
                on_refused=self._tell_of_refusal,
            )
        return self._admissions

    @property
    def admissions(self) -> Admissions:
        """Who may join our region. Raises RefusedError NO_DELEGATION until we are validated."""
        return self._require_admissions()

    def _escalate(self, request: EscalationRequest) -> ValidationResult:
        """Ask the global controller; raises TransientError while it is away."""
        parent = self.options.parent
        if parent is None:
            msg = "this regional controller has no parent to ask"
            raise LocalProtocolError(msg)
        log.info("admission_escalated", cause=request.cause, applicant=request.escalated_for)
        reply = self.http_client.send(
            sender_id=self.controller_id,
            recipient_id=parent.controller_id,
            message_type=MessageType.VALIDATION_REQUEST,
            payload=jsonable(request),
            timeout_s=_DECISION_S,
            retries=0,
        )
        if reply is None:
            raise RefusedError(Refusal.NOT_ALLOWED, "the global controller does not decide")
        return read(reply, ValidationResult)

    def _queue_admission(self, tx: NIBTransaction, record: ControllerRecord) -> None:
        """Let the global controller know for sure: with the admission, or not at all."""
        tx.enqueue(MessageType.SYSTEM_EVENT, jsonable(_admission_event(record)))

    def _tell_of_admission(self, record: ControllerRecord) -> None:
        """Let the region hear of it, and listen to the new one."""
        self._wake_relay()
        self._listen_to(record)
        topic = topics.events(self.region or "")
        self._publish(topic, MessageType.SYSTEM_EVENT, _admission_event(record))

    def _tell_of_refusal(self, applicant: str, reason: str) -> None:
        event = SystemEvent(
            event_type="VALIDATION_REFUSED",
            subject=applicant,
            at=datetime.now(UTC),
            data={"reason": reason},
        )
        self._publish(topics.events(self.region or ""), MessageType.SYSTEM_EVENT, event)

    # --- reports -----------------------------------------------------------------------------

    def _on_report(self, message: Message) -> Reply:
        """Take in a report of a local controller, over MQTT or REST."""
        self._parenting.child(message, Role.LOCAL)
        report = read(message, DiscoveryReport)
        if report.region != self.region:
            raise RefusedError(Refusal.WRONG_REGION, f"{report.region} is not {self.region}")
        intake = ReportIntake(self.controller_id)

        def apply(tx: NIBTransaction) -> None:
            summary = intake.apply(tx, message.sender_id, report).summary(report)
            if is_first_of_stream(tx):
                summary = as_snapshot(tx, summary)
            for part in in_parts(summary):
                tx.enqueue(
                    MessageType.DISCOVERY_SUMMARY,
                    jsonable(part),
                    correlation_id=message.correlation_id,
                )

        reply = self._parenting.take_in(message, apply, is_snapshot=report.is_full)
        self._wake_relay()
        log.info(
            "report_taken_in",
            sender_id=message.sender_id,
            over="mqtt" if message.topic else "rest",
            devices=len(report.devices),
            seen=len(report.seen),
        )
        return reply

    def _wake_relay(self) -> None:
        if self._relay is not None:
            self._relay.wake()

    def _queue_snapshot(self) -> None:
        """The global controller lost what it had confirmed: tell it everything anew."""
        now = datetime.now(UTC)
        with self.nib_store.transaction() as tx:
            report = DiscoveryReport(
                cycle_id=f"snapshot_{uuid7()}",
                region=self.region or "",
                local_controller="",
                started_at=now,
                finished_at=now,
                coverage=(),
            )
            tx.enqueue(MessageType.DISCOVERY_SUMMARY, jsonable(as_snapshot(tx, report)))

    # --- what comes down ---------------------------------------------------------------------

    def _handlers(self) -> Mapping[MessageType, Handler]:
        return {
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
        self._on_command(read(message, DiscoveryRequest))

    def _on_command(self, command: DiscoveryRequest) -> None:
        self.request_discovery(command)

    def request_discovery(self, request: DiscoveryRequest) -> tuple[str, ...]:
        """Ask our local controllers for a cycle now; returns who was asked.

        With subnets, only those whose targets they are.
        """
        children = tuple(
            child
            for child in self.nib_store.controllers(role=Role.LOCAL, region=self.region)
            if self._has_targets(child, request.subnets)
        )
        for child in children:
            if not self._send_down(child, MessageType.DISCOVERY_REQUEST, request):
                self._parenting.children.leave_command(child.controller_id, request)
        return tuple(child.controller_id for child in children)

    def _has_targets(self, child: ControllerRecord, subnets: tuple[str, ...]) -> bool:
        region = self._own_policy()
        local = region.local(child.controller_id) if region else None
        targets = local.subnets if local else child.subnets
        return all(is_inside(subnet, targets) for subnet in subnets)

    def _send_down(
        self, child: ControllerRecord, message_type: MessageType, payload: object
    ) -> bool:
        """Send to a local controller that has an open port; tells whether it arrived."""
        if child.url is None:
            return False
        try:
            self.http_client.register_controller(child.controller_id, child.url)
            self.http_client.send(
                sender_id=self.controller_id,
                recipient_id=child.controller_id,
                message_type=message_type,
                payload=jsonable(payload),
            )
        except PDSNOError as error:
            log.info("child_unreachable", controller_id=child.controller_id, why=str(error))
            return False
        return True

    # --- policy ------------------------------------------------------------------------------

    def _own_policy(self) -> RegionPolicy | None:
        policy = self.nib_store.policy()
        return policy.region(self.region or "") if policy else None

    def _policy_for(self, child: ControllerRecord) -> PolicyUpdate | None:
        policy = self.nib_store.policy()
        if policy is None or child.role is not Role.LOCAL:
            return None
        return for_region(policy, self.region or "")

    def _policy_changed(self, update: PolicyUpdate) -> None:
        log.info("policy_applied", epoch=update.epoch, version=update.version)
        for loop in self._policy_loops:  # not here: this thread takes in messages
            loop.wake()

    def _publish_policy(self) -> None:
        policy = self.nib_store.policy()
        if policy is not None:
            region = self.region or ""
            update = for_region(policy, region)
            self._publish(topics.policy(region), MessageType.POLICY_UPDATE, update, retain=True)

    def _push_policy(self) -> None:
        """Send policy over REST to local controllers that say they have an older one."""
        for child in self.nib_store.controllers(role=Role.LOCAL, region=self.region):
            update = self._policy_for(child)
            known = self._parenting.children.policy_of(child.controller_id)
            if update is not None and known < (update.epoch, update.version) and known > (0, 0):
                self._send_down(child, MessageType.POLICY_UPDATE, update)

    # --- life --------------------------------------------------------------------------------

    def _subscribe(self, client: ControllerMQTTClient) -> None:
        region = self.region or ""
        client.subscribe(topics.discovery_all(region), handler=self._on_mqtt_report)
        client.subscribe(topics.policy_global(), handler=self._on_policy_message)
        client.subscribe(topics.events_system(), handler=self._on_event_message)
        for child in self.nib_store.controllers(role=Role.LOCAL, region=self.region):
            self._listen_to(child)

    def _on_mqtt_report(self, message: Message) -> None:
        """Take in a report; the sender learns of it when it next asks."""
        self._on_report(message)

    def _listen_to(self, child: ControllerRecord) -> None:
        if self.mqtt_client is not None:
            topic = topics.status(child.controller_id)
            self.mqtt_client.subscribe(topic, handler=self._on_status)

    def _build_loops(self) -> list[Loop]:
        publish = Loop("policy", self._publish_policy, interval_s=lambda: 60.0)
        push = Loop(
            "policy-push", self._push_policy, interval_s=lambda: self.options.status_interval_s
        )
        self._policy_loops = (publish, push)
        if self.mqtt_client is not None:
            self.mqtt_client.on_connect(publish.wake)
        if self.options.parent is not None:
            self._relay = OutboxRelay(
                self.nib_store,
                self._rest_transports(),
                self._ask_parent,
                on_snapshot_needed=self._queue_snapshot,
            )
            self._relay.start()
        return [*super()._build_loops(), publish, push]

    def close(self) -> None:
        """Stop the relay, loops and connections; idempotent."""
        if self._relay is not None:
            self._relay.stop()
            self._relay = None
        super().close()


def _admission_event(record: ControllerRecord) -> SystemEvent:
    return SystemEvent(
        event_type="CONTROLLER_VALIDATED",
        subject=record.controller_id,
        at=record.validated_at,
        data={
            "public_key": record.public_key,
            "hostname": record.hostname,
            "decided_by": record.decided_by,
        },
    )
