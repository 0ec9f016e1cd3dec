"""One host is for one controller to probe: who declares what another one has is refused."""

from dataclasses import replace

from pdsno.domain.entities import ControllerStatus
from pdsno.domain.policy import LocalPolicy
from pdsno.signing import SigningKey
from tests.unit.identity.scenes import POLICY, ZONE_A, ZONE_B, regional_scene, set_status

SUBNET = ("10.1.0.0/24",)


def test_a_subnet_that_an_active_controller_probes_is_refused() -> None:
    scene, first = regional_scene(), SigningKey.generate()
    # Policy names the first one, with other targets: what it declared does not count.
    named = scene.admit(first, subnets=SUBNET)
    assert named.is_approved
    second = scene.admit(SigningKey.generate(), subnets=SUBNET)
    assert second.is_approved
    before = scene.state()
    third = scene.admit(SigningKey.generate(), scene.token(), subnets=("10.1.0.128/25",))
    assert (third.is_approved, third.reason) == (False, "SUBNET_TAKEN")
    assert second.assigned_id is not None
    assert second.assigned_id in third.detail
    assert scene.state()[0] == before[0], "nothing was written"
    assert scene.admit(SigningKey.generate(), subnets=("10.1.1.0/24",)).is_approved


def test_the_same_controller_may_join_again_with_its_subnets() -> None:
    scene, key = regional_scene(), SigningKey.generate()
    scene.admit(SigningKey.generate())
    first = scene.admit(key, subnets=SUBNET)
    again = scene.admit(key, subnets=SUBNET)
    assert again.assigned_id == first.assigned_id


def test_a_controller_that_is_no_longer_active_frees_its_subnets() -> None:
    scene = regional_scene()
    scene.admit(SigningKey.generate())
    gone = scene.admit(SigningKey.generate(), subnets=SUBNET).assigned_id or ""
    set_status(scene.nib, gone, ControllerStatus.REVOKED)
    assert scene.admit(SigningKey.generate(), subnets=SUBNET).is_approved


def test_what_policy_gives_to_a_controller_is_taken_and_another_namespace_is_not() -> None:
    def result(namespace: str) -> str | None:
        entry = LocalPolicy(
            controller_id="local_cntl_zone-A_1", subnets=SUBNET, namespace=namespace
        )
        zone = replace(ZONE_A, local_controllers=(entry,))
        scene = regional_scene(policy=replace(POLICY, regions=(zone, ZONE_B)))
        assert scene.admit(SigningKey.generate()).is_approved
        return scene.admit(SigningKey.generate(), subnets=SUBNET).reason

    assert result("") == "SUBNET_TAKEN"
    assert result("lab") is None
