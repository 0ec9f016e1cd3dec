"""Every NIB backend behaves the same: the ledger of cycles, and what came of each address."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from pdsno.domain.errors import ConflictError, InputError, LocalProtocolError
from pdsno.domain.observations import (
    AddressOutcome,
    Authority,
    CycleRecord,
    Interruption,
    Method,
    Outcome,
    Probe,
    StopReason,
)
from pdsno.nib import NIBStore
from tests.contract.nib_suite import (
    STORED,
    T0,
    Store,
    cycle,
    device,
    later,
    name_of,
)


def outcome(address: str, namespace: str = "zone-A") -> AddressOutcome:
    probes = (
        Probe(method=Method.ARP, outcome=Outcome.ANSWERED, rtt_ms=0.25),
        Probe(method=Method.SNMP, outcome=Outcome.TIMEOUT, detail="public"),
    )
    return AddressOutcome(namespace=namespace, address=address, probes=probes)


def keep(nib: NIBStore, cycle_id: str, at: datetime, *addresses: str, cycles: int = 2) -> None:
    outcomes = [outcome(address) for address in addresses]
    with nib.transaction() as tx:
        tx.put_cycle(cycle(cycle_id, at), outcomes, keep_cycles=cycles)


def told(cycle_id: str = "c1") -> CycleRecord:
    """A cycle that has a value in every field."""
    return cycle(
        cycle_id,
        authority=Authority(
            source="policy 3.14",
            requested_by="alice",
            rate_pps=12.5,
            exclude=("10.1.0.7/32",),
            passive_only=("10.1.0.128/25",),
            crawl=("10.2.0.0/16",),
            query=False,
            credentials=("ro", "backup"),
        ),
        started_at=later(-12.5),
        is_complete=False,
        counts={"answered": 3, "SSH timeout": 1},
        notes=("10.1.0.0/24: no leg",),
        interruptions=(Interruption(reason=StopReason.LINK_LOST, where="eth1", detail="down"),),
    )


def test_outcomes_are_ordered_by_address(nib: NIBStore) -> None:
    assert nib.address_outcomes() == (None, ())
    keep(nib, "c1", T0, "10.0.0.10", "10.0.0.9", "2001:db8::1", "9.9.9.9")
    cycle_id, found = nib.address_outcomes()
    assert cycle_id == "c1"
    assert [o.address for o in found] == ["9.9.9.9", "10.0.0.9", "10.0.0.10", "2001:db8::1"]
    assert found[0] == outcome("9.9.9.9")


def test_one_address_in_two_namespaces_has_two_outcomes(nib: NIBStore) -> None:
    both = [outcome("10.0.0.1", "zone-A"), outcome("10.0.0.1", "zone-A/red")]
    with nib.transaction() as tx:
        tx.put_cycle(cycle("c1"), both, keep_cycles=1)
    assert nib.address_outcomes() == ("c1", tuple(both))


def test_a_cycle_comes_back_with_who_allowed_it(nib: NIBStore) -> None:
    assert nib.cycles() == ()
    with nib.transaction() as tx:
        tx.put_cycle(told(), [], keep_cycles=3)
        assert tx.cycles() == (told(),)
    assert nib.cycles() == (told(),)
    assert nib.address_outcomes() == ("c1", ())


def test_the_newest_cycles_are_kept(nib: NIBStore) -> None:
    for n in range(1, 5):
        keep(nib, f"c{n}", later(n), f"10.0.0.{n}")
    assert nib.address_outcomes("c2") == (None, ())
    assert nib.address_outcomes("c3") == ("c3", (outcome("10.0.0.3"),))
    assert nib.address_outcomes() == ("c4", (outcome("10.0.0.4"),))
    assert nib.cycles() == (cycle("c4", later(4)), cycle("c3", later(3)))
    assert nib.cycles(limit=1) == (cycle("c4", later(4)),)
    with pytest.raises(LocalProtocolError):
        keep(nib, "c5", T0, cycles=0)
    with pytest.raises(InputError):
        nib.cycles(limit=0)


def test_a_cycle_put_again_is_replaced(nib: NIBStore) -> None:
    keep(nib, "c3", later(3), "10.0.0.3")
    keep(nib, "c4", later(4), "10.0.0.4")
    keep(nib, "c4", later(9), "10.0.0.5")
    assert nib.address_outcomes("c4") == ("c4", (outcome("10.0.0.5"),))
    assert nib.address_outcomes("c3") == ("c3", (outcome("10.0.0.3"),))
    assert [c.cycle_id for c in nib.cycles()] == ["c4", "c3"]


def test_a_cycle_recorded_under_a_clock_set_back_is_still_the_newest(nib: NIBStore) -> None:
    keep(nib, "c1", T0, "10.0.0.1", cycles=1)
    keep(nib, "c2", later(-3600), "10.0.0.2", cycles=1)
    assert nib.address_outcomes()[0] == "c2"
    assert [c.cycle_id for c in nib.cycles()] == ["c2"]


def test_a_cycle_without_a_time_zone_is_refused(nib: NIBStore) -> None:
    naive = datetime(2025, 3, 1)  # noqa: DTZ001 - what is to be refused
    for wrong in (cycle("c1", naive), replace(cycle("c1"), started_at=naive)):
        with pytest.raises(LocalProtocolError, match="no time zone"), nib.transaction() as tx:
            tx.put_cycle(wrong, [], keep_cycles=1)


def test_a_cycle_whose_transaction_fails_is_not_in_the_ledger(nib: NIBStore) -> None:
    def record_and_stumble() -> None:
        with nib.transaction() as tx:
            tx.put_cycle(told(), [outcome("10.0.0.1")], keep_cycles=1)
            tx.put_device(device(), expected_version=9)

    keep(nib, "c0", T0, "10.0.0.9")
    with pytest.raises(ConflictError):
        record_and_stumble()
    assert nib.cycles() == (cycle("c0"),)
    assert nib.address_outcomes() == ("c0", (outcome("10.0.0.9"),))


@pytest.mark.parametrize("store", STORED, ids=name_of)
def test_the_ledger_is_there_after_closing_and_opening(store: Store, tmp_path: Path) -> None:
    with store.open(tmp_path) as nib, nib.transaction() as tx:
        tx.put_cycle(told(), [outcome("10.0.0.1")], keep_cycles=1)
    with store.open(tmp_path) as nib:
        assert nib.cycles() == (told(),)
        assert nib.address_outcomes() == ("c1", (outcome("10.0.0.1"),))
