"""The record of a sweep: every address has an outcome, and a dead link makes nobody missing."""

import ipaddress

from pdsno.discovery.sweep.choose import Segment, segments_of
from pdsno.discovery.sweep.heard import Heard, assemble
from pdsno.discovery.sweep.interfaces import LocalAddress
from pdsno.discovery.targets import Target
from pdsno.domain.observations import Interruption, Method, Outcome, Sighting, StopReason
from tests.unit.domain.builders import NOW

OWN = LocalAddress(
    interface="eth1",
    mac="02:00:00:00:00:01",
    address="10.0.0.1",
    network=ipaddress.IPv4Network("10.0.0.0/28"),
    can_arp=True,
)
TARGET = Target(subnet="10.0.0.0/28", exclude=("10.0.0.8/30",), passive_only=("10.0.0.10/31",))
LOST = Interruption(reason=StopReason.LINK_LOST, where="eth1", detail="eth1 is down")


def segment() -> Segment:
    (made,) = segments_of(TARGET, [OWN])
    return made


def heard(*answered: str, silent: tuple[str, ...] = ()) -> Heard:
    made = Heard(segment=segment(), methods=(Method.ARP,))
    seen = [
        Sighting(address=a, mac="02:00:00:00:00:09", method=Method.ARP, at=NOW) for a in answered
    ]
    made.record(Method.ARP, [*answered, *silent], seen)
    made.covered |= {*answered, *silent}
    return made


def told(made: Heard) -> dict[str, list[tuple[Outcome, str]]]:
    made.close(made.lost)
    probes = assemble(TARGET, [made], [OWN]).probes
    return {address: [(p.outcome, p.detail) for p in items] for address, items in probes.items()}


def test_every_address_of_a_target_has_an_outcome_and_a_reason() -> None:
    found = told(heard("10.0.0.2", silent=("10.0.0.3",)))
    assert set(found) == {f"10.0.0.{n}" for n in range(1, 15)}
    assert found["10.0.0.1"] == [(Outcome.NOT_TRIED, "an address of this machine")]
    assert found["10.0.0.2"] == [(Outcome.ANSWERED, "")]
    assert found["10.0.0.3"] == [(Outcome.SILENT, "")]
    assert found["10.0.0.4"] == [(Outcome.NOT_TRIED, "the sweep was stopped")]
    assert found["10.0.0.9"] == found["10.0.0.10"] == [(Outcome.EXCLUDED, "by policy")]


def test_after_a_lost_link_only_who_answered_is_covered() -> None:
    made = heard("10.0.0.2", silent=("10.0.0.3",))
    made.lost = LOST
    found = told(made)
    assert found["10.0.0.2"] == [(Outcome.ANSWERED, "")]
    assert found["10.0.0.3"] == [(Outcome.UNREACHABLE, "link lost: eth1 is down")]
    assert found["10.0.0.4"] == [(Outcome.NOT_TRIED, "link lost: eth1 is down")]
    result = assemble(TARGET, [made], [OWN]).result
    assert (result.probed, result.is_complete) == (("10.0.0.2/32",), False)
    assert result.interruptions == (LOST,)
    assert result.notes == (
        "10.0.0.0/28: link lost: eth1 is down; only who answered before counts",
    )


def test_a_sweep_that_failed_says_so_of_each_address_that_it_did_not_ask() -> None:
    made = heard()
    made.close(None, "eth1: ARP failed: No buffer space available")
    probes = assemble(TARGET, [made], [OWN]).probes
    assert probes["10.0.0.2"][0].detail == "eth1: ARP failed: No buffer space available"


def test_a_whole_sweep_covers_what_policy_allows() -> None:
    made = heard(silent=segment().addresses)
    made.close(None)
    result = assemble(TARGET, [made], [OWN]).result
    assert result.is_complete
    covered = {str(ip) for prefix in result.probed for ip in ipaddress.ip_network(prefix)}
    assert not covered & {f"10.0.0.{n}" for n in range(8, 12)}
    assert {"10.0.0.2", "10.0.0.14"} <= covered


def test_a_sighting_names_its_lan() -> None:
    assert [s.segment for s in heard("10.0.0.2").sightings] == ["eth1"]
