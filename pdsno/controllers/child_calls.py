"""A controller's calls to its children that have an open port; the others call by themselves."""

from collections.abc import Callable, Iterable

import structlog

from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.stream_pages import StreamPage
from pdsno.controllers.children import Children
from pdsno.domain.entities import ControllerRecord, ControllerStatus
from pdsno.domain.errors import PDSNOError, RefusedError
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import DiscoveryRequest, MessageType, PolicyUpdate, StreamTail
from pdsno.policy.distribute import is_news

log = structlog.get_logger()


class ChildCalls:
    """Commands and policy on their way down. `sender_id` is who we are by now."""

    def __init__(
        self, http: ControllerHTTPClient, sender_id: Callable[[], str], children: Children
    ) -> None:
        self._http = http
        self._sender_id = sender_id
        self._children = children
        self._pushed: dict[str, tuple[int, int, int]] = {}

    def request(
        self, records: Iterable[ControllerRecord], request: DiscoveryRequest
    ) -> tuple[str, ...]:
        """Ask for a cycle now; returns who was asked, those included who will hear of it later.

        Who refuses is not among them; raises the first RefusedError if all refused.
        """
        asked: list[str] = []
        refusals: list[RefusedError] = []
        for record in records:
            try:
                if not self._send(record, MessageType.DISCOVERY_REQUEST, request):
                    self._children.leave_command(record.controller_id, request)
            except RefusedError as error:
                log.info("request_refused", by=record.controller_id, why=str(error))
                refusals.append(error)
            else:
                asked.append(record.controller_id)
        if refusals and not asked:
            raise refusals[0]
        return tuple(asked)

    def push(
        self,
        records: Iterable[ControllerRecord],
        policy_for: Callable[[ControllerRecord], PolicyUpdate | None],
    ) -> None:
        """Send policy to children that say they have an older one; each change once."""
        for record in records:
            update, name = policy_for(record), record.controller_id
            known = self._children.policy_of(name)
            if update is None or known == (0, 0) or not is_news(update, *known):
                continue
            number = (update.epoch, update.version, update.region.overlay if update.region else 0)
            if self._pushed.get(name, (0, 0, 0)) >= number:
                continue
            try:
                if self._send(record, MessageType.POLICY_UPDATE, update):
                    self._pushed[name] = number
            except RefusedError as error:
                log.warning("policy_refused_below", by=name, why=str(error))

    def pull(
        self, record: ControllerRecord | None, position: StreamTail | None
    ) -> StreamPage | None:
        """Ask a child for its stream behind a position; None if it cannot, or may not, be asked."""
        if record is None or record.url is None or record.status is not ControllerStatus.ACTIVE:
            return None
        self._http.register_controller(record.controller_id, record.url, region=record.region)
        return self._http.pull_stream(record.controller_id, self._sender_id(), position)

    def _send(self, record: ControllerRecord, message_type: MessageType, payload: object) -> bool:
        """Send; tells whether it arrived. Raises RefusedError."""
        if record.url is None:
            return False
        try:
            self._http.register_controller(record.controller_id, record.url, region=record.region)
            self._http.send(
                sender_id=self._sender_id(),
                recipient_id=record.controller_id,
                message_type=message_type,
                payload=jsonable(payload),
            )
        except RefusedError:
            raise
        except PDSNOError as error:
            log.info("child_unreachable", controller_id=record.controller_id, why=str(error))
            return False
        return True
