"""What NetBox says becomes an expectation, in 3.7's and in 4.x's shapes."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pdsno.domain.errors import InputError, OperationError
from pdsno.domain.expectation import Expectation, LinkEnd, Presence
from pdsno.integrations.expectation_file import dump_expectation, load_yaml, parse_expectation
from pdsno.integrations.netbox_client import NetBoxClient
from pdsno.integrations.netbox_expectation import read_netbox
from pdsno.integrations.netbox_scope import Grouping, NetBoxScope
from tests.unit.integrations.fake_netbox import TOKEN, FakeNetBox, running
from tests.unit.integrations.netbox_schemas import VERSIONS, reading
from tests.unit.integrations.netbox_world import World, small

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def expect(fake: FakeNetBox, scope: NetBoxScope | None = None) -> Expectation:
    with running(fake), NetBoxClient(fake.url, TOKEN) as client:
        return read_netbox(client, scope or NetBoxScope())


@pytest.mark.parametrize("version", VERSIONS)
def test_the_fake_writes_what_netbox_publishes(version: str) -> None:
    fake = small(version)
    fake.data["ipam/vrfs"] = [{"id": 1, "name": "blue", "rd": None}]
    for resource, items in fake.data.items():
        for item in items:
            reading(version, resource).validate(item)


@pytest.mark.parametrize("version", ["3.7", "4.1", "4.3", "4.6"])
def test_every_version_says_the_same(version: str) -> None:
    found = expect(small(version))
    devices = {one.name: one for one in found.devices}
    sw1 = devices["sw1"]
    assert (sw1.serial, sw1.vendor, sw1.model, sw1.platform, sw1.management_ip, sw1.region) == (
        "FOC1", "Cisco", "C9300-48P", "cisco_ios", "10.1.0.1", "ams",
    )  # fmt: skip
    assert sw1.macs == {"00:50:56:00:00:01"}
    assert [one.name for one in sw1.interfaces] == ["Gi0/1", "Gi0/2"]  # Gi0/3 says nothing
    assert {name: one.presence for name, one in devices.items()} == {
        "sw1": Presence.MUST, "sw2": Presence.MUST, "srv1": Presence.MUST,
        "spare": Presence.MUST_NOT, "panel": Presence.MAY,
    }  # fmt: skip
    assert devices["srv1"].is_host
    links = {tuple(sorted(map(str, link.ends))): link.is_told for link in found.links or ()}
    assert links == {("sw1:Gi0/1", "sw2:Gi0/1"): True, ("srv1:eth0", "sw1:Gi0/2"): False}
    assert any("patch panels" in note for note in found.notes)


def test_nothing_but_get_is_ever_sent() -> None:
    fake = small("4.6")
    expect(fake)
    assert {method for method, _ in fake.asked} == {"GET"}
    assert len(fake.asked) == 4


def test_a_site_narrows_what_is_asked_for_and_a_wrong_one_is_refused() -> None:
    world = World("4.6")
    world.device(1, "a", "ams", ip="10.0.0.1/24")
    world.device(2, "b", "fra", ip="10.0.0.2/24")
    fake = FakeNetBox(data=world.data)
    found = expect(fake, NetBoxScope(sites=("fra",)))
    assert [one.name for one in found.devices] == ["b"]
    with pytest.raises(InputError, match="NetBox has no site 'far'"):
        expect(fake, NetBoxScope(sites=("far",)))
    with pytest.raises(OperationError, match="has no device in this scope"):
        expect(fake, NetBoxScope(sites=("nyc",)))


def test_regions_come_from_sites_or_from_what_they_are_grouped_by() -> None:
    world = World("4.6")
    world.device(1, "a", "ams", ip="10.0.0.1/24")
    fake = FakeNetBox(data=world.data)

    def region(**scope: object) -> str | None:
        return expect(fake, NetBoxScope(**scope)).devices[0].region  # type: ignore[arg-type]

    assert region() == "ams"
    assert region(grouping=Grouping.REGION) == "emea"
    assert region(grouping=Grouping.REGION, regions={"emea": "zone-A"}) == "zone-A"
    assert region(regions={"ams": "zone-B"}) == "zone-B"
    with pytest.raises(InputError, match="no site, region or site group 'amss'"):
        region(regions={"amss": "zone-B"})


def test_devices_of_one_name_and_without_a_name_stay_apart() -> None:
    world = World("3.7")
    world.device(1, "sw1", "ams", ip="10.0.0.1/24")
    world.device(2, "SW1", "fra", ip="10.0.0.1/24")
    world.device(3, None, "fra", ip="10.0.0.3/24")
    devices = expect(FakeNetBox(data=world.data)).devices
    assert [(one.name, one.aliases, one.is_named) for one in devices] == [
        ("sw1 (#1)", ("sw1",), True),
        ("SW1 (#2)", ("SW1",), True),
        ("device (#3)", (), False),
    ]


def test_the_master_speaks_for_its_virtual_chassis() -> None:
    world = World("4.6")
    world.device(1, "stack", ip="10.0.0.1/24", platform="ios")
    world.device(2, "stack-2", platform="ios")
    world.device(3, "core", ip="10.0.0.3/24", platform="ios")
    common = {"url": "https://netbox.example/x/", "display": "stack"}
    chassis = {"id": 9, **common, "master": {"id": 1, **common}}
    for item in world.data["dcim/devices"][:2]:
        item["virtual_chassis"] = chassis
    world.port(21, 2, "Gi2/0/1", peer=31)
    world.port(31, 3, "Gi0/1", peer=21)
    found = expect(FakeNetBox(data=world.data))
    assert found.devices[1].presence is Presence.MAY
    assert found.links
    assert LinkEnd(device="stack", interface="Gi2/0/1") in found.links[0].ends


def test_an_expectation_survives_its_file(tmp_path: Path) -> None:
    found = replace(expect(small("4.6")), notes=())
    file = tmp_path / "expect.yml"
    file.write_text(dump_expectation(found, taken_at=NOW))
    document = load_yaml(file)
    assert isinstance(document, dict)
    again = parse_expectation(document, file)
    assert again.links is not None
    assert found.links is not None
    assert set(again.links) == set(found.links)
    assert {one.name: one for one in again.devices} == {one.name: one for one in found.devices}
    assert dump_expectation(again, taken_at=NOW) == file.read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("format: 2\ndevices: []", "format 2 is not known"),
        ("format: 1\ndevices: []", "expects no device at all"),
        ("format: 1\ndevices: {}", "are lists"),
        (
            "format: 1\ndevices: [{name: a, colour: b}]",
            r"devices\[0\]: there is no such field: colour",
        ),
        ("format: 1\ndevices: [{serial: a}]", "devices.0.name"),
        ("format: 1\ndevices: [{name: a, macs: [zz]}]", "a: 'zz' is not a MAC"),
        ("format: 1\ndevices: [{name: a, addresses: [300.1.1.1]}]", "a: '300.1.1.1'"),
        ("format: 1\ndevices: [{name: a}]\nlinks: [{ends: [a, b]}]", "a link is written as"),
        ("format: 1\ndevices: [{name: a}]\nlinks: [7]", "a link is written as"),
        ("format: 1\nmore: 1\ndevices: [{name: a}]", "no such field: more"),
    ],
)
def test_a_bad_expectation_file_says_where(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "expect.yml"
    file.write_text(f"kind: pdsno-expectation\n{text}\n")
    document = load_yaml(file)
    assert isinstance(document, dict)
    with pytest.raises(InputError, match=said):
        parse_expectation(document, file)
