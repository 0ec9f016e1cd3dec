"""Evidence of a comparison, in words: who a record is, who told a field, who looks where. Pure."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network

from pdsno.domain.compare_match import device_traits
from pdsno.domain.entities import Device
from pdsno.domain.expectation import ExpectedDevice


def describe_device(device: Device) -> str:
    """Return who a record is, in a line."""
    address = device.management_ip or min(device_traits(device).addresses, default="no address")
    known = filter(None, (address, device.vendor, device.model or device.platform, device.region))
    return ", ".join(known)


def describe_expected(expected: ExpectedDevice) -> str:
    """Return what is known of a device that should be there, in a line."""
    address = expected.management_ip or min(expected.addresses, default="")
    known = (address, expected.serial and f"serial {expected.serial}", expected.region)
    return ", ".join(text for text in known if text) or "a device"


def told_by(device: Device, field_name: str) -> str | None:
    """Return who told a field, or for an empty one who sees the device."""
    parts = field_name.split(".")
    keys = (field_name, parts[-1], parts[0], "interfaces") if field_name else ()
    known = next((device.provenance[key] for key in keys if key in device.provenance), None)
    if known is not None:
        return known.source
    return ", ".join(device.sources) or device.local_controller or None


def probed_by(address: str, probed: Mapping[str, Sequence[str]]) -> str:
    """Say which controllers probe an address: "not probed" is not "absent"."""
    by = [
        name
        for name, subnets in sorted(probed.items())
        if any(ip_address(address) in ip_network(one, strict=False) for one in subnets)
    ]
    if by:
        return f"{address} is probed by {', '.join(by)}"
    return f"no controller probes {address}: nobody looked there"
