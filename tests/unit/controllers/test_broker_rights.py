import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pdsno.communication.payloads import read
from pdsno.communication.topics import matches
from pdsno.controllers.base_controller import BaseController
from pdsno.controllers.broker_rights import HOLD_S, RightsDesk
from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.global_controller import GlobalController
from pdsno.controllers.local_controller import LocalController
from pdsno.controllers.regional_controller import RegionalController
from pdsno.domain.broker_rights import rights_of
from pdsno.domain.entities import ControllerRecord, ControllerStatus, NewEvent
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import Message, MessageType, Reply, Status
from pdsno.domain.peers import subject_text
from pdsno.domain.readers import Reader
from pdsno.nib import NIBStore

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BROKER, LC, RC = "broker_cntl_global_1", "local_cntl_zone-A_1", "regional_cntl_zone-A_1"
PLAIN = Reply(message_type=MessageType.STATUS, payload={"state": "online", "role": "global"})


def record(controller_id: str, role: Role, region: str | None = None) -> ControllerRecord:
    return ControllerRecord(
        controller_id=controller_id,
        role=role,
        region=region,
        public_key="key",
        key_id=f"key of {controller_id}",
        validated_at=NOW,
    )


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        for one in (
            record("global_cntl_1", Role.GLOBAL),
            record(RC, Role.REGIONAL, "zone-A"),
            record(LC, Role.LOCAL, "zone-A"),
            record(BROKER, Role.BROKER),
            record("broker_cntl_zone-A_1", Role.BROKER, "zone-A"),
        ):
            put(store, one)
        yield store


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


def put(nib: NIBStore, one: ControllerRecord) -> None:
    with nib.transaction() as tx:
        known = tx.controller(one.controller_id)
        tx.put_controller(one, expected_version=known.version if known else None)
        event = NewEvent(event_type="CHANGED", subject=one.controller_id, actor="test", at=NOW)
        tx.append_event(event)


def set_status(nib: NIBStore, controller_id: str, status: ControllerStatus) -> None:
    known = nib.controller(controller_id)
    assert known is not None
    put(nib, replace(known, status=status))


def asking(sender_id: str = BROKER, *, version: str = "") -> Message:
    return Message(
        message_id="m",
        message_type=MessageType.STATUS,
        sender_id=sender_id,
        recipient_id="global_cntl_1",
        timestamp=NOW,
        payload={"state": "online", "role": "broker", "rights_version": version},
    )


def told(reply: Reply | None) -> dict[str, Any]:
    assert reply is not None
    return dict(reply.payload)


def waits(future: "Future[Any]") -> bool:
    time.sleep(0.4)
    return not future.done()


def test_a_broker_without_rights_is_told_them_at_once(nib: NIBStore) -> None:
    answer = told(RightsDesk(nib).answer(asking(), PLAIN))
    rights = rights_of(nib.controllers())
    assert answer["rights_version"] == answer["rights"]["version"] == rights.version
    assert len(answer["rights"]["subjects"]) == len(rights.subjects)
    assert answer["state"] == "online"


def test_the_broker_of_a_region_is_told_that_region_s(nib: NIBStore) -> None:
    answer = told(RightsDesk(nib).answer(asking("broker_cntl_zone-A_1"), PLAIN))
    rights = rights_of(nib.controllers(), broker_region="zone-A")
    assert answer["rights_version"] == rights.version != rights_of(nib.controllers()).version


def test_who_is_no_broker_is_told_nothing_of_rights(nib: NIBStore) -> None:
    desk = RightsDesk(nib)
    for sender in (RC, LC, "unknown"):
        assert desk.answer(asking(sender), PLAIN) is PLAIN
    assert desk.answer(asking(), None) is None


def test_the_answer_waits_for_other_rights(nib: NIBStore, pool: ThreadPoolExecutor) -> None:
    desk = RightsDesk(nib)
    version = rights_of(nib.controllers()).version
    held = pool.submit(desk.answer, asking(version=version), PLAIN)
    assert waits(held)
    set_status(nib, LC, ControllerStatus.REVOKED)
    began = time.monotonic()
    answer = told(held.result(5))
    assert time.monotonic() - began < HOLD_S / 4
    assert LC not in str(answer["rights"])


def test_without_news_the_answer_comes_in_time_and_says_so(nib: NIBStore) -> None:
    desk, version = RightsDesk(nib, hold_s=0.3), rights_of(nib.controllers()).version
    answer = told(desk.answer(asking(version=version), PLAIN))
    assert answer == {**PLAIN.payload, "rights_version": version}


def test_a_broker_that_is_blocked_meanwhile_is_refused(
    nib: NIBStore, pool: ThreadPoolExecutor
) -> None:
    desk, version = RightsDesk(nib), rights_of(nib.controllers()).version
    held = pool.submit(desk.answer, asking(version=version), PLAIN)
    assert waits(held)
    set_status(nib, BROKER, ControllerStatus.BLOCKED)
    with pytest.raises(RefusedError) as caught:
        held.result(5)
    assert caught.value.reason is Refusal.BLOCKED


def test_closing_lets_all_go(nib: NIBStore, pool: ThreadPoolExecutor) -> None:
    desk, version = RightsDesk(nib), rights_of(nib.controllers()).version
    held = [pool.submit(desk.answer, asking(version=version), PLAIN) for _ in range(3)]
    assert all(waits(one) for one in held)
    desk.close()
    assert {told(one.result(2))["rights_version"] for one in held} == {version}


def reader(name: str, until: datetime) -> Reader:
    return Reader(
        name=name,
        key_sha256="a" * 64,
        certificate_sha256="b" * 64,
        not_after=until,
        created_at=NOW,
    )


def test_a_reader_s_right_ends_with_its_certificate(
    nib: NIBStore, pool: ThreadPoolExecutor
) -> None:
    ended = datetime.now(UTC)
    with nib.transaction() as tx:
        tx.put_reader(reader("ended", ended))
        tx.put_reader(reader("ending", ended + timedelta(seconds=2)))
        tx.put_reader(reader("noc", ended + timedelta(days=1)))
    desk = RightsDesk(nib)
    first = told(desk.answer(asking(), PLAIN))["rights"]
    assert [name in str(first) for name in ("ended.", "ending.", "noc.")] == [False, True, True]
    later = pool.submit(desk.answer, asking(version=first["version"]), PLAIN)
    rights = told(later.result(10))["rights"]
    assert [name in str(rights) for name in ("ending.", "noc.")] == [False, True]


def test_so_many_wait_and_the_others_are_answered_at_once(
    nib: NIBStore, pool: ThreadPoolExecutor
) -> None:
    desk = RightsDesk(nib, most_held=2)
    version = rights_of(nib.controllers()).version
    held = [pool.submit(desk.answer, asking(version=version), PLAIN) for _ in range(2)]
    assert all(waits(one) for one in held)
    began = time.monotonic()
    assert told(desk.answer(asking(version=version), PLAIN))["rights_version"] == version
    assert time.monotonic() - began < HOLD_S / 4
    desk.close()


# --- rights fit what controllers do ------------------------------------------------------------


class Listener:
    """Takes the place of an MQTT client, and notes what a controller subscribes to."""

    def __init__(self) -> None:
        self.filters: list[str] = []

    def subscribe(self, topic_filter: str, *, handler: Callable[[Message], object]) -> None:
        del handler
        self.filters.append(topic_filter)


def controllers(folder: Path, nib: NIBStore) -> dict[str, BaseController]:
    context = ContextManager(folder / "context.yaml")
    return {
        "global_cntl_1": GlobalController("global_cntl_1", context, nib, enable_rest=False),
        RC: RegionalController("temp", "zone-A", context, nib, enable_rest=False),
        LC: LocalController("temp", "zone-A", "192.0.2.0/24", context, nib, enable_rest=False),
    }


@pytest.mark.parametrize("controller_id", ["global_cntl_1", RC, LC])
def test_every_subscription_of_a_controller_is_covered_by_its_rights(
    controller_id: str, nib: NIBStore, tmp_path: Path
) -> None:
    controller, listener = controllers(tmp_path, nib)[controller_id], Listener()
    controller.mqtt_client = listener  # type: ignore[assignment]
    controller._subscribe(listener)  # type: ignore[arg-type]
    controller.mqtt_client = None
    controller.close()
    assert len(listener.filters) >= 2
    subject = subject_text(controller_id, controller.role, controller.region)
    rights = next(r for r in rights_of(nib.controllers()).subjects if r.subject == subject)
    for topic_filter in listener.filters:
        example = topic_filter.replace("+", "example").replace("#", "example")
        assert any(matches(right, example) for right in rights.read), topic_filter


def test_a_status_reads_as_what_was_sent(nib: NIBStore) -> None:
    answer = RightsDesk(nib).answer(asking(), PLAIN)
    message = replace(asking(), payload=told(answer))
    assert read(message, Status).rights == rights_of(nib.controllers())
