"""All tiers and a broker in one process, on loopback: `pdsno up`."""

import os
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from pdsno.communication.broker import Mosquitto, MosquittoSettings, is_installed
from pdsno.controllers.global_controller import GlobalController
from pdsno.controllers.regional_controller import RegionalController
from pdsno.domain.errors import InputError, OperationError
from pdsno.domain.identifiers import Role
from pdsno.domain.policy import LocalPolicy, Policy, RegionPolicy, check_subnet
from pdsno.node.compose import GLOBAL_ID, build_controller
from pdsno.node.run import Node
from pdsno.settings import ApiSettings, BrokerSettings, NodeSettings, ParentSettings

log = structlog.get_logger()

REGION = "site"
_REGIONAL_ID = f"regional_cntl_{REGION}_1"
_LOCAL_ID = f"local_cntl_{REGION}_1"
_JOIN_S = 30.0
_POLL_S = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteSettings:
    """What `pdsno up` is told. Without subnets, those of the stored policy hold."""

    subnets: tuple[str, ...]
    credentials_file: Path | None
    state_dir: Path
    interval_s: int
    rate_pps: int
    api_port: int
    broker_port: int
    global_port: int = 8001
    regional_port: int = 8002


def default_state_dir() -> Path:
    """Return where an all-in-one installation keeps its state."""
    if os.geteuid() == 0:
        return Path("/var/lib/pdsno/site")
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "pdsno"


class Site:
    """The three tiers and the broker; `start()` returns once all are validated."""

    def __init__(self, settings: SiteSettings) -> None:
        self._settings = settings
        self._stack = ExitStack()
        self._stop = threading.Event()
        for subnet in settings.subnets:
            check_subnet(subnet)

    def start(self) -> None:
        """Start everything. Raises OperationError, InputError; then nothing is left running."""
        try:
            broker = self._start_broker()
            top = self._start_global(broker)
            region = self._start_member(Role.REGIONAL, broker)
            token = top.admissions.mint_token(Role.REGIONAL, REGION, None)
            self._join(region, Role.REGIONAL, token)
            site = self._start_member(Role.LOCAL, broker)
            self._join(site, Role.LOCAL, self._local_token(region))
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _local_token(region: Node) -> str:
        if not isinstance(region.controller, RegionalController):
            raise OperationError("the regional tier did not start")
        return region.controller.admissions.mint_token(Role.LOCAL, REGION, None)

    def _start_broker(self) -> BrokerSettings | None:
        """Start mosquitto; without it the tiers talk over REST alone."""
        settings = MosquittoSettings(
            listen="127.0.0.1",
            port=self._settings.broker_port,
            state_dir=self._settings.state_dir / "broker",
        )
        if not is_installed():
            log.warning("no_broker", remedy="install mosquitto", meanwhile="reports go over REST")
            return None
        mosquitto = Mosquitto(settings)
        mosquitto.start()
        self._stack.callback(mosquitto.stop)
        return BrokerSettings(host="127.0.0.1", port=self._settings.broker_port)

    def _start_global(self, broker: BrokerSettings | None) -> GlobalController:
        settings = NodeSettings(
            role=Role.GLOBAL,
            state_dir=self._settings.state_dir / "global",
            admin_socket=self._settings.state_dir / "admin.sock",
            rest_port=self._settings.global_port,
            broker=broker,
            api=ApiSettings(port=self._settings.api_port),
        )
        controller = build_controller(settings)
        if not isinstance(controller, GlobalController):
            raise OperationError("the global tier did not start")
        self._start_node(Node(settings, controller))
        if self._settings.subnets:
            controller.apply_policy(self._policy())
        elif controller.nib_store.policy() is None:
            raise InputError(
                "say what to discover: --subnet 192.0.2.0/24 (can be given repeatedly)"
            )
        return controller

    def _policy(self) -> Policy:
        local = LocalPolicy(
            controller_id=_LOCAL_ID,
            subnets=self._settings.subnets,
            interval_s=self._settings.interval_s,
            rate_pps=self._settings.rate_pps,
        )
        region = RegionPolicy(
            region=REGION, prefixes=self._settings.subnets, local_controllers=(local,)
        )
        return Policy(regions=(region,))

    def _start_member(
        self, role: Literal[Role.REGIONAL, Role.LOCAL], broker: BrokerSettings | None
    ) -> Node:
        port = self._settings.global_port if role is Role.REGIONAL else self._settings.regional_port
        settings = NodeSettings(
            role=role,
            region=REGION,
            state_dir=self._settings.state_dir / role.value,
            admin_socket=self._settings.state_dir / f"{role.value}.sock",
            rest_port=self._settings.regional_port if role is Role.REGIONAL else None,
            url=(
                f"http://127.0.0.1:{self._settings.regional_port}"
                if role is Role.REGIONAL
                else None
            ),
            parent=ParentSettings(
                id=GLOBAL_ID if role is Role.REGIONAL else _REGIONAL_ID,
                url=f"http://127.0.0.1:{port}",
            ),
            broker=broker,
            join_token_file=self._token_file(role),
            credentials_file=self._settings.credentials_file if role is Role.LOCAL else None,
            api=None,
        )
        node = Node(settings)
        self._start_node(node)
        return node

    def _start_node(self, node: Node) -> None:
        node.start()
        self._stack.callback(node.close)

    def _token_file(self, role: Role) -> Path:
        return self._settings.state_dir / f"{role.value}.token"

    def _join(self, node: Node, role: Role, token: str) -> None:
        """Hand the token over the way an operator does, and wait for the outcome."""
        if not node.controller.is_validated:
            file = self._token_file(role)
            file.unlink(missing_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(token)
        deadline = time.monotonic() + _JOIN_S
        while not node.controller.is_validated:
            if time.monotonic() > deadline:
                raise OperationError(f"the {role.value} tier was not validated: see the log above")
            time.sleep(_POLL_S)

    def wait(self) -> None:
        """Block until `request_stop()`."""
        self._stop.wait()

    def request_stop(self) -> None:
        """Ask `wait()` to return; safe from a signal handler."""
        self._stop.set()

    def close(self) -> None:
        """Stop everything in reverse order; idempotent."""
        self._stack.close()
