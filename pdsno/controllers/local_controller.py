"""The local controller: discovers its subnets, keeps its own NIB, reports what changed."""

import math
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import structlog

from pdsno.communication import topics
from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.mqtt_client import ControllerMQTTClient
from pdsno.communication.payloads import read
from pdsno.communication.relay import OutboxRelay
from pdsno.communication.relay_state import RelayState
from pdsno.communication.transports import DurableTransport, MqttTransport
from pdsno.controllers.base_controller import Options
from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.cycle_log import log_result
from pdsno.controllers.loop import Loop
from pdsno.controllers.member_controller import MemberController
from pdsno.controllers.pausing import OwnPause, RegionsWord
from pdsno.controllers.probing import (
    CycleWatch,
    Hold,
    Plan,
    hold_of,
    leave_in_words,
    pause_of,
    plan_of,
)
from pdsno.controllers.way_in import WayIn
from pdsno.discovery.cycle import DiscoveryCycleResult, ReportState, record_cycle
from pdsno.discovery.observe import Observations, observe
from pdsno.discovery.query import QueryLimits
from pdsno.discovery.targets import plan_targets
from pdsno.domain.errors import OperationError, Refusal, RefusedError
from pdsno.domain.identifiers import Role, uuid7
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import (
    DiscoveryRequest,
    Handler,
    Message,
    MessageType,
    PolicyUpdate,
)
from pdsno.domain.observations import Authority
from pdsno.domain.policy import is_inside
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.domain.reports import snapshot_of
from pdsno.southbound.credentials import Credentials

log = structlog.get_logger()

_REPORT_WAIT_S = 5.0
_UNHEARD_WAIT_S = 2.0
"""Without a parent nobody confirms; long enough for a broker to connect and answer."""

_EARLY_S = 0.05
_HELD_WAIT_S = 60.0
"""While no probe may be sent, the clock is looked at that often: it may be set."""


class LocalController(MemberController):
    """Runs next to the devices.

    `subnet` holds until a policy names this controller. `credentials` open devices for queries;
    without them a cycle only sweeps. Without a parent, reports stay in the outbox. What was learned
    about logging in, and the host keys of devices, are in files beside the controller's state.
    """

    role: ClassVar[Role] = Role.LOCAL

    def __init__(  # noqa: PLR0913 - the documented constructor
        self,
        controller_id: str,
        region: str,
        subnet: str | Sequence[str],
        context_manager: ContextManager,
        nib_store: NIB,
        mqtt_broker: str | None = None,
        *,
        http_client: ControllerHTTPClient | None = None,
        enable_rest: bool = False,
        rest_port: int = 8003,
        credentials: Credentials | None = None,
        options: Options | None = None,
    ) -> None:
        self._subnets = (subnet,) if isinstance(subnet, str) else tuple(subnet)
        self._way_in = WayIn(credentials or Credentials(), context_manager.path.parent)
        self._own_pause = OwnPause(context_manager)
        self._regions_word = RegionsWord(context_manager)
        self._requests: deque[DiscoveryRequest] = deque()
        self._due_at = 0.0
        self._next_cycle_at: datetime | None = None
        self._running: str | None = None
        self._held_for: str | None = None
        self._last_notes: tuple[str, ...] = ()
        self._cycle_lock = threading.Lock()
        self._stop = threading.Event()
        super().__init__(
            controller_id=controller_id,
            region=region,
            context_manager=context_manager,
            nib_store=nib_store,
            http_client=http_client,
            mqtt_broker=mqtt_broker,
            rest_port=rest_port if enable_rest else None,
            options=options or Options(),
        )
        self._discovery = Loop("discovery", self._discover, interval_s=self._interval_s)
        self._offer_stream()

    # --- discovery ---------------------------------------------------------------------------

    def run_discovery_cycle(self, request: DiscoveryRequest | None = None) -> DiscoveryCycleResult:
        """Run one cycle over the targets (or only the requested subnets) and report it.

        Returns when the cycle is written and its report has gone as far as it came within a few
        seconds: `report` is `confirmed` (applied by the parent), `delivered` (the broker has it)
        or `queued`. One cycle runs at a time; another caller waits. A pause, the end of the scan
        window, and `close` end a running cycle within seconds; what it covered counts. Raises
        RefusedError PAUSED or OUTSIDE_WINDOW where no probe may be sent.
        """
        request = request or DiscoveryRequest()
        with self._cycle_lock:
            self._require_leave()
            plan = self._plan()
            subnets = request.subnets or plan.local.subnets
            cycle_id = f"cycle_{uuid7()}"
            authority = plan.authority(request.requested_by, self._way_in.names)
            self._record_start(cycle_id, subnets, authority)
            self._running = cycle_id
            try:
                result = record_cycle(
                    self.nib_store,
                    self._observe(plan, subnets),
                    cycle_id=cycle_id,
                    region=self.region or "",
                    local_controller=self.controller_id,
                    subnets=subnets,
                    authority=authority,
                    local=plan.local,
                    now=datetime.now(UTC),
                    accept_missing=request.accept_missing,
                )
            finally:
                self._running = None
            result = replace(result, report=self._send_reports())
            log_result(result, notes_before=self._last_notes)
            self._last_notes = result.notes
            return result

    def _plan(self) -> Plan:
        policy, name = self.nib_store.policy(), self.region or ""
        if policy is not None and policy.region(name) is not None:
            policy = replace(policy, regions=(self._regions_word.over(policy, name),))
        return plan_of(
            policy,
            region=name,
            controller_id=self.controller_id,
            subnets=self._subnets,
        )

    def _hold(self) -> Hold | None:
        """Return why no probe may be sent now, or None."""
        return hold_of(self._plan(), self._own_pause.pause, datetime.now(UTC))

    def _require_leave(self) -> None:
        hold = self._hold()
        if hold is not None:
            raise hold.refusal()

    def _record_start(self, cycle_id: str, subnets: Sequence[str], authority: Authority) -> None:
        """Put on record, before the first packet, who allowed which probes."""
        log.info("discovery_started", cycle_id=cycle_id, subnets=list(subnets))
        data = {"subnets": list(subnets), **jsonable(authority)}
        self.record("DISCOVERY_STARTED", cycle_id, **data)

    def _observe(self, plan: Plan, subnets: Sequence[str]) -> Observations:
        local = plan.local
        targets = plan_targets(subnets, exclude=local.exclude, passive_only=local.passive_only)
        limits = QueryLimits(
            rate_pps=local.rate_pps,
            snmp_requests_per_s=local.snmp_requests_per_s,
            deadline_s=local.deadline_s,
        )
        access = self._way_in.open(plan.namespace, local.login_rate_per_min)
        with CycleWatch(self._hold, self._stop) as watch:
            found = observe(
                targets,
                namespace=plan.namespace,
                access=access,
                query=local.query,
                limits=limits,
                stop=watch.stop,
                scope=plan.scope,
            )
            stopped = watch.interruptions
        if found.is_complete or not stopped:
            return found
        return replace(found, interruptions=(*found.interruptions, *stopped))

    def _discover(self) -> None:
        """Run what was asked for, else what the schedule asks for; nothing while that is held."""
        if self._is_held():
            return
        is_due = time.monotonic() >= self._due_at - _EARLY_S
        if is_due or self._requests:
            self._due_at = math.inf  # unless somebody wants another one meanwhile
        if is_due and not self._requests and self._plan().local.subnets:
            self.run_discovery_cycle()
        while self._requests and not self._stop.is_set():
            try:
                self.run_discovery_cycle(self._requests.popleft())
            except RefusedError as error:
                log.warning("request_refused", why=str(error))

    def _run_soon(self) -> None:
        """Run a cycle without waiting for the next one that is scheduled."""
        self._due_at = 0.0
        self._discovery.wake()

    def _is_held(self) -> bool:
        hold = self._hold()
        why = hold.detail if hold else None
        if why != self._held_for:
            self._held_for = why
            log.info("discovery_held" if hold else "discovery_goes_on", why=why)
        if hold is None:
            return False
        while self._requests:
            refused = self._requests.popleft()
            log.warning("request_refused", why=str(hold.refusal()), by=refused.requested_by)
        return True

    def _interval_s(self) -> float:
        """Return how long to wait for the next look; sets when the next cycle is due."""
        now, hold = datetime.now(UTC), self._hold()
        if hold is not None:
            self._due_at = 0.0
            self._next_cycle_at = hold.until
            left_s = (hold.until - now).total_seconds() if hold.until else _HELD_WAIT_S
            return min(max(left_s, 0.1), _HELD_WAIT_S)
        if self._due_at == math.inf:
            self._due_at = time.monotonic() + self._plan().local.interval_s
        left_s = max(self._due_at - time.monotonic(), 0.0)
        self._next_cycle_at = now + timedelta(seconds=left_s)
        return left_s

    def request_discovery(self, request: DiscoveryRequest) -> None:
        """Run a cycle soon, in the background (it waits for a running one).

        Raises RefusedError FOREIGN_SUBNET for a subnet that is not within our targets: nobody
        widens by a request what policy allows. Raises it with PAUSED or OUTSIDE_WINDOW, too.
        """
        targets = self._plan().local.subnets
        for subnet in request.subnets:
            if not is_inside(subnet, targets):
                raise RefusedError(
                    Refusal.FOREIGN_SUBNET, f"{subnet} is no target of {self.controller_id}"
                )
        self._require_leave()
        self._requests.append(request)
        self._discovery.wake()

    # --- pause -------------------------------------------------------------------------------

    def pause(self, *, by: str, reason: str = "", region: str | None = None) -> tuple[str, ...]:
        """Send no more probes until `resume`, also after a restart; a running cycle ends.

        Raises InputError for another region than ours.
        """
        self._require_own_region(region)
        if self._own_pause.begin(by, reason):
            self.record("DISCOVERY_PAUSED", self.controller_id, by=by, reason=reason)
            log.warning("discovery_paused", by=by, reason=reason)
        return (self.controller_id,)

    def resume(self, *, by: str, region: str | None = None) -> tuple[str, ...]:
        """Lift the pause that was ordered here.

        Raises OperationError if a pause from above goes on, saying where to lift that.
        """
        self._require_own_region(region)
        if self._own_pause.end():
            self.record("DISCOVERY_RESUMED", self.controller_id, by=by)
            log.info("discovery_resumed", by=by)
            self._run_soon()
        left = pause_of(self._plan(), None)
        if left is not None:
            msg = f"still paused {left.detail}: resume that on the controller above"
            raise OperationError(msg)
        return (self.controller_id,)

    @property
    def probing(self) -> Mapping[str, object]:
        """Whether probes may be sent, by whose word not, and when the next cycle is due."""
        plan, now = self._plan(), datetime.now(UTC)
        told = leave_in_words(plan, self._own_pause.pause, now)
        is_waiting = not told["paused"] and self._running is None
        due = self._next_cycle_at if is_waiting else None
        return {**told, "running_cycle": self._running, "next_cycle": due}

    # --- reports -----------------------------------------------------------------------------

    def _send_reports(self) -> ReportState:
        if self._stop.is_set() or (self.options.parent is None and self._mqtt_broker is None):
            return ReportState.QUEUED
        self.connect_mqtt()
        wait_s = _REPORT_WAIT_S if self.options.parent else _UNHEARD_WAIT_S
        state = self._reports().flush(wait_s)
        return {
            RelayState.CONFIRMED: ReportState.CONFIRMED,
            RelayState.DELIVERED: ReportState.DELIVERED,
            RelayState.QUEUED: ReportState.QUEUED,
        }[state]

    def _reports(self) -> OutboxRelay:
        if self._relay is None:
            mqtt = MqttTransport(
                lambda: self.mqtt_client,
                topic=lambda: topics.discovery(self.region or "", self.controller_id),
                recipient_id=self._recipient_id(),
            )
            transports: list[DurableTransport] = [mqtt, *self._rest_transports()]
            self._relay = self._new_relay(transports)
        return self._relay

    def _enqueue_snapshot(self, tx: NIBTransaction) -> None:
        for part in snapshot_of(tx, self.region or "", self.controller_id, datetime.now(UTC)):
            tx.enqueue(MessageType.DISCOVERY_REPORT, part)

    # --- what comes down ---------------------------------------------------------------------

    def _handlers(self) -> Mapping[MessageType, Handler]:
        return {
            MessageType.POLICY_UPDATE: self._on_policy_message,
            MessageType.DISCOVERY_REQUEST: self._on_discovery_request,
        }

    def _subscribe(self, client: ControllerMQTTClient) -> None:
        region = self.region or ""
        client.subscribe(topics.policy(region), handler=self._on_policy_message)
        client.subscribe(topics.events_system(), handler=self._on_event_message)
        client.subscribe(topics.events(region), handler=self._on_event_message)

    def _on_discovery_request(self, message: Message) -> None:
        self._require_parent(message)
        self.request_discovery(read(message, DiscoveryRequest))

    def _on_command(self, command: DiscoveryRequest) -> None:
        try:
            self.request_discovery(command)
        except RefusedError as error:
            log.warning("request_refused", why=str(error), by=command.requested_by)

    def _takes_overlay(self, update: PolicyUpdate) -> bool:
        policy = self.nib_store.policy()
        if policy is None or update.region is None:
            return False
        if (update.epoch, update.version) != (policy.epoch, policy.version):
            return False
        return self._regions_word.take(policy, update.region)

    def _policy_changed(self, update: PolicyUpdate) -> None:
        log.info("policy_applied", epoch=update.epoch, version=update.version)
        self._run_soon()

    # --- life --------------------------------------------------------------------------------

    def _build_loops(self) -> list[Loop]:
        relay = self._reports()
        if self.mqtt_client is not None:
            self.mqtt_client.on_connect(relay.wake)
        return [*super()._build_loops(), self._discovery]

    def close(self) -> None:
        """Stop a running sweep, the relay, loops and connections; idempotent."""
        self._stop.set()
        self._stop_relay()
        super().close()
        self._stop_relay()  # the last cycle may have begun another one
        self._way_in.close()

    def _stop_relay(self) -> None:
        if self._relay is not None:
            self._relay.stop()
            self._relay = None
