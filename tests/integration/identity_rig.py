"""Validators behind real join listeners, and strangers who speak to them byte by byte."""

import http.client
import itertools
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pdsno.communication.codec import Draft, seal
from pdsno.controllers.global_controller import GlobalController
from pdsno.controllers.regional_controller import RegionalController
from pdsno.domain.identifiers import Role
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import Challenge, ChallengeResponse, MessageType, ValidationRequest
from pdsno.domain.peers import server_name
from pdsno.domain.policy import Policy
from pdsno.identity.challenges import transcript
from pdsno.identity.pki.requests import make_request, new_key
from pdsno.identity.tokens import read_unverified
from pdsno.signing import SigningKey, b64decode, b64encode
from tests.integration.tiers import Tiers, policy
from tests.integration.trust_rig import answer_of, secured

ASK, ANSWER = MessageType.VALIDATION_REQUEST, MessageType.CHALLENGE_RESPONSE
_sources = itertools.count(1)


def next_source() -> str:
    """Return a loopback address that nobody else has: limits and events count by source."""
    number = next(_sources)
    return f"127.1.{number // 250}.{number % 250 + 1}"


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a validator answered. `payload` is of its signed message, if it is one."""

    status: int
    reason: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_approved(self) -> bool:
        return self.status == 200 and self.payload.get("is_approved") is True

    @property
    def why(self) -> str | None:
        """The reason code, wherever it is told."""
        return self.reason or self.payload.get("reason")

    @property
    def assigned_id(self) -> str | None:
        found: str | None = self.payload.get("assigned_id")
        return found

    def challenge(self) -> Challenge:
        assert self.status == 200, self
        told = dict(self.payload)
        return Challenge(**told | {"expires_at": datetime.fromisoformat(told["expires_at"])})


def said(response: http.client.HTTPResponse) -> Said:
    """Read an answer, and what its message says, whoever signed it."""
    answer = answer_of(response)
    if answer.status != 200:
        return Said(status=answer.status, reason=answer.reason)
    payload = json.loads(b64decode(json.loads(answer.body)["payload"]))
    return Said(status=answer.status, payload=payload)


@dataclass
class Door:
    """The join listener of a validator, and the NIB behind it."""

    controller: GlobalController | RegionalController
    port: int
    role: Role
    """Of those who are admitted here."""
    region: str
    context: ssl.SSLContext

    @property
    def validator_id(self) -> str:
        return self.controller.controller_id

    @property
    def name(self) -> str:
        return server_name(self.validator_id, self.controller.region)

    def mint(self, region: str | None = None) -> str:
        return self.controller.admissions.mint_token(self.role, region or self.region, None)

    @contextmanager
    def line(self, source: str, port: int | None = None) -> Iterator[http.client.HTTPConnection]:
        """Give a live connection from an address of choice, to the listener or to a relay."""
        with secured(self.context, port or self.port, name=self.name, source=source) as sock:
            connection = http.client.HTTPConnection("127.0.0.1")
            connection.sock = sock
            yield connection

    def standing(self) -> tuple[object, ...]:
        """Return everything that an admission could change."""
        nib = self.controller.nib_store
        controllers = tuple(
            (r.controller_id, r.role, r.region, r.key_id, r.status, r.generation, r.certificate)
            for r in nib.controllers()
        )
        return controllers, nib.tokens(), self.count("CONTROLLER_VALIDATED")

    def count(self, event_type: str) -> int:
        return len(self.controller.nib_store.events(event_type=event_type, limit=10_000))

    def refusals(self, *, subject: str) -> list[str]:
        """Return the reasons in the events of refusals of one stranger, by name or source."""
        return [
            event.data["reason"]
            for kind in ("VALIDATION_REFUSED", "MESSAGE_REFUSED")
            for event in self.controller.nib_store.events(event_type=kind, limit=10_000)
            if event.subject == subject
        ]


@dataclass
class Stranger:
    """Somebody who wants to be admitted, with a key of their own."""

    door: Door
    key: SigningKey = field(default_factory=SigningKey.generate)
    source: str = field(default_factory=next_source)
    temp_id: str = ""
    csr: str = field(default_factory=lambda: make_request(new_key()))
    authority_csr: str = field(default_factory=lambda: make_request(new_key()))

    def __post_init__(self) -> None:
        self.temp_id = self.temp_id or f"temp-{self.source.replace('.', '-')}"

    def request(self, token: str, **changes: Any) -> ValidationRequest:  # noqa: ANN401
        request = ValidationRequest(
            temp_id=self.temp_id,
            role=self.door.role.value,
            region=self.door.region,
            public_key=self.key.public_key,
            token=token,
            hostname="newcomer",
            csr=self.csr,
            authority_csr=self.authority_csr if self.door.role is Role.REGIONAL else "",
        )
        return replace(request, **changes)

    def sealed(
        self,
        message_type: MessageType,
        payload: object,
        *,
        now: datetime | None = None,
        **changes: str,
    ) -> bytes:
        fields: dict[str, Any] = {
            "message_type": message_type,
            "sender_id": self.temp_id,
            "recipient_id": self.door.validator_id,
            "payload": jsonable(payload),
        }
        return seal(Draft(**fields | changes), self.key, now=now)

    def post(self, message_type: MessageType, raw: bytes, *, port: int | None = None) -> Said:
        with self.door.line(self.source, port) as line:
            return send(line, message_type, raw)

    def ask(
        self,
        request: ValidationRequest,
        *,
        now: datetime | None = None,
        port: int | None = None,
    ) -> Said:
        return self.post(ASK, self.sealed(ASK, request, now=now), port=port)

    def response(
        self,
        challenge: Challenge,
        request: ValidationRequest,
        *,
        signed: bytes | None = None,
        by: SigningKey | None = None,
    ) -> ChallengeResponse:
        if signed is None:
            signed = proof_of(challenge, request)
        return ChallengeResponse(
            challenge_id=challenge.challenge_id,
            temp_id=request.temp_id,
            signature=b64encode((by or self.key).sign_bytes(signed)),
        )

    def answer(self, response: ChallengeResponse, *, port: int | None = None) -> Said:
        return self.post(ANSWER, self.sealed(ANSWER, response), port=port)

    def challenged(self, token: str) -> tuple[ValidationRequest, Challenge]:
        request = self.request(token)
        return request, self.ask(request).challenge()

    def join(self, token: str | None = None) -> Said:
        """Do all that an honest joiner does; what turns it away before its challenge is told."""
        request = self.request(token or self.door.mint())
        asked = self.ask(request)
        if asked.status != 200:
            return asked
        return self.answer(self.response(asked.challenge(), request))


def proof_of(challenge: Challenge, request: ValidationRequest) -> bytes:
    """Return what an honest joiner signs."""
    jti = read_unverified(request.token).claims.jti if request.token else ""
    return transcript(challenge, request, jti)


def send(line: http.client.HTTPConnection, message_type: MessageType, raw: bytes) -> Said:
    line.request("POST", f"/messages/{message_type.lower()}", body=raw)
    return said(line.getresponse())


REGION = "zone-A"
ROOMY = {"regional_quota": 1000, "local_quota": 1000, "local_ceiling": 1000}


def roomy_policy(*regions: str, **changes: Any) -> Policy:  # noqa: ANN401 - of each region
    """Return policy with a seat for everybody."""
    plain = policy(*regions)
    widened = tuple(replace(region, **ROOMY | changes) for region in plain.regions)
    return replace(plain, regions=widened)


@dataclass
class Site:
    """A global and a regional controller that serve, and their doors."""

    tiers: Tiers
    gc: GlobalController
    rc: RegionalController
    doors: dict[str, Door]

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """Fail unless others are served after what happens inside."""
        for door in self.doors.values():  # events are limited by the minute: each test has its own
            door.controller.admissions._refused._in_window = 0
            door.controller.admissions._validator._refusals._counts.clear()
        yield
        self._serves()

    def _serves(self) -> None:
        status = self.rc._status()
        reply = self.tiers.send(
            f"rc-{REGION}", self.rc.controller_id, self.gc, MessageType.STATUS, status
        )
        assert reply is not None
        for door in self.doors.values():
            assert Stranger(door).join().is_approved


@contextmanager
def site_of(folder: Path, *, validation_limit: int = 1000, has_url: bool = True) -> Iterator[Site]:
    """Give a global controller and the regional one of zone-A, over TLS and on loopback."""
    with ExitStack() as stack:
        tiers = Tiers(folder, stack, validation_limit=validation_limit)
        gc = tiers.gc()
        gc.apply_policy(roomy_policy(REGION, "zone-B"))
        rc = tiers.rc(REGION, gc, has_url=has_url)
        context = ssl.create_default_context(cadata=gc.admissions.roots().decode())

        def door(name: str, controller: GlobalController | RegionalController, role: Role) -> Door:
            port = tiers.join_ports[name]
            return Door(controller, port, role, REGION, context)

        doors = {
            "global": door("gc", gc, Role.REGIONAL),
            "regional": door(f"rc-{REGION}", rc, Role.LOCAL),
        }
        yield Site(tiers, gc, rc, doors)


def ago(seconds: float) -> datetime:
    """Return a time so long ago, or, if negative, to come."""
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() - seconds, UTC)


Refused = Callable[[], Said]


def check_refused(door: Door, attack: Refused, *, reason: str, subject: str) -> Said:
    """Carry out an attack: it is refused for this reason, changes nothing and leaves an event."""
    before = door.standing()
    answer = attack()
    assert not answer.is_approved
    assert answer.why == reason, answer
    assert door.standing() == before
    assert reason in door.refusals(subject=subject)
    return answer
