"""The NIB as CSV that a spreadsheet may open: no cell is taken for a formula (RFC 4180)."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pdsno.domain.entities import Device, Endpoint, Link
from pdsno.integrations.inventory_names import facts_of, in_order

_FORMULA = re.compile(r"\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")

DEVICE_COLUMNS = (
    "name", "status", "type", "region", "namespace", "management_ip", "vendor", "model", "platform",
    "os_version", "serial", "macs", "ips", "last_seen", "device_id",
)  # fmt: skip
INTERFACE_COLUMNS = (
    "device", "interface", "mac", "ips", "admin_status", "oper_status", "mtu", "speed_mbps",
    "vrf", "description", "region", "device_id",
)  # fmt: skip
LINK_COLUMNS = (
    "a_device", "a_interface", "b_device", "b_interface", "status", "source", "last_seen",
    "link_id",
)  # fmt: skip
ENDPOINT_COLUMNS = (
    "mac", "ips", "vendor", "region", "namespace", "switch", "port", "vlan", "last_seen",
    "endpoint_id",
)  # fmt: skip


def devices_csv(devices: Iterable[Device]) -> str:
    """Return a row for each device."""
    rows = ({**facts_of(one), "last_seen": one.last_seen.isoformat()} for one in in_order(devices))
    return _csv(DEVICE_COLUMNS, rows)


def interfaces_csv(devices: Iterable[Device]) -> str:
    """Return a row for each interface of each device."""
    return _csv(INTERFACE_COLUMNS, _interface_rows(devices))


def _interface_rows(devices: Iterable[Device]) -> Iterator[Mapping[str, object]]:
    for device in in_order(devices):
        for one in device.interfaces:
            yield {
                "device": device.name,
                "interface": one.name,
                "mac": one.mac,
                "ips": one.ips,
                "admin_status": one.admin_status,
                "oper_status": one.oper_status,
                "mtu": one.mtu,
                "speed_mbps": one.speed_mbps,
                "vrf": one.vrf,
                "description": one.description,
                "region": device.region,
                "device_id": device.device_id,
            }


def links_csv(links: Iterable[Link]) -> str:
    """Return a row for each link."""
    rows = (
        {
            "a_device": one.a.device or one.a.device_id,
            "a_interface": one.a.interface,
            "b_device": one.b.device or one.b.device_id,
            "b_interface": one.b.interface,
            "status": str(one.status),
            "source": one.source,
            "last_seen": one.last_seen.isoformat(),
            "link_id": one.link_id,
        }
        for one in links
    )
    return _csv(LINK_COLUMNS, sorted(rows, key=lambda row: str(list(row.values()))))


def endpoints_csv(endpoints: Iterable[Endpoint]) -> str:
    """Return a row for each endpoint."""
    rows = (
        {
            "mac": one.mac,
            "ips": one.ips,
            "vendor": one.vendor,
            "region": one.region,
            "namespace": one.namespace,
            "switch": one.attachment and (one.attachment.device or one.attachment.device_id),
            "port": one.attachment and one.attachment.interface,
            "vlan": one.attachment and one.attachment.vlan,
            "last_seen": one.last_seen.isoformat(),
            "endpoint_id": one.endpoint_id,
        }
        for one in sorted(endpoints, key=lambda one: (one.region, one.mac or "", one.ips))
    )
    return _csv(ENDPOINT_COLUMNS, rows)


def cell(value: object) -> str:
    """Return a cell: lists in one, None empty, and an apostrophe before what would be a formula."""
    if value is None:
        return ""
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    text = text.replace("\x00", "")
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([cell(row.get(name)) for name in columns] for row in rows)
    return buffer.getvalue()
