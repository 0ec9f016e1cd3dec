"""Whatever people and reports do in whatever order: no device is lost, no word is broken."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pdsno.domain.constraints import Verb
from pdsno.domain.entities import Device
from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import Role
from pdsno.domain.persons_report import Tier
from pdsno.domain.persons_word import words_of
from pdsno.domain.ports import NIB
from pdsno.nib import NIBStore
from tests.unit.discovery.cycle_site import CycleSite
from tests.unit.discovery.test_cycle_words import box, one_chassis
from tests.unit.domain.builders import later, mac
from tests.unit.domain.persons import LOCAL, merge, split
from tests.unit.intake.test_reports import apply, host, report

REGIONAL = Tier(controller_id="me", role=Role.REGIONAL, region="zone-A")
_numbers = st.integers(min_value=0, max_value=5)
_steps = st.lists(
    st.tuples(st.sampled_from(["report", "cycle", "merge", "split"]), _numbers, _numbers),
    max_size=12,
)


def _chosen(nib: NIB, number: int) -> Device | None:
    devices = nib.all_devices()
    return devices[number % len(devices)] if devices else None


def _person(nib: NIB, what: str, one: int, other: int, tier: Tier = LOCAL) -> None:
    """Merge or split some device, as far as that can be done."""
    device, second = _chosen(nib, one), _chosen(nib, other)
    if device is None or second is None:
        return
    try:
        if what == "merge":
            merge(nib, device.device_id, second.device_id, tier=tier)
        else:
            keep = [device.ips[other % len(device.ips)]] if device.ips else []
            split(nib, device.device_id, *keep, tier=tier)
    except InputError:
        pass  # one device already, or one part only: refused, and nothing has changed


def _check_words(nib: NIB) -> None:
    for word in words_of(nib).words:
        a, b = nib.device(word.a_id), nib.device(word.b_id)
        if word.verb is Verb.APART:
            assert a is None or b is None or a.device_id != b.device_id
        else:
            assert a == b


@settings(max_examples=40, deadline=None)
@given(steps=_steps)
def test_at_a_tier_with_reporters_no_claim_loses_its_device(
    steps: list[tuple[str, int, int]],
) -> None:
    with NIBStore("memory://") as nib:
        told = set()
        for what, one, other in steps:
            if what in {"merge", "split"}:
                _person(nib, what, one, other, tier=REGIONAL)
            else:
                # Two reporters tell of the same three hosts, of which two look like one.
                reporter, number = f"lc-{other % 2}", one % 3
                macs = (mac(number), mac(9)) if number else (mac(1), mac(8), mac(9))
                theirs = host(f"dev_{number}", number + 1, macs=macs, name=f"h{one}")
                apply(nib, reporter, report(theirs))
                told.add((reporter, theirs.device_id))
            _check_words(nib)
            for reporter, their_id in told:
                own_id = nib.own_id(reporter, their_id)
                assert own_id is not None
                device = nib.device(own_id)
                assert device is not None
                assert device.device_id == own_id


@settings(max_examples=25, deadline=None)
@given(steps=_steps)
def test_at_a_local_controller_every_host_is_there_and_words_hold(
    steps: list[tuple[str, int, int]],
) -> None:
    with NIBStore("memory://") as nib:
        site = CycleSite(nib)
        for number, (what, one, other) in enumerate(steps):
            if what in {"merge", "split"}:
                _person(nib, what, one, other)
            else:
                answering = [box(n) for n in (3, 4, 5) if n != one]
                site.cycle(*one_chassis(), *answering, at=later(number + 1))
                held = {m for device in nib.all_devices() for m in device.macs}
                assert {i.mac for f in answering for i in f.interfaces} | {mac(1)} <= held
                ips = {ip for device in nib.all_devices() for ip in device.ips}
                assert {"10.0.0.1", "10.0.0.2"} <= ips
            _check_words(nib)


def test_the_steps_of_the_property_do_merge_and_split() -> None:
    with NIBStore("memory://") as nib:
        for number in (1, 2):
            apply(nib, "lc-0", report(replace(host(f"dev_{number}", number), name=f"h{number}")))
        _person(nib, "merge", 0, 1, tier=REGIONAL)
        assert len(nib.all_devices()) == 1
        _person(nib, "split", 0, 0, tier=REGIONAL)
        assert len(nib.all_devices()) == 2
