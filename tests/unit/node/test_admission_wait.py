"""When a controller presents its join token again, and when it leaves it alone."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from pdsno.controllers.member_controller import MemberController
from pdsno.domain.errors import (
    ConflictError,
    InputError,
    LocalProtocolError,
    PDSNOError,
    Refusal,
    RefusedError,
    RemoteProtocolError,
    TransientError,
)
from pdsno.domain.messages import ValidationResult
from pdsno.node import admission_wait
from pdsno.node.admission_wait import join_when_possible

APPROVED = ValidationResult(is_approved=True, assigned_id="local_cntl_zone-A_1", decided_by="rc")
PASSING = (
    Refusal.CHALLENGE_EXPIRED,
    Refusal.CHANNEL_MISMATCH,
    Refusal.FUTURE,
    Refusal.GLOBAL_UNREACHABLE,
    Refusal.NO_DELEGATION,
    Refusal.RATE_LIMITED,
    Refusal.STALE,
    Refusal.UNKNOWN_CHALLENGE,
    Refusal.UNKNOWN_REGION,
)


class Joiner:
    """A controller whose parent answers with what a test says, then with an approval."""

    def __init__(self, *answers: ValidationResult | PDSNOError) -> None:
        self.answers = [*answers, APPROVED]
        self.presented: list[str] = []
        self.on_answer: Callable[[], None] = lambda: None

    def join(self, token: str, *, subnets: tuple[str, ...]) -> ValidationResult:
        assert subnets == ("192.0.2.0/24",)
        self.presented.append(token)
        answer = self.answers.pop(0)
        self.on_answer()
        if isinstance(answer, PDSNOError):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_wait, "_POLL_S", 0.005)
    monkeypatch.setattr(admission_wait, "_FIRST_RETRY_S", 0.005)
    monkeypatch.setattr(admission_wait, "_MOST_RETRY_S", 0.01)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    hand_over(file, "first")
    return file


def hand_over(file: Path, token: str) -> None:
    file.touch(mode=0o600)
    file.write_text(token)


def wait_for(joiner: Joiner, file: Path, stop: threading.Event | None = None) -> bool:
    member = cast("MemberController", joiner)
    return join_when_possible(
        member, file, subnets=("192.0.2.0/24",), stop=stop or threading.Event()
    )


@pytest.mark.parametrize("reason", PASSING)
def test_the_same_token_is_presented_again_while_nobody_has_decided(
    token_file: Path, reason: Refusal
) -> None:
    before = RefusedError(reason, "turned away before the challenge")
    after = ValidationResult(is_approved=False, reason=reason.value, detail="after it")
    joiner = Joiner(before, after, before)
    assert wait_for(joiner, token_file)
    assert joiner.presented == ["first"] * 4
    assert not token_file.exists()


@pytest.mark.parametrize("error", [TransientError, ConflictError, RemoteProtocolError])
def test_a_parent_that_is_away_or_muddled_is_asked_again(
    token_file: Path, error: type[PDSNOError]
) -> None:
    joiner = Joiner(error("for now"))
    assert wait_for(joiner, token_file)
    assert joiner.presented == ["first"] * 2


@pytest.mark.parametrize("reason", sorted(set(Refusal) - set(PASSING)))
def test_a_token_that_somebody_refused_waits_for_another_one(
    token_file: Path, reason: Refusal
) -> None:
    joiner = Joiner(ValidationResult(is_approved=False, reason=reason.value))
    joiner.on_answer = lambda: (
        hand_over(token_file, "second") if len(joiner.presented) == 1 else None
    )
    assert wait_for(joiner, token_file)
    assert joiner.presented == ["first", "second"]


@pytest.mark.parametrize("error", [InputError("damaged"), LocalProtocolError("not understood")])
def test_a_refused_token_is_kept_and_presented_once(token_file: Path, error: PDSNOError) -> None:
    stop, joiner = threading.Event(), Joiner(error)
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    assert not wait_for(joiner, token_file, stop)
    assert joiner.presented == ["first"]
    assert token_file.read_text() == "first"


def test_a_reason_of_a_newer_parent_is_no_decision_that_we_understand(token_file: Path) -> None:
    joiner = Joiner(ValidationResult(is_approved=False, reason="MOON_PHASE"))
    assert wait_for(joiner, token_file)
    assert joiner.presented == ["first"] * 2


def test_a_token_that_others_may_read_is_not_presented(token_file: Path) -> None:
    token_file.chmod(0o644)
    stop, joiner = threading.Event(), Joiner()
    timer = threading.Timer(0.1, stop.set)
    timer.start()
    assert not wait_for(joiner, token_file, stop)
    assert joiner.presented == []
