"""Names for devices and groups in others' inventories: unique, safe, the same each time.

What a device calls itself is anybody's word. Ansible reads `sw[1:9]` as nine hosts, `a:22` as a
port, and `{{ }}` as code; so names keep letters, digits, dots, dashes and underlines only.

The Ansible collection carries this file along to where PDSNO is not: the standard library only.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar


class Listed(Protocol):
    """What inventories need of a device: of a record of the NIB, or of an item of its REST API."""

    @property
    def device_id(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def status(self) -> str: ...
    @property
    def device_type(self) -> str: ...
    @property
    def vendor(self) -> str | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def platform(self) -> str | None: ...
    @property
    def os_version(self) -> str | None: ...
    @property
    def serial(self) -> str | None: ...
    @property
    def region(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def management_ip(self) -> str | None: ...
    @property
    def macs(self) -> Sequence[str]: ...
    @property
    def ips(self) -> Sequence[str]: ...


D = TypeVar("D", bound=Listed)

_LONGEST = 128
_RESERVED = frozenset({"all", "ungrouped", "localhost", "defaults", "groups", "hosts", "vars"})


def safe_name(text: str) -> str:
    """Return a name without what has a meaning in an inventory; empty if nothing is left."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")[:_LONGEST]


def host_names(devices: Iterable[Listed]) -> dict[str, str]:
    """Return a name for each device ID: its own where that is unique, else with region or ID.

    Names that differ in case alone are one: files and people take them for one.
    """
    forms = {one.device_id: _forms(one) for one in devices}
    counts = Counter(name.casefold() for names in forms.values() for name in set(names))
    return {
        device_id: next(
            (name for name in names if counts[name.casefold()] == 1 and not _is_reserved(name)),
            names[-1],
        )
        for device_id, names in forms.items()
    }


def _forms(device: Listed) -> list[str]:
    """Return what a device may be called, the shortest first; the last one is nobody else's."""
    own = safe_name(device.name or device.management_ip or "") or safe_name(device.device_id)
    regional = [f"{own}-{device.region}"] if device.region else []
    return [own, *regional, f"{own}-{safe_name(device.device_id)}"]


def _is_reserved(name: str) -> bool:
    return name.casefold() in _RESERVED


def group_name(kind: str, value: str) -> str:
    """Return a group's name, such as `region_zone_a`: what Ansible takes for a variable's name."""
    return f"{kind}_" + re.sub(r"[^a-z0-9]+", "_", value.lower()).strip("_")


class Groups:
    """Names groups by what they stand for; two that would be called alike get numbers."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._taken = {name.casefold() for name in hosts}
        self._names: dict[tuple[str, str], str] = {}

    def name(self, kind: str, value: str) -> str:
        """Return the group's name, the same for the same value. Ask in a fixed order."""
        known = self._names.get((kind, value))
        if known is None:
            base = group_name(kind, value)
            known, number = base, 2
            while known in self._taken:
                known, number = f"{base}_{number}", number + 1
            self._taken.add(known)
            self._names[kind, value] = known
        return known

    def of(self, device: Listed) -> list[str]:
        """Return the groups of a device: its region, type, platform and status."""
        kinds = {
            "region": device.region,
            "type": str(device.device_type),
            "platform": device.platform or "",
            "status": str(device.status),
        }
        return [self.name(kind, value) for kind, value in kinds.items() if value]


def in_order(devices: Iterable[D]) -> list[D]:
    """Return devices by name, region and ID, so that two exports of one NIB are equal."""
    return sorted(devices, key=lambda one: (one.name or "", one.region, one.device_id))


def facts_of(device: Listed) -> dict[str, object]:
    """Return what is exported of a device, without what nobody told. No secret is among it.

    Nor is a time: an inventory that is kept under version control changes when the network does.
    """
    known: dict[str, object] = {
        "device_id": device.device_id,
        "name": device.name,
        "status": str(device.status),
        "type": str(device.device_type),
        "region": device.region,
        "namespace": device.namespace,
        "vendor": device.vendor,
        "model": device.model,
        "platform": device.platform,
        "os_version": device.os_version,
        "serial": device.serial,
        "management_ip": device.management_ip,
        "macs": _texts(device.macs),
        "ips": _texts(device.ips),
    }
    return {key: value for key, value in known.items() if value not in (None, "", [])}


def _texts(values: Sequence[str]) -> list[str]:
    return list(values)
