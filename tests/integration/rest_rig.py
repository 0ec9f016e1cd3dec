"""Controllers gc and rc with known keys, a thief without, and handlers for tests of REST."""

from collections.abc import Callable
from typing import Any

from pdsno.communication.codec import Draft, seal
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.domain.messages import Message, MessageType, Reply
from pdsno.signing import SigningKey
from tests.unit.communication.keys import TableVerifier

REQUEST, STATUS = MessageType.DISCOVERY_REQUEST, MessageType.STATUS
GC_KEY, RC_KEY, THIEF_KEY = (SigningKey.generate() for _ in range(3))
VERIFIER = TableVerifier({"gc": GC_KEY, "rc": RC_KEY})
Send = Callable[..., Message | None]


def url_of(server: ControllerRESTServer, message_type: MessageType = REQUEST) -> str:
    return f"http://127.0.0.1:{server.port}/messages/{message_type.lower()}"


def sealed(key: SigningKey = RC_KEY, **changes: Any) -> bytes:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "message_type": REQUEST,
        "sender_id": "rc",
        "recipient_id": "gc",
        "payload": {"n": 1},
    }
    return seal(Draft(**fields | changes), key)


def echo(message: Message) -> Reply:
    return Reply(message_type=STATUS, payload={"got": dict(message.payload)})


def raising(error: Exception) -> Callable[[Message], Reply | None]:
    def handler(_message: Message) -> Reply | None:
        raise error

    return handler
