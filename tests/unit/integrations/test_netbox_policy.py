"""Prefixes, VRFs and sites of NetBox become a policy that `pdsno policy apply` takes."""

import pytest

from pdsno.domain.errors import InputError, OperationError
from pdsno.domain.policy import Policy
from pdsno.integrations.netbox_client import NetBoxClient
from pdsno.integrations.netbox_policy import Draft, dump_policy, read_policy
from pdsno.integrations.netbox_scope import Grouping, NetBoxScope
from pdsno.policy.document import parse_policy
from tests.unit.integrations.fake_netbox import TOKEN, FakeNetBox, running
from tests.unit.integrations.netbox_world import World


def drafted(world: World, scope: NetBoxScope | None = None) -> Draft:
    fake = FakeNetBox(version=world.version, data=world.data)
    with running(fake), NetBoxClient(fake.url, TOKEN) as client:
        draft = read_policy(client, scope or NetBoxScope())
    assert {method for method, _ in fake.asked} == {"GET"}
    assert parse_policy(dump_policy(draft, source=fake.url)) == draft.policy
    return draft


def targets(policy: Policy) -> dict[str, tuple[str, ...]]:
    return {
        local.controller_id: local.subnets
        for region in policy.regions
        for local in region.local_controllers
    }


@pytest.mark.parametrize("version", ["3.7", "4.1", "4.3", "4.6"])
def test_sites_become_regions_and_prefixes_targets(version: str) -> None:
    world = World(version)
    world.prefix("10.1.0.0/16", "ams", status="container")
    world.prefix("10.1.1.0/24", "ams")
    world.prefix("10.1.2.0/24", "ams")
    world.prefix("10.2.0.0/24", "fra")
    world.prefix("10.9.0.0/24", "fra", status="reserved")
    world.prefix("10.10.0.0/24")
    draft = drafted(world)
    assert targets(draft.policy) == {
        "local_cntl_ams_1": ("10.1.1.0/24", "10.1.2.0/24"),
        "local_cntl_fra_1": ("10.2.0.0/24",),
    }
    assert draft.policy.regions[0].prefixes == ("10.1.0.0/16",)
    assert draft.notes == (
        "status reserved: 10.9.0.0/24",
        "without a site (--default-region takes them): 10.10.0.0/24",
    )


def test_a_region_of_several_sites_gets_a_controller_for_each() -> None:
    world = World("4.6")
    world.prefix("10.1.0.0/24", "ams")
    world.prefix("10.2.0.0/24", "fra")
    draft = drafted(world, NetBoxScope(grouping=Grouping.REGION))
    assert targets(draft.policy) == {
        "local_cntl_emea_1": ("10.1.0.0/24",),
        "local_cntl_emea_2": ("10.2.0.0/24",),
    }
    assert draft.purposes == {"local_cntl_emea_1": "site ams", "local_cntl_emea_2": "site fra"}


def test_the_most_specific_prefix_decides_who_probes_an_address() -> None:
    world = World("4.6")
    world.prefix("10.0.0.0/16", "ams")
    world.prefix("10.0.128.0/17", "fra")
    world.prefix("10.0.192.0/24", "ams")
    draft = drafted(world)
    assert targets(draft.policy) == {
        "local_cntl_ams_1": ("10.0.0.0/17", "10.0.192.0/24"),
        "local_cntl_fra_1": ("10.0.128.0/18", "10.0.193.0/24", "10.0.194.0/23", "10.0.196.0/22",
                             "10.0.200.0/21", "10.0.208.0/20", "10.0.224.0/19"),
    }  # fmt: skip


def test_the_same_prefix_is_two_regions_own_and_in_one_region_nobodys() -> None:
    world = World("4.6")
    world.prefix("192.168.1.0/24", "ams")
    world.prefix("192.168.1.0/24", "nyc")
    world.prefix("10.0.0.0/24", "ams")
    apart = targets(drafted(world).policy)
    assert apart["local_cntl_ams_1"] == ("10.0.0.0/24", "192.168.1.0/24")
    assert apart["local_cntl_nyc_1"] == ("192.168.1.0/24",)
    world.prefix("192.168.1.0/24", "fra")
    together = drafted(world, NetBoxScope(grouping=Grouping.REGION))
    assert targets(together.policy) == {
        "local_cntl_amer_1": ("192.168.1.0/24",),
        "local_cntl_emea_1": ("10.0.0.0/24",),
    }
    assert together.notes == ("claimed by several sites alike: 192.168.1.0/24 (ams, fra)",)


def test_vrfs_are_namespaces_with_controllers_of_their_own() -> None:
    world = World("4.6")
    world.vrf(1, "Blue Net")
    world.vrf(2, "red", "65000:1")
    world.vrf(3, "RED", "65000:2")
    world.vrf(4, "ams")
    world.vrf(5, "idle")
    world.prefix("10.0.0.0/24", "ams")
    for vrf in (1, 2, 3, 4):
        world.prefix("10.0.0.0/24", "ams", vrf=vrf)
    draft = drafted(world)
    (region,) = draft.policy.regions
    assert {one.namespace for one in region.local_controllers} == {
        "", "Blue-Net", "red-65000-1", "RED-65000-2", "vrf-ams",
    }  # fmt: skip
    assert {one.subnets for one in region.local_controllers} == {("10.0.0.0/24",)}
    assert draft.notes == ("VRFs without a prefix to probe: idle",)


def test_what_is_too_large_to_sweep_is_covered_and_said() -> None:
    world = World("4.6")
    world.prefix("10.0.0.0/8", "ams")
    world.prefix("10.1.0.0/24", "ams")
    world.prefix("2001:db8::/64", "ams")
    draft = drafted(world)
    assert targets(draft.policy) == {"local_cntl_ams_1": ("10.1.0.0/24",)}
    assert draft.policy.regions[0].prefixes == ("10.0.0.0/8", "2001:db8::/64")
    assert draft.notes[0].startswith("too large to sweep (their parts are probed): 10.0.0.0/8")


def test_more_controllers_than_the_usual_quota_raise_it() -> None:
    world = World("4.6")
    for number in range(1, 26):
        world.vrf(number, f"v{number}")
        world.prefix("10.0.0.0/24", "ams", vrf=number)
    (region,) = drafted(world).policy.regions
    assert (region.local_quota, region.local_ceiling) == (25, 25)


def test_names_in_netbox_cannot_break_the_file() -> None:
    world = World("4.6")
    world.vrf(1, "x\nregions: []\n#")
    world.prefix("10.0.0.0/24", "ams", vrf=1)
    draft = drafted(world)
    assert draft.policy.regions[0].local_controllers[0].namespace == "x-regions"


def test_without_a_prefix_to_probe_nothing_is_drafted() -> None:
    world = World("4.6")
    world.prefix("10.0.0.0/24")
    with pytest.raises(OperationError, match="can be probed: without a site"):
        drafted(world)


def test_sites_that_would_become_one_region_are_asked_about() -> None:
    world = World("4.6")
    world.data["dcim/sites"][1] |= {"slug": "ams_"}
    world.prefix("10.0.0.0/24", "ams")
    with pytest.raises(InputError, match="'ams' and 'ams_' of NetBox would both be region ams"):
        drafted(world)
    assert drafted(world, NetBoxScope(regions={"ams_": "zone-B"})).policy.regions


def test_thousands_of_prefixes_take_no_time() -> None:
    world = World("4.6")
    world.prefix("10.0.0.0/16", "fra")
    for number in range(1024):
        world.prefix(f"10.0.{number >> 4}.{(number & 15) << 4}/28", "ams" if number % 2 else "fra")
    draft = drafted(world)
    assert (
        sum(len(subnets) for subnets in targets(draft.policy).values()) == 1024 + 2
    )  # and what is left of the /16
