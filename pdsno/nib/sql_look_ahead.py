"""Claims inside the write transaction, and looking ahead for a whole report."""

from collections.abc import Iterable, Sequence

from pdsno.domain.entities import Claim, Device
from pdsno.nib.sql_claims import ClaimBatch
from pdsno.nib.sql_links import SQLLinks
from pdsno.nib.sql_reader import read_devices
from pdsno.nib.sql_session import Session


class SQLLookAhead(SQLLinks):
    """What reporters claim; what waits, or was looked ahead, counts when it is read."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._claims = ClaimBatch(session)

    def look_ahead(
        self,
        reporter: str,
        devices: Sequence[Device],
        *,
        named: Iterable[str] = (),
        fresh: Iterable[str] = (),
    ) -> None:
        self._claims.flush()
        self._batch.flush()
        fresh = tuple(fresh)
        own = self._claims.look_up(reporter, [*named, *(d.device_id for d in devices)])
        told = {self._claims.own_id(reporter, d.device_id) for d in devices}
        asked = self._ahead.holders(self._session, devices, [*filter(None, told), *fresh])
        found = read_devices(self._session, asked)
        self._log.seen(found)
        self._ahead.learn(self._session, asked, found)
        held = {device.device_id for device in found}
        self._claims.look_at([*held, *own.intersection(filter(None, told))], none_on=fresh)

    def own_id(self, reporter: str, their_id: str) -> str | None:
        if self._claims.knows(reporter, their_id):
            return self._claims.own_id(reporter, their_id)
        self._claims.flush()
        return super().own_id(reporter, their_id)

    def claims(
        self, *, device_id: str | None = None, reporter: str | None = None
    ) -> tuple[Claim, ...]:
        if device_id is not None and reporter is None:
            known = self._claims.of_device(device_id)
            if known is not None:
                return known
        self._claims.flush()
        return super().claims(device_id=device_id, reporter=reporter)

    def put_claim(self, claim: Claim) -> None:
        self._claims.put(claim)

    def drop_claim(self, reporter: str, their_id: str) -> None:
        self._claims.drop(reporter, their_id)
