"""Readers as operators have them: added, listed, removed; each change with its event."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pdsno.domain.entities import NewEvent
from pdsno.domain.errors import InputError, NotFoundError, OperationError
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.domain.readers import DEFAULT_DAYS, MOST_READERS, Reader, check_reader_name
from pdsno.identity.pki.authority import Authority


@dataclass(frozen=True, kw_only=True, slots=True)
class NewReader:
    """A reader, with its certificate's chain and the roots (PEM) by which it knows the broker."""

    reader: Reader
    chain_pem: str
    roots_pem: str


class ReaderDesk:
    """Changes readers. Thread-safe; `by` names who asks, for the record."""

    def __init__(self, nib: NIB, authority: Callable[[], Authority | None]) -> None:
        self._nib = nib
        self._authority = authority

    def add(
        self,
        *,
        name: str,
        csr_pem: str,
        region: str | None = None,
        days: int = DEFAULT_DAYS,
        by: str,
    ) -> NewReader:
        """Certify a reader's key; what another key of that name had is its no more.

        Never for longer than our issuing CA holds. Raises InputError, RefusedError INVALID_CSR,
        OperationError.
        """
        check_reader_name(name)
        authority = self._authority()
        if authority is None:
            raise OperationError("this controller has no issuing authority yet")
        if days < 1:
            raise InputError("a certificate holds for a day at least")
        now = datetime.now(UTC)
        issued, key_sha256 = authority.issue_reader(
            csr_pem, name=name, region=region, lifetime=timedelta(days=days), now=now
        )
        reader = Reader(
            name=name,
            region=region,
            key_sha256=key_sha256,
            certificate_sha256=issued.sha256,
            not_after=issued.not_after,
            created_at=now,
            created_by=by,
        )
        with self._nib.transaction() as change:
            known = {one.name: one for one in change.readers()}
            if name not in known and len(known) >= MOST_READERS:
                raise InputError(f"there are {MOST_READERS} readers already: remove one")
            change.put_reader(reader)
            _note(change, "READER_REPLACED" if name in known else "READER_ADDED", reader, by)
        return NewReader(reader=reader, chain_pem=issued.chain_pem, roots_pem=authority.roots_pem)

    def remove(self, name: str, *, by: str) -> Reader:
        """Take a reader's rights back, for all certificates of its name. Raises NotFoundError."""
        with self._nib.transaction() as change:
            reader = {one.name: one for one in change.readers()}.get(name)
            if reader is None:
                raise NotFoundError(f"there is no reader {name[:50]!r}: see pdsno reader list")
            change.drop_reader(name)
            _note(change, "READER_REMOVED", reader, by)
        return reader


def _note(change: NIBTransaction, event_type: str, reader: Reader, by: str) -> None:
    change.append_event(
        NewEvent(
            event_type=event_type,
            subject=reader.name,
            actor=by,
            at=datetime.now(UTC),
            region=reader.region,
            data={"key_sha256": reader.key_sha256, "not_after": reader.not_after},
        )
    )
