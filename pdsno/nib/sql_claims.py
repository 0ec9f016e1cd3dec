"""Claims that wait inside a transaction, and those that a report will ask for.

What reporters claim of one device is asked for again and again by a report that names it. Asked
for at once, and written many at a time; whoever reads claims in another way writes them first.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from sqlalchemy import BindParameter, bindparam, select

from pdsno.domain.entities import Claim
from pdsno.nib import codec
from pdsno.nib.schema import claims
from pdsno.nib.sql_session import Session, chunks
from pdsno.nib.sql_writes import delete_of, upsert

_Key: TypeAlias = tuple[str, str]
"""A reporter, and its ID of a device."""

_WANTED: BindParameter[Any] = bindparam("wanted", expanding=True)
_OWN_IDS = select(claims.c.their_id, claims.c.device_id).where(
    claims.c.reporter == bindparam("reporter"), claims.c.their_id.in_(_WANTED)
)
_OF_MANY = select(claims).where(claims.c.device_id.in_(_WANTED))


@dataclass(slots=True)
class ClaimBatch:
    """The claims of one transaction that wait to be written, and those known from ahead."""

    _session: Session
    _waiting: dict[_Key, dict[str, Any]] = field(default_factory=dict)
    _own: dict[_Key, str | None] = field(default_factory=dict)
    """Whose claims are on which device, also of all claims in `_of`."""
    _of: dict[str, dict[_Key, Claim]] = field(default_factory=dict)
    """The claims on a device, all of them."""

    def look_up(self, reporter: str, their_ids: Iterable[str]) -> set[str]:
        """Ask for our IDs of a reporter's devices, and return them."""
        wanted = sorted(set(their_ids))
        own = dict.fromkeys(wanted, "")
        for chunk in chunks(wanted):
            rows = self._session.rows(_OWN_IDS, {"reporter": reporter, "wanted": chunk})
            own |= {row["their_id"]: row["device_id"] for row in rows}
        self._own |= {(reporter, key): value or None for key, value in own.items()}
        return set(filter(None, own.values()))

    def look_at(self, device_ids: Iterable[str], *, none_on: Iterable[str] = ()) -> None:
        """Ask for all claims on some devices; `none_on` are IDs that nobody has yet."""
        wanted = sorted(set(device_ids) - self._of.keys())
        self._of |= {device_id: {} for device_id in (*wanted, *none_on)}
        for chunk in chunks(wanted):
            for row in self._session.rows(_OF_MANY, {"wanted": chunk}):
                claim = codec.claim_of(row)
                self._keep((claim.reporter, claim.device.device_id), claim)

    def knows(self, reporter: str, their_id: str) -> bool:
        """Tell whether `own_id` knows the answer."""
        return (reporter, their_id) in self._own

    def own_id(self, reporter: str, their_id: str) -> str | None:
        """Return our ID of a reporter's device."""
        return self._own[reporter, their_id]

    def of_device(self, device_id: str) -> tuple[Claim, ...] | None:
        """Return the claims on a device in order, None if they are not known here."""
        held = self._of.get(device_id)
        return None if held is None else tuple(held[key] for key in sorted(held))

    def put(self, claim: Claim) -> None:
        """Let a claim wait."""
        key = (claim.reporter, claim.device.device_id)
        claim = replace(claim, device=codec.settled(claim.device))
        self._waiting[key] = codec.claim_row(claim)
        self._forget(key)
        self._keep(key, claim)

    def drop(self, reporter: str, their_id: str) -> None:
        """Remove a claim."""
        key = (reporter, their_id)
        self._waiting.pop(key, None)
        self._forget(key)
        row = {"key_reporter": reporter, "key_their_id": their_id}
        self._session.run(delete_of(claims), row)

    def absorbed(self, device_id: str, into_id: str) -> None:
        """Take note that a device's claims are on another now; all of them are written."""
        moved = self._of.pop(device_id, None)
        if moved is None:
            # What moves is not known here, so those on the other are not known either.
            self._of.pop(into_id, None)
        for key, claim in (moved or {}).items():
            self._keep(key, replace(claim, device_id=into_id))
        self._own |= {key: into_id for key, own in self._own.items() if own == device_id}

    def retired(self, device_id: str) -> None:
        """Take note that a device went with its claims; all of them were written."""
        self._of.pop(device_id, None)
        self._own |= {key: None for key, own in self._own.items() if own == device_id}

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, {}
        self._session.run(upsert(claims), list(waiting.values()))

    def _keep(self, key: _Key, claim: Claim) -> None:
        self._own[key] = claim.device_id
        if claim.device_id in self._of:
            self._of[claim.device_id][key] = claim

    def _forget(self, key: _Key) -> None:
        own = self._own.get(key)
        if own is not None and own in self._of:
            self._of[own].pop(key, None)
        self._own[key] = None
