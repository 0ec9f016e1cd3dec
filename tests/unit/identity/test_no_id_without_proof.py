"""Whatever an attacker changes between token and result: no ID, unless the proof is valid."""

from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdsno.domain.errors import RefusedError, RemoteProtocolError
from pdsno.domain.messages import ChallengeResponse, ValidationRequest
from pdsno.identity.tokens import read_unverified
from pdsno.signing import SigningKey
from tests.unit.identity.scenes import answer, global_scene, transcript_of

KEY, THIEF = SigningKey.generate(), SigningKey.generate()

# What a thief knows: names, its own key, another token of the same validator, noise.
POISON = st.one_of(
    st.none(),
    st.text(max_size=40),
    st.sampled_from(["local", "global", "zone-B", "zone-a", "global_cntl_1", "temp-2"]),
    st.just(THIEF.public_key),
)
# Signed with the message and bound to nothing: they may be what the joiner likes.
FREE_FIELDS = {"subnets", "hostname", "url"}
NOT_TEXT = {"generation", "addresses"}
CLAIM_FIELDS = [f.name for f in fields(ValidationRequest) if f.name not in FREE_FIELDS | NOT_TEXT]


def tampered(item: Any, name: str, value: Any) -> Any:  # noqa: ANN401
    return replace(item, **{name: value})


@pytest.mark.attack(6)
@settings(max_examples=200)
@given(name=st.sampled_from(CLAIM_FIELDS), value=POISON)
def test_a_claim_changed_after_it_was_signed_admits_nobody(name: str, value: object) -> None:
    scene = global_scene()
    honest = scene.request(KEY, scene.token())
    request = tampered(honest, name, value)
    if request == honest or not isinstance(value, str):
        return
    try:
        challenge = scene.validator.on_request(request, key_id=KEY.key_id)
    except (RefusedError, RemoteProtocolError):
        assert scene.nib.controllers() == ()
        return
    response = answer(KEY, honest, challenge.challenge_id, transcript_of(honest, challenge))
    result = scene.validator.on_response(response, key_id=KEY.key_id)
    assert not result.is_approved
    assert scene.nib.controllers() == ()


@pytest.mark.parametrize(
    ("name", "value"), [("generation", 1), ("addresses", ("192.0.2.1",)), ("generation", 0)]
)
def test_what_was_not_asked_for_is_not_given(name: str, value: object) -> None:
    scene = global_scene()
    honest = scene.request(KEY, scene.token())
    try:
        challenge = scene.validator.on_request(
            tampered(honest, name, value), key_id=KEY.key_id, address="192.0.2.1"
        )
    except RefusedError:
        assert scene.nib.controllers() == ()
        return
    response = answer(KEY, honest, challenge.challenge_id, transcript_of(honest, challenge))
    assert not scene.validator.on_response(response, key_id=KEY.key_id).is_approved
    assert scene.nib.controllers() == ()


@pytest.mark.attack(6)
@settings(max_examples=200)
@given(
    name=st.sampled_from([f.name for f in fields(ChallengeResponse)]),
    value=st.one_of(
        st.text(max_size=100),
        st.binary(min_size=64, max_size=64).map(lambda raw: raw.hex()),
        st.sampled_from(["temp-2", "A" * 86]),
    ),
)
def test_a_changed_answer_admits_nobody(name: str, value: str) -> None:
    scene = global_scene()
    request = scene.request(KEY, scene.token())
    challenge = scene.validator.on_request(request, key_id=KEY.key_id)
    honest = answer(KEY, request, challenge.challenge_id, transcript_of(request, challenge))
    response = tampered(honest, name, value)
    if response == honest:
        return
    try:
        result = scene.validator.on_response(response, key_id=KEY.key_id)
    except RemoteProtocolError:
        assert scene.nib.controllers() == ()
        return
    assert not result.is_approved
    assert scene.nib.controllers() == ()


@pytest.mark.attack(6)
@settings(max_examples=100)
@given(data=st.data())
def test_a_thief_with_everything_but_the_key_gets_no_id(data: st.DataObject) -> None:
    """It sees request, challenge and answer of one exchange, and mixes them with its own."""
    scene = global_scene()
    token, spare = scene.token(), scene.token()
    request = scene.request(KEY, token)
    challenge = scene.validator.on_request(request, key_id=KEY.key_id)
    honest = answer(KEY, request, challenge.challenge_id, transcript_of(request, challenge))

    mine = scene.request(THIEF, data.draw(st.sampled_from([token, "x.y.z"])))
    challenge_ids = [challenge.challenge_id]
    with suppress(RefusedError):
        challenge_ids.append(scene.validator.on_request(mine, key_id=THIEF.key_id).challenge_id)
    own = answer(THIEF, mine, challenge_ids[-1], transcript_of(request, challenge))
    response = ChallengeResponse(
        challenge_id=data.draw(st.sampled_from(challenge_ids)),
        temp_id="temp-1",
        signature=data.draw(st.sampled_from([honest.signature, own.signature])),
    )
    assert not scene.validator.on_response(response, key_id=THIEF.key_id).is_approved
    assert scene.nib.controllers() == ()
    # The owner is only delayed.
    assert scene.admit(KEY, token).is_approved
    assert read_unverified(spare).claims.jti != read_unverified(token).claims.jti


@pytest.mark.attack(3)
@settings(max_examples=50, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=12))
def test_in_any_order_a_token_admits_one_key(steps: list[tuple[int, int]]) -> None:
    """Keys, tokens and restarts in any order: never more IDs than tokens, one key each."""
    scene = global_scene()
    keys = [SigningKey.generate() for _ in range(4)]
    tokens = [scene.token() for _ in range(2)]
    for who, what in steps:
        if what < len(tokens):
            try:
                scene.admit(keys[who], tokens[what])
            except RefusedError:
                continue
        else:
            scene.validator = scene.build()
    records = scene.nib.controllers()
    assert len(records) <= len(tokens)
    assert len({record.key_id for record in records}) == len(records)
    spenders = [record.spent_by for record in scene.nib.tokens() if record.spent_by]
    assert {record.key_id for record in records} == set(spenders)
