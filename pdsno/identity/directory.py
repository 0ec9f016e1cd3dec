"""Whose key is whose: messages verified against the controllers of the NIB."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pdsno.domain.entities import ControllerRecord, ControllerStatus
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.messages import MessageType, TrustedKey
from pdsno.domain.peers import PeerIdentity
from pdsno.domain.ports import NIBReader
from pdsno.domain.trust_ports import SignedContent
from pdsno.signing import carried_key, key_id_of, peek_header, verify_with

_TYP = "pdsno+jws"
_FROM_JOINERS = frozenset({MessageType.VALIDATION_REQUEST, MessageType.CHALLENGE_RESPONSE})
_FROM_VALIDATORS = frozenset({MessageType.CHALLENGE, MessageType.VALIDATION_RESULT})
_NOT_ACTIVE = {
    ControllerStatus.REVOKED: Refusal.REVOKED,
    ControllerStatus.BLOCKED: Refusal.BLOCKED,
    ControllerStatus.LOCKED: Refusal.LOCKED,
}


class NIBVerifier:
    """Implements `Verifier` and `PeerDirectory` of `pdsno.domain.trust_ports`.

    A status counts from the moment it is committed.

    The NIB's word goes before pinned keys: whoever is revoked there is revoked. Of senders whose
    key nobody knows, only VALIDATION_REQUEST and CHALLENGE_RESPONSE pass, as not trusted; so do
    CHALLENGE and VALIDATION_RESULT of a pinned validator. Thread-safe.
    """

    def __init__(self, nib: NIBReader, *, trusted: Iterable[TrustedKey] = ()) -> None:
        self._nib = nib
        self._lock = threading.Lock()
        self._pins = {key_id_of(key.public_key): key for key in trusted}

    @contextmanager
    def pinned(self, key: TrustedKey) -> Iterator[None]:
        """Accept the answers of a validator while joining it (its key comes from the token)."""
        key_id = key_id_of(key.public_key)
        with self._lock:
            before = self._pins.get(key_id)
            self._pins[key_id] = key
        try:
            yield
        finally:
            with self._lock:
                if before is None:
                    self._pins.pop(key_id, None)
                else:
                    self._pins[key_id] = before

    def check_peer(self, peer: PeerIdentity) -> ControllerRecord:
        """Return whose key it is; see `pdsno.domain.trust_ports.PeerDirectory.check_peer`."""
        record = self._nib.controller_by_key(peer.key_id)
        if record is None:
            raise RefusedError(Refusal.UNKNOWN_KEY, f"{peer.controller_id} is not known here")
        shown = (peer.controller_id, peer.role, peer.region)
        if shown != (record.controller_id, record.role, record.region):
            detail = f"the certificate says {peer.controller_id}, its key is another's"
            raise RefusedError(Refusal.IDENTITY_MISMATCH, detail)
        if record.status is not ControllerStatus.ACTIVE:
            detail = f"{record.controller_id} is {record.status.value}"
            raise RefusedError(_NOT_ACTIVE[record.status], detail)
        return record

    def verify(self, jws: bytes) -> SignedContent:
        """Return what was signed; see `pdsno.domain.trust_ports.Verifier.verify`."""
        header = peek_header(jws)
        if header.get("typ") != _TYP:
            raise RefusedError(Refusal.UNSIGNED, "signed, but not as a message")
        key_id, sender_id = str(header.get("kid")), str(header.get("sender_id"))
        record = self._nib.controller_by_key(key_id)
        if record is None:
            return self._verify_stranger(jws, header, key_id, sender_id)
        is_joining = header.get("message_type") in _FROM_JOINERS
        header, payload = verify_with(jws, record.public_key)
        return SignedContent(
            header=header,
            payload=payload,
            key_id=record.key_id,
            is_trusted=self._is_trusted(record, sender_id, is_joining=is_joining),
        )

    def _is_trusted(self, record: ControllerRecord, sender_id: str, *, is_joining: bool) -> bool:
        """Tell whether a known key speaks for its controller, or asks to be admitted anew.

        A blocked key may ask, too: who decides on it is the validator's matter.
        """
        if record.status is ControllerStatus.REVOKED:
            raise RefusedError(Refusal.REVOKED, f"{record.controller_id} was revoked")
        if sender_id == record.controller_id:
            if record.status is not ControllerStatus.ACTIVE:
                detail = f"{record.controller_id} is {record.status.value}"
                raise RefusedError(_NOT_ACTIVE[record.status], detail)
            return True
        if not is_joining:
            raise RefusedError(Refusal.IDENTITY_MISMATCH, f"the key is not {sender_id}'s")
        self._check_name_is_free(sender_id)
        return False

    def _verify_stranger(
        self, jws: bytes, header: Mapping[str, Any], key_id: str, sender_id: str
    ) -> SignedContent:
        with self._lock:
            pin = self._pins.get(key_id)
        message_type = header.get("message_type")
        if pin is not None:
            if sender_id != pin.controller_id:
                raise RefusedError(Refusal.IDENTITY_MISMATCH, f"the key is not {sender_id}'s")
            public_key = pin.public_key
        elif message_type in _FROM_JOINERS:
            public_key = _own_key(header, key_id)
        else:
            raise RefusedError(Refusal.UNKNOWN_KEY, f"no key is known for {sender_id}")
        header, payload = verify_with(jws, public_key)
        if pin is None:
            self._check_name_is_free(sender_id)
        is_trusted = pin is not None and message_type not in _FROM_VALIDATORS
        return SignedContent(header=header, payload=payload, key_id=key_id, is_trusted=is_trusted)

    def _check_name_is_free(self, sender_id: str) -> None:
        """Refuse a joiner that calls itself by the ID of a controller we know."""
        if self._nib.controller(sender_id) is not None:
            detail = f"{sender_id} is another controller: join under another provisional name"
            raise RefusedError(Refusal.IDENTITY_MISMATCH, detail)


def _own_key(header: Mapping[str, Any], key_id: str) -> str:
    """Return the key that the message carries, if `kid` is its thumbprint."""
    public_key = carried_key(header)
    if public_key is None:
        raise RefusedError(Refusal.UNKNOWN_KEY, "the message carries no key")
    if key_id_of(public_key) != key_id:
        raise RefusedError(Refusal.BAD_SIGNATURE, "kid does not name the key")
    return public_key
