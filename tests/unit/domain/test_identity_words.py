"""What a person said of two devices comes before the evidence, in each direction."""

from pdsno.domain.constraints import Marks, Verb, Word, Words, marks_of, side_of, tell_apart
from pdsno.domain.entities import Device
from pdsno.domain.matching import match
from pdsno.domain.profiles import of_device
from tests.unit.domain.builders import NOW, device, mac


def box(device_id: str, *numbers: int, **values: object) -> Device:
    default: dict[str, object] = {
        "namespace": "zone-A",
        "macs": tuple(mac(n) for n in numbers),
        "ips": (f"10.0.0.{numbers[0]}",),
        "management_ip": f"10.0.0.{numbers[0]}",
        "sources": ("snmp",),
        "name": "r1",
    }
    return device(device_id, **default | values)


def word(verb: Verb, a: Device, b: Device) -> Word:
    sides = tell_apart(marks_of(a), marks_of(b))
    return Word(
        word_id="w",
        verb=verb,
        a_id=a.device_id,
        b_id=b.device_id,
        a=sides[0],
        b=sides[1],
        by="alice",
        at=NOW,
    )


def groups(known: list[Device], new: list[Device], words: Words) -> list[tuple[list[str], int]]:
    profiles = [of_device(d, is_past=True) for d in known]
    found = match(known, profiles, [of_device(d, is_past=False) for d in new], words)
    return sorted((sorted(d.device_id for d in m.known), len(m.new)) for m in found)


A, B = box("a", 1, serial="ONE1"), box("b", 2, 3, 4)
BOTH = box("n", 1, 2, 3, 4, serial="ONE1")


def test_evidence_joins_two_known_ones_through_what_is_like_both() -> None:
    assert groups([A, B], [BOTH], Words()) == [(["a", "b"], 1)]


def test_told_apart_they_are_not_joined_whatever_is_like_both() -> None:
    words = Words((word(Verb.APART, A, B),))
    found = groups([A, B], [BOTH], words)
    assert all(len(known) <= 1 for known, _ in found)
    assert sum(count for _, count in found) == 1


def test_an_account_of_one_side_is_never_the_other_known_device() -> None:
    known, other = box("a", 1, 8, 9), box("n", 2, 8, 9)
    words = Words((word(Verb.APART, known, other),))
    assert groups([known], [other], Words()) == [(["a"], 1)]
    assert groups([known], [other], words) == [([], 1), (["a"], 0)]


def test_what_was_merged_is_the_survivor_though_evidence_says_otherwise() -> None:
    merged = box("a", 1, 2, serial="ONE1")
    other = box("n", 2, serial="TWO2", ips=("10.0.0.2",), management_ip="10.0.0.2")
    words = Words((word(Verb.TOGETHER, box("a", 1), box("b", 2)),))
    assert groups([merged], [other], Words()) == [([], 1), (["a"], 0)]
    assert groups([merged], [other], words) == [(["a"], 1)]


def test_an_account_is_compared_by_the_strongest_kind_of_mark_that_both_have() -> None:
    a = Marks(namespace="zone-A", macs=(mac(1),), ips=("10.0.0.1",))
    b = Marks(namespace="zone-A", ips=("10.0.0.2",), serials=("s2",))
    said = Word(word_id="w", verb=Verb.APART, a_id="a", b_id="b", a=a, b=b, by="x", at=NOW)

    def side(*numbers: int, ip: str, **values: object) -> str | None:
        shown = box("n", *(numbers or (7,)), ips=(ip,), management_ip=ip, **values)
        return side_of(of_device(shown, is_past=False), said)

    assert side(1, ip="10.0.0.9") == "a"
    assert side(7, ip="10.0.0.1") is None
    assert side(7, ip="10.0.0.2") == "b"
    assert side(7, ip="10.0.0.2", serial="S9X") is None
    assert side(1, ip="10.0.0.2", serial="S2") == "a"
    elsewhere = box("n", 7, ips=("10.0.0.2",), management_ip="10.0.0.2", namespace="zone-B")
    assert side_of(of_device(elsewhere, is_past=False), said) is None
