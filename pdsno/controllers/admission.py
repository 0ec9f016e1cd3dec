"""The validator of a global or regional controller: REST handlers, join listener, admin socket."""

from datetime import timedelta

from pdsno.communication.payloads import read
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.controllers.base_controller import Options
from pdsno.controllers.refused_messages import RefusedMessages
from pdsno.domain.errors import LocalProtocolError, Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import (
    ChallengeResponse,
    Message,
    MessageType,
    Reply,
    ValidationRequest,
)
from pdsno.domain.ports import NIB
from pdsno.domain.trust_ports import PeerDirectory, Verifier
from pdsno.identity.exchange import Surroundings, Validator
from pdsno.identity.join_tokens import JoinTokens
from pdsno.identity.tokens import DEFAULT_TTL_S
from pdsno.identity.validator_identity import ValidatorIdentity
from pdsno.signing import SigningKey


class Admissions:
    """Who may join here: tokens for operators, the exchange for applicants."""

    def __init__(
        self, *, nib: NIB, key: SigningKey, me: ValidatorIdentity, surroundings: Surroundings
    ) -> None:
        self._around = surroundings
        self.tokens = JoinTokens(nib=nib, signer=key, me=me, root_sha256=self._root_sha256)
        self._refused = RefusedMessages(nib, actor=lambda: me.controller_id, region=me.region)
        self._validator = Validator(nib=nib, signer=key, me=me, surroundings=surroundings)

    def _root_sha256(self) -> str:
        authority = self._around.authority()
        if authority is None:
            detail = "this controller has no certificate to admit others by: is it validated?"
            raise RefusedError(Refusal.NO_DELEGATION, detail)
        return authority.root_sha256

    def roots(self) -> bytes:
        """Return the trust bundle in PEM, for those who know only its fingerprint."""
        authority = self._around.authority()
        return authority.roots_pem.encode() if authority else b""

    def mint_token(self, role: Role, region: str | None, ttl: timedelta | None) -> str:
        """Return a join token. Raises InputError if we could not accept it."""
        ttl_s = int(ttl.total_seconds()) if ttl else DEFAULT_TTL_S
        return self.tokens.create(role=role, region=region, ttl_s=ttl_s)

    def on_request(self, message: Message) -> Reply:
        """Answer a VALIDATION_REQUEST with a CHALLENGE."""
        request = read(message, ValidationRequest)
        address = message.channel.address if message.channel else ""
        challenge = self._validator.on_request(request, key_id=_key_id(message), address=address)
        return Reply(message_type=MessageType.CHALLENGE, payload=jsonable(challenge))

    def on_response(self, message: Message) -> Reply:
        """Answer a CHALLENGE_RESPONSE with the VALIDATION_RESULT."""
        response = read(message, ChallengeResponse)
        result = self._validator.on_response(response, key_id=_key_id(message))
        return Reply(message_type=MessageType.VALIDATION_RESULT, payload=jsonable(result))

    def listener(
        self, controller_id: str, options: Options, verifier: Verifier, peers: PeerDirectory
    ) -> ControllerRESTServer:
        """Return the server for those who have no valid certificate: it only admits and renews."""
        if options.tls is None:
            raise LocalProtocolError("a join listener needs TLS")
        server = ControllerRESTServer(
            controller_id=controller_id,
            port=options.join_port,
            host=options.rest_host,
            signer=options.key,
            verifier=verifier,
            tls=options.tls,
            peers=peers,
            requires_client=False,
            validation_limit=options.validation_limit,
            trust=self.roots,
            on_flood=self._refused.flood,
            on_refused=self._refused.note,
        )
        server.register_handler(MessageType.VALIDATION_REQUEST, self.on_request)
        server.register_handler(MessageType.CHALLENGE_RESPONSE, self.on_response)
        return server


def _key_id(message: Message) -> str:
    if message.key_id is None:
        raise RefusedError(Refusal.UNSIGNED, "validation needs a signature")
    return message.key_id
