"""A receiver pulls a stream: pages, who may ask, confirmation, snapshot, a new stream."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pdsno.communication.gap_puller import GapPuller
from pdsno.communication.relay import OutboxRelay
from pdsno.communication.stream_pages import StreamPage, read_page
from pdsno.communication.streams import StreamSource
from pdsno.domain.errors import (
    NotFoundError,
    Refusal,
    RefusedError,
    RemoteProtocolError,
    TransientError,
)
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import Message, StreamTail
from pdsno.domain.peers import Channel, PeerIdentity
from pdsno.signing import SigningKey
from tests.integration.waiting import wait_until
from tests.unit.communication.keys import TableVerifier
from tests.unit.communication.relay_fakes import SNAPSHOT, FakeInbox, FakeOutbox, FakeTransport

SENDER, PARENT = "lc", "rc"
SENDER_KEY = SigningKey.generate()
VERIFIER = TableVerifier({SENDER: SENDER_KEY, "lc-other": SENDER_KEY})
HERE = Channel(address="127.0.0.1")


def peer(controller_id: str) -> Channel:
    identity = PeerIdentity(
        controller_id=controller_id,
        role=Role.REGIONAL,
        region="zone-A",
        key_id="k",
        certificate_sha256="00",
        not_after=datetime.now(UTC),
    )
    return Channel(peer=identity, address="192.0.2.1")


class Pulled:
    """A sender whose own calls go nowhere, and a receiver that pulls from it."""

    def __init__(self, most_bytes: int = 2_000_000) -> None:
        self.outbox = FakeOutbox()
        self.inbox = FakeInbox()
        self.snapshots = 0
        self.restarts: list[tuple[StreamTail, int]] = []
        self.asked: list[tuple[int, str | None]] = []
        self.is_up = True
        self.relay: OutboxRelay | None = None
        self.begin()
        self.source = StreamSource(
            self.outbox.as_nib(),
            lambda: self.relay,
            sender_id=lambda: SENDER,
            receiver_id=PARENT,
            signer=SENDER_KEY,
            verifier=VERIFIER,
            most_bytes=most_bytes,
        )
        self.puller = GapPuller(self.pull, self.take, self.applied)

    def begin(self) -> None:
        """Begin a process of the sender over what its database holds."""
        self.relay = OutboxRelay(
            self.outbox.as_nib(),
            [FakeTransport("none", self.nowhere)],
            self.unreachable,
            on_snapshot_needed=self.snapshot,
            on_restart_needed=self.restart,
        )

    @staticmethod
    def nowhere(_row: object) -> StreamTail | None:
        raise TransientError("away")

    @staticmethod
    def unreachable() -> StreamTail | None:
        raise TransientError("away")

    def snapshot(self) -> None:
        self.snapshots += 1
        self.outbox.add(SNAPSHOT)

    def restart(self, position: StreamTail, began_at: int) -> None:
        self.restarts.append((position, began_at))
        self.outbox.stream_id += "b"
        self.outbox.last = 0
        self.outbox.rows.clear()
        self.outbox.add(SNAPSHOT)

    def page(self, position: StreamTail | None) -> StreamPage:
        after, stream_id = (position.seq, position.stream_id) if position else (0, None)
        self.asked.append((after, stream_id))
        raw = self.source.page(SENDER, after, stream_id, peer(PARENT))
        return read_page(raw, VERIFIER, sender_id=SENDER, recipient_id=PARENT)

    def pull(self, sender_id: str, position: StreamTail | None) -> StreamPage | None:
        assert sender_id == SENDER
        if not self.is_up:
            raise TransientError("away")
        return self.page(position)

    def take(self, message: Message) -> None:
        self.inbox.take_message(message)

    def applied(self, _sender: str, stream_id: str) -> int:
        return self.inbox.applied.get(stream_id, 0)

    def look(self) -> None:
        """Look until the sender was asked: the first look only learns how its stream stands."""
        for _ in range(3):
            self.puller.look(SENDER)
            wait_until(lambda: self.puller.is_idle, "the pull")


@pytest.fixture
def make() -> Callable[..., Pulled]:
    return Pulled


@pytest.fixture
def world() -> Pulled:
    return Pulled()


def test_what_is_missing_is_pulled_and_applied_in_order(world: Pulled) -> None:
    for _ in range(3):
        world.outbox.add()
    world.look()
    assert world.inbox.log == [1, 2, 3]
    assert world.puller.counts() == {(SENDER, "s1"): {"pulled": 3}}


def test_asking_again_confirms_what_was_applied_and_brings_nothing_twice(world: Pulled) -> None:
    for _ in range(3):
        world.outbox.add()
    world.look()
    assert sorted(world.outbox.rows) == [1, 2, 3]
    world.look()
    assert not world.outbox.rows
    assert world.inbox.log == [1, 2, 3]
    assert world.snapshots == 0


def test_a_page_is_bounded_by_bytes_and_says_how_far_the_stream_goes() -> None:
    world = Pulled(most_bytes=1)
    for _ in range(3):
        world.outbox.add()
    page = world.page(StreamTail(stream_id="s1", seq=0))
    assert [message.seq for message in page.messages] == [1]
    assert page.tail == 3
    world.look()
    assert world.inbox.log == [1, 2, 3]


def test_without_the_right_stream_only_its_name_and_tail_are_told(world: Pulled) -> None:
    world.outbox.add()
    for stream_id in (None, "another"):
        raw = world.source.page(SENDER, 1, stream_id, peer(PARENT))
        page = read_page(raw, VERIFIER, sender_id=SENDER, recipient_id=PARENT)
        assert page == StreamPage(stream_id="s1", tail=1)
    assert list(world.outbox.rows) == [1]


def test_a_receiver_that_lost_its_database_gets_a_snapshot_once_it_says_so_twice(
    world: Pulled,
) -> None:
    for _ in range(3):
        world.outbox.add()
    world.look()
    world.look()
    world.inbox.forget_everything()
    assert world.page(StreamTail(stream_id="s1", seq=0)).messages == ()
    assert world.snapshots == 0
    world.look()
    assert world.snapshots == 1
    assert world.inbox.log == [4]
    world.look()
    assert not world.outbox.rows


def test_a_receiver_ahead_of_a_restored_sender_gets_a_new_stream(world: Pulled) -> None:
    for _ in range(3):
        world.outbox.add()
    world.look()
    world.outbox.last, world.outbox.rows = 1, {}
    world.begin()
    world.outbox.add()
    world.look()
    assert [(at.seq, began_at) for at, began_at in world.restarts] == [(3, 1)]
    assert world.inbox.applied == {"s1": 3, "s1b": 1}
    world.look()
    assert not world.outbox.rows
    assert len(world.restarts) == 1


def test_a_stream_that_moves_by_itself_is_not_pulled(world: Pulled) -> None:
    world.look()
    asked = len(world.asked)
    for _ in range(5):
        world.inbox.take(world.outbox.add())
        world.puller.look(SENDER)
        wait_until(lambda: world.puller.is_idle, "the look")
    assert len(world.asked) == asked
    world.look()
    assert len(world.asked) > asked


def test_a_gap_is_filled_at_once(world: Pulled) -> None:
    for _ in range(3):
        world.outbox.add()
    world.puller.fill(SENDER, "s1")
    wait_until(lambda: world.puller.is_idle, "the pull")
    assert world.inbox.log == [1, 2, 3]


def test_a_sender_that_is_away_is_asked_again_the_next_time(world: Pulled) -> None:
    world.outbox.add()
    world.is_up = False
    world.puller.look(SENDER)
    wait_until(lambda: world.puller.is_idle, "the failure")
    assert world.inbox.log == []
    world.is_up = True
    world.look()
    assert world.inbox.log == [1]


@pytest.mark.parametrize(
    ("channel", "is_heard"),
    [
        (peer(PARENT), True),
        (peer("rc-other"), False),
        (HERE, True),
        (Channel(address="::1"), True),
        (Channel(address="192.0.2.1"), False),
        (Channel(), False),
    ],
)
def test_only_the_parent_and_without_tls_only_this_machine_may_ask(
    world: Pulled, channel: Channel, is_heard: bool
) -> None:
    world.outbox.add()
    world.look()

    def ask() -> bytes:
        return world.source.page(SENDER, 1, "s1", channel)

    if is_heard:
        ask()
        assert not world.outbox.rows
    else:
        with pytest.raises(RefusedError) as refused:
            ask()
        assert refused.value.reason is Refusal.NOT_ALLOWED
        assert list(world.outbox.rows) == [1]


def test_a_stream_of_somebody_else_is_not_found(world: Pulled) -> None:
    with pytest.raises(NotFoundError):
        world.source.page("lc-other", 0, None, peer(PARENT))


def test_before_we_serve_there_is_no_stream_yet(world: Pulled) -> None:
    world.relay = None
    with pytest.raises(TransientError):
        world.source.page(SENDER, 0, None, peer(PARENT))


def test_messages_for_somebody_else_or_of_another_stream_are_refused(world: Pulled) -> None:
    world.outbox.add()
    raw = world.source.page(SENDER, 0, "s1", peer(PARENT))
    assert len(read_page(raw, VERIFIER, sender_id=SENDER, recipient_id=PARENT).messages) == 1
    with pytest.raises(RefusedError) as refused:
        read_page(raw, VERIFIER, sender_id=SENDER, recipient_id="rc-other")
    assert refused.value.reason is Refusal.WRONG_RECIPIENT
    with pytest.raises(RefusedError) as refused:
        read_page(raw, VERIFIER, sender_id="lc-other", recipient_id=PARENT)
    assert refused.value.reason is Refusal.IDENTITY_MISMATCH
    with pytest.raises(RefusedError) as refused:
        read_page(raw.replace(b'"s1"', b'"s2"', 1), VERIFIER, sender_id=SENDER, recipient_id=PARENT)
    assert refused.value.reason is Refusal.IDENTITY_MISMATCH


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'{"stream_id": 1, "tail": 1}', b'{"stream_id": "s", "tail": true}']
)
def test_what_is_no_page_is_named_so(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read_page(raw, VERIFIER, sender_id=SENDER, recipient_id=PARENT)
