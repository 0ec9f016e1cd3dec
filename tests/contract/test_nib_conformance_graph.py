"""Every NIB backend behaves the same: sightings, merged devices, links."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pdsno.domain.entities import Claim, LinkStatus
from pdsno.domain.errors import ConflictError, LocalProtocolError, NotFoundError
from pdsno.domain.ports import DeviceFilter
from pdsno.nib import NIBStore
from tests.contract.nib_suite import STORES, device, later, link, name_of, put, router


@pytest.fixture(params=STORES, ids=name_of)
def nib(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NIBStore]:
    with request.param.open(tmp_path) as opened:
        yield opened


# --- touch and absorb ------------------------------------------------------------------------


def test_a_touch_advances_last_seen_and_nothing_else(nib: NIBStore) -> None:
    (stored, untouched) = put(nib, router(), device("dev_2"))
    with nib.transaction() as tx:
        tx.touch_devices(["dev_1", "dev_unknown"], later(60))
    assert nib.device("dev_1") == replace(stored, last_seen=later(60), missed=0)
    assert nib.device("dev_2") == untouched


def test_a_late_touch_does_not_take_last_seen_back(nib: NIBStore) -> None:
    (stored,) = put(nib, router())
    with nib.transaction() as tx:
        tx.touch_devices(["dev_1"], later(-60))
    assert nib.device("dev_1") == replace(stored, missed=0)


def test_a_touch_takes_thousands_at_once(nib: NIBStore) -> None:
    put(nib, *(device(f"dev_{n:04}") for n in range(1200)))
    with nib.transaction() as tx:
        tx.touch_devices((f"dev_{n:04}" for n in range(1200)), later(5))
    assert {d.last_seen for d in nib.all_devices()} == {later(5)}


def test_an_absorbed_device_resolves_to_the_one_that_took_it(nib: NIBStore) -> None:
    _, _, c = put(nib, router("dev_a"), device("dev_b"), device("dev_c", name="c"))
    with nib.transaction() as tx:
        tx.put_claim(Claim(reporter="lc", device_id="dev_a", device=device("their")))
        tx.absorb_device("dev_a", "dev_b")
        tx.absorb_device("dev_b", "dev_c")
    assert nib.device("dev_a") == nib.device("dev_b") == c
    assert nib.all_devices() == (c,)
    assert nib.own_id("lc", "their") == "dev_c"
    assert nib.devices(DeviceFilter(mac="02:00:00:00:00:01")).items == ()
    with pytest.raises(ConflictError, match="merged into dev_c"):
        put(nib, device("dev_a"))


def test_only_known_and_different_devices_are_merged(nib: NIBStore) -> None:
    put(nib, device("dev_a"))
    for absorbed, into in (("dev_a", "dev_x"), ("dev_x", "dev_a")):
        with pytest.raises(NotFoundError, match="dev_x"), nib.transaction() as tx:
            tx.absorb_device(absorbed, into)
    with pytest.raises(LocalProtocolError), nib.transaction() as tx:
        tx.absorb_device("dev_a", "dev_a")


# --- links -----------------------------------------------------------------------------------


def test_links_are_replaced_as_a_whole(nib: NIBStore) -> None:
    kept, changed, gone = (link(f"l{n}", f"dev_{n}", "dev_9") for n in range(3))
    with nib.transaction() as tx:
        tx.replace_links([kept, changed, gone])
    changed = replace(changed, status=LinkStatus.CONFLICT, last_seen=later(1))
    new = link("l7", None, "dev_0", status=LinkStatus.CLAIMED)
    with nib.transaction() as tx:
        tx.replace_links(iter([new, changed, kept]))
    assert nib.links().items == (kept, changed, new)
    assert nib.links(device_id="dev_0").items == (kept, new)
    assert nib.links(status=LinkStatus.CONFLICT).items == (changed,)
    first = nib.links(limit=2)
    assert first.items == (kept, changed)
    assert nib.links(limit=2, after=first.next_after).items == (new,)
    with nib.transaction() as tx:
        tx.replace_links([])
    assert nib.links().items == ()
