"""`pdsno nib watch` against a real API that comes and goes."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Queue

import pytest

from pdsno.api import create_app
from pdsno.cli import watch as module
from pdsno.cli.api_access import ApiTarget, remember
from pdsno.cli.event_stream import Told, lines, parse
from pdsno.cli.main import main
from pdsno.communication.rest_runner import RestRunner
from pdsno.domain.errors import InputError, OperationError
from pdsno.nib import NIBStore
from tests.integration.waiting import wait_until
from tests.unit.api.serving import NOW, TOKEN, app_of, event, info, put_token, served

_SOON_S = 20
OTHER_TOKEN = "pdsno_" + "another-token".ljust(43, "_")


@pytest.fixture
def store() -> Iterator[NIBStore]:
    with NIBStore("memory://") as made:
        happen(made, "DEVICE_APPEARED", "dev_1", "zone-A")
        yield made


def happen(store: NIBStore, kind: str, subject: str, region: str | None = None) -> None:
    with store.transaction() as change:
        change.append_event(event(kind, subject, region))


_followers: list[tuple[threading.Thread, threading.Event]] = []


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait shortly, and end what follows when the test does."""
    for name in ("_FIRST_WAIT_S", "_MOST_WAIT_S"):
        monkeypatch.setattr(module, name, 0.02)
    yield
    while _followers:
        thread, is_over = _followers.pop()
        is_over.set()
        thread.join(_SOON_S)


class _OverError(Exception):
    pass


@contextmanager
def serving(store: NIBStore, port: int = 0) -> Iterator[RestRunner]:
    runner = RestRunner(app_of(store), host="127.0.0.1", port=port)
    runner.start()
    try:
        yield runner
    finally:
        runner.stop()


class Notes(list[str]):
    """What followers tell people. Reading stderr in a loop would lose what comes meanwhile."""

    def await_one(self, word: str) -> str:
        wait_until(lambda: any(word in note for note in self), f"a note of {word!r}")
        return next(note for note in self if word in note)


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Notes:
    told = Notes()
    monkeypatch.setattr(module, "_note", told.append)
    return told


@dataclass
class Follower:
    """Follows in a thread, as the command does."""

    target: ApiTarget
    place: module._Place
    filters: dict[str, str] = field(default_factory=dict)
    seen: "Queue[int | Exception]" = field(default_factory=Queue)

    def start(self) -> None:
        is_over = threading.Event()
        thread = threading.Thread(target=self._run, args=(is_over,), daemon=True)
        _followers.append((thread, is_over))
        thread.start()

    def _run(self, is_over: threading.Event) -> None:
        def sleep(seconds: float) -> None:
            if is_over.wait(seconds):
                raise _OverError

        try:
            for found in module._Watch(self.target, self.filters, self.place, sleep).events():
                self.place.move(found.cursor)
                if found.data is not None:
                    self.seen.put(found.data["seq"])
        except Exception as error:  # noqa: BLE001 - for the test to look at
            self.seen.put(error)

    def next(self) -> int | Exception:
        return self.seen.get(timeout=_SOON_S)


def follow(url: str, cursor: str | None = "0", **target: str) -> Follower:
    asked = ApiTarget(url=url, token=target.get("token", TOKEN))
    follower = Follower(asked, module._Place(cursor=cursor))
    follower.start()
    return follower


def test_events_come_as_they_happen(store: NIBStore) -> None:
    with served(store) as api:
        follower = follow(api.url)
        assert follower.next() == 1
        happen(store, "DEVICE_CHANGED", "dev_1", "zone-A")
        assert follower.next() == 2


def test_without_a_place_it_begins_with_the_next_event(store: NIBStore) -> None:
    with served(store) as api:
        follower = follow(api.url, None)
        while follower.place.cursor is None:
            threading.Event().wait(0.01)
        happen(store, "DEVICE_CHANGED", "dev_1", "zone-A")
        assert follower.next() == 2


def test_after_the_api_was_away_nothing_is_lost_and_nothing_comes_twice(
    store: NIBStore, monkeypatch: pytest.MonkeyPatch, notes: Notes
) -> None:
    monkeypatch.setenv("PDSNO_API_TOKEN", TOKEN)
    with serving(store) as first:
        port = first.port
        follower = follow(f"http://127.0.0.1:{port}")
        assert follower.next() == 1
    for number in range(2, 6):
        happen(store, "DEVICE_CHANGED", f"dev_{number}")
    assert "the controller stops" in notes.await_one("trying again")
    with serving(store, port):
        assert [follower.next() for _ in range(4)] == [2, 3, 4, 5]
        happen(store, "DEVICE_CHANGED", "dev_6")
        assert follower.next() == 6
    assert ["trying again" in note for note in notes[:2]] == [True, False]  # one while it was away
    assert "going on behind 1-" in notes[1]


def test_a_token_that_changed_with_the_restart_is_looked_up_again(
    store: NIBStore, notes: Notes
) -> None:
    with serving(store) as first:
        port = first.port
        url = f"http://127.0.0.1:{port}"
        remember(url, TOKEN)
        follower = follow(url)
        assert follower.next() == 1
    notes.await_one("trying again")
    with store.transaction() as change:
        (known,) = change.api_tokens()
        change.put_api_token(replace(known, revoked_at=NOW))
    put_token(store, OTHER_TOKEN, name="other")
    happen(store, "DEVICE_CHANGED", "dev_1")
    remember(url, OTHER_TOKEN)
    runner = RestRunner(create_app(store, controller=info), host="127.0.0.1", port=port)
    runner.start()
    try:
        assert follower.next() == 2
    finally:
        runner.stop()


def test_a_log_that_is_another_one_is_told_and_followed_from_its_end(
    store: NIBStore, monkeypatch: pytest.MonkeyPatch, notes: Notes
) -> None:
    monkeypatch.setenv("PDSNO_API_TOKEN", TOKEN)
    happen(store, "DEVICE_CHANGED", "dev_1")
    with serving(store) as first:
        port = first.port
        follower = follow(f"http://127.0.0.1:{port}")
        assert [follower.next(), follower.next()] == [1, 2]
        before = follower.place.cursor
    with NIBStore("memory://") as restored:
        happen(restored, "DEVICE_APPEARED", "dev_1")
        with serving(restored, port):
            assert "going on with what comes" in notes.await_one("restored")
            wait_until(lambda: follower.place.cursor not in {None, before}, "another place")
            happen(restored, "DEVICE_CHANGED", "dev_1")
            assert follower.next() == 2


def test_what_cannot_begin_says_why(store: NIBStore) -> None:
    with served(store) as api:
        refused = follow(api.url, token="pdsno_" + "x" * 43).next()
        assert isinstance(refused, InputError)
        assert "refused the token" in str(refused)
        beyond = follow(api.url, "900").next()
        assert isinstance(beyond, OperationError)
        assert "before the cursor" in str(beyond)
        nonsense = follow(api.url, "yesterday").next()
        assert isinstance(nonsense, InputError)
        assert "no cursor" in str(nonsense)
        assert follow(api.url).next() == 1


def test_a_place_is_kept_and_found_again(tmp_path: Path) -> None:
    file = tmp_path / "cursor"
    assert module._kept(file) is None
    module._Place(cursor="5", file=file).move("6-00ff00ff")
    assert module._kept(file) == "6-00ff00ff"
    file.write_text("six")
    with pytest.raises(InputError, match="holds no cursor"):
        module._kept(file)


# --- the command as a process ----------------------------------------------------------------


@contextmanager
def process(*args: str) -> Iterator["subprocess.Popen[str]"]:
    code = "import sys; from pdsno.cli.main import main; sys.exit(main())"
    started = subprocess.Popen(
        [sys.executable, "-c", code, "nib", "watch", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PDSNO_API_TOKEN": TOKEN},
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_cleanly_and_says_how_to_go_on(
    store: NIBStore, tmp_path: Path, number: signal.Signals
) -> None:
    happen(store, "LINK_GONE", "link_1")
    happen(store, "DEVICE_RETURNED", "dev_1")
    cursor = tmp_path / "cursor"
    cursor.write_text("0\n")
    with (
        served(store) as api,
        process(
            "--api", api.url, "--type", "device_*", "-o", "json", "--cursor-file", str(cursor)
        ) as running,
    ):
        assert running.stdout is not None
        shown = [json.loads(running.stdout.readline()) for _ in range(2)]
        while not cursor.read_text().startswith("3-"):
            threading.Event().wait(0.01)
        running.send_signal(number)
        out, err = running.communicate(timeout=_SOON_S)
    assert [one["event_type"] for one in shown] == ["DEVICE_APPEARED", "DEVICE_RETURNED"]
    assert (out, running.returncode) == ("", 0)
    assert err == f"stopped; go on with --after {cursor.read_text()}"


@pytest.fixture
def fail(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def invoke(*args: str) -> tuple[int, str]:
        code = main(["nib", "watch", *args])
        return code, capsys.readouterr().err

    return invoke


def test_nobody_there_at_the_beginning_is_an_error(fail: Callable[..., tuple[int, str]]) -> None:
    code, err = fail("--api", "http://127.0.0.1:9")
    assert code == 1
    assert "cannot reach the API" in err
    code, err = fail("--after", "1", "--cursor-file", "x")
    assert code == 2
    assert "exclude each other" in err


# --- the wire --------------------------------------------------------------------------------


def test_a_stream_is_read_whatever_the_pieces_are() -> None:
    wire = (
        b"retry: 2000\n\nid: 41-aa\n\n: still here\n\nid: 42-bb\r\nevent: DEVICE_APPEARED\r\n"
        b'data: {"seq":42,\ndata: "name":"l\xc3\xb6we"}\n\nid: 43-cc\ndata: {"cut'
    )
    expected = [
        Told(cursor="41-aa"),
        Told(cursor="42-bb", name="DEVICE_APPEARED", data={"seq": 42, "name": "löwe"}),
    ]
    for size in (1, 2, 7, 1000):
        pieces = [wire[i : i + size] for i in range(0, len(wire), size)]
        assert list(parse(lines(pieces), "")) == expected


@pytest.mark.parametrize("wire", [b"data: no JSON\n\n", b"data: [1]\n\n", b"x" * (5 << 20)])
def test_what_is_no_stream_of_events_is_told(wire: bytes) -> None:
    with pytest.raises(OperationError, match="the event stream"):
        list(parse(lines([wire]), ""))
