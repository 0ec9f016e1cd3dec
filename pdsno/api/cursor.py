"""Opaque cursors: a place in a list, bound to the list and to its filters.

The digest finds mistakes (a cut cursor, one of another query). It is no secret: a cursor gives no
right, and what it says is checked again when it is used.
"""

import base64
import binascii
import hashlib

from pdsno.domain.errors import InputError

_DIGEST_BYTES = 9
_WRONG = (
    "the cursor was not given out for this query: repeat the filters unchanged, "
    "or start again without a cursor"
)


def cursor_of(place: str, query: str) -> str:
    """Return the cursor of a place in the answer to a query (its text, without the limit)."""
    told = place.encode()
    return base64.urlsafe_b64encode(_digest(told, query) + told).rstrip(b"=").decode()


def place_of(cursor: str, query: str) -> str:
    """Return the place of a cursor. Raises InputError if it is damaged or of another query."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = raw[_DIGEST_BYTES:].decode()
    except (binascii.Error, ValueError) as error:
        raise InputError(_WRONG) from error
    if cursor_of(place, query) != cursor:
        raise InputError(_WRONG)
    return place


def _digest(place: bytes, query: str) -> bytes:
    return hashlib.sha256(query.encode() + b"\0" + place).digest()[:_DIGEST_BYTES]
