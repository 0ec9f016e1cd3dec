"""A broker as a member: it joins the global controller, asks for rights, renews its certificate."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import structlog
from pydantic import TypeAdapter, ValidationError

from pdsno.communication.backoff import Backoff
from pdsno.communication.mqtt_client import ControllerMQTTClient
from pdsno.communication.payloads import read
from pdsno.controllers.base_controller import Options
from pdsno.controllers.broker_rights import HOLD_S
from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.loop import Loop
from pdsno.controllers.member_controller import MemberController
from pdsno.domain.broker_rights import BrokerRights
from pdsno.domain.errors import OperationError, PDSNOError, Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import (
    DiscoveryRequest,
    Handler,
    MessageType,
    PolicyUpdate,
    Status,
)
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.identity.private_files import replace_private

log = structlog.get_logger()

_RIGHTS = TypeAdapter(BrokerRights)
_ANSWER_S = HOLD_S + 15.0
_PACE_S = 1.0
_STOP_S = 1.0
_WITHDRAWN = frozenset({Refusal.REVOKED, Refusal.BLOCKED, Refusal.LOCKED})


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerCallbacks:
    """What the broker's process must do: other rights, another certificate, serve or not.

    `on_standing` hears False when the global controller took the broker's rights back, and True
    when it has them again. All come from threads of ours and may raise PDSNOError.
    """

    on_rights: Callable[[BrokerRights], None]
    on_certificate: Callable[[], None]
    on_standing: Callable[[bool], None]


class BrokerController(MemberController):
    """Asks the global controller for rights by long polling, and keeps the last ones on the disk.

    So a broker starts with the rights it had, also while the global controller is away.
    """

    role: ClassVar[Role] = Role.BROKER

    def __init__(
        self,
        temp_id: str,
        region: str | None,
        context_manager: ContextManager,
        nib_store: NIB,
        *,
        options: Options,
        rights_file: Path,
        callbacks: BrokerCallbacks,
    ) -> None:
        super().__init__(
            controller_id=temp_id,
            region=region,
            context_manager=context_manager,
            nib_store=nib_store,
            http_client=None,
            mqtt_broker=None,
            rest_port=None,
            options=options,
        )
        self._rights_file = rights_file
        self._callbacks = callbacks
        self._stopping = threading.Event()
        self._asking: threading.Thread | None = None
        self._backoff = Backoff(first_s=0.5, most_s=5)
        self._is_standing = True
        self.rights = self._kept_rights()

    # --- rights ------------------------------------------------------------------------------

    def _kept_rights(self) -> BrokerRights:
        """Return the rights kept from last time; none if there are none, or they are damaged."""
        try:
            return _RIGHTS.validate_json(self._rights_file.read_bytes())
        except FileNotFoundError:
            return BrokerRights(version="")
        except (OSError, ValidationError) as error:
            log.warning("broker_rights_damaged", file=str(self._rights_file), error=str(error))
            return BrokerRights(version="")

    def _take(self, rights: BrokerRights) -> None:
        """Put rights in force, then keep them: after a crash in between we ask again."""
        self._callbacks.on_rights(rights)
        self.rights = rights
        try:
            replace_private(self._rights_file, json.dumps(jsonable(rights)).encode())
        except OSError as error:
            raise OperationError(
                f"cannot keep rights in {self._rights_file}: {error.strerror}"
            ) from error
        log.info("broker_rights_applied", version=rights.version, subjects=len(rights.subjects))

    def ask_rights(self) -> None:
        """Ask once; returns when the answer came, which waits for news. Raises PDSNOError."""
        parent = self.options.parent
        if parent is None:
            raise OperationError("a broker without a parent has nobody to ask for rights")
        reply = self.http_client.send(
            sender_id=self.controller_id,
            recipient_id=parent.controller_id,
            message_type=MessageType.STATUS,
            payload=jsonable(self._status()),
            timeout_s=_ANSWER_S,
            retries=0,
        )
        self._stand(is_standing=True)
        rights = read(reply, Status).rights if reply is not None else None
        if rights is not None and not self._stopping.is_set():
            self._take(rights)

    def _ask_always(self) -> None:
        """Ask again and again: soon after news, later while the global controller is away."""
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self.ask_rights()
            except PDSNOError as error:
                if self._stopping.is_set():
                    return  # an answer that came too late to read it
                self._tell_of(error)
                self._stopping.wait(self._backoff.next_s())
            except Exception:
                log.exception("broker_rights_crashed")
                self._stopping.wait(self._backoff.next_s())
            else:
                self._backoff.reset()
                self._stopping.wait(began + _PACE_S - time.monotonic())

    def _tell_of(self, error: PDSNOError) -> None:
        log.warning("broker_rights_not_told", why=str(error), in_force=self.rights.version)
        if isinstance(error, RefusedError) and error.reason in _WITHDRAWN:
            self._stand(is_standing=False)

    def _stand(self, *, is_standing: bool) -> None:
        """Stop serving once we are revoked: who connects does not ask the NIB about us."""
        if is_standing is self._is_standing:
            return
        self._is_standing = is_standing
        log.log(20 if is_standing else 40, "broker_standing", is_admitted=is_standing)
        try:
            self._callbacks.on_standing(is_standing)
        except PDSNOError as error:
            self._is_standing = not is_standing
            log.warning("broker_standing_not_followed", error=str(error))

    def _status(self, state: str = "online") -> Status:
        return Status(
            state=state,
            role=self.role.value,
            region=self.region,
            # Once let back in, we want to hear of it at once: that is an answer with rights.
            rights_version=self.rights.version if self._is_standing else "",
        )

    # --- certificate -------------------------------------------------------------------------

    def _keep_certified(self) -> None:
        if self.renew_certificates():
            self._callbacks.on_certificate()

    # --- life --------------------------------------------------------------------------------

    def serve(self) -> None:
        """Ask for rights and keep the certificate fresh, in threads; ends with `close`."""
        if self._asking is None:
            self._asking = threading.Thread(target=self._ask_always, name="rights", daemon=True)
            self._asking.start()
        super().serve()

    def _build_loops(self) -> list[Loop]:
        every_s = self.options.certificate_check_s
        return [Loop("certificates", self._keep_certified, interval_s=lambda: every_s)]

    def close(self) -> None:
        """Stop asking; an answer that is still to come is not waited for."""
        self._stopping.set()
        if self._asking is not None:
            self._asking.join(_STOP_S)
        super().close()

    # --- what a broker has no part in --------------------------------------------------------

    def _handlers(self) -> Mapping[MessageType, Handler]:
        return {}

    def _subscribe(self, client: ControllerMQTTClient) -> None:
        """Nothing: it is where others subscribe."""

    def _on_command(self, command: DiscoveryRequest) -> None:
        raise RefusedError(Refusal.NOT_ALLOWED, f"a broker probes nothing: {command}")

    def _policy_changed(self, update: PolicyUpdate) -> None:
        """Nothing: it goes by rights."""

    def _enqueue_snapshot(self, tx: NIBTransaction) -> None:
        """Nothing: it found nothing."""
