"""The validator of a global or regional controller, behind its REST handlers and admin socket."""

from collections.abc import Callable
from datetime import timedelta

from pdsno.communication.payloads import read
from pdsno.domain.entities import ControllerRecord
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import (
    ChallengeResponse,
    Message,
    MessageType,
    Reply,
    ValidationRequest,
)
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.identity.exchange import Escalate, Surroundings, Validator
from pdsno.identity.join_tokens import JoinTokens
from pdsno.identity.tokens import DEFAULT_TTL_S
from pdsno.identity.validator_identity import ValidatorIdentity
from pdsno.signing import SigningKey


class Admissions:
    """Who may join here: tokens for operators, the exchange for applicants."""

    def __init__(
        self, nib: NIB, key: SigningKey, me: ValidatorIdentity, surroundings: Surroundings
    ) -> None:
        self.tokens = JoinTokens(nib=nib, signer=key, me=me)
        self._validator = Validator(nib=nib, signer=key, me=me, surroundings=surroundings)

    @classmethod
    def of_global(
        cls,
        *,
        nib: NIB,
        key: SigningKey,
        validator_id: str,
        on_admitted: Callable[[ControllerRecord], None],
    ) -> "Admissions":
        """Return the admissions of the global controller: regional controllers."""
        me = ValidatorIdentity(controller_id=validator_id, role=Role.GLOBAL)
        return cls(nib, key, me, Surroundings(on_admitted=on_admitted))

    @classmethod
    def of_region(  # noqa: PLR0913 - one call site
        cls,
        *,
        nib: NIB,
        key: SigningKey,
        validator_id: str,
        region: str,
        delegation: Callable[[], str | None],
        escalate: Escalate,
        in_transaction: Callable[[NIBTransaction, ControllerRecord], None],
        on_admitted: Callable[[ControllerRecord], None],
        on_refused: Callable[[str, str], None],
    ) -> "Admissions":
        """Return the admissions of a regional controller: local controllers of its region."""
        me = ValidatorIdentity(controller_id=validator_id, role=Role.REGIONAL, region=region)
        surroundings = Surroundings(
            delegation=delegation,
            escalate=escalate,
            in_transaction=in_transaction,
            on_admitted=on_admitted,
            on_refused=on_refused,
        )
        return cls(nib, key, me, surroundings)

    def mint_token(self, role: Role, region: str | None, ttl: timedelta | None) -> str:
        """Return a join token. Raises InputError if we could not accept it."""
        ttl_s = int(ttl.total_seconds()) if ttl else DEFAULT_TTL_S
        return self.tokens.create(role=role, region=region, ttl_s=ttl_s)

    def on_request(self, message: Message) -> Reply:
        """Answer a VALIDATION_REQUEST with a CHALLENGE."""
        request = read(message, ValidationRequest)
        challenge = self._validator.on_request(request, key_id=_key_id(message))
        return Reply(message_type=MessageType.CHALLENGE, payload=jsonable(challenge))

    def on_response(self, message: Message) -> Reply:
        """Answer a CHALLENGE_RESPONSE with the VALIDATION_RESULT."""
        response = read(message, ChallengeResponse)
        result = self._validator.on_response(response, key_id=_key_id(message))
        return Reply(message_type=MessageType.VALIDATION_RESULT, payload=jsonable(result))


def _key_id(message: Message) -> str:
    if message.key_id is None:
        raise RefusedError(Refusal.UNSIGNED, "validation needs a signature")
    return message.key_id
