"""Compares what is expected with what a NIB holds: one rule for labs, inventories and NetBox. Pure.

"Not told" is never "different": a field that no source in the network told cannot be compared, and
is counted apart.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pdsno.domain.compare_evidence import (
    describe_device,
    describe_expected,
    probed_by,
    told_by,
)
from pdsno.domain.compare_fields import field_differences
from pdsno.domain.compare_links import LinkOutcome, compare_links, link_text, why_missing
from pdsno.domain.compare_match import Pair, device_traits, endpoint_traits, match
from pdsno.domain.entities import Device, DeviceStatus, Endpoint, Link
from pdsno.domain.expectation import Expectation, ExpectedDevice, Presence
from pdsno.domain.identifiers import lan_of

_DEVICE, _LINK = "device", "link"


class Kind(StrEnum):
    """What is wrong."""

    MISSING = "missing"
    UNEXPECTED = "unexpected"
    DIFFERENT = "different"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One difference, with its evidence.

    `what` is a device or a link, `record` its ID in the NIB; `told_by` names who told `found`,
    `place` is where `expected` is written.
    """

    kind: Kind
    what: str
    name: str
    field: str | None = None
    expected: str | None = None
    found: str | None = None
    evidence: str = ""
    told_by: str | None = None
    last_seen: datetime | None = None
    record: str | None = None
    place: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """What a NIB holds. `probed` are the subnets of each controller, None if nobody was asked."""

    devices: Sequence[Device]
    endpoints: Sequence[Endpoint] = ()
    links: Sequence[Link] = ()
    probed: Mapping[str, Sequence[str]] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The outcome.

    `repeated` names the device that each surplus record repeats, `open_records` are those with
    several equally good partners; `not_told` counts, by field, what could not be compared.
    """

    devices_expected: int
    devices_found: int
    links_expected: int
    links_found: int
    findings: tuple[Finding, ...]
    repeated: Mapping[str, str] = field(default_factory=dict)
    open_records: tuple[str, ...] = ()
    not_told: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_equal(self) -> bool:
        """Tell whether nothing was found."""
        return not self.findings

    def of(self, kind: Kind, what: str = _DEVICE) -> list[Finding]:
        """Return the findings of one kind about devices, or about links."""
        return [one for one in self.findings if one.kind is kind and one.what == what]


def compare(expectation: Expectation, picture: Picture) -> Comparison:
    """Compare a NIB with what is expected.

    Only active devices count as found, and hosts on record as endpoints. A link counts if both
    ends are expected devices at the expected interfaces, and the NIB does not call it a conflict;
    any other link, and the second record of one link, is unexpected.
    """
    return _Comparing(expectation, picture).result()


class _Comparing:
    """One comparison under way."""

    def __init__(self, expectation: Expectation, picture: Picture) -> None:
        self._expected = expectation.devices
        self._links = expectation.links
        self._picture = picture
        self._by_id = {one.device_id: one for one in picture.devices}
        active = [one for one in picture.devices if one.status is DeviceStatus.ACTIVE]
        self._active = {one.device_id: one for one in active}
        self._traits = {one.device_id: device_traits(one) for one in active}
        self._matching = match(self._expected, self._traits.values())
        self._hosts = self._match_hosts()
        self._lost = self._match_lost()
        self._not_told: Counter[str] = Counter()
        self._lans: Counter[str] | None = None

    def _unmatched(self) -> list[int]:
        return [i for i in range(len(self._expected)) if i not in self._matching.matched]

    def _match_hosts(self) -> dict[int, Endpoint]:
        """Find devices without a record of their own among the endpoints."""
        left = self._unmatched()
        endpoints = {one.endpoint_id: one for one in self._picture.endpoints}
        found = match([self._expected[i] for i in left], map(endpoint_traits, endpoints.values()))
        return {left[index]: endpoints[pair.record] for index, pair in found.matched.items()}

    def _match_lost(self) -> dict[int, Pair]:
        """Find missing devices among the records that are not active."""
        left = [i for i in self._unmatched() if i not in self._hosts]
        lost = [one for one in self._picture.devices if one.status is not DeviceStatus.ACTIVE]
        found = match([self._expected[i] for i in left], map(device_traits, lost))
        return {left[index]: pair for index, pair in found.matched.items()}

    def result(self) -> Comparison:
        findings = [one for i in range(len(self._expected)) for one in self._of_expected(i)]
        findings += self._of_records()
        links = self._compare_links()
        findings += self._of_links(links)
        required = {i for i, one in enumerate(self._expected) if one.presence is Presence.MUST}
        return Comparison(
            devices_expected=len(required),
            devices_found=len(required & (self._matching.matched.keys() | self._hosts.keys())),
            links_expected=len({link.ends for link in self._links or () if link.is_told}),
            links_found=len(links.found),
            findings=tuple(sorted(findings, key=_order)),
            repeated={
                record: self._expected[pair.expected].name
                for record, pair in self._matching.repeated.items()
            },
            open_records=tuple(sorted(self._matching.open_records)),
            not_told=dict(sorted(self._not_told.items())),
        )

    # --- devices -----------------------------------------------------------------------------

    def _of_expected(self, index: int) -> Iterator[Finding]:
        expected = self._expected[index]
        if expected.presence is Presence.MAY:
            return
        pair = self._matching.matched.get(index)
        if pair is not None:
            device = self._active[pair.record]
            if expected.presence is Presence.MUST_NOT:
                yield _present(expected, device.device_id, device.last_seen, str(pair.likeness))
            else:
                yield from self._differences(expected, device, pair)
        elif index in self._hosts:
            yield from _of_host(expected, self._hosts[index])
        elif expected.presence is Presence.MUST_NOT:
            return
        elif index in self._matching.open_expected:
            yield self._ambiguous(expected, self._matching.open_expected[index])
        else:
            yield self._missing(index, expected)

    def _differences(
        self, expected: ExpectedDevice, device: Device, pair: Pair
    ) -> Iterator[Finding]:
        for one in field_differences(expected, device, self._traits[device.device_id]):
            if not one.is_told:
                self._not_told[one.field.partition(".")[0]] += 1
                continue
            yield Finding(
                kind=Kind.DIFFERENT,
                what=_DEVICE,
                name=expected.name,
                field=one.field,
                expected=one.expected,
                found=one.found,
                evidence="; ".join(filter(None, (f"same {pair.likeness}", one.evidence))),
                told_by=told_by(device, one.field),
                last_seen=device.last_seen,
                record=device.device_id,
                place=expected.place,
            )

    def _ambiguous(self, expected: ExpectedDevice, pairs: Sequence[Pair]) -> Finding:
        rivals = sorted({pair.record for pair in pairs})
        names = sorted(
            {
                self._expected[other.expected].name
                for record in rivals
                for other in self._matching.open_records.get(record, ())
            }
        )
        also = f"; so may {', '.join(n for n in names if n != expected.name)}" if names[1:] else ""
        return Finding(
            kind=Kind.AMBIGUOUS,
            what=_DEVICE,
            name=expected.name,
            expected="one record",
            found=", ".join(rivals),
            evidence=f"each has the same {pairs[0].likeness}{also}",
            place=expected.place,
        )

    def _missing(self, index: int, expected: ExpectedDevice) -> Finding:
        lost = self._lost.get(index)
        device = self._by_id[lost.record] if lost else None
        return Finding(
            kind=Kind.MISSING,
            what=_DEVICE,
            name=expected.name,
            expected=describe_expected(expected),
            found=str(device.status) if device else None,
            evidence=self._why_missing(index, expected, device),
            last_seen=device.last_seen if device else None,
            record=device.device_id if device else None,
            place=expected.place,
        )

    def _why_missing(self, index: int, expected: ExpectedDevice, lost: Device | None) -> str:
        if lost is not None:
            return f"its record is {lost.status}, last seen by {told_by(lost, '')}"
        near = [
            f"{pair.record} ({self._name_of(pair.record)}) has the same {pair.likeness}"
            for pair in self._matching.pairs
            if pair.expected == index
        ]
        return "; ".join([*near, *self._coverage(expected)])

    def _name_of(self, record: str) -> str:
        matched = self._names().get(record)
        device = self._by_id[record]
        return f"matched with {matched}" if matched else device.name or "no name"

    def _coverage(self, expected: ExpectedDevice) -> Iterator[str]:
        """Say whether anybody looks where the device should be: "not probed" is not "absent"."""
        address = expected.management_ip or min(expected.addresses, default=None)
        if address is None:
            yield "no address of it is known: it was looked for by name, serial and MAC"
        elif self._picture.probed is not None:
            yield probed_by(address, self._picture.probed)
        else:
            yield self._neighbourhood(address)

    def _neighbourhood(self, address: str) -> str:
        """Say whether anything near an address is on record, where nobody tells who probes it."""
        if self._lans is None:
            picture = self._picture
            known = [one.addresses for one in self._traits.values()]
            known += [endpoint_traits(one).addresses for one in picture.endpoints]
            self._lans = Counter(lan for ips in known for lan in set(map(lan_of, ips)))
        lan = lan_of(address)
        if self._lans[lan]:
            return f"of {lan} others are on record, {address} is not"
        return f"nothing of {lan} is on record: perhaps nobody looks there"

    def _of_records(self) -> Iterator[Finding]:
        matched = {pair.record for pair in self._matching.matched.values()}
        for record, device in self._active.items():
            if record in matched or record in self._matching.open_records:
                continue
            again = self._matching.repeated.get(record)
            where = f"seen by {told_by(device, '')}"
            if again is not None:
                other = self._matching.matched[again.expected].record
                name = self._expected[again.expected].name
                where = f"looks like {name} too (same {again.likeness}), which {other} is"
            yield Finding(
                kind=Kind.UNEXPECTED,
                what=_DEVICE,
                name=device.name or device.management_ip or record,
                found=describe_device(device),
                evidence=where,
                told_by=told_by(device, ""),
                last_seen=device.last_seen,
                record=record,
            )

    # --- links -------------------------------------------------------------------------------

    def _names(self) -> dict[str, str]:
        return {
            pair.record: self._expected[index].name
            for index, pair in self._matching.matched.items()
        }

    def _compare_links(self) -> LinkOutcome:
        if self._links is None:
            return LinkOutcome()
        repeated = self._matching.repeated.items()
        ends = {record: self._expected[pair.expected].name for record, pair in repeated}
        return compare_links(self._links, self._picture.links, ends | self._names())

    def _of_links(self, outcome: LinkOutcome) -> Iterator[Finding]:
        devices = {name: self._active[record] for record, name in self._names().items()}
        for link in outcome.missing:
            text = link_text(link.ends)
            yield Finding(
                kind=Kind.MISSING,
                what=_LINK,
                name=text,
                expected="a link",
                evidence=why_missing(link, devices),
                place=link.place,
            )
        for one in outcome.surplus:
            yield Finding(
                kind=Kind.UNEXPECTED,
                what=_LINK,
                name=one.text,
                found=str(one.link.status),
                evidence=one.why,
                told_by=one.link.source,
                last_seen=one.link.last_seen,
                record=one.link.link_id,
            )


def _present(expected: ExpectedDevice, record: str, last_seen: datetime, evidence: str) -> Finding:
    return Finding(
        kind=Kind.DIFFERENT,
        what=_DEVICE,
        name=expected.name,
        field="status",
        expected=expected.status or "absent",
        found="active",
        evidence=f"same {evidence}",
        last_seen=last_seen,
        record=record,
        place=expected.place,
    )


def _of_host(expected: ExpectedDevice, endpoint: Endpoint) -> Iterator[Finding]:
    what = ", ".join(filter(None, (endpoint.mac, *endpoint.ips)))
    if expected.presence is Presence.MUST_NOT:
        yield _present(expected, endpoint.endpoint_id, endpoint.last_seen, what)
    elif not expected.is_host:
        yield Finding(
            kind=Kind.DIFFERENT,
            what=_DEVICE,
            name=expected.name,
            field="record",
            expected="a device",
            found=f"an endpoint ({what})",
            evidence="it is there but told nothing: has a credential its address in scope?",
            told_by=", ".join(endpoint.sources),
            last_seen=endpoint.last_seen,
            record=endpoint.endpoint_id,
            place=expected.place,
        )


def _order(finding: Finding) -> tuple[int, str, str, str, str]:
    kinds = list(Kind)
    return (
        kinds.index(finding.kind),
        finding.what,
        finding.name,
        finding.record or "",
        finding.field or "",
    )
