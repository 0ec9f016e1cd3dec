"""How often we may knock: one rate for all log-ins, and a budget of failures for each account.

An account that is refused is an account that may get locked, for everybody who uses it.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Self

import structlog

from pdsno.southbound.access_memory import AccessMemory, AccountRecord

log = structlog.get_logger()

DEFAULT_PER_MINUTE = 120.0
FAILURES_IN_A_ROW = 3
REST_S = 3600.0
_POLL_S = 0.05


class AccountRestsError(Exception):
    """An account is not tried now; the text says why, for the record."""


class LoginPermit:
    """Leave to try an account once. Left without a word, the account was not tried."""

    def __init__(self, tell: Callable[[bool | None], None]) -> None:
        self._tell: Callable[[bool | None], None] | None = tell

    def accepted(self) -> None:
        """The account was let in: its failures are forgotten."""
        self._end(is_accepted=True)

    def refused(self) -> None:
        """The account was refused, or its session ended while it was judged."""
        self._end(is_accepted=False)

    def _end(self, *, is_accepted: bool | None) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(is_accepted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end(is_accepted=None)


class LoginLimiter:
    """Spaces all log-ins evenly, and lets no account fail more than a few times in a row.

    After `failures` refusals in a row, on whatever devices, an account rests for `rest_s` and is
    then tried once more; if that fails as well, it rests until its credentials change. So an
    account is refused at most `failures` + 1 times without a success between. As many log-ins
    of an account run at a time as may still fail. Any thread may ask. `per_minute` None is for
    no rate. `clock` is the wall's, for what is remembered outlives the process.
    """

    def __init__(
        self,
        per_minute: float | None = DEFAULT_PER_MINUTE,
        clock: Callable[[], float] = time.time,
        *,
        failures: int = FAILURES_IN_A_ROW,
        rest_s: float = REST_S,
        memory: AccessMemory | None = None,
    ) -> None:
        self._interval_s = 60.0 / per_minute if per_minute else 0.0
        self._clock = clock
        self._failures = failures
        self._rest_s = rest_s
        self._memory = memory or AccessMemory()
        self._changed = threading.Condition()
        self._under_way: Counter[str] = Counter()
        self._next_at = 0.0

    def remember_in(self, memory: AccessMemory) -> None:
        """Keep the failures in this memory from now on."""
        with self._changed:
            self._memory = memory

    def begin(
        self, account: str, stop: threading.Event, *, changed_at: float | None = None
    ) -> LoginPermit | None:
        """Wait for this account's turn. Returns None when stopped.

        Failures from before `changed_at` count no more. Raises AccountRestsError.
        """
        with self._changed:
            while not self._has_room(account, changed_at):
                if stop.is_set():
                    return None
                self._changed.wait(_POLL_S)
            self._under_way[account] += 1
        permit = LoginPermit(lambda is_accepted: self._told(account, is_accepted=is_accepted))
        if self._wait_for_slot(stop):
            return permit
        with permit:
            return None

    def _has_room(self, account: str, changed_at: float | None) -> bool:
        """Tell whether one more may try; called with the lock held. Raises AccountRestsError."""
        record = self._memory.account(account)
        if record.failures and changed_at is not None and changed_at > record.at:
            record = AccountRecord()
            self._memory.put_account(account, record)
        under_way = self._under_way[account]
        if record.failures < self._failures:
            return record.failures + under_way < self._failures
        is_last_try = record.failures == self._failures
        if is_last_try and self._clock() >= record.at + self._rest_s:
            return under_way == 0
        until = (
            f"tried once more after {self._rest_s / 60:.0f} minutes"
            if is_last_try
            else "until the credentials file changes"
        )
        raise AccountRestsError(f"rests: {record.failures} failures in a row, {until}")

    def _wait_for_slot(self, stop: threading.Event) -> bool:
        """Wait for this log-in's place in the rate; False when stopped."""
        with self._changed:
            now = time.monotonic()
            at = max(now, self._next_at)
            self._next_at = at + self._interval_s
        return not stop.wait(max(0.0, at - now))

    def _told(self, account: str, *, is_accepted: bool | None) -> None:
        with self._changed:
            self._under_way[account] -= 1
            if not self._under_way[account]:
                del self._under_way[account]
            before = self._memory.account(account).failures
            if is_accepted and before:
                self._memory.put_account(account, AccountRecord())
            elif is_accepted is False:
                self._memory.put_account(
                    account, AccountRecord(failures=before + 1, at=self._clock())
                )
                if before + 1 >= self._failures:
                    log.warning("account_rests", account=account, failures=before + 1)
            self._changed.notify_all()
