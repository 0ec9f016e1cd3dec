"""One controller process: from settings to a clean end."""

import signal
import ssl
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from types import FrameType

import structlog

from pdsno.api import (
    ControllerInfo,
    Measures,
    Metrics,
    WebhookSecrets,
    WebhookSender,
    api_tls_context,
    check_listen_address,
    create_app,
)
from pdsno.communication.rest_runner import RestRunner
from pdsno.controllers.base_controller import BaseController
from pdsno.controllers.member_controller import MemberController
from pdsno.domain.errors import OperationError
from pdsno.node.admin import AdminSocket
from pdsno.node.admin_calls import admin_calls
from pdsno.node.admission_wait import join_when_possible
from pdsno.node.api_actions import api_actions
from pdsno.node.compose import build_controller
from pdsno.node.observed import info_of, measures_of
from pdsno.settings import ApiSettings, NodeSettings, is_loopback

log = structlog.get_logger()

_POLL_S = 0.2


class Node:
    """A controller with its API and admin socket, in this process.

    `start()` returns once everything listens that can: what needs a certificate, of a controller
    that has not joined yet, follows when it has. Joining and the loops go on in the background.
    """

    def __init__(self, settings: NodeSettings, controller: BaseController | None = None) -> None:
        self._settings = settings
        self.controller = controller or build_controller(settings)
        self._started_at = datetime.now(UTC)
        self._stop = threading.Event()
        self._stack = ExitStack()
        self._joining: threading.Thread | None = None
        self._failure: OperationError | None = None
        self._api_url = ""
        self._metrics = Metrics(self.controller.nib_store, self._measures)

    def start(self) -> None:
        """Listen everywhere, then join if need be and serve. Raises OperationError, InputError."""
        self._stack.callback(self.controller.nib_store.close)
        self._stack.callback(self.controller.close)
        try:
            if self._can_serve:
                self._serve()
            elif self._settings.api is not None and not self._api_waits(self._settings.api):
                self._serve_api(self._settings.api)
            admin = AdminSocket(
                self._settings.admin_socket,
                admin_calls(
                    self.controller, api_roots=self._api_roots, api_url=lambda: self._api_url
                )
                | {"GET /metrics": lambda _: {"metrics": self._metrics.text().decode()}},
            )
            admin.start()
            self._stack.callback(admin.close)
        except BaseException:
            self.close()
            raise
        self._joining = threading.Thread(target=self._join_and_serve, name="joining", daemon=True)
        self._joining.start()

    @property
    def _can_serve(self) -> bool:
        """Whether there is a certificate to show, or none is needed.

        A member's may have ended while it was off: it asks its parent for the next one.
        """
        tls = self.controller.options.tls
        if tls is None:
            return True
        if not (tls.has_certificate and self.controller.is_validated):
            return False
        is_member = isinstance(self.controller, MemberController)
        return not is_member or datetime.now(UTC) < tls.not_after

    def _serve(self) -> None:
        """Listen for other controllers and for operators. Raises OperationError, InputError."""
        if self.controller.rest_server is not None:
            self.controller.start_rest_server_background()
        if self._settings.api is not None and not self._api_url:
            self._serve_api(self._settings.api)

    def _serve_api(self, api: ApiSettings) -> None:
        context = self._api_context(api)
        check_listen_address(api.listen, has_tls=context is not None)
        sender = WebhookSender(
            self.controller.nib_store,
            WebhookSecrets(self._settings.state_dir / "webhooks"),
            controller_id=lambda: self.controller.controller_id,
        )
        app = create_app(
            self.controller.nib_store,
            controller=self._info,
            host_names=api.names,
            webhook_sender=sender,
            requests_per_min=api.requests_per_min,
            measures=self._measures,
            actions=api_actions(self.controller),
        )
        server = RestRunner(app, host=api.listen, port=api.port, tls_context=context)
        server.start()
        host = f"[{api.listen}]" if ":" in api.listen else api.listen
        self._api_url = f"{'https' if context else 'http'}://{host}:{server.port}"
        self._stack.callback(server.stop)
        sender.start()
        self._stack.callback(sender.close)
        log.info("api_serves", url=f"{self._api_url}/api/v1/devices")

    def _api_waits(self, api: ApiSettings) -> bool:
        """Whether the API shows a certificate of ours that we do not have yet."""
        return api.certificate is None and not is_loopback(api.listen)

    def _api_context(self, api: ApiSettings) -> ssl.SSLContext | None:
        """Return the company's certificate, else ours off loopback, else none."""
        if api.certificate is not None and api.key is not None:
            return api_tls_context(api.certificate, api.key)
        tls = self.controller.options.tls
        if is_loopback(api.listen) or tls is None:
            return None
        return tls.server_context(requires_client=False)

    def _api_roots(self) -> str:
        """Return the roots by which clients check the API: ours, where it shows our certificate."""
        api, tls = self._settings.api, self.controller.options.tls
        if api is None or tls is None or not self._api_waits(api) or not tls.has_certificate:
            return ""
        return tls.roots_pem

    def _info(self) -> ControllerInfo:
        return info_of(self.controller, self._started_at)

    def _measures(self) -> Measures:
        return measures_of(self.controller, self._settings.state_dir)

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
                self._serve()
                controller.serve()
                return
            is_late = not self._can_serve
            controller.serve()
            if is_late:
                self._serve_once_renewed()
        except OperationError as error:
            log.error("controller_cannot_serve", why=str(error))  # noqa: TRY400 - no crash
            self._failure = error
            self._stop.set()
        except Exception:
            log.exception("controller_cannot_serve")
            self._failure = OperationError("a defect ended this controller: its traceback is above")
            self._stop.set()

    def _serve_once_renewed(self) -> None:
        """Wait until there is a certificate to serve with again; the loops ask for it."""
        log.warning("certificate_ended", meanwhile="nobody can call this controller")
        while not self._stop.wait(_POLL_S):
            if self._can_serve:
                self._serve()
                return

    @property
    def has_ended(self) -> bool:
        """Whether it was asked to stop, or stopped because it could not serve."""
        return self._stop.is_set()

    def wait(self) -> None:
        """Block until `request_stop()` was called. Raises OperationError if it cannot serve."""
        self._stop.wait()
        if self._failure is not None:
            raise self._failure

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
