"""Pages of devices in SQLite: along which index they are read, and that none changes them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from pdsno.domain.entities import DeviceType
from pdsno.domain.ordering import DEVICE_ORDERS
from pdsno.domain.ports import DeviceFilter
from pdsno.nib import NIBStore, sql_pages
from pdsno.nib.sql_session import Session
from tests.contract.nib_suite import device, put

FEW, ALL = 10, 60
ROUTERS = DeviceFilter(device_type=DeviceType.ROUTER)
SORTED = "USE TEMP B-TREE FOR ORDER BY"
DEVICES = [
    device(
        f"dev_{n:02}",
        # By name they come in another order, and some have none.
        name=None if n % 7 == 0 else f"n{n * 37 % ALL:02}",
        region="zone-A" if n % 2 else "zone-B",
        device_type="router" if n % 20 == 1 else "switch",
        macs=(f"02:00:00:00:00:{n:02x}",),
        ips=(f"10.0.0.{n}",),
    )
    for n in range(ALL)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def nib(folder: Path) -> Iterator[NIBStore]:
    with NIBStore(folder / "nib.db") as store:
        put(store, *DEVICES)
        yield store


@pytest.fixture(scope="module")
def memory() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        put(store, *DEVICES)
        yield store


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_pages, "MANY", FEW)
    monkeypatch.setattr(sql_pages, "_COUNTS", WeakKeyDictionary())


@pytest.fixture
def plan(nib: NIBStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What SQLite says it does for the statements that are run."""
    assert nib.counts().devices
    told: list[str] = []
    rows = Session.rows

    def explained(session: Session, statement: Any, params: Any = None) -> Any:  # noqa: ANN401
        compiled = statement.compile(dialect=sqlite.dialect())
        values = {**compiled.params, **(params or {})}
        with closing(sqlite3.connect(folder / "nib.db")) as raw:
            asked = [values[name] for name in compiled.positiontup]
            told.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {compiled}", asked))
        return rows(session, statement, params)

    monkeypatch.setattr(Session, "rows", explained)
    return told


def read_by(plan: list[str]) -> list[str]:
    """Return the indexes along which devices were read."""
    lines = [line for line in plan if "devices USING INDEX" in line]
    return [line.partition("USING INDEX ")[2].split()[0] for line in lines]


def test_a_page_of_one_value_is_read_along_its_index(nib: NIBStore, plan: list[str]) -> None:
    nib.device_items(DeviceFilter(region="zone-A"))
    assert read_by(plan) == ["ix_devices_region"]
    assert not [line for line in plan if "COVERING" in line], "nothing has to be counted"


def test_a_page_of_a_common_value_is_not_sorted(nib: NIBStore, plan: list[str]) -> None:
    nib.device_items(DeviceFilter(region="zone-A"), limit=9, order="-name")
    assert read_by(plan) == ["ix_devices_name"]
    assert SORTED not in plan


def test_of_two_values_the_rarer_one_is_looked_for(nib: NIBStore, plan: list[str]) -> None:
    nib.device_items(DeviceFilter(region="zone-A", device_type=DeviceType.ROUTER))
    assert read_by(plan) == ["ix_devices_device_type"]


def test_few_devices_are_found_and_then_sorted(nib: NIBStore, plan: list[str]) -> None:
    nib.device_items(ROUTERS, order="-name")
    assert set(read_by(plan)) == {"ix_devices_device_type"}
    assert SORTED in plan


@pytest.mark.parametrize("order", [None, "name", "region"])
def test_a_mac_is_looked_for_before_anything_else(
    nib: NIBStore, plan: list[str], order: str | None
) -> None:
    where = DeviceFilter(region="zone-A", device_type=DeviceType.SWITCH, mac="02:00:00:00:00:01")
    nib.device_items(where, order=order)
    assert all("device_id=?" in line for line in plan if "devices USING INDEX" in line)
    assert any("ix_macs_mac" in line for line in plan)


def test_values_are_not_counted_for_each_page(nib: NIBStore, plan: list[str]) -> None:
    where = DeviceFilter(region="zone-A", device_type=DeviceType.SWITCH)
    after = nib.device_items(where, limit=5).next_after
    counted = len(plan)
    nib.device_items(where, limit=5, after=after)
    assert not [line for line in plan[counted:] if "COVERING" in line]


_ORDERS = (
    st.none() | st.sampled_from(DEVICE_ORDERS) | st.sampled_from(DEVICE_ORDERS).map("-{}".format)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    values=st.fixed_dictionaries(
        {},
        optional={
            "region": st.sampled_from(["zone-A", "zone-B", "zone-C"]),
            "device_type": st.sampled_from([DeviceType.ROUTER, DeviceType.SWITCH]),
            "name": st.just("n37"),
            "ip": st.sampled_from(["10.0.0.0/28", "10.0.0.1", "10.0.0.0/8"]),
            "mac": st.just("02:00:00:00:00:01"),
            "q": st.sampled_from(["n3", "10.0.0.1"]),
        },
    ),
    order=_ORDERS,
)
def test_whatever_index_is_read_the_pages_are_the_same(
    nib: NIBStore, memory: NIBStore, values: dict[str, Any], order: str | None
) -> None:
    where, after = DeviceFilter(**values), None
    for _ in range(ALL):
        found = nib.device_items(where, limit=8, after=after, order=order)
        assert found == memory.device_items(where, limit=8, after=after, order=order)
        after = found.next_after
        if after is None:
            return
    pytest.fail("the pages do not end")
