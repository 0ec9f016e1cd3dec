"""The global controller: root of trust, whole-network NIB, policy."""

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
from pdsno.controllers.base_controller import BaseController, Options
from pdsno.controllers.broker_rights import RightsDesk
from pdsno.controllers.child_calls import ChildCalls
from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.loop import Loop
from pdsno.controllers.own_certificates import OwnCertificates
from pdsno.controllers.parenting import Parenting
from pdsno.controllers.pausing import pauses_of
from pdsno.controllers.policy_desk import PolicyDesk
from pdsno.controllers.reported_controllers import ADMISSION, keep_event
from pdsno.controllers.withdrawing import (
    put_into_policy,
    status_told_by,
    withdrawal_event,
)
from pdsno.domain.entities import ControllerRecord, ControllerStatus, NewEvent
from pdsno.domain.errors import (
    LocalProtocolError,
    NotFoundError,
    Refusal,
    RefusedError,
)
from pdsno.domain.identifiers import Role
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
    Status,
    SystemEvent,
)
from pdsno.domain.policy import Policy
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.domain.reports import may_jump
from pdsno.identity.escalation import decide_escalation
from pdsno.identity.exchange import Surroundings
from pdsno.identity.validator_identity import ValidatorIdentity
from pdsno.intake.reports import ReportIntake
from pdsno.signing import SigningKey

log = structlog.get_logger()


class GlobalController(BaseController):
    """One per network. Admits regional controllers and decides what they may not decide alone."""

    role: ClassVar[Role] = Role.GLOBAL

    def __init__(
        self,
        controller_id: str,
        context_manager: ContextManager,
        nib_store: NIB,
        enable_rest: bool = True,  # noqa: FBT001, FBT002 - the documented constructor
        rest_port: int = 8001,
        *,
        mqtt_broker: str | None = None,
        http_client: ControllerHTTPClient | None = None,
        options: Options | None = None,
    ) -> None:
        options = options or Options()
        self._admissions: Admissions | None = None
        self._parenting = Parenting(
            nib_store,
            own_status=self._status,
            policy_for=self._policy_for,
        )
        self._push: Loop | None = None
        self._rights = RightsDesk(nib_store)
        self._desk = PolicyDesk(
            nib_store,
            actor=controller_id,
            on_changed=self._tell_policy,
            on_pause=self._announce,
            on_withdrawn=self._tell_withdrawn,
        )
        super().__init__(
            controller_id=controller_id,
            region=None,
            context_manager=context_manager,
            nib_store=nib_store,
            http_client=http_client,
            mqtt_broker=mqtt_broker,
            rest_port=rest_port if enable_rest else None,
            options=options,
        )
        self._calls = ChildCalls(
            self.http_client, lambda: self.controller_id, self._parenting.children
        )
        taken = {
            MessageType.DISCOVERY_SUMMARY: self._on_summary,
            MessageType.SYSTEM_EVENT: self._on_event,
        }
        self._parenting.pull_gaps(self._calls, taken)
        self._certificates: OwnCertificates | None = None
        self._join_server: ControllerRESTServer | None = None
        if options.key is not None:
            self._become(self._controller_id)
            self._keep_own_record(parent_id=None, decided_by=self._controller_id)
            self._found(options.key)

    def _found(self, key: SigningKey) -> None:
        """Be the root of trust: make root, issuing CA and our own certificate if there are none."""
        options = self.options
        if options.tls is None or options.authority is None or self._verifier is None:
            raise LocalProtocolError("a global controller with a key needs tls and authority, too")
        self._certificates = certificates = OwnCertificates(
            vault=options.authority,
            tls=options.tls,
            controller_id=self.controller_id,
            key_id=key.key_id,
            addresses=options.addresses,
        )
        certificates.found(self._jitter)
        tls = options.tls
        self._admissions = Admissions(
            nib=self.nib_store,
            key=key,
            me=ValidatorIdentity(controller_id=self.controller_id, role=Role.GLOBAL),
            surroundings=Surroundings(
                authority=certificates.authority,
                server_cert_sha256=lambda: tls.certificate_sha256,
                in_transaction=self._in_admission,
                on_admitted=self._announce_admission,
                on_locked=self._tell_withdrawn,
            ),
        )
        self._join_server = self._admissions.listener(
            self.controller_id, options, self._verifier, self._verifier
        )

    def _servers(self) -> list[ControllerRESTServer]:
        joining = [self._join_server] if self._join_server else []
        return [*super()._servers(), *joining]

    # --- validation --------------------------------------------------------------------------

    def _require_admissions(self) -> Admissions:
        if self._admissions is None:
            raise RefusedError(Refusal.NOT_ALLOWED, "embedded: this controller admits nobody")
        return self._admissions

    @property
    def admissions(self) -> Admissions:
        """Who may join. Raises RefusedError NOT_ALLOWED in embedding mode."""
        return self._require_admissions()

    def _on_validation_request(self, message: Message) -> Reply:
        if "escalated_for" in message.payload:
            return self._on_escalation(message)
        return self._require_admissions().on_request(message)

    def _on_challenge_response(self, message: Message) -> Reply:
        return self._require_admissions().on_response(message)

    def _on_escalation(self, message: Message) -> Reply:
        """Decide for a regional controller; our signed reply is the decision."""
        sender = self._parenting.child(message, Role.REGIONAL)
        request = read(message, EscalationRequest)
        if request.region != sender.region:
            raise RefusedError(Refusal.WRONG_REGION, f"{sender.controller_id} is not of it")
        policy = self.nib_store.policy() or Policy()
        result = decide_escalation(request, policy, self.nib_store, decided_by=self.controller_id)
        event = self.record(
            "ESCALATION_APPROVED" if result.is_approved else "ESCALATION_REFUSED",
            request.escalated_for,
            cause=request.cause,
            region=request.region,
            by=sender.controller_id,
            reason=result.reason,
            detail=result.detail,
        )
        self._announce(event)
        return Reply(message_type=MessageType.VALIDATION_RESULT, payload=jsonable(result))

    def _announce_admission(self, record: ControllerRecord) -> None:
        now = datetime.now(UTC)
        data = {"role": record.role.value, "region": record.region}
        self._announce(
            SystemEvent(
                event_type="CONTROLLER_VALIDATED", subject=record.controller_id, at=now, data=data
            )
        )

    def _announce(self, event: SystemEvent) -> None:
        self._publish(topics.events_system(), MessageType.SYSTEM_EVENT, event)

    # --- what comes up -----------------------------------------------------------------------

    def _handlers(self) -> Mapping[MessageType, Handler]:
        return {
            MessageType.VALIDATION_REQUEST: self._on_validation_request,
            MessageType.CHALLENGE_RESPONSE: self._on_challenge_response,
            MessageType.DISCOVERY_SUMMARY: self._on_summary,
            MessageType.SYSTEM_EVENT: self._on_event,
            MessageType.STATUS: self._on_status,
        }

    def _on_status(self, message: Message) -> Reply | None:
        """Take a status; a broker's is answered with its rights, when they are others than its."""
        sender = self.nib_store.controller(message.sender_id)
        if sender is not None and sender.role is Role.REGIONAL and message.is_trusted:
            status = read(message, Status)
            told = (status.policy_epoch, status.policy_version)
            self._desk.overtake(*told, told_by=sender.controller_id)
        return self._rights.answer(message, self._parenting.on_status(message))

    def _on_summary(self, message: Message) -> Reply:
        sender = self._parenting.child(message, Role.REGIONAL)
        report = read(message, DiscoveryReport)
        if report.region != sender.region:
            raise RefusedError(Refusal.WRONG_REGION, f"{report.region} is not {sender.region}")
        intake = ReportIntake(self.controller_id, self.role)

        def apply(tx: NIBTransaction) -> None:
            applied = intake.apply(tx, message.sender_id, report)
            tx.append_event(
                NewEvent(
                    event_type="DISCOVERY_SUMMARY_APPLIED",
                    subject=report.cycle_id,
                    actor=self.controller_id,
                    at=datetime.now(UTC),
                    region=report.region,
                    data={
                        "reporter": message.sender_id,
                        "devices": len(report.devices) + len(report.seen),
                        "changed": len(applied.changed),
                    },
                )
            )

        reply = self._parenting.take_in(message, apply, is_snapshot=may_jump(report))
        log.info(
            "summary_taken_in",
            sender_id=message.sender_id,
            devices=len(report.devices),
            seen=len(report.seen),
        )
        return reply

    def _on_event(self, message: Message) -> Reply | None:
        """Keep what a regional controller tells: durable over REST, else just an announcement."""
        if message.sender_id == self.controller_id:
            return None
        sender = self._parenting.child(message, Role.REGIONAL)
        event = read(message, SystemEvent)

        def apply(tx: NIBTransaction) -> None:
            keep_event(tx, sender, event, actor=self.controller_id)

        if message.stream_id is None:
            if event.event_type == ADMISSION or status_told_by(event) is not None:
                return None  # it comes durably as well, and that copy counts
            with self.nib_store.transaction() as tx:
                apply(tx)
            return None
        reply = self._parenting.take_in(message, apply)
        if status_told_by(event) is not None:
            self._tell_policy()
        return reply

    # --- policy and rights -------------------------------------------------------------------

    def apply_policy(self, policy: Policy, by: str = "") -> Policy:
        """See `PolicyDesk.apply`."""
        return self._desk.apply(policy, by)

    def pause(self, *, by: str, reason: str = "", region: str | None = None) -> tuple[str, ...]:
        """See `PolicyDesk.pause`."""
        return self._desk.pause(by=by, reason=reason, region=region)

    def resume(self, *, by: str, region: str | None = None) -> tuple[str, ...]:
        """See `PolicyDesk.resume`."""
        return self._desk.resume(by=by, region=region)

    @property
    def probing(self) -> Mapping[str, object]:
        """Which regions are paused by policy, by whom and why."""
        policy = self.nib_store.policy() or Policy()
        return {"paused": pauses_of(policy.regions)}

    def withdraw(self, controller_id: str, wanted: ControllerStatus, *, by: str) -> bool:
        """See `PolicyDesk.withdraw`."""
        return self._desk.withdraw(controller_id, wanted, by=by)

    def _in_admission(self, tx: NIBTransaction, record: ControllerRecord) -> None:
        if record.status is not ControllerStatus.ACTIVE:
            put_into_policy(tx, record)

    def _tell_withdrawn(self, record: ControllerRecord, by: str = "") -> None:
        self._parenting.children.forget(record.controller_id)
        self._announce(withdrawal_event(record, by))
        self._tell_policy()

    def _tell_policy(self) -> None:
        """Publish policy, and push it to whoever can be called, now."""
        self._publish_policy()
        if self._push is not None:
            self._push.wake()

    def _push_policy(self) -> None:
        """Send policy over REST to regional controllers that say they have an older one."""
        self._calls.push(self.nib_store.controllers(role=Role.REGIONAL), self._policy_for)

    def _policy_for(self, child: ControllerRecord) -> PolicyUpdate | None:
        policy = self.nib_store.policy()
        if policy is None or child.role is not Role.REGIONAL:
            return None
        return PolicyUpdate(epoch=policy.epoch, version=policy.version, policy=policy)

    def _publish_policy(self) -> None:
        policy = self.nib_store.policy()
        if policy is not None:
            update = PolicyUpdate(epoch=policy.epoch, version=policy.version, policy=policy)
            self._publish(topics.policy_global(), MessageType.POLICY_UPDATE, update, retain=True)

    # --- commands ----------------------------------------------------------------------------

    def request_discovery(self, request: DiscoveryRequest) -> tuple[str, ...]:
        """Ask regional controllers for a cycle now; returns who was asked.

        Raises NotFoundError if no regional controller serves the region, and RefusedError if
        nobody may probe there now (PAUSED, OUTSIDE_WINDOW).
        """
        asked = self.nib_store.controllers(role=Role.REGIONAL, region=request.region)
        if not asked:
            where = f"region {request.region}" if request.region else "any region"
            msg = f"no regional controller has joined for {where}"
            raise NotFoundError(msg)
        policy = self.nib_store.policy() or Policy()
        going = [record for record in asked if not _is_paused(policy, record)]
        if not going:
            told = pauses_of(policy.regions).values()
            raise RefusedError(Refusal.PAUSED, f"probing is paused {', '.join(told)}")
        return self._calls.request(going, request)

    # --- life --------------------------------------------------------------------------------

    def _subscribe(self, client: ControllerMQTTClient) -> None:
        client.subscribe(topics.status_all(), handler=self._parenting.on_status)
        client.subscribe(topics.events("+"), handler=self._on_event)

    def _build_loops(self) -> list[Loop]:
        publish = Loop("policy", self._publish_policy, interval_s=lambda: 60.0)
        push = Loop(
            "policy-push", self._push_policy, interval_s=lambda: self.options.status_interval_s
        )
        self._push = push
        if self.mqtt_client is not None:
            self.mqtt_client.on_connect(publish.wake)
        streams = self._parenting.streams_loop(Role.REGIONAL)
        loops = [*super()._build_loops(), publish, push, streams]
        if self._certificates is not None:
            every_s = self.options.certificate_check_s
            loops.append(Loop("certificates", self._keep_certified, interval_s=lambda: every_s))
        return loops

    @property
    def streams_in(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        """What became of regional controllers' messages, by sender and stream."""
        return self._parenting.streams.counts()

    def close(self) -> None:
        """Stop pulling streams, loops, servers and connections; idempotent."""
        self._rights.close()
        self._parenting.streams.close()
        super().close()

    def _keep_certified(self) -> None:
        if self._certificates is not None:
            self._certificates.keep(self._jitter)


def _is_paused(policy: Policy, record: ControllerRecord) -> bool:
    region = policy.region(record.region or "")
    return region is not None and region.is_paused
