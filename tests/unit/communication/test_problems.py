import json

import pytest

from pdsno.communication.problems import error_of, problem_of
from pdsno.domain.errors import (
    ConflictError,
    InputError,
    LocalProtocolError,
    NotFoundError,
    OperationError,
    Refusal,
    RefusedError,
    RemoteProtocolError,
    TransientError,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RefusedError(Refusal.UNSIGNED), 401),
        (RefusedError(Refusal.BAD_SIGNATURE), 401),
        (RefusedError(Refusal.UNKNOWN_KEY), 401),
        (RefusedError(Refusal.IDENTITY_MISMATCH), 401),
        (RefusedError(Refusal.QUOTA_EXCEEDED), 403),
        (RemoteProtocolError("x"), 400),
        (InputError("x"), 400),
        (NotFoundError("x"), 404),
        (ConflictError("x"), 409),
        (TransientError("x"), 503),
        (LocalProtocolError("x"), 500),
        (OperationError("x"), 500),
        (RuntimeError("x"), 500),
    ],
)
def test_each_error_has_its_status(error: Exception, status: int) -> None:
    problem = problem_of(error)
    body = json.loads(problem.body())
    assert problem.status == body["status"] == status
    assert body.keys() >= {"type", "title", "status", "detail"}


@pytest.mark.parametrize("kind", [RuntimeError, OperationError, TransientError])
def test_what_went_wrong_inside_is_not_told(kind: type[Exception]) -> None:
    assert b"/var/lib/secret" not in problem_of(kind("/var/lib/secret")).body()


def test_a_busy_server_says_when_to_come_back() -> None:
    assert problem_of(TransientError("x")).headers() == {"Retry-After": "1"}


@pytest.mark.parametrize("reason", list(Refusal))
def test_a_refusal_is_the_same_on_the_other_side(reason: Refusal) -> None:
    problem = problem_of(RefusedError(reason, "because"))
    error = error_of("gc", problem.status, problem.body())
    assert isinstance(error, RefusedError)
    assert (error.reason, error.detail) == (reason, "because")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, b'{"reason": "NOVEL_REASON"}', LocalProtocolError),
        (403, b"<html>", LocalProtocolError),
        (400, b'{"reason": "QUOTA_EXCEEDED"}', LocalProtocolError),
        (409, b"{}", ConflictError),
        (429, b"{}", TransientError),
        (500, b'{"detail": "x"}', TransientError),
        (503, b"[" * 100_000, TransientError),
        (404, b'{"detail": 5}', LocalProtocolError),
    ],
)
def test_whatever_a_peer_answers_becomes_one_of_our_errors(
    status: int, body: bytes, kind: type[Exception]
) -> None:
    assert type(error_of("gc", status, body)) is kind
