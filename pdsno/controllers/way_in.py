"""How a local controller enters devices: what outlasts one cycle, in files beside its state."""

from pathlib import Path

from pdsno.southbound.access import DeviceAccess
from pdsno.southbound.access_memory import AccessMemory
from pdsno.southbound.credentials import Credentials
from pdsno.southbound.known_hosts import KnownHosts
from pdsno.southbound.login_limits import LoginLimiter


class WayIn:
    """Credentials, what was learned with them, pinned host keys and the pace of log-ins."""

    def __init__(self, credentials: Credentials, directory: Path) -> None:
        self._credentials = credentials
        self._directory = directory
        self._access: DeviceAccess | None = None
        self._opened_for: tuple[str, int] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the credentials, never secrets."""
        return self._credentials.names

    def open(self, namespace: str, login_rate_per_min: int) -> DeviceAccess:
        """Return the access, the same for all cycles that are told the same.

        From one thread at a time, and never while a cycle uses it.
        """
        wanted = (namespace, login_rate_per_min)
        if self._access is None or self._opened_for != wanted:
            self.close()
            self._access = DeviceAccess(
                self._credentials,
                memory=AccessMemory(self._directory / "access.json"),
                known_hosts=KnownHosts(self._directory / "known_hosts"),
                logins=LoginLimiter(login_rate_per_min),
                namespace=namespace,
            )
            self._opened_for = wanted
        return self._access

    def close(self) -> None:
        """End connections to jump hosts, and write down what was learned. Idempotent."""
        if self._access is not None:
            self._access.close()
            self._access = None
