"""Compares the fields of one expected device with its record. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pdsno.domain.compare_match import Traits, are_same_names, comparable_name
from pdsno.domain.entities import Device, Interface
from pdsno.domain.expectation import ExpectedDevice, ExpectedInterface
from pdsno.domain.identifiers import identifying_serial
from pdsno.domain.interface_names import spellings

_MIN_MODEL = 4
_HEWLETT = frozenset({"hp", "hpe", "hewlett", "hewlettpackard"})
_SAME_SYSTEM = frozenset({"linux", "frr"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A field whose values are not one. `found` None: nothing in the network told it."""

    field: str
    expected: str | None
    found: str | None
    evidence: str = ""

    @property
    def is_told(self) -> bool:
        """Tell whether the network told anything to compare with."""
        return self.found is not None


def field_differences(
    expected: ExpectedDevice, device: Device, traits: Traits
) -> Iterator[Difference]:
    """Yield what differs, and with `found` None what could not be compared.

    `traits` are those of the device.
    """
    if expected.is_exact:
        return
    yield from _scalars(expected, device)
    yield from _management(expected, device, traits)
    yield from _interfaces(expected, device, traits)
    yield from _loose(expected, device, traits)


def _scalars(expected: ExpectedDevice, device: Device) -> Iterator[Difference]:
    same_by_field = {
        "name": are_same_names(expected, device.name),
        "region": _folded(expected.region) == _folded(device.region),
        "serial": _serial(expected.serial) == _serial(device.serial),
        "vendor": _is_same_vendor(expected.vendor, device.vendor),
        "model": _is_same_model(expected.model, device.model),
        "platform": expected.platform == device.platform
        or {expected.platform, device.platform} == _SAME_SYSTEM,
    }
    for field, is_same in same_by_field.items():
        wanted = getattr(expected, field)
        found = getattr(device, field) or None
        if field == "name" and not (expected.is_named and comparable_name(wanted)):
            continue  # no name, an address, or a name that devices are born with
        if wanted and not is_same:
            yield Difference(field=field, expected=wanted, found=found)


def _management(expected: ExpectedDevice, device: Device, traits: Traits) -> Iterator[Difference]:
    address = expected.management_ip
    if address and address not in traits.addresses:
        yield Difference(
            field="management_ip", expected=address, found=device.management_ip or None
        )


def _loose(expected: ExpectedDevice, device: Device, traits: Traits) -> Iterator[Difference]:
    """Compare MACs and addresses that no expected interface has."""
    placed_macs = {one.mac for one in expected.interfaces if one.mac}
    placed_ips = {text.partition("/")[0] for one in expected.interfaces for text in one.ips}
    own = {expected.management_ip} if expected.management_ip else set()
    for field, wanted, shown in (
        ("macs", expected.macs - placed_macs, traits.macs),
        ("ips", expected.addresses - placed_ips - own, traits.addresses),
    ):
        missing = wanted - shown
        if missing:
            told = _listed(shown) if device.interfaces or (shown and field == "macs") else None
            yield Difference(field=field, expected=_listed(missing), found=told)
    if expected.tells_addresses:
        extra = traits.addresses - expected.addresses - own
        if extra:
            yield Difference(
                field="ips",
                expected=None,
                found=_listed(extra),
                evidence=f"on {_where(extra, device.interfaces)}",
            )


def _where(addresses: Iterable[str], interfaces: Iterable[Interface]) -> str:
    wanted = set(addresses)
    names = sorted(
        one.name for one in interfaces if wanted & {text.partition("/")[0] for text in one.ips}
    )
    return _listed(names) if names else "no interface that was told"


def _interfaces(expected: ExpectedDevice, device: Device, traits: Traits) -> Iterator[Difference]:
    if not expected.interfaces:
        return
    if not device.interfaces:
        yield Difference(field="interfaces", expected="interfaces", found=None)
        return
    by_spelling: dict[str, list[Interface]] = {}
    by_name = {one.name: one for one in device.interfaces}
    for one in device.interfaces:
        for text in spellings(one.name):
            by_spelling.setdefault(text, []).append(one)
    for wanted in expected.interfaces:
        found = by_name.get(wanted.name) or _spelt(wanted.name, by_spelling)
        if found is None:
            yield Difference(
                field=f"interfaces.{wanted.name}", expected="an interface", found="none"
            )
        else:
            yield from _interface(wanted, found, device, traits)


def _spelt(name: str, by_spelling: dict[str, list[Interface]]) -> Interface | None:
    near = {one.name: one for text in spellings(name) for one in by_spelling.get(text, ())}
    return next(iter(near.values())) if len(near) == 1 else None


def _interface(
    wanted: ExpectedInterface, found: Interface, device: Device, traits: Traits
) -> Iterator[Difference]:
    field = f"interfaces.{found.name}"
    if wanted.mac and wanted.mac != found.mac:
        yield Difference(field=f"{field}.mac", expected=wanted.mac, found=found.mac)
    lengths = {text.partition("/")[0]: text for text in found.ips}
    for text in wanted.ips:
        address, _, length = text.partition("/")
        shown = lengths.get(address)
        if shown is None:
            on_device = address in traits.addresses
            yield Difference(
                field=f"{field}.ips",
                expected=text,
                found=_listed(found.ips) or "no address",
                evidence=f"{address} is on {_where([address], device.interfaces)}"
                if on_device
                else "",
            )
        elif length and "/" in shown and shown.partition("/")[2] != length:
            yield Difference(field=f"{field}.ips", expected=text, found=shown)
    if wanted.is_enabled is not None and found.admin_status in {"up", "down"}:
        is_up = found.admin_status == "up"
        if is_up != wanted.is_enabled:
            yield Difference(
                field=f"{field}.enabled",
                expected="enabled" if wanted.is_enabled else "disabled",
                found=f"admin_status {found.admin_status}",
            )


def _listed(values: Iterable[str]) -> str:
    return ", ".join(sorted(values))


def _folded(text: str | None) -> str:
    return (text or "").casefold()


def _serial(text: str | None) -> str | None:
    return identifying_serial(text) or (_folded(text) or None)


def _bare(text: str | None) -> str:
    return re.sub(r"[^0-9a-z]", "", _folded(text))


def _is_same_vendor(one: str | None, other: str | None) -> bool:
    """Tell whether "Cisco" and "Cisco Systems, Inc." are one maker: their first words are."""
    first = [_bare(text.split()[0]) if text and text.split() else "" for text in (one, other)]
    return first[0] == first[1] or set(first) <= _HEWLETT


def _is_same_model(one: str | None, other: str | None) -> bool:
    """Tell whether "C9300-48P" and "c9300 48p (rev 2)" are one model: one contains the other."""
    short, long = sorted((_bare(one), _bare(other)), key=len)
    return short == long or (len(short) >= _MIN_MODEL and short in long)
