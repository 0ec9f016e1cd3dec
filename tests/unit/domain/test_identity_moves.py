"""Hosts that move and swap their addresses, clones among them: who is who afterwards."""

import random
from collections import defaultdict
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdsno.domain.matching import match
from pdsno.domain.observations import Facts, ObservedDevice, Sighting
from pdsno.domain.profiles import of_device, of_observed
from tests.unit.domain.builders import Site, facts, interface, later, mac, observe, sighting

IMAGE = {"serial": "CLONED-1", "ssh_host_key": "ssh-rsa SHA256:image", "name": "tmpl"}


def by_mac(site: Site) -> dict[tuple[str, ...], tuple[str, str | None, tuple[str, ...]]]:
    return {d.macs: (d.device_id, d.name, d.ips) for d in site.devices.values()}


def test_who_tells_at_the_address_that_a_host_left_is_not_that_host() -> None:
    site = Site()
    site.cycle(sighting("10.0.0.5", mac(1)))
    was = site.only.device_id
    site.cycle(sighting("10.0.0.6", mac(1)), facts("10.0.0.5", name="next", serial="SN-9"))
    assert by_mac(site) == {
        (mac(1),): (was, None, ("10.0.0.6",)),
        (): ("dev_2", "next", ("10.0.0.5",)),
    }


def test_who_answers_at_the_address_that_a_server_left_is_not_that_server() -> None:
    site = Site()
    site.cycle(facts("10.0.0.5", **IMAGE))
    was = site.only.device_id
    moved = (facts("10.0.0.6", **IMAGE), sighting("10.0.0.6", mac(1)))
    site.cycle(*moved, sighting("10.0.0.5", mac(2)))
    assert by_mac(site) == {
        (mac(1),): (was, "tmpl", ("10.0.0.6",)),
        (mac(2),): ("dev_2", None, ("10.0.0.5",)),
    }


def test_an_address_that_answers_still_and_shows_nothing_stays_with_its_device() -> None:
    site = Site()
    known = {"serial": "SN-7", "name": "r7", "ssh_host_key": "ssh-rsa SHA256:r7"}
    site.cycle(facts("10.0.0.5", **known), facts("10.0.0.6", **known))
    site.cycle(facts("10.0.0.5", **known), sighting("10.0.0.6"))
    assert site.only.ips == ("10.0.0.5", "10.0.0.6")


def test_who_shows_no_mac_makes_no_two_hosts_one() -> None:
    site = Site()
    site.cycle(
        sighting("10.0.0.2", mac(1)), sighting("10.0.0.7", mac(2)), facts("10.0.0.7", **IMAGE)
    )
    before = by_mac(site)
    delta = site.cycle(facts("10.0.0.2", **IMAGE))
    assert delta.absorbed == ()
    assert by_mac(site)[mac(2),][:2] == before[mac(2),][:2]


def test_a_host_at_the_address_of_a_device_without_a_mac_is_who_its_mac_says() -> None:
    site = Site()
    site.cycle(facts("10.0.0.2", name="sw", serial="SN-2"), sighting("10.0.0.6", mac(1)))
    delta = site.cycle(sighting("10.0.0.2", mac(1)))
    assert delta.absorbed == ()
    assert {d.name: d.macs for d in site.devices.values()} == {"sw": (), None: (mac(1),)}


@pytest.mark.parametrize(("clones", "count"), [(2, 3), (1, 1)])
def test_a_serial_that_several_have_makes_no_clone_the_one_with_a_new_card(
    clones: int, count: int
) -> None:
    def clone(number: int, address: str) -> list[Sighting | Facts]:
        port = interface("e0", mac(number), f"{address}/24")
        return [facts(address, port, **IMAGE), sighting(address, mac(number))]

    site = Site()
    others = [clone(n, f"10.0.0.{n}") for n in range(2, 1 + clones)]
    site.cycle(*clone(1, "10.0.0.1"), *(x for other in others for x in other))
    site.cycle(*clone(9, "10.0.0.1"), *(x for other in others for x in other))
    assert len(site.devices) == count


# --- any moves -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Box:
    """One real machine: what it tells, by which sources, and its MACs."""

    number: int
    macs: tuple[str, ...]
    kind: str
    serial: str | None
    name: str | None
    key: str
    engine: str

    def findings(self, address: str, rng: random.Random) -> list[Sighting | Facts]:
        found: list[Sighting | Facts] = [sighting(address, self.macs[0])]
        if self.kind == "silent":
            return found
        ports = [
            interface(f"e{n}", own, *([f"{address}/24"] if n == 0 else []))
            for n, own in enumerate(self.macs)
        ]
        for source in rng.sample(["snmp", "ssh"], rng.choice([1, 2])):
            only = {"ssh_host_key": self.key} if source == "ssh" else {"engine_id": self.engine}
            known = {"serial": self.serial, "name": self.name, **only}
            table = ports if self.kind == "table" else []
            found.append(facts(address, *table, source=source, **known))
        return found


def make_box(number: int, rng: random.Random) -> Box:
    return Box(
        number=number,
        macs=tuple(mac(10 * number + n) for n in range(rng.choice([1, 1, 3]))),
        kind=rng.choice(["table", "bare", "silent"]),
        serial=rng.choice([None, "CLONED-1", f"SER-{number}"]),
        name=rng.choice([f"n{number}", "tmpl", "Switch", None]),
        key=rng.choice(["ssh-rsa SHA256:image", f"ssh-rsa SHA256:{number}"]),
        engine=rng.choice(["80001f888012345678", f"80001f88801234567{number}"]),
    )


@dataclass
class Moves:
    """Boxes that live through cycles, and whose findings became which device."""

    rng: random.Random
    site: Site = field(default_factory=lambda: Site(miss_limit=2))
    owners: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        self.boxes = [make_box(number, self.rng) for number in range(8)]
        self.at = {box.number: box.number + 1 for box in self.boxes}

    def cycle(self, number: int) -> list[set[int]]:
        """Live through one cycle; returns whose findings and devices were taken for one."""
        a, b = self.rng.sample(range(8), 2)
        self.at[a], self.at[b] = self.at[b], self.at[a]
        truth: dict[object, int] = {}
        findings: list[Sighting | Facts] = []
        for box in self.boxes:
            if self.rng.random() < 0.75:
                moment = later(100 * number + box.number)
                truth[moment] = box.number
                told = box.findings(f"10.0.0.{self.at[box.number]}", self.rng)
                findings += [replace(item, at=moment) for item in told]
        self.rng.shuffle(findings)
        known = sorted(self.site.devices.values(), key=lambda d: d.device_id)
        seen = observe(*findings, known=known)

        def boxes_of(observed: ObservedDevice) -> set[int]:
            times = [f.at for f in observed.facts] + [s.at for s in observed.sightings]
            return {truth[at] for at in times}

        profiles = [of_device(d, is_past=True) for d in known]
        groups = match(known, profiles, [of_observed(item) for item in seen])
        unions = []
        for group in groups:
            now = {box for n in group.new for box in boxes_of(seen[n])}
            unions.append(now.union(*(self.owners[d.device_id] for d in group.known)))
        self.site.cycle(*findings, at=later(100 * number))
        for device in self.site.devices.values():
            shown = [one for one in seen if one.macs and set(one.macs) <= set(device.macs)]
            self.owners[device.device_id].update(*(boxes_of(one) for one in shown))
        return unions


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1_000_000))
def test_whoever_moves_where_no_two_machines_become_one(seed: int) -> None:
    moves = Moves(random.Random(seed))  # noqa: S311 - the same moves for the same seed
    for number in range(6):
        assert [union for union in moves.cycle(number) if len(union) > 1] == []
