"""A handler that remembers what it got, and where it ran."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from pdsno.communication.mqtt_client import ControllerMQTTClient
from pdsno.domain.messages import Message

NewClient = Callable[..., ControllerMQTTClient]


@dataclass
class Ears:
    """A handler that remembers."""

    messages: list[Message] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)

    def __call__(self, message: Message) -> None:
        self.messages.append(message)
        self.threads.add(threading.current_thread().name)

    @property
    def numbers(self) -> list[int]:
        return [message.payload["n"] for message in self.messages]
