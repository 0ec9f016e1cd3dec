"""What can go wrong with an SSH session, by the names that the record keeps."""

from collections.abc import Iterator

from netmiko.exceptions import (
    NetmikoAuthenticationException,
    NetmikoTimeoutException,
    ReadException,
    ReadTimeout,
    WriteException,
)
from paramiko.ssh_exception import (  # type: ignore[import-untyped]
    AuthenticationException,
    SSHException,
)

from pdsno.domain.errors import OperationError
from pdsno.domain.observations import Outcome


class SshError(OperationError):
    """A session failed; `outcome` is what the record keeps, the text is its detail."""

    def __init__(self, outcome: Outcome, detail: str = "") -> None:
        super().__init__(detail or outcome.value)
        self.outcome = outcome
        self.detail = detail


def translated(error: BaseException, where: str = "") -> SshError:
    """Return what a library's exception means."""
    if isinstance(error, SshError):
        return error
    chain = list(_chain(error))
    if any(isinstance(item, NetmikoAuthenticationException) for item in chain):
        return SshError(Outcome.AUTHENTICATION_FAILED)
    if any(_is_hang_up(item) for item in chain):
        return SshError(Outcome.SESSION_CLOSED, where)
    if any(isinstance(item, ReadTimeout | TimeoutError) for item in chain):
        return SshError(Outcome.TIMEOUT, where)
    for item in chain:
        # Netmiko's time-out stands for any paramiko error, and is one by inheritance.
        is_reason = isinstance(item, SSHException | ValueError)
        if is_reason and not isinstance(item, NetmikoTimeoutException):
            return SshError(Outcome.FAILED, " ".join(str(item).split()) or where)
    if isinstance(error, NetmikoTimeoutException):
        return SshError(Outcome.TIMEOUT, where)
    return SshError(Outcome.FAILED, where or type(error).__name__)


def refusal(error: Exception) -> SshError:
    """Return what ended a log-in after the credential was sent."""
    if isinstance(error, AuthenticationException):
        if "timeout" in str(error).lower():
            return SshError(Outcome.TIMEOUT, "during log-in")
        return SshError(Outcome.AUTHENTICATION_FAILED)
    return translated(error, "during log-in")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_hang_up(error: BaseException) -> bool:
    if isinstance(error, ReadTimeout | NetmikoTimeoutException):
        return False
    if isinstance(error, EOFError | ConnectionError | ReadException | WriteException):
        return True
    text = str(error)
    return isinstance(error, SSHException | OSError) and (
        "not active" in text or "is closed" in text or "banner" in text
    )
