"""Signed documents that people hand over: compact JWS (RFC 7515 section 7.1), one line of text.

Each kind has its own `typ` (RFC 8725 section 3.11), so that none passes for another, or for a
message between controllers.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.jsonable import jsonable
from pdsno.domain.trust_ports import Signer
from pdsno.signing import b64decode, b64encode, peek_header, verify_with

T = TypeVar("T")

_MOST_CHARS = 4096
_PARTS = ("protected", "payload", "signature")


def canonical_json(value: object) -> bytes:
    """Return the one JSON text of strings, integers and null: sorted keys, no white space."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def sign_document(signer: Signer, claims: object, *, typ: str, with_key: bool = False) -> str:
    """Return claims (a dataclass) signed, as one line."""
    signed = signer.sign({"typ": typ}, canonical_json(jsonable(claims)), with_key=with_key)
    outer = json.loads(signed)
    return ".".join(outer[part] for part in _PARTS)


def peek_document(text: str, *, typ: str) -> Mapping[str, Any]:
    """Return the header before anything is verified: only to choose the key.

    Raises RefusedError UNSIGNED if it is no such document.
    """
    header = peek_header(_flattened(text))
    if header.get("typ") != typ:
        raise RefusedError(Refusal.UNSIGNED, f"not a {typ}")
    return header


def open_document(text: str, claims: TypeAdapter[T], *, typ: str, public_key: str) -> T:
    """Return the claims that this raw key signed.

    Unknown claims are ignored, for tiers are upgraded one at a time. Raises RefusedError UNSIGNED
    (no such document) or BAD_SIGNATURE.
    """
    peek_document(text, typ=typ)
    _, payload = verify_with(_flattened(text), public_key)
    try:
        return claims.validate_json(payload, strict=True)
    except ValidationError as error:
        raise RefusedError(Refusal.UNSIGNED, f"not the claims of a {typ}") from error


def _flattened(text: str) -> bytes:
    parts = text.split(".") if len(text) <= _MOST_CHARS else []
    if len(parts) != len(_PARTS) or not all(map(_is_canonical, parts)):
        raise RefusedError(Refusal.UNSIGNED, "not a compact JWS")
    return json.dumps(dict(zip(_PARTS, parts, strict=True))).encode()


def _is_canonical(part: str) -> bool:
    """Tell whether a part is the only base64url text of its bytes."""
    try:
        return part != "" and b64encode(b64decode(part)) == part
    except ValueError:
        return False
