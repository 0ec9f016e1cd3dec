"""A controller's side towards its parent: status up, policy and commands down in the reply.

Every call goes out from the child, so a child needs no inbound port.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.payloads import read
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import (
    DiscoveryRequest,
    MessageType,
    PolicyUpdate,
    Status,
    StreamTail,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parent:
    """The controller above: its assigned ID and base URL.

    `region` is that of its certificate (None: the global controller); `join_url` is where it
    listens for those who have no valid certificate.
    """

    controller_id: str
    url: str
    region: str | None = None
    join_url: str = ""


class ParentLink:
    """Calls to the parent over REST; what rides in its replies is handed to the callbacks."""

    def __init__(
        self,
        *,
        parent: Parent,
        http: ControllerHTTPClient,
        sender_id: Callable[[], str],
        status: Callable[[], Status],
        on_policy: Callable[[PolicyUpdate], None],
        on_command: Callable[[DiscoveryRequest], None],
    ) -> None:
        self.parent = parent
        self._http = http
        self._sender_id = sender_id
        self._status = status
        self._on_policy = on_policy
        self._on_command = on_command

    def report_status(self) -> StreamTail | None:
        """Tell the parent our status; returns how far our stream is applied there.

        Raises TransientError if the parent is away, RefusedError if it does not know us. Asks once:
        its callers come again.
        """
        status = self._status()
        reply = self._http.send(
            sender_id=self._sender_id(),
            recipient_id=self.parent.controller_id,
            message_type=MessageType.STATUS,
            payload=jsonable(status),
            retries=0,
        )
        if reply is None:
            return None
        answer = read(reply, Status)
        if answer.policy is not None:
            self._on_policy(answer.policy)
        for command in answer.commands:
            self._on_command(command)
        wanted = {tail.stream_id for tail in status.streams}
        return next((tail for tail in answer.streams if tail.stream_id in wanted), None)
