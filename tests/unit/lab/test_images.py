import pytest

from pdsno.lab.images import stand_in
from pdsno.lab.topology import Role


@pytest.mark.parametrize(
    ("image", "role", "is_known"),
    [
        ("quay.io/frrouting/frr:9.1.0", Role.ROUTER, True),
        ("frrouting/frr@sha256:00", Role.ROUTER, True),
        ("registry:5000/x/frr", Role.ROUTER, True),
        ("wbitt/network-multitool:alpine-extra", Role.HOST, True),
        ("ubuntu", Role.HOST, True),
        ("acme/router:1", Role.HOST, False),
        ("", Role.HOST, False),
    ],
)
def test_an_image_has_one_stand_in(image: str, role: Role, is_known: bool) -> None:
    found = stand_in(image, "linux", {})
    assert (found.role, found.is_known) == (role, is_known)


def test_our_own_image_says_its_role_in_a_label_and_starts_nothing_by_itself() -> None:
    found = stand_in("pdsno-node:latest", "linux", {"pdsno.role": "switch"})
    assert (found.role, found.environment) == (Role.SWITCH, {})
    assert not stand_in("pdsno-node", "linux", {"pdsno.role": "cat"}).is_known
