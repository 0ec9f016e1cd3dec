"""Challenges: what is signed to prove a key, and those still open. Pure."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pdsno.domain.errors import Refusal, RefusedError, TransientError
from pdsno.domain.messages import Challenge, ValidationRequest
from pdsno.identity.compact import canonical_json
from pdsno.identity.tokens import JoinClaims

_DOMAIN = b"PDSNO-CHALLENGE-v1\0"
NONCE_BYTES = 32
CHALLENGE_S = 30
MOST_PENDING = 100
MOST_PENDING_PER_KEY = 10
MOST_PENDING_PER_SOURCE = 10
_REMEMBERED_S = 60
"""Expired ones stay so long, to tell late answers what was wrong with them."""


def transcript(challenge: Challenge, request: ValidationRequest, jti: str) -> bytes:
    """Return the bytes that the joiner signs.

    They begin with a text of their own and name both sides, the whole claim and the connection,
    so that a signature over them serves nowhere else and nobody else. `jti` is the number of the
    join token, empty for a renewal.
    """
    claim = {
        "challenge_id": challenge.challenge_id,
        "nonce": challenge.nonce,
        "validator_id": challenge.validator_id,
        "server_cert_sha256": challenge.server_cert_sha256,
        "temp_id": request.temp_id,
        "role": request.role,
        "region": request.region,
        "public_key": request.public_key,
        "csr_sha256": _digest(request.csr),
        "authority_csr_sha256": _digest(request.authority_csr),
        "generation": request.generation,
        "addresses": list(request.addresses),
        "token_jti": jti,
    }
    return _DOMAIN + hashlib.sha256(canonical_json(claim)).digest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """An open challenge and what it was given for.

    `claims` are the join token's, None for a renewal; `address` is where the request came from,
    `deadline_s` is monotonic.
    """

    challenge: Challenge
    request: ValidationRequest
    claims: JoinClaims | None
    key_id: str
    address: str
    deadline_s: float

    @property
    def jti(self) -> str:
        """The number of the join token; empty for a renewal."""
        return self.claims.jti if self.claims else ""


@dataclass(frozen=True, slots=True)
class OpenChallenges:
    """The challenges that a validator waits for answers to; in memory only, and bounded."""

    pending: tuple[Pending, ...] = ()

    def with_room(self, *, key_id: str, address: str, now_s: float) -> "OpenChallenges":
        """Return what is left when the old ones are forgotten.

        Raises TransientError if there is no room for one more of this key or this source.
        """
        kept = tuple(p for p in self.pending if now_s < p.deadline_s + _REMEMBERED_S)
        current = [p for p in kept if now_s < p.deadline_s]
        of_key = sum(p.key_id == key_id for p in current)
        of_source = sum(bool(address) and p.address == address for p in current)
        is_full = (
            len(current) >= MOST_PENDING
            or of_key >= MOST_PENDING_PER_KEY
            or of_source >= MOST_PENDING_PER_SOURCE
        )
        if is_full:
            raise TransientError(f"too many validations are open: try again in {CHALLENGE_S} s")
        return replace(self, pending=kept)

    def opened(self, pending: Pending) -> "OpenChallenges":
        """Return these and one more."""
        return replace(self, pending=(*self.pending, pending))

    def taken(self, challenge_id: str) -> tuple["OpenChallenges", Pending | None]:
        """Return the others, and the one that is named: it serves once, whatever the outcome."""
        found = next(self._named(challenge_id), None)
        return OpenChallenges(tuple(p for p in self.pending if p is not found)), found

    def _named(self, challenge_id: str) -> Iterator[Pending]:
        return (p for p in self.pending if p.challenge.challenge_id == challenge_id)


def check_in_time(pending: Pending | None, now_s: float) -> Pending:
    """Return a challenge that may still be answered.

    Raises RefusedError UNKNOWN_CHALLENGE, CHALLENGE_EXPIRED.
    """
    if pending is None:
        raise RefusedError(Refusal.UNKNOWN_CHALLENGE, "never given, or used before")
    if now_s >= pending.deadline_s:
        raise RefusedError(Refusal.CHALLENGE_EXPIRED, f"answer within {CHALLENGE_S} s")
    return pending
