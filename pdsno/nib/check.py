"""Is a NIB what was written? The medium by the database's own check, the log by its hash chain."""

from collections.abc import Iterator

from pdsno.domain.chain import first_fault
from pdsno.domain.entities import Event
from pdsno.domain.errors import OperationError, TransientError
from pdsno.domain.ports import NIBReader
from pdsno.nib.store import NIBStore

_AT_ONCE = 1000


def faults(nib: NIBStore) -> tuple[str, ...]:
    """Return what is wrong with a NIB, one line each; an empty tuple if nothing is.

    Reads everything; writers go on meanwhile. Raises TransientError if the NIB is locked.
    """
    found: list[str] = []
    try:
        found += nib.integrity_faults()
        with nib.reading() as reader:
            fault = first_fault(_events(reader), reader.checkpoint())
    except TransientError:
        raise
    except OperationError as error:
        return (*found, str(error))
    if fault is not None:
        found.append(f"event {fault.seq}: {fault.problem}")
    return tuple(found)


def _events(reader: NIBReader) -> Iterator[Event]:
    after_seq = 0
    while events := reader.events(after_seq=after_seq, limit=_AT_ONCE):
        yield from events
        after_seq = events[-1].seq
