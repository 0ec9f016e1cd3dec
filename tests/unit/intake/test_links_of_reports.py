"""Links derived from what a report touched are those that all devices of the NIB show."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdsno.domain.entities import Device, DeviceStatus, LinkEnd, NewEvent
from pdsno.domain.links import derive_links, link_events
from pdsno.domain.messages import Absorbed, DiscoveryReport
from pdsno.domain.ports import NIB
from pdsno.nib import NIBStore, sql_reader
from pdsno.nib.sql_session import Row, Session
from tests.unit.domain.builders import later, mac
from tests.unit.domain.test_links_rules import ENTRIES, PORTS, hears, switch
from tests.unit.intake.test_reports import apply, report

_REPORTERS = ("lc-0", "lc-1")
_NUMBERS = st.integers(min_value=1, max_value=4)


@st.composite
def devices(draw: st.DrawFn) -> Device:
    """One of four switches, that may look a little like another, with any neighbours."""
    number = draw(_NUMBERS)
    values: dict[str, Any] = {
        "name": draw(st.sampled_from([None, f"sw{number}", "sw3", "sw3.example"])),
        "chassis_id": draw(st.sampled_from([None, mac(100 * number), mac(300)])),
        "ips": draw(st.sampled_from([(), (f"10.0.0.{number}",), ("10.0.0.3",)])),
        "namespace": draw(st.sampled_from(["zone-A", "zone-B"])),
        "status": draw(st.sampled_from([DeviceStatus.ACTIVE] * 3 + [DeviceStatus.INACTIVE])),
        "region": draw(st.sampled_from(["zone-A", "zone-B"])),
    }
    heard = [*draw(st.lists(ENTRIES, max_size=3))]
    if draw(st.booleans()):
        heard.append(hears(PORTS[0], draw(_NUMBERS), draw(st.sampled_from([*PORTS, "7"]))))
    return replace(switch(number, *heard), **values)


@st.composite
def reports(draw: st.DrawFn) -> tuple[str, DiscoveryReport]:
    """Any part of what a reporter may tell in one message."""
    told = {device.device_id: device for device in draw(st.lists(devices(), max_size=3))}
    others = [f"dev_{n}" for n in range(1, 5) if f"dev_{n}" not in told]
    at = later(draw(st.integers(min_value=1, max_value=50)))
    values: dict[str, Any] = {"finished_at": at}
    what = draw(st.sampled_from(["seen", "seen", "retired", "absorbed", "full", "nothing"]))
    if what in {"seen", "retired"}:
        values[what] = tuple(others[:2])
    elif what == "absorbed" and told and others:
        values["absorbed"] = (Absorbed(device_id=others[0], into_id=min(told)),)
    values["is_full"] = what == "full"
    seen = (replace(d, last_seen=at) if draw(st.booleans()) else d for d in told.values())
    return draw(st.sampled_from(_REPORTERS)), report(*seen, **values)


def _link_events(nib: NIB, after_seq: int) -> list[NewEvent]:
    told = nib.events(after_seq=after_seq, limit=1000)
    return [
        NewEvent(
            event_type=e.event_type,
            subject=e.subject,
            actor=e.actor,
            at=e.at,
            region=e.region,
            data=e.data,
        )
        for e in told
        if e.event_type.startswith("LINK_")
    ]


def _check(nib: NIB, told: Iterable[tuple[str, DiscoveryReport]]) -> None:
    for reporter, what in told:
        before = nib.links(limit=1000).items
        last = max((e.seq for e in nib.events(limit=1, newest_first=True)), default=0)
        apply(nib, reporter, what)
        known = nib.all_devices()
        after = nib.links(limit=1000).items
        assert after == derive_links(known)
        regions = {device.device_id: device.region for device in known}
        was = [replace(k, a=_now_called(nib, k.a), b=_now_called(nib, k.b)) for k in before]
        expected = link_events(was, after, actor="me", now=what.finished_at, region_of=regions.get)
        assert _link_events(nib, last) == list(expected)


def _now_called(nib: NIB, end: LinkEnd) -> LinkEnd:
    device = nib.device(end.device_id) if end.device_id else None
    return replace(end, device_id=device.device_id) if device else end


@settings(max_examples=300, deadline=None)
@given(st.lists(reports(), max_size=8))
def test_links_are_those_of_all_devices_after_any_reports(
    told: list[tuple[str, DiscoveryReport]],
) -> None:
    with NIBStore("memory://") as nib:
        _check(nib, told)


@settings(max_examples=60, deadline=None)
@given(st.lists(reports(), max_size=6))
def test_so_they_are_in_a_database(told: list[tuple[str, DiscoveryReport]]) -> None:
    with TemporaryDirectory() as folder, NIBStore(Path(folder) / "nib.db") as nib:
        _check(nib, told)


def test_the_reports_of_the_property_make_links_and_change_them() -> None:
    one, two = (switch(n, hears(PORTS[0], 3 - n, PORTS[0])) for n in (1, 2))
    with NIBStore("memory://") as nib:
        _check(
            nib,
            [
                ("lc-0", report(one)),
                ("lc-1", report(two)),
                ("lc-0", report(finished_at=later(9), seen=("dev_1",))),
            ],
        )
        (link,) = nib.links().items
        assert link.last_seen == later(9)
        kinds = [e.event_type for e in nib.events() if e.event_type.startswith("LINK_")]
        assert kinds == ["LINK_APPEARED", "LINK_CHANGED"]


@pytest.mark.parametrize("network", [10, 60])
def test_a_report_reads_its_neighbourhood_and_not_the_network(
    network: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ring of switches: one of them changes, and as many devices are read in any ring."""
    with NIBStore(tmp_path / "nib.db") as nib:
        ring = [
            switch(
                n,
                hears(PORTS[0], n % network + 1, PORTS[1]),
                hears(PORTS[1], (n - 2) % network + 1, PORTS[0]),
            )
            for n in range(1, network + 1)
        ]
        apply(nib, "lc-0", report(*ring))
        assert len(nib.links(limit=1000).items) == network
        known = {device.device_id for device in nib.all_devices()}
        read: set[str] = set()
        original = sql_reader._with_interfaces

        def noted(session: Session, rows: Sequence[Row]) -> tuple[Device, ...]:
            read.update(row["device_id"] for row in rows)
            return original(session, rows)

        monkeypatch.setattr(sql_reader, "_with_interfaces", noted)
        apply(nib, "lc-0", report(replace(ring[4], name="other")))
        assert 3 <= len(read & known) <= 9
