"""Compares expected links with those of a NIB. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pdsno.domain.entities import Device, Interface, Link, LinkStatus
from pdsno.domain.entities import LinkEnd as SeenEnd
from pdsno.domain.expectation import Ends, ExpectedLink, LinkEnd
from pdsno.domain.interface_names import spellings


@dataclass(frozen=True, kw_only=True, slots=True)
class Surplus:
    """A link of the NIB that is not expected, and why it does not count."""

    text: str
    why: str
    link: Link


@dataclass(kw_only=True, slots=True)
class LinkOutcome:
    """Which links are there, which are not, and which should not be."""

    found: set[Ends] = field(default_factory=set)
    missing: list[ExpectedLink] = field(default_factory=list)
    surplus: list[Surplus] = field(default_factory=list)


def link_text(ends: Iterable[LinkEnd]) -> str:
    """Return a link as people write it; ends in order."""
    return " - ".join(str(end) for end in sorted(ends))


class _Ends:
    """Finds the expected end that a NIB's end is, whatever the spelling of the port."""

    def __init__(self, links: Iterable[ExpectedLink]) -> None:
        self._exact: set[LinkEnd] = {end for link in links for end in link.ends}
        self._near: dict[tuple[str, str], set[LinkEnd]] = defaultdict(set)
        for end in self._exact:
            for text in spellings(end.interface):
                self._near[end.device, text].add(end)

    def find(self, device: str, interface: str) -> LinkEnd:
        end = LinkEnd(device=device, interface=interface)
        if end in self._exact:
            return end
        near = {one for text in spellings(interface) for one in self._near[device, text]}
        return near.pop() if len(near) == 1 else end


def compare_links(
    expected: Sequence[ExpectedLink], links: Iterable[Link], names: Mapping[str, str]
) -> LinkOutcome:
    """Sort links into found, missing and surplus; `names` are the expected ones of records."""
    index = _Ends(expected)
    told = {link.ends for link in expected if link.is_told}
    known = {link.ends for link in expected}
    outcome = LinkOutcome()
    good: set[Ends] = set()
    for link in links:
        ends = frozenset(_end(one, index, names) for one in (link.a, link.b))
        why = _why_surplus(link, ends, known, names) or ("recorded twice" if ends in good else "")
        if why:
            outcome.surplus.append(Surplus(text=link_text(ends), why=why, link=link))
        else:
            good.add(ends)
    outcome.found = good & told
    outcome.missing = [link for link in expected if link.is_told and link.ends not in good]
    return outcome


def _end(end: SeenEnd, index: _Ends, names: Mapping[str, str]) -> LinkEnd:
    shown = end.device or end.device_id or "unknown"
    return index.find(names.get(end.device_id or "", shown), end.interface or "")


def _why_surplus(link: Link, ends: Ends, known: set[Ends], names: Mapping[str, str]) -> str:
    strangers = [
        end.device or end.device_id or "unknown"
        for end in (link.a, link.b)
        if end.device_id not in names
    ]
    if strangers:
        return f"{', '.join(strangers)} is not expected"
    if ends not in known:
        return "no such link is expected"
    if link.status is LinkStatus.CONFLICT:
        return "the ends contradict each other"
    return ""


def why_missing(link: ExpectedLink, devices: Mapping[str, Device]) -> str:
    """Say what is known of the ends of a link that is not there; `devices` by expected name."""
    return "; ".join(_state_of_end(end, devices.get(end.device)) for end in sorted(link.ends))


def _state_of_end(end: LinkEnd, device: Device | None) -> str:
    if device is None:
        return f"{end.device} is not in the NIB"
    if not device.interfaces:
        return f"{end.device} told no interfaces"
    one = _find(device.interfaces, end.interface)
    if one is None:
        return f"{end.device} has no {end.interface}"
    heard = [
        f"hears {near.remote_name or near.remote_chassis_id} {near.remote_interface or ''}".strip()
        for near in device.neighbors
        if spellings(near.local_interface) & spellings(end.interface)
    ]
    return f"{end} is {one.oper_status or 'of unknown state'}" + "".join(f", {h}" for h in heard)


def _find(interfaces: Iterable[Interface], name: str) -> Interface | None:
    wanted = spellings(name)
    return next((one for one in interfaces if spellings(one.name) & wanted), None)
