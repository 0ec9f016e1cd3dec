"""What a parent knows for the moment about the controllers below it."""

import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field

from pdsno.domain.messages import DiscoveryRequest, Status

_MOST_COMMANDS = 16


@dataclass(slots=True)
class _Child:
    status: Status | None = None
    commands: deque[DiscoveryRequest] = field(default_factory=lambda: deque(maxlen=_MOST_COMMANDS))


class Children:
    """Last status of each child, and commands waiting for its next call. Thread-safe.

    Nothing here is durable: after a restart children tell their status anew within seconds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._children: dict[str, _Child] = defaultdict(_Child)

    def heard(self, controller_id: str, status: Status) -> None:
        """Remember a child's newest status."""
        with self._lock:
            self._children[controller_id].status = status

    def leave_command(self, controller_id: str, command: DiscoveryRequest) -> None:
        """Keep a command until the child calls; the oldest goes when there are too many."""
        with self._lock:
            self._children[controller_id].commands.append(command)

    def take_commands(self, controller_id: str) -> tuple[DiscoveryRequest, ...]:
        """Return and forget the commands that wait for a child."""
        with self._lock:
            commands = tuple(self._children[controller_id].commands)
            self._children[controller_id].commands.clear()
            return commands

    def forget(self, controller_id: str) -> None:
        """Drop all that waits for a child: its rights were taken back."""
        with self._lock:
            self._children.pop(controller_id, None)

    def policy_of(self, controller_id: str) -> tuple[int, int]:
        """Return the (epoch, version) of policy that a child last said it has; (0, 0): unknown."""
        with self._lock:
            status = self._children[controller_id].status
        return (status.policy_epoch, status.policy_version) if status else (0, 0)
