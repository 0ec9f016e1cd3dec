"""What was learned about getting into devices: which credential works, which was refused.

It holds names, counts and times, never a secret.
"""

import contextlib
import ipaddress
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger()

MAX_DEVICES = 50_000
"""The device that was thought of longest ago is forgotten first."""

REFUSED_AGAIN_AFTER_S = (3600.0, 6 * 3600.0, 24 * 3600.0, 7 * 24 * 3600.0)
"""How long a credential that a device refused is not tried there again: by how often it was."""

_SUBNET_LENGTHS = {4: 24, 6: 64}
_VERSION = 1


@dataclass(kw_only=True, slots=True)
class _Device:
    snmp: str | None = None
    ssh: str | None = None
    platform: str | None = None
    refused: dict[str, tuple[int, float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountRecord:
    """How often in a row an account was refused, and when last (seconds since 1970)."""

    failures: int = 0
    at: float = 0.0


class AccessMemory:
    """Remembers by address and by subnet. Without `path` as long as the process lives.

    Any thread may use it. Changes reach the file at `save`, which replaces it in one step; a
    file that cannot be read is put aside as `PATH.broken`.
    """

    def __init__(self, path: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.RLock()
        self._devices: dict[str, _Device] = {}
        self._subnets: dict[str, _Device] = {}
        self._accounts: dict[str, AccountRecord] = {}
        self._is_changed = False
        if path is not None:
            self._load(path)

    # --- what works ----------------------------------------------------------------------

    def snmp_first(self, namespace: str, address: str) -> tuple[str, ...]:
        """Return the names of SNMP credentials that worked here or nearby, the best first."""
        return self._first(namespace, address, "snmp")

    def ssh_first(self, namespace: str, address: str) -> tuple[str, ...]:
        """Return the names of SSH credentials that worked here or nearby, the best first."""
        return self._first(namespace, address, "ssh")

    def _first(self, namespace: str, address: str, kind: str) -> tuple[str, ...]:
        with self._lock:
            known = (
                self._devices.get(_key(namespace, address)),
                self._subnets.get(_subnet_key(namespace, address)),
            )
            names = [getattr(item, kind) for item in known if item is not None]
        return tuple(dict.fromkeys(name for name in names if name is not None))

    def platform_at(self, namespace: str, address: str) -> str | None:
        """Return the platform that this very address turned out to be."""
        with self._lock:
            found = self._devices.get(_key(namespace, address))
            return found.platform if found else None

    def platform_near(self, namespace: str, address: str) -> str | None:
        """Return the platform that was last met in the address's subnet."""
        with self._lock:
            found = self._subnets.get(_subnet_key(namespace, address))
            return found.platform if found else None

    def snmp_worked(self, namespace: str, address: str, credential: str) -> None:
        """Remember that an agent took this credential."""
        with self._lock:
            self._device(namespace, address).snmp = credential
            self._subnet(namespace, address).snmp = credential

    def ssh_worked(self, namespace: str, address: str, credential: str) -> None:
        """Remember that a device took this credential; what it refused before is forgotten."""
        with self._lock:
            device = self._device(namespace, address)
            device.ssh = credential
            device.refused.pop(credential, None)
            self._subnet(namespace, address).ssh = credential

    def is_platform(self, namespace: str, address: str, platform: str) -> None:
        """Remember what a device turned out to be, by what it printed."""
        with self._lock:
            self._device(namespace, address).platform = platform
            self._subnet(namespace, address).platform = platform

    # --- what was refused ----------------------------------------------------------------

    def refused(self, namespace: str, address: str, credential: str) -> None:
        """Remember that a device refused a credential."""
        with self._lock:
            device = self._device(namespace, address)
            count, _ = device.refused.get(credential, (0, 0.0))
            device.refused[credential] = (count + 1, self._clock())

    def refused_until(
        self, namespace: str, address: str, credential: str, *, changed_at: float | None = None
    ) -> float | None:
        """Return until when (seconds since 1970) a credential is not tried here, None if it may be.

        What was refused before the credentials changed counts no more.
        """
        with self._lock:
            device = self._devices.get(_key(namespace, address))
            count, at = device.refused.get(credential, (0, 0.0)) if device else (0, 0.0)
        if not count or (changed_at is not None and changed_at > at):
            return None
        waits = REFUSED_AGAIN_AFTER_S[min(count, len(REFUSED_AGAIN_AFTER_S)) - 1]
        return at + waits if self._clock() < at + waits else None

    def account(self, account: str) -> AccountRecord:
        """Return how an account fared."""
        with self._lock:
            return self._accounts.get(account, AccountRecord())

    def put_account(self, account: str, record: AccountRecord) -> None:
        """Remember how an account fared; written at once, for a restart must not forget it."""
        with self._lock:
            if record.failures:
                self._accounts[account] = record
            else:
                self._accounts.pop(account, None)
            self._is_changed = True
            self.save()

    # --- the file ------------------------------------------------------------------------

    def save(self) -> None:
        """Write the file if anything changed. A disk that is full is logged, and ends nothing."""
        with self._lock:
            if self._path is None or not self._is_changed:
                return
            document = {
                "version": _VERSION,
                "devices": {k: asdict(v) for k, v in self._devices.items()},
                "subnets": {k: asdict(v) for k, v in self._subnets.items()},
                "accounts": {k: asdict(v) for k, v in self._accounts.items()},
            }
            try:
                write_private(self._path, json.dumps(document))
            except OSError as error:
                log.warning("access_memory_not_saved", path=str(self._path), error=error.strerror)
                return
            self._is_changed = False

    def _load(self, path: Path) -> None:
        try:
            document = json.loads(path.read_text())
            self._devices = {k: _device(v) for k, v in document["devices"].items()}
            self._subnets = {k: _device(v) for k, v in document["subnets"].items()}
            self._accounts = {
                k: AccountRecord(failures=int(v["failures"]), at=float(v["at"]))
                for k, v in document["accounts"].items()
            }
        except FileNotFoundError:
            return
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            self._devices, self._subnets, self._accounts = {}, {}, {}
            aside = path.with_name(f"{path.name}.broken")
            log.warning("access_memory_broken", path=str(path), aside=str(aside), error=repr(error))
            with contextlib.suppress(OSError):
                path.replace(aside)

    def _device(self, namespace: str, address: str) -> _Device:
        return self._touch(self._devices, _key(namespace, address))

    def _subnet(self, namespace: str, address: str) -> _Device:
        return self._touch(self._subnets, _subnet_key(namespace, address))

    def _touch(self, known: dict[str, _Device], key: str) -> _Device:
        """Return the entry, made if need be, as the one thought of last."""
        found = known.pop(key, None) or _Device()
        known[key] = found
        while len(known) > MAX_DEVICES:
            known.pop(next(iter(known)))
        self._is_changed = True
        return found


def _device(row: dict[str, Any]) -> _Device:
    refused = {str(k): (int(count), float(at)) for k, (count, at) in row["refused"].items()}
    told = {key: row[key] for key in ("snmp", "ssh", "platform")}
    if not all(value is None or isinstance(value, str) for value in told.values()):
        raise TypeError("expected texts")
    return _Device(refused=refused, **told)


def _key(namespace: str, address: str) -> str:
    return f"{namespace}|{address}"


def _subnet_key(namespace: str, address: str) -> str:
    ip = ipaddress.ip_address(address.partition("%")[0])
    network = ipaddress.ip_network((ip, _SUBNET_LENGTHS[ip.version]), strict=False)
    return f"{namespace}|{network}"


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner alone. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
