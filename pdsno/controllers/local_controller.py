"""The local controller: discovers its subnets, keeps its own NIB, reports what changed."""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
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
from pdsno.controllers.loop import Loop
from pdsno.controllers.member_controller import MemberController
from pdsno.discovery.cycle import DiscoveryCycleResult, ReportState, record_cycle
from pdsno.discovery.observe import Observations, observe
from pdsno.discovery.targets import plan_targets
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.identifiers import Role, uuid7
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import (
    DiscoveryReport,
    DiscoveryRequest,
    Handler,
    Message,
    MessageType,
    PolicyUpdate,
)
from pdsno.domain.policy import LocalPolicy, is_inside
from pdsno.domain.ports import NIB
from pdsno.domain.reports import as_snapshot
from pdsno.southbound.credentials import Credentials

log = structlog.get_logger()

_REPORT_WAIT_S = 5.0
_UNHEARD_WAIT_S = 2.0
"""Without a parent nobody confirms; long enough for a broker to connect and answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """What a cycle shall do: from policy, else from the constructor."""

    namespace: str
    local: LocalPolicy


class LocalController(MemberController):
    """Runs next to the devices.

    `subnet` holds until a policy names this controller. `credentials` open devices for queries;
    without them a cycle only sweeps. Without a parent, reports stay in the outbox.
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
        self._credentials = credentials or Credentials()
        self._requests: deque[DiscoveryRequest] = deque()
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

    # --- discovery ---------------------------------------------------------------------------

    def run_discovery_cycle(self, request: DiscoveryRequest | None = None) -> DiscoveryCycleResult:
        """Run one cycle over the targets (or only the requested subnets) and report it.

        Returns when the cycle is written and its report has gone as far as it came within a few
        seconds: `report` is `confirmed` (applied by the parent), `delivered` (the broker has it)
        or `queued`. One cycle runs at a time; another caller waits.
        """
        with self._cycle_lock:
            plan = self._plan()
            subnets = request.subnets if request and request.subnets else plan.local.subnets
            cycle_id = f"cycle_{uuid7()}"
            log.info("discovery_started", cycle_id=cycle_id, subnets=list(subnets))
            observations = self._observe(plan, subnets)
            result = record_cycle(
                self.nib_store,
                observations,
                cycle_id=cycle_id,
                region=self.region or "",
                local_controller=self.controller_id,
                subnets=subnets,
                miss_limit=plan.local.miss_limit,
                now=datetime.now(UTC),
            )
            result = replace(result, report=self._send_reports())
            self._log_result(result)
            return result

    def _plan(self) -> _Plan:
        policy = self.nib_store.policy()
        region = policy.region(self.region or "") if policy else None
        local = region.local(self.controller_id) if region else None
        if local is None:
            local = LocalPolicy(controller_id=self.controller_id, subnets=self._subnets)
        return _Plan(namespace=region.space if region else self.region or "", local=local)

    def _observe(self, plan: _Plan, subnets: Sequence[str]) -> Observations:
        return observe(
            plan_targets(subnets, exclude=plan.local.exclude),
            namespace=plan.namespace,
            credentials=self._credentials,
            query=plan.local.query,
            rate_pps=plan.local.rate_pps,
            stop=self._stop,
        )

    def _log_result(self, result: DiscoveryCycleResult) -> None:
        log.info(
            "discovery_completed",
            cycle_id=result.cycle_id,
            duration_s=round(result.duration_s, 1),
            devices=result.devices_seen,
            new=result.devices_new,
            changed=result.devices_changed,
            inactive=result.devices_inactive,
            failures=len(result.failures),
            report=result.report.value,
        )
        for failure in result.failures:
            log.warning("query_failed", address=failure.address, outcome=failure.summary)
        for note in result.notes:
            log.warning("discovery_limited", note=note)

    def _discover(self) -> None:
        """Run what was asked for, else what the schedule asks for."""
        if not self._requests and self._plan().local.subnets:
            self.run_discovery_cycle()
        while self._requests and not self._stop.is_set():
            self.run_discovery_cycle(self._requests.popleft())

    def _interval_s(self) -> float:
        return float(self._plan().local.interval_s)

    def request_discovery(self, request: DiscoveryRequest) -> None:
        """Run a cycle soon, in the background (it waits for a running one).

        Raises RefusedError FOREIGN_SUBNET for a subnet that is not within our targets: nobody
        widens by a request what policy allows.
        """
        targets = self._plan().local.subnets
        for subnet in request.subnets:
            if not is_inside(subnet, targets):
                raise RefusedError(
                    Refusal.FOREIGN_SUBNET, f"{subnet} is no target of {self.controller_id}"
                )
        self._requests.append(request)
        self._discovery.wake()

    # --- reports -----------------------------------------------------------------------------

    def _send_reports(self) -> ReportState:
        if self.options.parent is None and self._mqtt_broker is None:
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
            self._relay = OutboxRelay(
                self.nib_store,
                transports,
                self._ask_parent,
                on_snapshot_needed=self._queue_snapshot,
            )
            self._relay.start()
        return self._relay

    def _queue_snapshot(self) -> None:
        """The parent lost what it had confirmed: tell it everything anew."""
        now = datetime.now(UTC)
        with self.nib_store.transaction() as tx:
            head = DiscoveryReport(
                cycle_id=f"snapshot_{uuid7()}",
                region=self.region or "",
                local_controller=self.controller_id,
                started_at=now,
                finished_at=now,
                coverage=(),
            )
            tx.enqueue(MessageType.DISCOVERY_REPORT, jsonable(as_snapshot(tx, head)))

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
            log.warning("command_refused", why=str(error))

    def _policy_changed(self, update: PolicyUpdate) -> None:
        log.info("policy_applied", epoch=update.epoch, version=update.version)
        self._discovery.wake()

    # --- life --------------------------------------------------------------------------------

    def _build_loops(self) -> list[Loop]:
        relay = self._reports()
        if self.mqtt_client is not None:
            self.mqtt_client.on_connect(relay.wake)
        return [*super()._build_loops(), self._discovery]

    def close(self) -> None:
        """Stop a running sweep, the relay, loops and connections; idempotent."""
        self._stop.set()
        if self._relay is not None:
            self._relay.stop()
            self._relay = None
        super().close()
