"""Many at once: one winner per token, never one seat too many, IDs that survive a restart."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from pdsno.domain.entities import TokenStatus
from pdsno.domain.errors import RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import ValidationResult
from pdsno.domain.ports import NIB
from pdsno.identity.keys import load_or_create_key
from pdsno.nib import NIBStore
from pdsno.signing import SigningKey
from tests.unit.identity.scenes import POLICY, ZONE_A, Scene, global_scene, regional_scene

RACERS = 20


@pytest.fixture(params=["memory", "sqlite"])
def nib(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NIB]:
    store = NIBStore("memory://" if request.param == "memory" else tmp_path / "nib.db")
    yield store
    store.close()


def race(runs: list[Callable[[], ValidationResult]]) -> list[ValidationResult | None]:
    """Run all at the same moment; None is who was turned away before its challenge."""
    barrier = Barrier(len(runs))

    def start(run: Callable[[], ValidationResult]) -> ValidationResult | None:
        barrier.wait(timeout=30)
        try:
            return run()
        except RefusedError:
            return None

    with ThreadPoolExecutor(len(runs)) as pool:
        return list(pool.map(start, runs))


def runner(scene: Scene, token: str) -> Callable[[], ValidationResult]:
    key = SigningKey.generate()
    return lambda: scene.admit(key, token)


@pytest.mark.attack(3)
def test_of_many_keys_racing_for_one_token_one_wins(nib: NIB) -> None:
    policy = replace(POLICY, regions=(replace(ZONE_A, regional_quota=100),))
    scene = global_scene(nib=nib, policy=policy)
    token = scene.token()
    results = race([runner(scene, token) for _ in range(RACERS)])
    winners = [result for result in results if result and result.is_approved]
    assert [winner.assigned_id for winner in winners] == ["regional_cntl_zone-A_1"]
    assert len(nib.controllers()) == 1
    assert len(scene.events("CONTROLLER_VALIDATED")) == 1


@pytest.mark.attack(15)
def test_a_quota_is_exact_under_a_race(nib: NIB) -> None:
    policy = replace(POLICY, regions=(replace(ZONE_A, regional_quota=7),))
    scene = global_scene(nib=nib, policy=policy)
    results = race([runner(scene, scene.token()) for _ in range(RACERS)])
    winners = {result.assigned_id for result in results if result and result.is_approved}
    assert winners == {f"regional_cntl_zone-A_{number}" for number in range(1, 8)}
    assert len(nib.controllers(role=Role.REGIONAL)) == 7
    statuses = [record.status for record in nib.tokens()]
    assert statuses.count(TokenStatus.SPENT) == 7


@pytest.mark.attack(15)
def test_quota_and_ceiling_are_exact_when_a_race_is_escalated(nib: NIB) -> None:
    scene = regional_scene(nib=nib)
    results = race([runner(scene, scene.token()) for _ in range(RACERS)])
    approved = [result.decided_by for result in results if result and result.is_approved]
    assert sorted(approved) == ["global_cntl_1"] * 2 + ["regional_cntl_zone-A_1"] * 2
    assert len(nib.controllers(role=Role.LOCAL)) == 4


@pytest.mark.attack(3)
def test_one_key_racing_itself_gets_one_id(nib: NIB) -> None:
    scene, key = global_scene(nib=nib), SigningKey.generate()
    token = scene.token()
    results = race([lambda: scene.admit(key, token)] * 8)
    assert {result.assigned_id for result in results if result} == {"regional_cntl_zone-A_1"}
    assert len(scene.events("CONTROLLER_VALIDATED")) == 1


@pytest.mark.attack(14)
def test_sequence_key_and_tokens_survive_a_restart(tmp_path: Path) -> None:
    path, key_path = tmp_path / "nib.db", tmp_path / "key" / "private.pem"
    scene = global_scene(nib=NIBStore(path), key=load_or_create_key(key_path))
    assert scene.admit(SigningKey.generate()).assigned_id == "regional_cntl_zone-A_1"
    token = scene.token()
    scene.nib.close()
    after = global_scene(nib=NIBStore(path), key=load_or_create_key(key_path))
    assert after.admit(SigningKey.generate(), token).assigned_id == "regional_cntl_zone-A_2"
    with pytest.raises(RefusedError, match="TOKEN_USED"):
        after.admit(SigningKey.generate(), token)
    after.nib.close()
