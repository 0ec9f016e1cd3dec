"""FRRouting by its own shell, vtysh, as login shell. Needs no enable: vtysh starts enabled."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pdsno.domain.entities import DeviceType, Interface
from pdsno.domain.observations import Facts
from pdsno.southbound.platforms.base import Outputs, Platform, clean, clean_mac, whole
from pdsno.southbound.vrf_names import vrf_named

_VERSION_COMMAND = "show version"
_INTERFACES = "show interface json"
_VERSION = re.compile(r"FRRouting (?P<version>\S+)(?: \((?P<name>[^)]*)\))?")


def parse(outputs: Outputs, address: str, at: datetime) -> Facts:
    """Read the outputs of one session."""
    version = _VERSION.search(outputs.text(_VERSION_COMMAND) or "")
    if version is None:
        outputs.problem(_VERSION_COMMAND, "names no FRRouting version")
    return Facts(
        source="ssh",
        address=address,
        at=at,
        name=clean(version["name"]) if version else None,
        vendor="FRRouting",
        platform="frr",
        os_version=clean(version["version"]) if version else None,
        device_type=DeviceType.ROUTER,
        interfaces=_interfaces(outputs),
    )


def _interfaces(outputs: Outputs) -> tuple[Interface, ...]:
    table = outputs.json(_INTERFACES)
    if table is None:
        return ()
    if not isinstance(table, dict):
        outputs.problem(_INTERFACES, "not an object of interfaces")
        return ()
    rows = {name: row for name, row in table.items() if isinstance(row, dict)}
    return tuple(_interface(name, rows[name]) for name in sorted(rows))


def _interface(name: str, row: Mapping[str, Any]) -> Interface:
    # FRR 8.4 says "address": "10.0.0.1/30"; a length of its own came later.
    ips = {ip for entry in row.get("ipAddresses") or () if (ip := clean(entry.get("address")))}
    return Interface(
        name=name,
        mac=clean_mac(row.get("hardwareAddress")),
        ips=tuple(sorted(ips)),
        oper_status=clean(row.get("operationalStatus")),
        admin_status=clean(row.get("administrativeStatus")),
        mtu=whole(row.get("mtu")),
        speed_mbps=_speed(row.get("speed")),
        description=clean(row.get("description")),
        vrf=vrf_named(clean(row.get("vrfName"))),
    )


_UNKNOWN_SPEED = 2**32 - 1


def _speed(value: object) -> int | None:
    speed = whole(value)
    return None if speed == _UNKNOWN_SPEED else speed


PLATFORM = Platform(
    name="frr",
    summary="FRRouting, vtysh as login shell",
    netmiko_type="linux",
    commands=(_VERSION_COMMAND, _INTERFACES),
    recognised_by=_VERSION,
    unknown=re.compile(r"\A% (?:Unknown|Ambiguous|Command incomplete|There is no matched)"),
    parse=parse,
)
