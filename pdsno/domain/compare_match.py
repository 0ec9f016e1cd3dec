"""Which record of a NIB an expected device is: by what both show, never by a guess. Pure.

Each thing that a pair shows in common counts: a name 4, a serial, a MAC and the management
address 3 each, another address 1. So name and management address together outweigh the hardware:
a box that was swapped is the same device with another serial. Pairs are taken from the strongest
down; where two are equally strong, both are left open and said to be ambiguous.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pdsno.domain.addresses import interface_address
from pdsno.domain.entities import Device, Endpoint
from pdsno.domain.expectation import ExpectedDevice
from pdsno.domain.identifiers import (
    identifying_name,
    identifying_serial,
    is_address,
    is_identifying_ip,
    is_identifying_mac,
    same_name,
)

_NAME, _HARDWARE, _MANAGEMENT, _ADDRESS = 4, 3, 3, 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Traits:
    """What a record shows that may tell which device it is."""

    record: str
    name: str | None = None
    serial: str | None = None
    region: str = ""
    macs: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Likeness:
    """How much an expected device and a record show in common; `common` is for people."""

    strength: tuple[int, int]
    common: tuple[str, ...]
    is_name_same: bool
    is_hardware: bool

    def __str__(self) -> str:
        return ", ".join(self.common)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """An expected device (by its index) and a record that looks like it."""

    expected: int
    record: str
    likeness: Likeness


@dataclass(kw_only=True, slots=True)
class Matching:
    """Which record is which device.

    `matched` is by index of the expected device. `repeated` are records that look like a device
    that another record is; `open_records` and `open_expected` have several equally good partners.
    """

    matched: dict[int, Pair] = field(default_factory=dict)
    repeated: dict[str, Pair] = field(default_factory=dict)
    open_records: dict[str, list[Pair]] = field(default_factory=dict)
    open_expected: dict[int, list[Pair]] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)


def device_traits(device: Device) -> Traits:
    """Return what a device of the NIB shows."""
    interfaces = device.interfaces
    addresses = {
        *device.ips,
        *(interface_address(text) for one in interfaces for text in one.ips),
        *([device.management_ip] if device.management_ip else []),
    }
    return Traits(
        record=device.device_id,
        name=device.name,
        serial=device.serial,
        region=device.region,
        macs=identifying_macs([*device.macs, *(one.mac for one in interfaces if one.mac)]),
        addresses=identifying_addresses(addresses),
    )


def endpoint_traits(endpoint: Endpoint) -> Traits:
    """Return what an endpoint of the NIB shows."""
    return Traits(
        record=endpoint.endpoint_id,
        region=endpoint.region,
        macs=identifying_macs([endpoint.mac] if endpoint.mac else []),
        addresses=identifying_addresses(endpoint.ips),
    )


def identifying_macs(macs: Iterable[str]) -> frozenset[str]:
    """Return the MACs that are of one device, in lower case."""
    return frozenset(mac.lower() for mac in macs if is_identifying_mac(mac.lower()))


def identifying_addresses(addresses: Iterable[str]) -> frozenset[str]:
    """Return the addresses that are of one device, without prefix lengths."""
    found = (text.partition("/")[0] for text in addresses)
    return frozenset(text for text in found if is_address(text) and is_identifying_ip(text))


def comparable_name(text: str | None) -> str | None:
    """Return a name in the form to compare; None for one that says nothing, and for addresses."""
    name = identifying_name(text)
    return None if name is None or is_address(name) else name


def are_same_names(expected: ExpectedDevice, name: str | None) -> bool:
    """Tell whether a record's name is the device's: neither case nor a missing domain matters."""
    shown = comparable_name(name)
    if shown is None:
        return False
    named = map(comparable_name, _names(expected))
    return any(text is not None and same_name(text, shown) for text in named)


def _names(expected: ExpectedDevice) -> tuple[str, ...]:
    return (expected.name, *expected.aliases) if expected.is_named else ()


def likeness(expected: ExpectedDevice, seen: Traits) -> Likeness | None:
    """Return what both show, or None if nothing speaks for it or something rules it out."""
    macs = expected.macs & seen.macs
    is_named = are_same_names(expected, seen.name)
    if expected.is_exact and seen.macs and not macs and not is_named:
        return None
    score, common = 0, []
    serial = identifying_serial(expected.serial)
    is_serial = serial is not None and serial == identifying_serial(seen.serial)
    if is_named:
        score, common = score + _NAME, [f"name {seen.name}"]
    if is_serial:
        score, common = score + _HARDWARE, [*common, f"serial {seen.serial}"]
    if macs:
        score, common = score + _HARDWARE, [*common, _some("MAC", macs)]
    addresses = _shared_addresses(expected, seen)
    if expected.management_ip in addresses:
        score, common = score + _MANAGEMENT, [*common, f"address {expected.management_ip}"]
    elif addresses:
        score, common = score + _ADDRESS, [*common, _some("address", addresses)]
    is_ruled_out = expected.is_exact and not macs and not addresses
    if not common or is_ruled_out:
        return None
    strength = (score, len(macs) + len(addresses))
    return Likeness(
        strength=strength,
        common=tuple(common),
        is_name_same=is_named,
        is_hardware=is_serial or bool(macs),
    )


def _shared_addresses(expected: ExpectedDevice, seen: Traits) -> frozenset[str]:
    """Return common addresses; those of two regions are two addresses that look alike."""
    if expected.region and seen.region and expected.region.casefold() != seen.region.casefold():
        return frozenset()
    own = {expected.management_ip} if expected.management_ip else set()
    return frozenset((expected.addresses | own) & seen.addresses)


def _some(what: str, values: Iterable[str]) -> str:
    first, *rest = sorted(values)
    return f"{what} {first}" + (f" and {len(rest)} more" if rest else "")


class _Index:
    """Finds the expected devices that may look like a record, without trying all."""

    def __init__(self, expected: Sequence[ExpectedDevice]) -> None:
        self._expected = expected
        self._by: dict[str, list[int]] = defaultdict(list)
        for index, one in enumerate(expected):
            for key in set(_keys_of_expected(one)):
                self._by[key].append(index)

    def pairs(self, seen: Traits) -> Iterator[Pair]:
        candidates = {index for key in _keys_of_seen(seen) for index in self._by.get(key, ())}
        for index in sorted(candidates):
            found = likeness(self._expected[index], seen)
            if found is not None:
                yield Pair(expected=index, record=seen.record, likeness=found)


def _keys_of_expected(one: ExpectedDevice) -> Iterator[str]:
    yield from _keys(_names(one), one.serial)
    yield from one.macs | one.addresses
    if one.management_ip:
        yield one.management_ip


def _keys_of_seen(seen: Traits) -> Iterator[str]:
    yield from _keys((seen.name,), seen.serial)
    yield from seen.macs | seen.addresses


def _keys(names: Iterable[str | None], serial: str | None) -> Iterator[str]:
    for name in map(comparable_name, names):
        if name is not None:
            yield f"name {name.partition('.')[0]}"
    folded = identifying_serial(serial)
    if folded is not None:
        yield f"serial {folded}"


def match(expected: Sequence[ExpectedDevice], seen: Iterable[Traits]) -> Matching:
    """Find each expected device among the records, each record at most once."""
    index = _Index(expected)
    pairs = [pair for traits in seen for pair in index.pairs(traits)]
    pairs.sort(key=lambda pair: (pair.expected, pair.record))
    by_strength: dict[tuple[int, int], list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_strength[pair.likeness.strength].append(pair)
    found = Matching(pairs=pairs)
    taken: set[str] = set()
    for strength in sorted(by_strength, reverse=True):
        _take_level(found, by_strength[strength], taken)
    for pair in sorted(pairs, key=lambda pair: pair.likeness.strength, reverse=True):
        is_free = pair.record not in taken and pair.record not in found.open_records
        if is_free and pair.expected in found.matched:
            found.repeated.setdefault(pair.record, pair)
    return found


def _take_level(found: Matching, level: Sequence[Pair], taken: set[str]) -> None:
    """Take the pairs of one strength whose both sides are still free."""

    def is_free(pair: Pair) -> bool:
        is_record_free = pair.record not in taken and pair.record not in found.open_records
        is_expected_free = pair.expected not in found.matched
        return is_record_free and is_expected_free and pair.expected not in found.open_expected

    free = [pair for pair in level if is_free(pair)]
    per_record: dict[str, list[Pair]] = defaultdict(list)
    per_expected: dict[int, list[Pair]] = defaultdict(list)
    for pair in free:
        per_record[pair.record].append(pair)
        per_expected[pair.expected].append(pair)
    for pair in free:
        rivals = per_expected[pair.expected]
        is_nobody_else = all(len(per_record[rival.record]) == 1 for rival in rivals)
        # Alone, or one device in pieces: each record has another of its addresses, none its name.
        pieces = {rival.likeness.common for rival in rivals if not rival.likeness.is_name_same}
        is_clear = is_nobody_else and (len(rivals) == 1 or len(pieces) == len(rivals))
        if is_clear or pair.likeness.is_hardware:
            # Hardware proves: what is left over repeats the device, or lacks a record.
            if pair.expected not in found.matched and pair.record not in taken:
                found.matched[pair.expected] = pair
                taken.add(pair.record)
        else:
            found.open_records.setdefault(pair.record, per_record[pair.record])
            found.open_expected.setdefault(pair.expected, per_expected[pair.expected])
