"""A member's certificates: joining by a token, renewing in time, coming back after weeks."""

import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TypeAlias

import structlog

from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.controllers.base_controller import Options
from pdsno.controllers.parent_link import Parent
from pdsno.domain.errors import LocalProtocolError, Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import Message, MessageType, TrustedKey, ValidationResult
from pdsno.domain.ports import NIB
from pdsno.identity.directory import NIBVerifier
from pdsno.identity.joiner import Applicant, Send, join, renew
from pdsno.identity.pki.roots import check_roots
from pdsno.identity.pki.vault import AuthorityVault, TlsIdentity
from pdsno.identity.tokens import read_unverified
from pdsno.signing import SigningKey

log = structlog.get_logger()

Lend: TypeAlias = Callable[[], AbstractContextManager[ControllerHTTPClient]]
"""Lends a client without connections."""

_RENEWED_WITHIN_S = (0.2, 1.0)
"""Pauses before asking again: a server shows its new certificate a moment after it has it."""


class Membership:
    """Asks the parent for certificates and keeps them. From one thread at a time.

    `who` tells our ID by now. A regional controller gets its issuing CA, which is its delegation,
    together with its own certificate.
    """

    def __init__(
        self,
        *,
        role: Role,
        region: str | None,
        options: Options,
        verifier: NIBVerifier | None,
        nib: NIB,
        http: ControllerHTTPClient,
        who: Callable[[], str],
    ) -> None:
        self._role = role
        self._region = region
        self._options = options
        self._verifier = verifier
        self._nib = nib
        self._http = http
        self._who = who

    @property
    def _means(self) -> tuple[SigningKey, TlsIdentity, Parent, NIBVerifier]:
        options = self._options
        if not (options.key and options.tls and options.parent and self._verifier):
            msg = "joining needs a key, a place for certificates, and a parent"
            raise LocalProtocolError(msg)
        return options.key, options.tls, options.parent, self._verifier

    # --- joining -----------------------------------------------------------------------------

    def join(self, token: str, subnets: tuple[str, ...]) -> ValidationResult:
        """Prove our key to the validator of the token; keeps certificates if it admits us.

        Raises InputError (a damaged token, or one for somebody else), RefusedError (turned away
        before the challenge, or not whom the token names), TransientError while it is away.
        """
        key, _, parent, verifier = self._means
        ticket = read_unverified(token)
        bundle = self._http.fetch_trust(parent.join_url)
        roots = check_roots(bundle, ticket.claims.root_sha256)
        applicant = self._applicant(subnets)
        with verifier.pinned(ticket.validator):
            result = self._ask(
                lambda: self._http.joining(roots),
                parent.join_url,
                lambda send: join(send, key, token, applicant),
            )
        self._keep(result, roots=roots)
        return result

    # --- renewing ----------------------------------------------------------------------------

    def due_at(self, jitter: float) -> datetime:
        """Return when the next certificates should be asked for."""
        _, tls, _, _ = self._means
        due = tls.renewal_due_at(jitter)
        authority = self._options.authority
        if self._role is Role.REGIONAL and authority is not None:
            if authority.authority() is None:
                return tls.not_before
            due = min(due, authority.renewal_due_at(jitter))
        return due

    def renew(self, generation: int) -> ValidationResult:
        """Ask for the next certificates: over mTLS, or after they ended on the join listener.

        Raises RefusedError (LOCKED or CLONED: somebody has a copy of our key; CERTIFICATE_EXPIRED:
        join again), TransientError while the parent is away.
        """
        key, tls, parent, _ = self._means
        validator = self._validator(parent)
        applicant = self._applicant(())

        def ask(send: Send) -> ValidationResult:
            return renew(send, key, applicant, generation=generation, validator=validator)

        if tls.not_after > datetime.now(UTC):
            result = self._ask(self._http.renewing, parent.url, ask)
        else:
            log.info("certificate_expired", since=tls.not_after, asking=parent.join_url)
            roots = tls.roots_pem
            result = self._ask(lambda: self._http.joining(roots), parent.join_url, ask)
        self._keep(result)
        return result

    def _validator(self, parent: Parent) -> TrustedKey:
        record = self._nib.controller(parent.controller_id)
        if record is None:
            raise RefusedError(Refusal.UNKNOWN_KEY, f"{parent.controller_id} is not known here")
        return TrustedKey(
            controller_id=record.controller_id,
            role=record.role.value,
            region=record.region,
            public_key=record.public_key,
        )

    # --- both --------------------------------------------------------------------------------

    def _ask(
        self, lend: Lend, url: str, ask: Callable[[Send], ValidationResult]
    ) -> ValidationResult:
        """Ask on a new connection, and on another where the validator may just have renewed.

        Its challenge names the certificate that it has by then; a connection goes on showing the
        one of before. Who stands in between is still there at the last attempt.
        """
        for pause_s in _RENEWED_WITHIN_S:
            try:
                return self._ask_once(lend, url, ask)
            except RefusedError as error:
                if error.reason is not Refusal.CHANNEL_MISMATCH:
                    raise
                log.info("validation_on_another_connection", pause_s=pause_s)
            time.sleep(pause_s)
        return self._ask_once(lend, url, ask)

    def _ask_once(
        self, lend: Lend, url: str, ask: Callable[[Send], ValidationResult]
    ) -> ValidationResult:
        parent = self._means[2]
        with lend() as client:
            client.register_controller(parent.controller_id, url, region=parent.region)
            return ask(self._send(client))

    def _send(self, client: ControllerHTTPClient) -> Send:
        parent_id = self._means[2].controller_id

        def send(message_type: MessageType, payload: object) -> Message:
            reply = client.send(
                sender_id=self._who(),
                recipient_id=parent_id,
                message_type=message_type,
                payload=jsonable(payload),
                retries=1,
            )
            if reply is None:
                raise RefusedError(Refusal.NOT_ALLOWED, "the parent does not admit controllers")
            return reply

        return send

    def _applicant(self, subnets: tuple[str, ...]) -> Applicant:
        _, tls, _, _ = self._means
        authority: AuthorityVault | None = self._options.authority
        return Applicant(
            temp_id=self._who(),
            role=self._role,
            region=self._region,
            csr=tls.new_request(),
            authority_csr=authority.new_request() if authority else "",
            addresses=self._options.addresses,
            subnets=subnets,
            hostname=socket.gethostname(),
            url=self._options.url,
        )

    def _keep(self, result: ValidationResult, *, roots: str | None = None) -> None:
        """Keep certificates; with `roots` (the token's) we joined and may be somebody new."""
        if not result.is_approved:
            return
        _, tls, _, _ = self._means
        is_join = roots is not None
        trusted = roots if is_join else result.roots or None
        tls.accept(result.certificate, trusted, is_join=is_join)
        if self._options.authority is not None and result.authority:
            self._options.authority.accept(result.authority, trusted, is_join=is_join)
