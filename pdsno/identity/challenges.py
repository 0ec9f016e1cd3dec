"""Challenges: what is signed to prove a key, and the book of those still open."""

import hashlib
import secrets
import threading
from dataclasses import dataclass
from datetime import timedelta

from pdsno.domain.errors import Refusal, RefusedError, TransientError
from pdsno.domain.messages import Challenge, ValidationRequest
from pdsno.identity.clock import Clock
from pdsno.identity.compact import canonical_json
from pdsno.identity.tokens import JoinClaims
from pdsno.signing import b64encode

_DOMAIN = b"PDSNO-CHALLENGE-v1\0"
NONCE_BYTES = 32
CHALLENGE_S = 30
MOST_PENDING = 100
MOST_PENDING_PER_KEY = 10


def transcript(challenge: Challenge, request: ValidationRequest, jti: str) -> bytes:
    """Return the bytes that the joiner signs.

    They begin with a text of their own and name both sides and the whole claim, so that a
    signature over them serves nowhere else and nobody else.
    """
    claim = {
        "challenge_id": challenge.challenge_id,
        "nonce": challenge.nonce,
        "validator_id": challenge.validator_id,
        "temp_id": request.temp_id,
        "role": request.role,
        "region": request.region,
        "public_key": request.public_key,
        "token_jti": jti,
    }
    return _DOMAIN + hashlib.sha256(canonical_json(claim)).digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """An open challenge and what it was given for. `deadline_s` is monotonic."""

    challenge: Challenge
    request: ValidationRequest
    claims: JoinClaims
    key_id: str
    deadline_s: float


class ChallengeBook:
    """Open challenges, in memory only: after a restart joiners begin again. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, Pending] = {}

    def open(
        self, request: ValidationRequest, claims: JoinClaims, *, validator_id: str, key_id: str
    ) -> Challenge:
        """Return a fresh challenge. Raises TransientError if too many are open."""
        now_s = self._clock.monotonic()
        challenge = Challenge(
            challenge_id=secrets.token_urlsafe(16),
            nonce=b64encode(secrets.token_bytes(NONCE_BYTES)),
            validator_id=validator_id,
            expires_at=self._clock.now() + timedelta(seconds=CHALLENGE_S),
        )
        pending = Pending(
            challenge=challenge,
            request=request,
            claims=claims,
            key_id=key_id,
            deadline_s=now_s + CHALLENGE_S,
        )
        with self._lock:
            self._forget_old(now_s)
            self._check_room(key_id, now_s)
            self._open[challenge.challenge_id] = pending
        return challenge

    def take(self, challenge_id: str) -> Pending:
        """Return a challenge and forget it: it serves once, whatever the outcome.

        Raises RefusedError UNKNOWN_CHALLENGE, CHALLENGE_EXPIRED.
        """
        with self._lock:
            pending = self._open.pop(challenge_id, None)
        if pending is None:
            raise RefusedError(Refusal.UNKNOWN_CHALLENGE, "never given, or used before")
        if self._clock.monotonic() >= pending.deadline_s:
            raise RefusedError(Refusal.CHALLENGE_EXPIRED, f"answer within {CHALLENGE_S} s")
        return pending

    def _forget_old(self, now_s: float) -> None:
        """Expired ones stay a minute more, to tell late answers what was wrong with them."""
        old = [key for key, item in self._open.items() if now_s >= item.deadline_s + 60]
        for key in old:
            del self._open[key]

    def _check_room(self, key_id: str, now_s: float) -> None:
        current = [item for item in self._open.values() if now_s < item.deadline_s]
        of_key = sum(item.key_id == key_id for item in current)
        if len(current) >= MOST_PENDING or of_key >= MOST_PENDING_PER_KEY:
            raise TransientError(f"too many validations are open: try again in {CHALLENGE_S} s")
