"""Whether a local controller may probe: by policy, by pauses, by windows; and who said so."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.pausing import OwnPause, RegionsWord, in_words
from pdsno.controllers.probing import CycleWatch, Hold, Plan, hold_of, plan_of
from pdsno.domain.errors import OperationError, Refusal
from pdsno.domain.observations import Outcome, StopReason
from pdsno.domain.policy import LocalPolicy, Pause, Policy, RegionPolicy
from pdsno.domain.scan_windows import ScanWindow

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PAUSE = Pause(by="alice at gc", since=NOON, reason="audit")
MINE = LocalPolicy(controller_id="lc_1", subnets=("10.0.0.0/24",), passive_only=("10.0.0.8/29",))
OTHER = LocalPolicy(controller_id="lc_2", subnets=("10.0.1.0/24",), crawl=("10.2.0.0/16",))
REGION = RegionPolicy(region="zone-A", local_controllers=(MINE, OTHER))
POLICY = Policy(epoch=1, version=5, regions=(REGION,))


def plan(policy: Policy | None, name: str = "lc_1") -> Plan:
    return plan_of(policy, region="zone-A", controller_id=name, subnets=("10.0.1.0/25",))


def test_policy_that_names_us_decides_and_is_on_record() -> None:
    made = plan(POLICY)
    assert (made.local, made.namespace) == (MINE, "zone-A")
    authority = made.authority("bob at gc", ("snmp-1",))
    assert (authority.source, authority.requested_by) == ("policy 1.5", "bob at gc")
    assert (authority.passive_only, authority.credentials) == (("10.0.0.8/29",), ("snmp-1",))
    assert made.scope.verdict("10.0.0.9") is Outcome.PASSIVE_ONLY
    assert made.scope.verdict("10.0.0.7") is None


def test_without_query_no_credential_was_allowed() -> None:
    region = replace(REGION, local_controllers=(replace(MINE, query=False),))
    made = plan(replace(POLICY, regions=(region,)))
    assert made.authority("", ("snmp-1",)).credentials == ()


def test_settings_hold_until_policy_names_us_less_what_it_gives_to_others() -> None:
    assert plan(None).authority("", ()).source == "settings"
    stranger = plan(POLICY, "lc_9")
    assert stranger.local.subnets == ("10.0.1.0/25",)
    assert stranger.local.exclude == ("10.0.0.0/24", "10.0.1.0/24", "10.2.0.0/16")
    assert stranger.scope.verdict("10.0.1.7") is Outcome.EXCLUDED, "it is lc_2's to probe"


def held(policy: Policy, own: Pause | None = None, now: datetime = NOON) -> Hold | None:
    return hold_of(plan(policy), own, now)


def test_nothing_holds_by_default() -> None:
    assert held(POLICY) is None


@pytest.mark.parametrize(
    ("region", "own", "by"),
    [
        (REGION, PAUSE, "alice at gc"),
        (replace(REGION, is_paused=True, pause=PAUSE), None, "alice at gc"),
        (replace(REGION, is_paused=True), None, "by policy"),
        (
            replace(REGION, local_controllers=(replace(MINE, is_paused=True), OTHER)),
            None,
            "by policy",
        ),
    ],
)
def test_each_pause_holds_and_says_by_whom(
    region: RegionPolicy, own: Pause | None, by: str
) -> None:
    hold = held(replace(POLICY, regions=(region,)), own)
    assert hold is not None
    assert hold.reason is StopReason.PAUSED
    assert by in hold.detail
    assert hold.refusal().reason is Refusal.PAUSED


def test_outside_of_the_windows_nothing_is_probed_and_the_next_one_is_named() -> None:
    night = replace(MINE, windows=(ScanWindow(start="22:00", end="05:00"),))
    policy = replace(POLICY, regions=(replace(REGION, local_controllers=(night,)),))
    hold = held(policy)
    assert hold is not None
    assert hold.refusal().reason is Refusal.OUTSIDE_WINDOW
    assert "2026-03-02T22:00" in str(hold.refusal())
    assert hold.interruption().reason is StopReason.WINDOW_CLOSED
    assert held(policy, now=NOON.replace(hour=23)) is None


def test_a_watch_stops_a_cycle_when_a_hold_begins_and_says_why() -> None:
    holds: list[Hold] = []
    with CycleWatch(lambda: holds[0] if holds else None, threading.Event()) as watch:
        assert not watch.stop.wait(0.6)
        holds.append(Hold(reason=StopReason.PAUSED, detail="by alice"))
        assert watch.stop.wait(2)
    assert [i.reason for i in watch.interruptions] == [StopReason.PAUSED]


def test_a_watch_stops_a_cycle_when_the_controller_ends_and_survives_a_failing_look() -> None:
    shutdown = threading.Event()

    def broken() -> Hold | None:
        raise RuntimeError("the NIB is locked")

    with CycleWatch(broken, shutdown) as watch:
        assert not watch.stop.wait(0.6)
        shutdown.set()
        assert watch.stop.wait(2)
    assert [i.reason for i in watch.interruptions] == [StopReason.SHUTDOWN]


def test_an_own_pause_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "context.yaml"
    first = OwnPause(ContextManager(path), clock=lambda: 1000.0)
    assert first.begin("alice", "audit")
    assert not first.begin("bob", "me too")
    again = OwnPause(ContextManager(path), clock=lambda: 500.0)
    assert again.pause is not None
    assert (again.pause.by, again.pause.reason, again.overlay) == ("alice", "audit", 1000)
    assert again.end()
    assert not again.end()
    assert again.overlay == 1001, "it only rises, whatever the clock says"
    again.forget_overlay()
    assert OwnPause(ContextManager(path)).overlay == 0


def test_a_pause_that_holds_is_not_forgotten_under_a_newer_policy(tmp_path: Path) -> None:
    own = OwnPause(ContextManager(tmp_path / "c.yaml"), clock=lambda: 7.0)
    own.begin("alice", "")
    own.forget_overlay()
    assert own.over(REGION).is_paused
    assert own.over(REGION).overlay == 7


def test_a_damaged_pause_is_named(tmp_path: Path) -> None:
    context = ContextManager(tmp_path / "c.yaml")
    context.update(pause=["what"])
    with pytest.raises(OperationError, match="is damaged"):
        OwnPause(context)


def told(overlay: int, *, is_paused: bool = False) -> RegionPolicy:
    return replace(REGION, overlay=overlay, is_paused=is_paused, pause=PAUSE if is_paused else None)


def test_of_one_version_the_regions_highest_word_holds_whatever_is_replayed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "c.yaml"
    word = RegionsWord(ContextManager(path))
    assert not word.take(POLICY, told(0))
    assert word.take(POLICY, told(5, is_paused=True))
    for old in (told(0), told(4), told(5, is_paused=True), told(5)):
        assert not word.take(POLICY, old)
    again = RegionsWord(ContextManager(path))
    assert (again.over(POLICY, "zone-A").is_paused, again.over(POLICY, "zone-A").pause) == (
        True,
        PAUSE,
    )
    assert again.take(POLICY, told(6))
    assert not again.over(POLICY, "zone-A").is_paused


def test_with_a_newer_policy_the_regions_word_begins_anew(tmp_path: Path) -> None:
    word = RegionsWord(ContextManager(tmp_path / "c.yaml"))
    word.take(POLICY, told(5, is_paused=True))
    newer = replace(POLICY, version=6)
    assert not word.over(newer, "zone-A").is_paused
    # What comes with a newer version counts like a word, and the next one lifts it.
    stamped = replace(newer, regions=(told(5, is_paused=True),))
    assert not word.take(stamped, told(5, is_paused=True))
    assert word.take(stamped, told(6))
    assert not word.over(stamped, "zone-A").is_paused


def test_a_pause_in_words() -> None:
    assert in_words(PAUSE) == "by alice at gc since 2026-03-02T12:00:00Z: audit"
    assert in_words(None) == "by policy"
