"""Policy only moves forwards, whatever is replayed and in whatever order."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.messages import PolicyUpdate
from pdsno.domain.policy import Policy, RegionPolicy
from pdsno.policy.distribute import accept

ZONE_A, ZONE_B = RegionPolicy(region="zone-A"), RegionPolicy(region="zone-B")
POLICY = Policy(epoch=2, version=5, regions=(ZONE_A, ZONE_B))
WHOLE = PolicyUpdate(epoch=2, version=5, policy=POLICY)


def test_a_region_keeps_its_own_part_and_no_other() -> None:
    update = PolicyUpdate(epoch=2, version=5, region=ZONE_A)
    assert accept(None, update) == replace(POLICY, regions=(ZONE_A,))


def test_a_region_that_policy_dropped_is_told_so() -> None:
    kept = accept(replace(POLICY, version=4), PolicyUpdate(epoch=2, version=5))
    assert kept == replace(POLICY, regions=())


def test_the_same_version_again_changes_nothing() -> None:
    assert accept(POLICY, WHOLE) is None
    assert accept(None, WHOLE) == POLICY


@pytest.mark.attack(24)
@pytest.mark.parametrize(("epoch", "version"), [(2, 4), (1, 99), (0, 0)])
def test_an_older_one_is_refused(epoch: int, version: int) -> None:
    old = replace(POLICY, epoch=epoch, version=version)
    with pytest.raises(RefusedError) as caught:
        accept(POLICY, PolicyUpdate(epoch=epoch, version=version, policy=old))
    assert caught.value.reason is Refusal.OLD_VERSION


@pytest.mark.parametrize(
    "policy",
    [
        replace(POLICY, version=7),
        replace(POLICY, version=6, regions=(ZONE_A, ZONE_A)),
        replace(POLICY, version=6, regions=(RegionPolicy(region="a/b"),)),
    ],
)
def test_an_unsound_one_is_refused(policy: Policy) -> None:
    with pytest.raises(RefusedError) as caught:
        accept(POLICY, PolicyUpdate(epoch=2, version=6, policy=policy))
    assert caught.value.reason is Refusal.INVALID_POLICY


@pytest.mark.attack(24)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=20))
def test_in_any_order_the_newest_remains(numbers: list[tuple[int, int]]) -> None:
    current: Policy | None = None
    for epoch, version in numbers:
        policy = replace(POLICY, epoch=epoch, version=version)
        with suppress(RefusedError):
            update = PolicyUpdate(epoch=epoch, version=version, policy=policy)
            current = accept(current, update) or current
    if numbers:
        assert current is not None
        assert (current.epoch, current.version) == max(numbers)
