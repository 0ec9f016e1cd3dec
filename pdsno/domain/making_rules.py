"""From what one cycle observed to why it is one device."""

from collections.abc import Iterable
from dataclasses import replace

from pdsno.domain.identifiers import identifying_serial, is_identifying_mac
from pdsno.domain.makings import Account, Joined, Making, Told, with_joined, with_told
from pdsno.domain.observations import ObservedDevice
from pdsno.domain.profiles import facts_ips, facts_macs
from pdsno.domain.resolve import explain

_MOST_LINES = 40


def newer(held: Making | None, told: Told, joined: tuple[Joined, ...]) -> Making:
    """Return a device's making after a cycle.

    Who only answered this time leaves standing what the device told before.
    """
    making = held or Making(device_id=told.device_id)
    was_told = any(t.by == told.by and t.has_facts for t in making.told)
    if told.has_facts or not was_told:
        making = replace(making, told=tuple(t for t in making.told if t.by != told.by))
        making = with_told(making, told)
    return with_joined(making, *joined) if joined else making


def told_of(observed: ObservedDevice, *, by: str, device_id: str) -> Told:
    """Return why one cycle's findings are one device."""
    return Told(
        by=by,
        device_id=device_id,
        lines=explain(observed)[:_MOST_LINES],
        accounts=(*_of_facts(observed), *_of_sightings(observed)),
        has_facts=bool(observed.facts),
    )


def _of_facts(observed: ObservedDevice) -> Iterable[Account]:
    for facts in observed.facts:
        yield Account(
            label=f"{facts.source} at {facts.address}",
            macs=tuple(sorted(facts_macs(facts))),
            ips=tuple(sorted({facts.address, *facts_ips(facts)})),
            serial=identifying_serial(facts.serial),
            name=facts.name,
        )


def _of_sightings(observed: ObservedDevice) -> Iterable[Account]:
    answers: dict[str, set[str]] = {}
    for sighting in observed.sightings:
        is_named = sighting.mac is not None and is_identifying_mac(sighting.mac)
        key = sighting.mac if is_named and sighting.mac else sighting.address
        answers.setdefault(key, set()).add(sighting.address)
    for key in sorted(answers):
        ips = tuple(sorted(answers[key]))
        macs = () if key in answers[key] else (key,)
        yield Account(label=f"{key} answered", macs=macs, ips=ips)
