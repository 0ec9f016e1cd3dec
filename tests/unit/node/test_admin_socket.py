"""The admin socket, spoken to over a real Unix socket."""

import os
import pwd
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pdsno.cli.admin_client import AdminClient
from pdsno.domain.errors import InputError, NotFoundError, OperationError
from pdsno.node.admin import AdminSocket, caller


def echo(body: Mapping[str, Any]) -> object:
    return {"said": dict(body)}


def missing(_: Mapping[str, Any]) -> object:
    raise NotFoundError("there is no such thing")


def wrong(_: Mapping[str, Any]) -> object:
    raise InputError("that is not how it goes")


def crash(_: Mapping[str, Any]) -> object:
    raise ValueError("secret inside")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "admin.sock"
    calls = {
        "POST /echo": echo,
        "GET /missing": missing,
        "POST /wrong": wrong,
        "GET /crash": crash,
    }
    admin = AdminSocket(path, calls)
    admin.start()
    yield path
    admin.close()


def test_a_call_gets_its_answer(path: Path) -> None:
    assert AdminClient(path).post("/echo", {"a": 1}) == {"said": {"a": 1}}


@pytest.mark.parametrize(
    ("method", "call", "says"),
    [
        ("get", "/missing", "there is no such thing"),
        ("get", "/nothing", "has no GET /nothing"),
        ("get", "/crash", "internal error"),
    ],
)
def test_an_error_is_one_line_without_what_is_inside(
    path: Path, method: str, call: str, says: str
) -> None:
    with pytest.raises(OperationError, match=says) as error:
        getattr(AdminClient(path), method)(call)
    assert "secret" not in str(error.value)


def test_wrong_input_is_said_to_be_wrong(path: Path) -> None:
    with pytest.raises((InputError, OperationError), match="not how it goes"):
        AdminClient(path).post("/wrong", {})


@pytest.mark.parametrize(
    "raw",
    [
        b"POST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\n{{{",
        b"POST /echo HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]",
        b"POST /echo HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_malformed_requests_are_refused_and_the_next_one_is_served(path: Path, raw: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(raw)
        assert b" 400 " in client.recv(4096).splitlines()[0]
    assert AdminClient(path).post("/echo", {}) == {"said": {}}


def test_the_socket_is_for_owner_and_group_only(path: Path) -> None:
    assert path.stat().st_mode & 0o007 == 0


def test_a_second_controller_does_not_take_a_served_socket(path: Path) -> None:
    with pytest.raises(OperationError, match="another controller serves"):
        AdminSocket(path, {}).start()
    assert AdminClient(path).post("/echo", {}) == {"said": {}}


def test_a_socket_that_a_killed_controller_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    admin = AdminSocket(path, {"POST /echo": echo})
    admin.start()
    assert AdminClient(path).post("/echo", {}) == {"said": {}}
    admin.close()
    admin.close()
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OperationError, match="cannot open the admin socket"):
        AdminSocket(tmp_path / "file" / "admin.sock", {}).start()


@pytest.mark.lab  # only root can become somebody else
def test_another_user_is_refused_even_if_the_file_lets_them_in(path: Path) -> None:
    path.chmod(0o666)
    for folder in path.parents:
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):  # noqa: S108 - pytest's
            folder.chmod(0o755)
    pid = os.fork()
    if pid == 0:
        status = 3
        try:
            os.setgid(65534)
            os.setuid(65534)
            AdminClient(path).post("/echo", {})
        except OperationError as error:
            status = 0 if "only root" in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_call_knows_by_the_kernels_word_whose_it_is(tmp_path: Path) -> None:
    admin = AdminSocket(tmp_path / "a.sock", {"POST /who": lambda _: {"who": caller()}})
    admin.start()
    try:
        said = AdminClient(tmp_path / "a.sock").post("/who", {"who": "somebody else"})
    finally:
        admin.close()
    assert said == {"who": pwd.getpwuid(os.getuid()).pw_name}
    assert caller() == "", "outside of a call nobody calls"
