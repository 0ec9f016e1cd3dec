"""How devices are entered: credentials in scope, what was learned, pinned keys, jump hosts."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

from pdsno.domain.observations import Outcome
from pdsno.southbound.access_memory import AccessMemory
from pdsno.southbound.credential_entries import Credentials, SnmpCredential, SshCredential
from pdsno.southbound.jump_hosts import JumpHosts, Way
from pdsno.southbound.known_hosts import KnownHosts, host_name
from pdsno.southbound.login_limits import AccountRestsError, LoginLimiter
from pdsno.southbound.ssh_errors import SshError

MAX_CREDENTIALS_TRIED = 2
"""Of one device in one cycle."""

_Credential = TypeVar("_Credential", SnmpCredential, SshCredential)


class DeviceAccess:
    """Everything that is needed to enter devices of one namespace. Any thread may use it.

    Without `memory`, `known_hosts` and `logins` they last as long as this object. `ssh_config`
    comes before the one that the credentials name. `close` ends connections to jump hosts and
    saves the memory. Raises InputError for an ssh_config that cannot be used.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        memory: AccessMemory | None = None,
        known_hosts: KnownHosts | None = None,
        logins: LoginLimiter | None = None,
        ssh_config: Path | None = None,
        namespace: str = "",
    ) -> None:
        self.credentials = credentials
        self.namespace = namespace
        self.memory = memory or AccessMemory()
        self.known_hosts = known_hosts or KnownHosts()
        self.logins = logins or LoginLimiter()
        self.logins.remember_in(self.memory)
        self._jumps = JumpHosts(ssh_config or credentials.ssh_config, self)

    def __bool__(self) -> bool:
        return bool(self.credentials)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End connections to jump hosts, and write down what was learned. Idempotent."""
        self._jumps.close()
        self.memory.save()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all credentials: for the record of who allowed what."""
        return self.credentials.names

    @property
    def platforms(self) -> Mapping[str, str]:
        """Platforms that an inventory names, by address."""
        return self.credentials.platforms

    # --- which ---------------------------------------------------------------------------

    def snmp_for(self, address: str) -> tuple[SnmpCredential, ...]:
        """Return the credentials in scope of an address, the one that worked there first."""
        found = [c for c in self.credentials.snmp if c.scope.covers(address, self.namespace)]
        return _ordered(found, self.memory.snmp_first(self.namespace, address))

    def ssh_for(self, address: str, platform: str | None = None) -> tuple[SshCredential, ...]:
        """Return the credentials in scope, the one that worked there first.

        `platform` is what the device seems to be; without it the one learned here counts.
        """
        seems = platform or self.memory.platform_at(self.namespace, address)
        seems = seems or self.platforms.get(address)
        found = [c for c in self.credentials.ssh if c.scope.covers(address, self.namespace, seems)]
        return _ordered(found, self.memory.ssh_first(self.namespace, address))

    def ssh_ports(self, address: str) -> tuple[int, ...]:
        """Return the TCP ports where this address may be asked, in order.

        Credentials that wait for a platform count as well: a port tells nothing about secrets.
        """
        ports = {
            self.way_to(address, credential).port
            for credential in self.credentials.ssh
            if credential.scope.covers(
                address, self.namespace, next(iter(credential.scope.platforms), None)
            )
        }
        return tuple(sorted(ports))

    @property
    def has_jumps(self) -> bool:
        """Whether there is an ssh_config at all."""
        return self._jumps.has_config

    def is_behind_jump(self, address: str) -> bool:
        """Tell whether an address is entered through a jump host: probing its port is no use."""
        return self._jumps.is_needed(address)

    def way_to(self, address: str, credential: SshCredential) -> Way:
        """Return host, port and the hops before it. Raises SshError for a ProxyCommand."""
        return self._jumps.way_to(address, credential.port)

    @property
    def jumps(self) -> JumpHosts:
        """The connections to jump hosts."""
        return self._jumps

    def pin(self, address: str, port: int) -> str:
        """Return the name under which a device's host key is kept."""
        return host_name(address, port, self.namespace)

    # --- whether -------------------------------------------------------------------------

    def reason_against(self, address: str, credential: SshCredential) -> str | None:
        """Return why a credential is not sent to a device now; None if it may be."""
        until = self.memory.refused_until(
            self.namespace, address, credential.name, changed_at=self.credentials.changed_at
        )
        if until is None:
            return None
        at = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return (
            f"credential {credential.name} was refused here; tried again after {at}, or when the "
            "credentials change"
        )

    def enter(
        self,
        address: str,
        credential: SshCredential,
        stop: threading.Event,
        log_in: Callable[[], None],
    ) -> None:
        """Log in within the limits, and remember what came of it.

        Raises what `log_in` raises, and SshError NOT_TRIED if the account rests or `stop` is set.
        """
        # The key and the password of one account count together.
        account = f"{self.namespace}|{credential.username.lower()}"
        try:
            permit = self.logins.begin(account, stop, changed_at=self.credentials.changed_at)
        except AccountRestsError as error:
            raise SshError(Outcome.NOT_TRIED, f"credential {credential.name} {error}") from error
        if permit is None:
            raise SshError(Outcome.NOT_TRIED, "stopped")
        with permit:
            try:
                log_in()
            except SshError as error:
                permit.refused()
                if error.outcome is Outcome.AUTHENTICATION_FAILED:
                    self.memory.refused(self.namespace, address, credential.name)
                raise
            permit.accepted()
        self.memory.ssh_worked(self.namespace, address, credential.name)


def _ordered(found: Sequence[_Credential], first: Sequence[str]) -> tuple[_Credential, ...]:
    place = {name: number for number, name in enumerate(first)}
    return tuple(sorted(found, key=lambda c: place.get(c.name, len(place))))
