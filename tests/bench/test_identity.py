"""How many wrong merges and splits a network full of traps gives, and how long it takes."""

import gc
import time

import pytest

from pdsno.domain.matching import match
from pdsno.domain.observations import Facts, Sighting
from pdsno.domain.profiles import of_device, of_observed
from pdsno.domain.resolve import resolve
from tests.unit.domain.builders import Site
from tests.unit.domain.identity_base import World
from tests.unit.domain.identity_world import make_world, score


def split_up(world: World) -> tuple[list[Sighting], list[Facts]]:
    return (
        [f for f in world.findings if isinstance(f, Sighting)],
        [f for f in world.findings if isinstance(f, Facts)],
    )


@pytest.mark.bench
@pytest.mark.parametrize("has_segments", [False, True])
def test_ten_thousand_findings_are_resolved_in_seconds(*, has_segments: bool) -> None:
    world = make_world(has_segments=has_segments)
    sightings, facts = split_up(world)
    started = time.perf_counter()
    found = resolve("zone-A", sightings, facts)
    took_s = time.perf_counter() - started
    result = score(world, found)
    site = Site(covered=["10.0.0.0/8"])
    site.cycle(*world.findings)
    started = time.perf_counter()
    delta = site.cycle(*world.findings)
    cycle_s = time.perf_counter() - started
    print(
        f"\n{len(world.findings)} findings of {world.size} devices: {result.found} found, "
        f"{len(result.merges)} false merges, {sum(result.splits.values())} split "
        f"{dict(result.splits)} in {took_s:.2f} s; second cycle {cycle_s:.2f} s, "
        f"{len(delta.changed)} changed"
    )
    assert result.merges == ()
    assert delta.changed == ()
    assert took_s < 5


@pytest.mark.bench
def test_ten_thousand_devices_are_recognised_in_seconds() -> None:
    world = make_world(devices=10_000, findings=30_000)
    sightings, facts = split_up(world)
    site = Site(covered=["10.0.0.0/8"])
    site.cycle(*world.findings)
    known = list(site.devices.values())
    gc.collect()
    gc.freeze()  # What the test itself holds is not the rules' to be searched through.
    started = time.process_time()
    found = resolve("zone-A", sightings, facts, known)
    matched = match(
        known,
        [of_device(d, is_past=True) for d in known],
        [of_observed(o) for o in found],
    )
    took_s = time.process_time() - started
    gc.unfreeze()
    print(f"\n{len(found)} observed devices resolved and matched in {took_s:.2f} s of CPU")
    assert all(m.known and m.new for m in matched)
    assert took_s < 5


@pytest.mark.bench
def test_time_grows_with_the_findings_not_with_their_square() -> None:
    times_s = []
    for devices in (500, 4000):
        sightings, facts = split_up(make_world(devices=devices, findings=devices * 10))
        started = time.perf_counter()
        resolve("zone-A", sightings, facts)
        times_s.append(time.perf_counter() - started)
        print(f"\n{devices} devices, {devices * 10} findings: {times_s[-1]:.2f} s")
    assert times_s[1] < 8 * times_s[0] * 3
