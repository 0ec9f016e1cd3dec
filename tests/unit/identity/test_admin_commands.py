"""`pdsno token` and `pdsno policy` against a real admin socket, and against what is none."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pdsno.cli.admin_client import AdminClient
from pdsno.cli.main import main
from pdsno.domain.errors import InputError, OperationError, TransientError
from pdsno.domain.identifiers import Role
from pdsno.domain.jsonable import jsonable
from pdsno.identity.tokens import read_unverified
from pdsno.node.admin import AdminSocket
from pdsno.policy.document import policy_from
from tests.unit.identity.scenes import POLICY, Scene, global_scene


@pytest.fixture
def scene() -> Scene:
    return global_scene()


@pytest.fixture
def path(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An admin socket as a global controller serves it, named by the environment."""
    applied: list[Mapping[str, Any]] = []

    def apply(body: Mapping[str, Any]) -> object:
        policy = policy_from(body)
        applied.append(body)
        return {"version": policy.version or 2}

    def create(body: Mapping[str, Any]) -> object:
        text = scene.tokens.create(
            role=Role(body["role"]), region=body["region"], ttl_s=body["ttl_s"]
        )
        return {"token": text}

    def broken(_: Mapping[str, Any]) -> object:
        raise OperationError("the disk is full")

    server = AdminSocket(
        tmp_path / "admin.sock",
        {
            "POST /token": create,
            "GET /tokens": lambda _: {"items": scene.tokens.records()},
            "POST /tokens/revoke": lambda body: scene.tokens.revoke(body["jti_sha256"]),
            "GET /policy": lambda _: scene.nib.policy(),
            "POST /policy": apply,
            "GET /broken": broken,
        },
    )
    server.start()
    monkeypatch.setenv("PDSNO_ADMIN_SOCKET", str(server.path))
    yield server.path
    server.close()


@pytest.mark.usefixtures("path")
def test_create_prints_the_token_and_nothing_else(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", "create", "--role", "regional", "--region", "zone-A", "--ttl", "2h"]) == 0
    out = capsys.readouterr().out
    ticket = read_unverified(out.removesuffix("\n"))
    assert ticket.claims.exp - ticket.claims.iat == 7200
    assert ticket.validator_key == scene.key.public_key


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["--role", "local", "--region", "zone-A"], "admits regional and broker controllers"),
        (["--role", "regional", "--region", "zone-C"], "no region 'zone-C'"),
        (["--role", "regional", "--region", "zone-A", "--ttl", "25h"], "1 second to 24 hours"),
        (["--role", "regional", "--region", "zone-A", "--ttl", "soon"], "is no duration"),
        (["--role", "king", "--region", "zone-A"], "king"),
    ],
)
def test_a_token_that_nobody_could_use_is_wrong_usage(
    args: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", "create", *args]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert problem in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.usefixtures("path")
def test_tokens_are_listed_and_revoked(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.token()
    assert main(["token", "list", "-o", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["status"], row["role"], row["region"]) == ("new", "regional", "zone-A")
    assert main(["token", "list"]) == 0
    shown = capsys.readouterr().out.splitlines()[1].split()[0]
    assert main(["token", "revoke", shown]) == 0
    assert capsys.readouterr().out == ""
    assert scene.tokens.records()[0].status.value == "revoked"
    assert main(["token", "revoke", "0" * 16]) == 1
    assert "no token begins with" in capsys.readouterr().err


@pytest.mark.usefixtures("path")
def test_what_policy_show_writes_policy_apply_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", "show", "-o", "yaml"]) == 0
    file = tmp_path / "policy.yml"
    file.write_text(capsys.readouterr().out)
    assert main(["policy", "diff", str(file)]) == 0
    assert capsys.readouterr().out == ""
    assert main(["policy", "apply", str(file)]) == 0
    assert capsys.readouterr().out == "1\n"
    file.write_text(file.read_text().replace("local_quota: 2", "local_quota: 9"))
    assert main(["policy", "diff", str(file)]) == 0
    assert capsys.readouterr().out == "region zone-A: local_quota 2 -> 9\n"


@pytest.mark.usefixtures("path")
def test_policy_is_shown_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "show"]) == 0
    out = capsys.readouterr().out
    assert "local_cntl_zone-A_1" in out
    assert "10.9.0.0/24" in out


def test_without_a_policy_show_says_how_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = AdminSocket(tmp_path / "a.sock", {"GET /policy": lambda _: None})
    server.start()
    try:
        assert main(["policy", "show", "--socket", str(server.path)]) == 0
        assert "pdsno policy apply" in capsys.readouterr().err
    finally:
        server.close()


def test_a_wrong_policy_file_is_wrong_usage_even_without_a_controller(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "policy.yml"
    file.write_text("regions:\n  - regionx: zone-A\n")
    assert main(["policy", "apply", str(file), "--socket", "/nowhere"]) == 2
    assert f"{file}: line 2: regions[0].regionx" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        ["token", "list"],
        ["token", "revoke", "0" * 16],
        ["token", "create", "--role", "local", "--region", "zone-A"],
        ["policy", "show"],
    ],
)
def test_without_a_controller_one_line_says_what_to_do(
    args: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "admin.sock"
    assert main([*args, "--socket", str(absent)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"no controller is running here ({absent})" in captured.err
    assert "--socket" in captured.err
    assert captured.err.count("\n") == 1


def test_a_socket_that_nobody_serves_any_more_is_the_same(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(TransientError, match="no controller is running here"):
        AdminClient(tmp_path / "dead.sock").get("/policy")
    with pytest.raises(OperationError, match="too long"):
        AdminClient(tmp_path / ("x" * 200)).get("/policy")


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0-x\r\n", b"HTTP/1.0 200 OK\r\n\r\nnot json", b"HTTP/1.0 500 X\r\n\r\n[]"],
)
def test_an_answer_that_is_no_controllers_is_one_clear_error(tmp_path: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "odd.sock"))
        listener.listen()

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(OperationError):
            AdminClient(tmp_path / "odd.sock").get("/policy")
        thread.join(timeout=10)


def test_a_controller_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "mute.sock"))
        listener.listen()
        with pytest.raises(TransientError, match="did not answer"):
            AdminClient(tmp_path / "mute.sock", timeout_s=0.1).get("/policy")


def test_errors_of_the_controller_arrive_as_they_were(path: Path) -> None:
    client = AdminClient(path)
    with pytest.raises(OperationError, match="the disk is full"):
        client.get("/broken")
    with pytest.raises(OperationError, match="has no GET /absent"):
        client.get("/absent")
    with pytest.raises(InputError, match="no such field"):
        client.post("/policy", {"rogions": []})
    assert client.get("/policy") == jsonable(POLICY)
