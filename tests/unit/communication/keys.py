"""Keys and a verifier over a table, for tests of messages."""

from collections.abc import Mapping

from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.trust_ports import SignedContent
from pdsno.signing import SigningKey, carried_key, key_id_of, peek_header, verify_with


class TableVerifier:
    """Knows the keys of some senders; takes a carried key of others as untrusted."""

    def __init__(self, known: Mapping[str, SigningKey]) -> None:
        self.known = dict(known)

    def verify(self, jws: bytes) -> SignedContent:
        header = peek_header(jws)
        sender = str(header.get("sender_id"))
        known = self.known.get(sender)
        key = known.public_key if known else carried_key(header)
        if key is None:
            raise RefusedError(Refusal.UNKNOWN_KEY, sender)
        if known and header.get("kid") != known.key_id:
            raise RefusedError(Refusal.IDENTITY_MISMATCH, sender)
        header, payload = verify_with(jws, key)
        return SignedContent(
            header=header, payload=payload, key_id=key_id_of(key), is_trusted=known is not None
        )
