"""What an MQTT broker answers, and what that means (MQTT 5 section 2.4); no library in it."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field

from pdsno.domain.errors import OperationError, Refusal, RefusedError, TransientError

FAILURE = 0x80
TAKEN_OVER = 0x8E
_NO_SUBSCRIBERS = 0x10
_NOT_AUTHORIZED = 0x87
_QUOTA_EXCEEDED = 0x97


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason code with its name; `FAILURE` and above are failures."""

    code: int
    text: str

    @property
    def is_failure(self) -> bool:
        """Whether the broker did not do it."""
        return self.code >= FAILURE

    @property
    def has_subscribers(self) -> bool:
        """Whether a published message has anybody to go to."""
        return self.code != _NO_SUBSCRIBERS


def raise_failure(reason: Reason, broker: str, topic: str) -> None:
    """Raise what a failure means: RefusedError, TransientError or OperationError; else nothing."""
    if not reason.is_failure:
        return
    text = f"MQTT broker at {broker}, topic {topic}: {reason.text}"
    if reason.code == _NOT_AUTHORIZED:
        raise RefusedError(Refusal.NOT_ALLOWED, text)
    if reason.code == _QUOTA_EXCEEDED:
        raise TransientError(text)
    raise OperationError(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """The broker has the message; `has_subscribers` tells if anybody is there to get it."""

    message_id: str
    has_subscribers: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """What goes out: `expiry_s` is for how long the broker may keep it (None: without limit)."""

    topic: str
    raw: bytes
    qos: int = 1
    is_retained: bool = False
    expiry_s: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Will:
    """What the broker publishes, retained, when we are gone without a word for `delay_s`.

    `build` gives the signed bytes, anew for each connection.
    """

    topic: str
    build: Callable[[], bytes]
    delay_s: int


@dataclass(slots=True)
class LinkState:
    """How a connection stands; guarded by its condition."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    is_up: bool = False
    generation: int = 0
    failure: str = ""
    has_remedy: bool = False
    is_refused: bool = False

    def up(self) -> None:
        """Connected: wake those who wait."""
        with self.changed:
            self.is_up, self.is_refused, self.failure = True, False, ""
            self.generation += 1
            self.changed.notify_all()

    def failed(self, cause: str, *, has_remedy: bool) -> bool:
        """Note why it is not connected; returns whether that is news."""
        with self.changed:
            is_news = self.failure != cause
            self.failure, self.has_remedy = cause, has_remedy
            return is_news

    def refused(self, cause: str) -> None:
        """The broker said no: wake those who wait."""
        with self.changed:
            self.is_refused, self.failure = True, cause
            self.changed.notify_all()

    def down(self) -> bool:
        """Disconnected; returns whether it was connected before."""
        with self.changed:
            was_up, self.is_up = self.is_up, False
            return was_up

    def wait_up(self, broker: str, timeout_s: float) -> None:
        """Return once connected; raises TransientError, or RefusedError if the broker said no."""
        with self.changed:
            self.changed.wait_for(lambda: self.is_up or self.is_refused, timeout_s)
            if self.is_up:
                return
            cause = self.failure or f"no answer within {timeout_s:g} s"
            if self.is_refused:
                raise RefusedError(Refusal.NOT_ALLOWED, f"MQTT broker at {broker}: {cause}")
        hint = "" if self.has_remedy else "; is mosquitto running there?"
        raise TransientError(f"cannot reach the MQTT broker at {broker}: {cause}{hint}")


class Answers:
    """The broker's answers by packet identifier, whether they come before or after one waits."""

    def __init__(self) -> None:
        self._futures: dict[int, Future[list[Reason]]] = {}
        self._abandoned: set[int] = set()

    def put(self, mid: int, reasons: list[Reason]) -> None:
        """Hand over an answer; never blocks."""
        if mid in self._abandoned:
            self._abandoned.discard(mid)
            return
        # setdefault is atomic; a lock here could deadlock with those of the MQTT library.
        future = self._futures.setdefault(mid, Future())
        if not future.done():
            future.set_result(reasons)

    def wait_all(self, mids: Iterable[int], timeout_s: float) -> list[Reason] | None:
        """Return the answers to messages, or None if not all came in time."""
        deadline = time.monotonic() + timeout_s
        answers = [self.wait(mid, max(deadline - time.monotonic(), 0.0)) for mid in mids]
        return None if None in answers else [answer[0] for answer in answers if answer]

    def wait(self, mid: int, timeout_s: float) -> list[Reason] | None:
        """Return the answer, or None if it did not come in time."""
        future = self._futures.setdefault(mid, Future())
        try:
            return future.result(timeout_s)
        except FutureTimeoutError:
            self._abandoned.add(mid)
            return None
        finally:
            self._futures.pop(mid, None)
