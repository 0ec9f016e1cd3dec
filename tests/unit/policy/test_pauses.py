"""A pause in policy: only `resume` takes it back, and a regional controller can only add one."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pdsno.domain.errors import InputError
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import PolicyUpdate
from pdsno.domain.policy import Pause, Policy, RegionPolicy
from pdsno.policy.distribute import is_news
from pdsno.policy.document import policy_from
from pdsno.policy.pauses import named_regions, overlaid, paused, resumed, with_pauses_kept

ALICE = Pause(by="alice", since=datetime(2026, 1, 1, tzinfo=UTC), reason="audit")
BOB = Pause(by="bob", since=datetime(2026, 1, 2, tzinfo=UTC))
POLICY = Policy(
    epoch=1, version=4, regions=(RegionPolicy(region="zone-A"), RegionPolicy(region="zone-B"))
)
PAUSED = paused(POLICY, ["zone-A"], ALICE)


def states(policy: Policy) -> dict[str, Pause | None]:
    return {r.region: r.pause for r in policy.regions if r.is_paused}


def test_a_pause_names_regions_or_all_of_them() -> None:
    assert named_regions(POLICY, None) == ("zone-A", "zone-B")
    assert named_regions(POLICY, "zone-B") == ("zone-B",)
    with pytest.raises(InputError, match=r"no region 'zone-C' \(there are: zone-A, zone-B\)"):
        named_regions(POLICY, "zone-C")
    with pytest.raises(InputError, match="apply one first"):
        named_regions(None, None)


def test_who_paused_first_stands_until_it_is_resumed() -> None:
    assert states(PAUSED) == {"zone-A": ALICE}
    assert states(paused(PAUSED, ["zone-A", "zone-B"], BOB)) == {"zone-A": ALICE, "zone-B": BOB}
    assert resumed(PAUSED, ["zone-A"]) == POLICY


def test_a_file_that_does_not_mention_the_pause_does_not_resume() -> None:
    assert states(with_pauses_kept(PAUSED, POLICY, BOB)) == {"zone-A": ALICE}
    assert states(with_pauses_kept(None, POLICY, BOB)) == {}


def test_a_file_may_pause_and_what_it_says_of_by_whom_counts_nothing() -> None:
    zone = RegionPolicy(region="zone-B", is_paused=True, pause=ALICE, overlay=99)
    kept = with_pauses_kept(POLICY, replace(POLICY, regions=(zone,)), BOB)
    assert kept.regions == (replace(zone, pause=BOB, overlay=0),)


def test_a_pause_is_read_back_from_its_document() -> None:
    assert policy_from(jsonable(PAUSED)) == PAUSED


def test_a_regional_controller_adds_a_pause_and_takes_none_away() -> None:
    zone_a, zone_b = PAUSED.regions
    assert overlaid(zone_b, BOB, 7).pause == BOB
    assert overlaid(zone_a, BOB, 7).pause == ALICE
    assert overlaid(zone_a, None, 8) == replace(zone_a, overlay=8)


def update(version: int, overlay: int, *, is_paused: bool = False) -> PolicyUpdate:
    zone = RegionPolicy(region="zone-A", overlay=overlay, is_paused=is_paused)
    return PolicyUpdate(epoch=1, version=version, region=zone)


def test_what_may_be_news_is_sent() -> None:
    assert is_news(update(4, 0), 1, 3)
    assert not is_news(update(4, 0), 1, 4)
    assert is_news(update(4, 1), 1, 4)
    assert not is_news(update(4, 1), 1, 5)
