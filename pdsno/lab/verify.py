"""Judges a NIB by the live nodes of a lab: the JSON of `pdsno lab verify`. Pure."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pdsno.domain.compare import Comparison, Finding, Kind, Picture, compare
from pdsno.domain.compare_match import device_traits
from pdsno.domain.entities import Device
from pdsno.domain.expectation import Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class LabVerdict:
    """The outcome; the names are those of the JSON."""

    devices_expected: int
    devices_found: int
    devices_missing: tuple[str, ...]
    devices_extra: tuple[str, ...]
    devices_duplicated: tuple[str, ...]
    links_expected: int
    links_found: int
    links_missing: tuple[str, ...]
    links_extra: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Tell whether NIB and network agree."""
        return not (
            self.devices_missing
            or self.devices_extra
            or self.devices_duplicated
            or self.links_missing
            or self.links_extra
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of `pdsno lab verify -o json`."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


def judge(truth: Expectation, picture: Picture) -> LabVerdict:
    """Compare a NIB with a lab: which nodes and links it has, misses, invents, has twice."""
    found = compare(truth, picture)
    return LabVerdict(
        devices_expected=found.devices_expected,
        devices_found=found.devices_found,
        devices_missing=tuple(sorted(one.name for one in found.findings if _is_absent(one))),
        devices_extra=tuple(sorted(_extra(found, picture))),
        devices_duplicated=tuple(sorted(set(found.repeated.values()))),
        links_expected=found.links_expected,
        links_found=found.links_found,
        links_missing=tuple(sorted(one.name for one in found.of(Kind.MISSING, "link"))),
        links_extra=tuple(sorted(map(_link, found.of(Kind.UNEXPECTED, "link")))),
    )


def _is_absent(finding: Finding) -> bool:
    return finding.what == "device" and finding.kind in {Kind.MISSING, Kind.AMBIGUOUS}


def _extra(found: Comparison, picture: Picture) -> Iterator[str]:
    surplus = {one.record for one in found.of(Kind.UNEXPECTED)} - found.repeated.keys()
    surplus |= set(found.open_records)
    return (_text(one) for one in picture.devices if one.device_id in surplus)


def _text(device: Device) -> str:
    address = min(device_traits(device).addresses, default="no address")
    return f"{device.name or device.device_id} ({address}, {device.device_id})"


def _link(finding: Finding) -> str:
    is_twice = finding.evidence == "recorded twice"
    return f"{finding.name} (recorded twice)" if is_twice else finding.name
