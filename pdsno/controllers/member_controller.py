"""What regional and local controllers share: they join a parent, and take its policy."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import structlog

from pdsno.communication.payloads import read
from pdsno.communication.relay import OutboxRelay
from pdsno.communication.relay_state import RelayState
from pdsno.communication.streams import StreamSource
from pdsno.communication.transports import DurableTransport, RestTransport
from pdsno.controllers.base_controller import BaseController
from pdsno.controllers.loop import Loop
from pdsno.controllers.membership import Membership
from pdsno.controllers.parent_link import ParentLink
from pdsno.controllers.stream_restart import KeptMark, restart_stream
from pdsno.domain.entities import ControllerRecord, ControllerStatus, NewEvent
from pdsno.domain.errors import InputError, Refusal, RefusedError, TransientError
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import (
    DiscoveryRequest,
    Message,
    PolicyUpdate,
    StreamTail,
    SystemEvent,
    TrustedKey,
    ValidationResult,
    heard_event,
)
from pdsno.domain.policy import Policy
from pdsno.domain.ports import NIBTransaction
from pdsno.policy.distribute import accept
from pdsno.signing import key_id_of

log = structlog.get_logger()


class MemberController(BaseController):
    """A controller with a parent."""

    _link: ParentLink | None = None
    _relay: OutboxRelay | None = None
    _membership: Membership | None = None

    # --- joining -----------------------------------------------------------------------------

    @property
    def membership(self) -> Membership:
        """Our certificates: how we get them, and the next ones."""
        if self._membership is None:
            self._membership = Membership(
                role=self.role,
                region=self.region,
                options=self.options,
                verifier=self._verifier,
                nib=self.nib_store,
                http=self.http_client,
                who=lambda: self.controller_id,
            )
        return self._membership

    @property
    def is_validated(self) -> bool:
        """Whether we have an ID and a certificate and still know the parent that gave them.

        With the NIB lost we could verify nobody: joining again, with the same key, gives the same
        ID and the trust that is missing.
        """
        parent, tls = self.options.parent, self.options.tls
        return (
            super().is_validated
            and (parent is None or self.nib_store.controller(parent.controller_id) is not None)
            and (tls is None or tls.has_certificate)
        )

    def join(self, token: str, *, subnets: tuple[str, ...] = ()) -> ValidationResult:
        """Prove who we are to the parent and take the assigned ID, trust and policy.

        Returns the parent's answer, refusals included. Raises RefusedError when the parent turned
        us away before its challenge or is not who the token says, TransientError when it is away.
        """
        result = self.membership.join(token, subnets)
        if result.is_approved and result.assigned_id:
            self._admitted(result)
        return result

    def _admitted(self, result: ValidationResult) -> None:
        parent_id = self.options.parent.controller_id if self.options.parent else ""
        self._trust(result.trust, parent_id)
        self._become(result.assigned_id or "")
        self.context_manager.update(parent_id=parent_id, generation=result.generation)
        self._keep_own_record(parent_id=parent_id, decided_by=result.decided_by)
        if result.policy is not None:
            self._on_policy(
                PolicyUpdate(
                    epoch=result.policy_epoch,
                    version=result.policy_version,
                    region=result.policy,
                ),
                may_be_old=True,
            )

    def renew_certificates(self) -> bool:
        """Ask for the next certificates if it is time; tells whether there are new ones.

        Raises TransientError while the parent is away; it is asked again with the next round.
        """
        tls = self.options.tls
        if tls is None or datetime.now(UTC) < self.membership.due_at(self._jitter):
            return False
        result = self.membership.renew(int(self.context_manager.get("generation", 0)))
        if not result.is_approved:
            self._tell_refused_renewal(result)
            return False
        self._admitted(result)
        log.info("certificate_renewed", generation=result.generation, until=tls.not_after)
        return True

    def _tell_refused_renewal(self, result: ValidationResult) -> None:
        log.error(
            "renewal_refused",
            reason=result.reason,
            why=result.detail,
            remedy="ask the operators of the tier above; docs/security.md tells what each means",
        )

    def _trust(self, keys: tuple[TrustedKey, ...], parent_id: str) -> None:
        """Keep the keys that the parent vouches for, its own included."""
        now = datetime.now(UTC)
        with self.nib_store.transaction() as tx:
            for key in keys:
                known = tx.controller(key.controller_id)
                record = ControllerRecord(
                    controller_id=key.controller_id,
                    role=Role(key.role),
                    region=key.region,
                    status=known.status if known else ControllerStatus.ACTIVE,
                    public_key=key.public_key,
                    key_id=key_id_of(key.public_key),
                    validated_at=now,
                    decided_by=parent_id,
                )
                tx.put_controller(record, expected_version=known.version if known else None)

    # --- the parent --------------------------------------------------------------------------

    def parent_link(self) -> ParentLink | None:
        """Return the calls to the parent; None without one."""
        if self._link is None and self.options.parent is not None:
            self._link = ParentLink(
                parent=self.options.parent,
                http=self.http_client,
                sender_id=lambda: self.controller_id,
                status=self._status,
                on_policy=lambda update: self._on_policy(update, may_be_old=True),
                on_command=self._on_command,
            )
        return self._link

    def _ask_parent(self) -> StreamTail | None:
        """Return how far the parent has applied our stream; raises TransientError without one."""
        link = self.parent_link()
        if link is None:
            raise TransientError("there is no parent to ask")
        return link.report_status()

    def _tell_parent(self) -> None:
        """Report our status; that the parent is there, and what it applied, is for the relay."""
        position, relay = self._ask_parent(), self._relay
        if relay is None:
            return
        if position is not None:
            relay.heard(position)
        if relay.state() is RelayState.QUEUED:
            relay.wake()

    def _rest_transports(self) -> list[RestTransport]:
        """Return the way to the parent over REST, if we have a parent."""
        if self.options.parent is None:
            return []
        return [
            RestTransport(
                self.http_client,
                sender_id=lambda: self.controller_id,
                parent_id=self.options.parent.controller_id,
            )
        ]

    def wake_reports(self) -> None:
        """Send now what was queued outside of a cycle."""
        if self._relay is not None:
            self._relay.wake()

    def _new_relay(self, transports: Sequence[DurableTransport]) -> OutboxRelay:
        """Return a running relay of our outbox to the parent."""
        relay = OutboxRelay(
            self.nib_store,
            transports,
            self._ask_parent,
            on_snapshot_needed=self._queue_snapshot,
            on_restart_needed=self._restart_stream,
            asks_first=self.options.parent is not None,
            mark=KeptMark(self.context_manager) if self.options.parent else None,
        )
        relay.start()
        return relay

    def _offer_stream(self) -> None:
        """Let the parent pull our stream, if it can call us."""
        if self.rest_server is None or self.options.parent is None:
            return
        source = StreamSource(
            self.nib_store,
            lambda: self._relay,
            sender_id=lambda: self.controller_id,
            receiver_id=self.options.parent.controller_id,
            signer=self.options.key,
            verifier=self._verifier,
        )
        self.rest_server.serve_streams(source)

    @property
    def streams_out(self) -> Mapping[str, Mapping[str, int]]:
        """How many messages of each stream of ours went to the parent since we began to serve."""
        return self._relay.counts() if self._relay is not None else {}

    def _queue_snapshot(self) -> None:
        """The parent lost what it had confirmed: tell it everything anew."""
        with self.nib_store.transaction() as tx:
            self._enqueue_snapshot(tx)

    def _restart_stream(self, position: StreamTail, began_at: int) -> None:
        """Our database was restored from a backup: what we tell the parent begins anew."""
        restart_stream(
            self.nib_store,
            position,
            began_at,
            actor=self.controller_id,
            region=self.region,
            enqueue_snapshot=self._enqueue_snapshot,
        )

    @abstractmethod
    def _enqueue_snapshot(self, tx: NIBTransaction) -> None:
        """Queue everything that we have for the parent."""

    def _recipient_id(self) -> str:
        """Return who durable messages are for; everybody on the topic, until we have a parent."""
        return self.options.parent.controller_id if self.options.parent else "*"

    def _require_parent(self, message: Message) -> None:
        """Refuse commands of anybody but the parent."""
        parent = self.options.parent
        if parent is not None and message.sender_id != parent.controller_id:
            raise RefusedError(Refusal.NOT_ALLOWED, f"{message.sender_id} is not the parent")

    def _require_own_region(self, region: str | None) -> None:
        """Refuse what an operator wants of another region. Raises InputError."""
        if region not in (None, self.region):
            msg = f"this controller is of region {self.region}, not {region}"
            raise InputError(msg)

    @abstractmethod
    def _on_command(self, command: DiscoveryRequest) -> None:
        """Do what the parent asked for in its reply."""

    # --- policy ------------------------------------------------------------------------------

    def _on_policy_message(self, message: Message) -> None:
        self._require_parent(message)
        self._on_policy(read(message, PolicyUpdate))

    def _on_policy(self, update: PolicyUpdate, *, may_be_old: bool = False) -> None:
        """Keep newer policy; the same again is nothing, an older one is refused and recorded.

        What an answer of the parent brings `may_be_old`: a newer one was sent meanwhile.
        """
        try:
            is_new = self._keep_policy(update)
        except RefusedError as error:
            if may_be_old and error.reason is Refusal.OLD_VERSION:
                return
            self.record("POLICY_REFUSED", f"{update.epoch}.{update.version}", reason=error.reason)
            error.is_recorded = True
            raise
        if is_new or self._takes_overlay(update):
            self._policy_changed(update)

    def _takes_overlay(self, update: PolicyUpdate) -> bool:  # noqa: ARG002 - for whoever has a region above
        """Keep what the parent added to the version that we have; tells whether that is new."""
        return False

    def _keep_policy(self, update: PolicyUpdate) -> bool:
        """Keep a policy, which may come by several ways at once; False if we have it already."""
        with self.nib_store.transaction() as tx:
            old = tx.policy()
            policy = accept(old, update)
            if policy is None:
                return False
            tx.put_policy(policy)
            self._policy_kept(tx, old, policy)
            tx.append_event(
                NewEvent(
                    event_type="POLICY_ACCEPTED",
                    subject=f"{update.epoch}.{update.version}",
                    actor=self.controller_id,
                    at=datetime.now(UTC),
                    region=self.region,
                )
            )
        return True

    def _policy_kept(self, tx: NIBTransaction, old: Policy | None, new: Policy) -> None:
        """Write, in the same transaction, what follows from a new policy."""

    @abstractmethod
    def _policy_changed(self, update: PolicyUpdate) -> None:
        """Act by the new policy."""

    # --- events ------------------------------------------------------------------------------

    def _on_event_message(self, message: Message) -> None:
        """Keep what others announced."""
        if message.sender_id == self.controller_id:
            return
        event = read(message, SystemEvent)
        with self.nib_store.transaction() as tx:
            tx.append_event(heard_event(event, actor=message.sender_id, region=self.region))

    # --- life --------------------------------------------------------------------------------

    def _build_loops(self) -> list[Loop]:
        interval_s = self.options.status_interval_s
        link = self.parent_link()
        if link is None:
            return super()._build_loops()
        tell_parent = Loop("parent-status", self._tell_parent, interval_s=lambda: interval_s)
        loops = [*super()._build_loops(), tell_parent]
        if self.options.tls is not None:
            every_s = self.options.certificate_check_s
            loops.append(Loop("certificates", self._keep_certified, interval_s=lambda: every_s))
        return loops

    def _keep_certified(self) -> None:
        self.renew_certificates()
