"""One controller process: from settings to a clean end."""

import signal
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from types import FrameType

import structlog

import pdsno
from pdsno.api import ControllerInfo, check_listen_address, create_app
from pdsno.communication.rest_runner import RestRunner
from pdsno.controllers.base_controller import BaseController
from pdsno.controllers.member_controller import MemberController
from pdsno.node.admin import AdminSocket
from pdsno.node.admin_calls import admin_calls
from pdsno.node.admission_wait import join_when_possible
from pdsno.node.compose import build_controller
from pdsno.settings import ApiSettings, NodeSettings

log = structlog.get_logger()


class Node:
    """A controller with its API and admin socket, in this process.

    `start()` returns once everything listens; joining and the loops go on in the background.
    """

    def __init__(self, settings: NodeSettings, controller: BaseController | None = None) -> None:
        self._settings = settings
        self.controller = controller or build_controller(settings)
        self._started_at = datetime.now(UTC)
        self._stop = threading.Event()
        self._stack = ExitStack()
        self._joining: threading.Thread | None = None

    def start(self) -> None:
        """Listen everywhere, then join if need be and serve. Raises OperationError, InputError."""
        self._stack.callback(self.controller.nib_store.close)
        self._stack.callback(self.controller.close)
        try:
            if self.controller.rest_server is not None:
                self.controller.start_rest_server_background()
            if self._settings.api is not None:
                self._serve_api(self._settings.api)
            admin = AdminSocket(self._settings.admin_socket, admin_calls(self.controller))
            admin.start()
            self._stack.callback(admin.close)
        except BaseException:
            self.close()
            raise
        self._joining = threading.Thread(target=self._join_and_serve, name="joining", daemon=True)
        self._joining.start()

    def _serve_api(self, api: ApiSettings) -> None:
        check_listen_address(api.listen, allow_lab_network=api.lab_network)
        app = create_app(self.controller.nib_store, controller=self._info, host_names=api.names)
        server = RestRunner(app, host=api.listen, port=api.port)
        server.start()
        self._stack.callback(server.stop)
        log.info(
            "api_serves",
            url=f"http://{api.listen}:{server.port}/api/v1/devices",
            note="no authentication yet: loopback and lab networks only",
        )

    def _info(self) -> ControllerInfo:
        controller = self.controller
        client = controller.mqtt_client
        return ControllerInfo(
            controller_id=controller.controller_id,
            role=controller.role,
            region=controller.region,
            version=pdsno.__version__,
            started_at=self._started_at,
            health={
                "validated": controller.is_validated,
                "mqtt_connected": bool(client and client.is_connected),
                "outbox_waiting": controller.reports_waiting,
            },
        )

    def _join_and_serve(self) -> None:
        controller = self.controller
        try:
            if isinstance(controller, MemberController) and not controller.is_validated:
                joined = join_when_possible(
                    controller,
                    self._settings.join_token_file,
                    subnets=self._settings.subnets,
                    stop=self._stop,
                )
                if not joined:
                    return
            controller.serve()
        except Exception:
            log.exception("controller_cannot_serve")
            self._stop.set()

    @property
    def has_ended(self) -> bool:
        """Whether it was asked to stop, or stopped because it could not serve."""
        return self._stop.is_set()

    def wait(self) -> None:
        """Block until `request_stop()` was called."""
        self._stop.wait()

    def request_stop(self) -> None:
        """Ask `wait()` to return; safe from a signal handler."""
        self._stop.set()

    def close(self) -> None:
        """Stop everything in reverse order; idempotent."""
        self._stop.set()
        if self._joining is not None:
            self._joining.join(timeout=30)
        self._stack.close()


def run_until_signal(node: Node) -> None:
    """Run a node in the foreground until SIGINT or SIGTERM, then end it cleanly."""

    def end(number: int, _frame: FrameType | None) -> None:
        log.info("stopping", signal=signal.Signals(number).name)
        node.request_stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        node.start()
        node.wait()
    finally:
        node.close()
