"""All tiers and a broker in one process, on loopback: `pdsno up`."""

import os
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import structlog

from pdsno.communication.broker import Mosquitto, MosquittoSettings, is_installed
from pdsno.controllers.base_controller import BaseController
from pdsno.controllers.global_controller import GlobalController
from pdsno.controllers.regional_controller import RegionalController
from pdsno.domain.entities import OperatorRole
from pdsno.domain.errors import InputError, OperationError
from pdsno.domain.identifiers import Role
from pdsno.domain.policy import LocalPolicy, Policy, RegionPolicy, check_policy
from pdsno.node.api_token_calls import create_api_token
from pdsno.node.compose import GLOBAL_ID, build_controller
from pdsno.node.run import Node
from pdsno.node.site_checks import (
    WantedPort,
    check_broker_reach,
    check_ports,
    check_subnets,
    held_state_dir,
)
from pdsno.settings import (
    ApiSettings,
    BrokerSettings,
    NodeSettings,
    ParentSettings,
    join_port_of,
)
from pdsno.southbound.credentials import load_credentials

log = structlog.get_logger()

REGION = "site"
_REGIONAL_ID = f"regional_cntl_{REGION}_1"
_LOCAL_ID = f"local_cntl_{REGION}_1"
_JOIN_S = 30.0
_POLL_S = 0.1
_WATCH_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteSettings:
    """What `pdsno up` is told. What is None or empty stays as the stored policy says."""

    subnets: tuple[str, ...]
    credentials_file: Path | None
    state_dir: Path
    interval_s: int | None
    rate_pps: int | None
    api_port: int
    local_api_port: int
    broker_port: int
    global_port: int
    regional_port: int

    @property
    def admin_socket(self) -> Path:
        """Where the global tier is administered."""
        return self.state_dir / "admin.sock"

    def ports(self, *, with_broker: bool) -> tuple[WantedPort, ...]:
        """Return the ports that have to be free."""
        broker = WantedPort(number=self.broker_port, purpose="MQTT broker", option="--broker-port")
        return (
            WantedPort(number=self.api_port, purpose="operators' API", option="--api-port"),
            WantedPort(
                number=self.local_api_port,
                purpose="API of the local tier",
                option="--local-api-port",
            ),
            WantedPort(number=self.global_port, purpose="global tier", option="--global-port"),
            WantedPort(
                number=self.regional_port, purpose="regional tier", option="--regional-port"
            ),
            WantedPort(
                number=join_port_of(self.global_port),
                purpose="joining the global tier",
                option="--global-port",
            ),
            WantedPort(
                number=join_port_of(self.regional_port),
                purpose="joining the regional tier",
                option="--regional-port",
            ),
            *((broker,) if with_broker else ()),
        )


def site_policy(settings: SiteSettings, stored: Policy | None) -> Policy:
    """Return the policy to apply: the stored one with what the operator says now.

    Raises InputError if it is not sound or nothing says what to discover.
    """
    region = (stored and stored.region(REGION)) or RegionPolicy(region=REGION)
    local = region.local(_LOCAL_ID) or LocalPolicy(controller_id=_LOCAL_ID, subnets=())
    subnets = settings.subnets or local.subnets
    if not subnets:
        raise InputError("say what to discover: --subnet 192.0.2.0/24 (may be repeated)")
    local = replace(
        local,
        subnets=subnets,
        interval_s=settings.interval_s or local.interval_s,
        rate_pps=settings.rate_pps or local.rate_pps,
    )
    others = [one for one in region.local_controllers if one.controller_id != _LOCAL_ID]
    prefixes = tuple(dict.fromkeys((*region.prefixes, *subnets)))
    region = replace(region, prefixes=prefixes, local_controllers=(local, *others))
    rest = [one for one in (stored.regions if stored else ()) if one.region != REGION]
    return check_policy(Policy(regions=(region, *rest)))


class Site:
    """The three tiers and the broker; `start()` returns once all are validated."""

    def __init__(self, settings: SiteSettings) -> None:
        self._settings = settings
        self._stack = ExitStack()
        self._stop = threading.Event()
        self._nodes: list[Node] = []
        self.policy = Policy()
        """What is in force once started."""

    def start(self) -> None:
        """Start everything. Raises OperationError, InputError; then nothing is left running.

        Returns early, with nothing more started, if `request_stop()` was called meanwhile.
        """
        try:
            has_broker = self._check()
            broker = (
                BrokerSettings(host="127.0.0.1", port=self._settings.broker_port)
                if has_broker
                else None
            )
            top = self._start_global(broker)
            region = self._start_member(Role.REGIONAL, broker)
            self._join(region, Role.REGIONAL, top)
            site = self._start_member(Role.LOCAL, broker)
            self._join(site, Role.LOCAL, region.controller)
        except BaseException:
            self.close()
            raise

    def _check(self) -> bool:
        """Find out what is wrong before anything runs. Returns whether there is a broker."""
        settings = self._settings
        check_subnets(settings.subnets)
        if settings.credentials_file is not None:
            load_credentials(settings.credentials_file)
        sockets = [self._socket(role) for role in (Role.GLOBAL, Role.REGIONAL, Role.LOCAL)]
        self._stack.enter_context(held_state_dir(settings.state_dir, sockets))
        has_broker = is_installed()
        check_ports(settings.ports(with_broker=has_broker))
        if has_broker:
            check_broker_reach(settings.state_dir)
        else:
            log.warning("no_broker", remedy="install mosquitto", meanwhile="reports go over REST")
        return has_broker

    def _socket(self, role: Role) -> Path:
        if role is Role.GLOBAL:
            return self._settings.admin_socket
        return self._settings.state_dir / f"{role.value}.sock"

    def _start_broker(self) -> None:
        mosquitto = Mosquitto(
            MosquittoSettings(
                listen="127.0.0.1",
                port=self._settings.broker_port,
                state_dir=self._settings.state_dir / "broker",
            )
        )
        mosquitto.start()
        self._stack.callback(mosquitto.stop)

    def _start_global(self, broker: BrokerSettings | None) -> GlobalController:
        settings = NodeSettings(
            role=Role.GLOBAL,
            state_dir=self._settings.state_dir / "global",
            admin_socket=self._socket(Role.GLOBAL),
            rest_port=self._settings.global_port,
            broker=broker,
            api=ApiSettings(port=self._settings.api_port),
        )
        controller = build_controller(settings)
        self._stack.callback(controller.nib_store.close)
        if not isinstance(controller, GlobalController):
            raise OperationError("the global tier did not start")
        policy = site_policy(self._settings, controller.nib_store.policy())
        if broker is not None:
            self._start_broker()
        self._start_node(Node(settings, controller))
        self.policy = controller.apply_policy(policy)
        return controller

    def _start_member(
        self, role: Literal[Role.REGIONAL, Role.LOCAL], broker: BrokerSettings | None
    ) -> Node:
        port = self._settings.global_port if role is Role.REGIONAL else self._settings.regional_port
        settings = NodeSettings(
            role=role,
            region=REGION,
            state_dir=self._settings.state_dir / role.value,
            admin_socket=self._socket(role),
            rest_port=self._settings.regional_port if role is Role.REGIONAL else None,
            url=(
                f"https://127.0.0.1:{self._settings.regional_port}"
                if role is Role.REGIONAL
                else None
            ),
            parent=ParentSettings(
                id=GLOBAL_ID if role is Role.REGIONAL else _REGIONAL_ID,
                url=f"https://127.0.0.1:{port}",
            ),
            broker=broker,
            join_token_file=self._token_file(role),
            credentials_file=self._settings.credentials_file if role is Role.LOCAL else None,
            api=(ApiSettings(port=self._settings.local_api_port) if role is Role.LOCAL else None),
        )
        node = Node(settings)
        self._start_node(node)
        return node

    def _start_node(self, node: Node) -> None:
        node.start()
        self._stack.callback(node.close)
        self._nodes.append(node)

    def _token_file(self, role: Role) -> Path:
        return self._settings.state_dir / f"{role.value}.token"

    def _join(
        self, node: Node, role: Literal[Role.REGIONAL, Role.LOCAL], by: BaseController
    ) -> None:
        """Hand a token over the way an operator does, and wait for the outcome."""
        if node.controller.is_validated:
            return
        if not isinstance(by, GlobalController | RegionalController):
            raise OperationError(f"the tier above the {role.value} one did not start")
        token = by.admissions.mint_token(role, REGION, None)
        file = self._token_file(role)
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(token)
        deadline = time.monotonic() + _JOIN_S
        while not node.controller.is_validated and not self._stop.wait(_POLL_S):
            if time.monotonic() > deadline:
                raise OperationError(f"the {role.value} tier was not validated: see the log above")

    def api_tokens(self) -> dict[str, str]:
        """Make an administrator's token for each API that is served here; returns them by URL.

        Those of an earlier run are revoked.
        """
        ports = {Role.GLOBAL: self._settings.api_port, Role.LOCAL: self._settings.local_api_port}
        made = {}
        for node in self._nodes:
            port = ports.get(node.controller.role)
            if port is not None:
                new = create_api_token(
                    node.controller.nib_store,
                    name="pdsno-up",
                    role=OperatorRole.ADMIN,
                    by="pdsno up",
                    replaces=True,
                )
                made[f"http://127.0.0.1:{port}"] = new.token
        return made

    def wait(self) -> None:
        """Block until `request_stop()`. Raises OperationError if a tier ended by itself."""
        while not self._stop.wait(_WATCH_S):
            for node in self._nodes:
                if node.has_ended:
                    name = node.controller.controller_id
                    raise OperationError(f"{name} ended by itself: see the log above")

    def request_stop(self) -> None:
        """Ask `wait()` to return; safe from a signal handler."""
        self._stop.set()

    def close(self) -> None:
        """Stop everything in reverse order; idempotent."""
        self._stack.close()
