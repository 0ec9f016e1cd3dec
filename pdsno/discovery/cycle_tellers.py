"""Which device of the NIB told which facts, after a cycle is written."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from pdsno.domain.entities import Device, DeviceStatus
from pdsno.domain.observations import Facts, ObservedDevice


def tellers(namespace: str, facts: Iterable[Facts], devices: Iterable[Device]) -> dict[str, Device]:
    """Return by address the device that told facts there.

    Of several with that address (a virtual one, or one that was replaced) it is whoever has most
    of the MACs told, then an active one, then the one seen last.
    """
    holders: dict[str, list[Device]] = defaultdict(list)
    for device in devices:
        if device.namespace == namespace:
            for ip in {*device.ips, device.management_ip}:
                if ip is not None:
                    holders[ip].append(device)
    macs: dict[str, set[str]] = defaultdict(set)
    for item in facts:
        macs[item.address] |= {i.mac for i in item.interfaces if i.mac}
    return {
        address: max(holders[address], key=lambda device: _fitness(device, told))
        for address, told in macs.items()
        if address in holders
    }


def _fitness(device: Device, told: set[str]) -> tuple[object, ...]:
    own = {*device.macs, *(i.mac for i in device.interfaces)}
    is_active = device.status is DeviceStatus.ACTIVE
    return (len(own & told), is_active, device.last_seen, device.device_id)


def answered_by_devices(
    observed: Iterable[ObservedDevice], strangers: Sequence[ObservedDevice]
) -> frozenset[str]:
    """Return the addresses at which devices answered, or told facts."""
    others = {id(item) for item in strangers}
    known = [item for item in observed if id(item) not in others]
    return frozenset(
        {s.address for item in known for s in item.sightings}
        | {f.address for item in known for f in item.facts}
    )
