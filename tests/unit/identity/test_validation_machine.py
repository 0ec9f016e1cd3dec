"""No sequence of messages, replays, crashes and clock jumps gives what was not earned.

The pure machine is driven by an adversary: it sees every message, repeats and mixes them, has
keys and spare tokens of its own, restarts the validator and moves both clocks.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from pdsno.domain.entities import ControllerStatus, TokenStatus
from pdsno.domain.errors import OperationError, RefusedError, TransientError
from pdsno.domain.messages import Challenge, ChallengeResponse, ValidationRequest
from pdsno.domain.policy import Policy
from pdsno.domain.ports import NIBTransaction
from pdsno.identity.challenges import OpenChallenges, transcript
from pdsno.identity.enrolment import Enrolled, Enrolment
from pdsno.identity.exchange import GRACE
from pdsno.identity.pki.requests import make_request, new_key
from pdsno.identity.tokens import read_unverified
from pdsno.identity.validation import ValidationMachine
from pdsno.identity.validation_steps import (
    Answered,
    Asked,
    Effect,
    Escalate,
    Input,
    Now,
    Refuse,
    ReserveToken,
    SendChallenge,
)
from pdsno.signing import SigningKey, b64encode
from tests.unit.identity.scenes import GC, POLICY, ZONE_A, ZONE_B, Hands, Scene, store

RARELY = st.integers(0, 7).map(lambda number: number == 7)
KEYS = [SigningKey.generate() for _ in range(3)]
CSRS = [make_request(new_key()) for _ in range(3)]
MANY = replace(POLICY, regions=(replace(ZONE_A, regional_quota=3), ZONE_B))

pytestmark = pytest.mark.attack(3, 6, 14)


@dataclass(frozen=True)
class Asking:
    """A request with the challenge that it got, as anybody on the way saw them."""

    request: ValidationRequest
    challenge: Challenge
    key: SigningKey


class DiedError(Exception):
    """The process died in the middle of a transaction."""


def carry_out(enrolment: Enrolment, tx: NIBTransaction, effect: Effect, now: Now) -> object:
    """Do what the machine wants, as the edge does."""
    match effect:
        case ReserveToken():
            tx.put_token(effect.record)
            return None
        case SendChallenge():
            return effect.challenge
        case Escalate() | Refuse():
            return effect
        case _:
            return enrolment.carry_out(tx, effect, now.at)


class Exchange(RuleBasedStateMachine):
    """One validator, three keys, an adversary with a copy of everything but private keys."""

    tokens: Bundle[str] = Bundle("tokens")
    asked: Bundle[Asking] = Bundle("asked")
    answers: Bundle[tuple[ChallengeResponse, str]] = Bundle("answers")

    def __init__(self) -> None:
        super().__init__()
        self.hands = Hands()
        self.scene = Scene(me=GC, hands=self.hands, policy=MANY)
        self.state = OpenChallenges()
        self.counter = 0
        self.proofs: set[tuple[str, str]] = set()
        """(challenge, key) of every valid proof that was ever made."""
        self.owner: dict[str, str] = {}
        """The key that each ID was first given to."""

    # --- driving ---------------------------------------------------------------------------

    def step(self, message: Input, *, dies: bool = False) -> object:
        """Take one step as the edge does; with `dies`, everything but the commit happens."""
        authority = self.scene.authority
        assert authority is not None
        machine = ValidationMachine(
            me=GC,
            public_key=self.scene.key.public_key,
            delegated_until=authority.not_after,
            grace=GRACE,
        )
        enrolment = Enrolment(
            signer=self.scene.key,
            me=GC,
            authority=lambda: authority,
            in_transaction=None,
        )
        now = Now(at=self.hands.now, monotonic_s=self.hands.monotonic_s)
        outcome: object = None
        try:
            with self.scene.nib.transaction() as tx:
                self.state, effects = machine.step(self.state, message, now, tx)
                for effect in effects:
                    outcome = carry_out(enrolment, tx, effect, now)
                self.die_if(dies)
        except DiedError:
            self.state = OpenChallenges()
            return None
        except RefusedError:
            return None
        except OperationError:  # the clock says that the authority is not in force
            assert not authority.is_in_force(now.at)
            return None
        if isinstance(outcome, Enrolled):
            self.check_earned(message, outcome)
        return outcome

    @staticmethod
    def die_if(dies: bool) -> None:
        if dies:
            raise DiedError

    def check_earned(self, message: Input, enrolled: Enrolled) -> None:
        assert isinstance(message, Answered)
        proof = (message.response.challenge_id, message.key_id)
        assert proof in self.proofs, "a certificate without a valid proof"
        record = enrolled.record
        owner = self.owner.setdefault(record.controller_id, record.key_id)
        assert owner == record.key_id, "one ID given to two keys"
        assert record.status is ControllerStatus.ACTIVE
        if enrolled.is_new:
            spent = [t for t in self.scene.nib.tokens() if t.spent_by == record.key_id]
            assert spent, "admitted without a token"

    # --- what can happen ---------------------------------------------------------------------

    @initialize(target=tokens)
    def begin(self) -> Any:  # noqa: ANN401 - of Hypothesis
        return multiple(*(self.scene.token(ttl_s=900) for _ in range(3)))

    @rule(target=tokens, ttl=st.sampled_from([60, 900]))
    def mint(self, ttl: int) -> str:
        return self.scene.token(ttl_s=ttl)

    @rule(
        target=asked,
        token=tokens,
        who=st.integers(0, 2),
        csr=st.integers(0, 2),
        dies=RARELY,
    )
    def ask(self, token: str, who: int, csr: int, dies: bool) -> Asking:
        key = KEYS[who]
        request = self.scene.request(key, token, csr=CSRS[csr], temp_id=f"temp-{who}")
        return self._ask(request, key, dies=dies)

    @precondition(lambda self: self.scene.nib.controllers())
    @rule(
        target=asked,
        who=st.integers(0, 2),
        csr=st.integers(0, 2),
        generation=st.integers(0, 4),
        dies=RARELY,
    )
    def ask_for_renewal(self, who: int, csr: int, generation: int, dies: bool) -> Asking:
        key = KEYS[who]
        known = self.scene.nib.controller_by_key(key.key_id)
        name = known.controller_id if known else "regional_cntl_zone-A_1"
        request = self.scene.request(key, "", csr=CSRS[csr], temp_id=name, generation=generation)
        return self._ask(request, key, dies=dies)

    def _ask(self, request: ValidationRequest, key: SigningKey, *, dies: bool) -> Asking:
        self.counter += 1
        message = Asked(
            request=request,
            key_id=key.key_id,
            challenge_id=f"challenge-{self.counter}",
            nonce=b64encode(self.counter.to_bytes(32)),
        )
        try:
            challenge = self.step(message, dies=dies)
        except TransientError:
            challenge = None
        if not isinstance(challenge, Challenge):
            # What the adversary makes up where no challenge was given.
            challenge = Challenge(
                challenge_id=f"made-up-{self.counter}",
                nonce=message.nonce,
                validator_id=GC.controller_id,
                expires_at=self.hands.now,
            )
        return Asking(request=request, challenge=challenge, key=key)

    @rule(
        target=answers,
        of=asked,
        other=asked,
        is_honest=RARELY.map(lambda is_rare: not is_rare),
        signer=st.integers(0, 2),
    )
    def answer(
        self, of: Asking, other: Asking, is_honest: bool, signer: int
    ) -> tuple[ChallengeResponse, str]:
        """Sign a challenge: honestly, or over another request, or with another key."""
        key = of.key if is_honest else KEYS[signer]
        about = of if is_honest else other
        jti = read_unverified(about.request.token).claims.jti if about.request.token else ""
        signed = transcript(of.challenge, about.request, jti)
        response = ChallengeResponse(
            challenge_id=of.challenge.challenge_id,
            temp_id=of.request.temp_id,
            signature=b64encode(key.sign_bytes(signed)),
        )
        if key is of.key and about.request == of.request:
            self.proofs.add((response.challenge_id, key.key_id))
        return response, key.key_id

    @precondition(lambda self: self.state.pending)
    @rule(asking=asked)
    def answer_at_once(self, asking: Asking) -> None:
        """What the honest do, who are in the majority."""
        sent = self.answer(of=asking, other=asking, is_honest=True, signer=0)
        self.send(sent, None, dies=False)

    @precondition(lambda self: self.state.pending)
    @rule(asking=asked, signer=st.integers(0, 2))
    def forge_at_once(self, asking: Asking, signer: int) -> None:
        """What a thief does who holds the challenge and has a key of its own."""
        response, _ = self.answer(of=asking, other=asking, is_honest=False, signer=signer)
        self.send((response, asking.key.key_id), None, dies=False)

    @rule(sent=answers, as_who=st.none() | st.integers(0, 2), dies=RARELY)
    def send(self, sent: tuple[ChallengeResponse, str], as_who: int | None, dies: bool) -> None:
        """Deliver an answer, again and again if it pleases, under any key's name."""
        response, key_id = sent
        name = key_id if as_who is None else KEYS[as_who].key_id
        self.step(Answered(response=response, key_id=name), dies=dies)

    @rule(is_real=RARELY)
    def restart(self, is_real: bool) -> None:
        if is_real:
            self.state = OpenChallenges()

    @rule(
        wall_s=st.sampled_from([0, 0, 0, 1, 1, -60, 31, 61, 601, -7200]),
        passed_s=st.sampled_from([0, 0, 1, 5, 31]),
    )
    def move_clocks(self, wall_s: int, passed_s: int) -> None:
        """The wall clock jumps either way; the monotonic one only goes on."""
        self.hands.now += timedelta(seconds=wall_s)
        self.hands.monotonic_s += passed_s

    @rule(which=st.integers(0, 5), status=st.sampled_from(ControllerStatus))
    def decide(self, which: int, status: ControllerStatus) -> None:
        records = self.scene.nib.controllers()
        if which < len(records) and records[which].status is not ControllerStatus.REVOKED:
            store(self.scene.nib, replace(records[which], status=status))

    # --- what never happens --------------------------------------------------------------------

    @invariant()
    def ids_are_of_one_key_each(self) -> None:
        records = self.scene.nib.controllers()
        assert len({r.key_id for r in records}) == len(records)
        assert all(self.owner.get(r.controller_id) == r.key_id for r in records)

    @invariant()
    def each_spent_token_admitted_one_key(self) -> None:
        spent = [t for t in self.scene.nib.tokens() if t.status is TokenStatus.SPENT]
        known = {r.key_id for r in self.scene.nib.controllers()}
        assert all(t.spent_by in known for t in spent)
        assert len(known) <= len(spent)

    @invariant()
    def open_challenges_are_bounded(self) -> None:
        assert len(self.state.pending) <= 400

    @invariant()
    def every_identity_has_its_event(self) -> None:
        told = {event.subject for event in self.scene.events("CONTROLLER_VALIDATED")}
        assert told == {r.controller_id for r in self.scene.nib.controllers()}


Exchange.TestCase.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)
TestExchange = Exchange.TestCase


def test_the_adversary_is_not_the_only_one_who_gets_somewhere() -> None:
    """The positive control: an honest run through the same driver is admitted and renewed."""
    run = Exchange()
    asking = run.ask(token=run.mint(ttl=900), who=0, csr=0, dies=False)
    run.send(run.answer(of=asking, other=asking, is_honest=True, signer=0), None, dies=False)
    (record,) = run.scene.nib.controllers()
    assert record.generation == 1
    again = run.ask_for_renewal(who=0, csr=1, generation=1, dies=False)
    run.send(run.answer(of=again, other=again, is_honest=True, signer=0), None, dies=False)
    (record,) = run.scene.nib.controllers()
    assert record.generation == 2
    assert isinstance(run.scene.nib.policy(), Policy)
