"""Which device a neighbour entry names: by chassis ID, management address, name, or any MAC.

One kind of evidence must name exactly one device, and what else the entry tells must not speak
against it. Names are told per site: between namespaces only a name with its domain counts.
"""

import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pdsno.domain.entities import Device, DeviceStatus, Neighbor
from pdsno.domain.identifiers import (
    identifying_name,
    is_identifying_ip,
    is_identifying_mac,
    same_name,
)
from pdsno.domain.link_ports import mac_or_text
from pdsno.domain.profiles import is_mac_text

_SERIAL_BEHIND = re.compile(r"\([^()]*\)$")  # NX-OS by CDP: `leaf-1(FDO1234X0AB)`


@dataclass(frozen=True, slots=True)
class Named:
    """How an entry names its neighbour, in the forms to compare; empty means "not told"."""

    chassis: str
    ip: str
    name: str

    @property
    def label(self) -> str:
        """What a ghost is known by: the most lasting of what it tells."""
        return self.chassis or self.name or self.ip


def named_by(entry: Neighbor) -> Named | None:
    """Return how an entry names its neighbour; None if it does not.

    A MAC of zeros, or one that several devices have by design, names nobody.
    """
    chassis = mac_or_text(entry.remote_chassis_id or "")
    if is_mac_text(chassis) and not is_identifying_mac(chassis):
        chassis = ""
    ip = _address(entry.remote_management_ip)
    name = bare_name(entry.remote_name)
    return Named(chassis, ip, name) if chassis or ip or name else None


def bare_name(text: str | None) -> str:
    """Return a told name in lower case, without the final dot and NX-OS's serial behind it."""
    folded = (text or "").strip().rstrip(".").casefold()
    return _SERIAL_BEHIND.sub("", folded) or folded


@lru_cache(maxsize=65_536)
def _address(text: str | None) -> str:
    """Return an address that may name one device: not 0.0.0.0, not link-local, no garbage."""
    try:
        told = str(ipaddress.ip_address((text or "").strip()))
    except ValueError:
        return ""
    return told if is_identifying_ip(told) else ""


def could_be(named: Named, device: Device) -> bool:
    """Tell whether an entry may mean this device, as far as both tell who they are."""
    if named.chassis and named.chassis in (device.chassis_id, *device.macs):
        return True
    agrees = _agrees_by_name(named, device)
    return not _is_other_chassis(named, device) if agrees is None else agrees


def _is_other_chassis(named: Named, device: Device) -> bool:
    own = device.chassis_id
    if not named.chassis or not own or named.chassis in (own, *device.macs):
        return False
    return is_mac_text(named.chassis) == is_mac_text(own)


def _agrees_by_name(named: Named, device: Device) -> bool | None:
    """Return None where a side tells no name."""
    own = bare_name(device.name)
    return same_name(named.name, own) if named.name and own else None


class Directory:
    """Finds devices; only what `wanted` entries name is looked up in it."""

    def __init__(self, devices: Sequence[Device], wanted: Iterable[Named]) -> None:
        named = set(wanted)
        chassis = {n.chassis for n in named if n.chassis}
        ips = {n.ip for n in named if n.ip}
        self._chassis: dict[str, list[Device]] = defaultdict(list)
        self._macs: dict[str, list[Device]] = defaultdict(list)
        self._ips: dict[tuple[str, str], list[Device]] = defaultdict(list)
        self._names: dict[str, list[Device]] = defaultdict(list)
        for device in devices:
            if device.chassis_id in chassis:
                self._chassis[device.chassis_id].append(device)
            for mac in chassis.intersection(device.macs):
                self._macs[mac].append(device)
            for ip in ips.intersection(device.ips):
                self._ips[device.namespace, ip].append(device)
            name = identifying_name(bare_name(device.name))
            if name:
                self._names[name.partition(".")[0]].append(device)
        self._found: dict[tuple[str, str, Named], Device | None] = {}

    def find(self, teller: Device, named: Named) -> Device | None:
        """Return the one device that is named, never the teller itself."""
        by_chassis = _one(self._chassis.get(named.chassis, ()), teller)
        if by_chassis is not None:
            return by_chassis
        by_ip = _one(self._ips.get((teller.namespace, named.ip), ()), teller)
        if by_ip is not None and could_be(named, by_ip):
            return by_ip
        by_name = self._by_name(teller, named)
        if by_name is not None and (by_name is by_ip or not _is_other_chassis(named, by_name)):
            return by_name
        if is_mac_text(named.chassis):
            return _one(self._macs.get(named.chassis, ()), teller)
        return None

    def _by_name(self, teller: Device, named: Named) -> Device | None:
        told = identifying_name(named.name)
        if told is None:
            return None
        alike = [
            device
            for device in self._names.get(told.partition(".")[0], ())
            if same_name(told, bare_name(device.name))
        ]
        here = [device for device in alike if device.namespace == teller.namespace]
        if here:
            return _one(here, teller)
        full = [device for device in alike if "." in told and bare_name(device.name) == told]
        return _one(full, teller)


def _one(devices: Sequence[Device], teller: Device) -> Device | None:
    """Return the only device but the teller; one that is there stands before those that are not."""
    others = [device for device in devices if device.device_id != teller.device_id]
    if len(others) > 1:
        others = [d for d in others if d.status is not DeviceStatus.INACTIVE]
    return others[0] if len(others) == 1 else None
