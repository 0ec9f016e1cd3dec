"""SNMPv2-MIB system group, and what it says about who made the device.

RFC 3418 (system), RFC 4293 (ipForwarding), RFC 4188 (dot1dBaseNumPorts), RFC 3411 (engine ID).
"""

import re
from dataclasses import dataclass

from pdsno.southbound.mibs.varbinds import Varbinds, number, text

SYS_DESCR = "1.3.6.1.2.1.1.1.0"
SYS_OBJECT_ID = "1.3.6.1.2.1.1.2.0"
SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
SYS_NAME = "1.3.6.1.2.1.1.5.0"
SYS_SERVICES = "1.3.6.1.2.1.1.7.0"
IP_FORWARDING = "1.3.6.1.2.1.4.1.0"
BRIDGE_PORTS = "1.3.6.1.2.1.17.1.2.0"
ENGINE_ID = "1.3.6.1.6.3.10.2.1.1.0"

SCALARS = (
    SYS_DESCR,
    SYS_OBJECT_ID,
    SYS_UPTIME,
    SYS_NAME,
    SYS_SERVICES,
    IP_FORWARDING,
    BRIDGE_PORTS,
    ENGINE_ID,
)

_FORWARDING = 1
_TICKS_PER_S = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class System:
    """The system group. `services` is the bit mask of layers (bit 1: layer 2, bit 2: layer 3)."""

    descr: str | None
    object_id: str | None
    name: str | None
    uptime_s: int | None
    services: int | None
    is_forwarding: bool
    bridge_ports: int
    engine_id: str | None

    @property
    def is_empty(self) -> bool:
        """Whether the agent told nothing of itself (its view hides the group)."""
        return self.descr is None and self.object_id is None and self.name is None


def parse_system(varbinds: Varbinds) -> System:
    """Read the scalars of one agent."""
    object_id = varbinds.get(SYS_OBJECT_ID)
    engine_id = varbinds.get(ENGINE_ID)
    ticks = number(varbinds.get(SYS_UPTIME))
    return System(
        descr=text(varbinds.get(SYS_DESCR)),
        object_id=object_id.lstrip(".") if isinstance(object_id, str) else None,
        name=text(varbinds.get(SYS_NAME)),
        uptime_s=None if ticks is None else ticks // _TICKS_PER_S,
        services=number(varbinds.get(SYS_SERVICES)),
        is_forwarding=number(varbinds.get(IP_FORWARDING)) == _FORWARDING,
        bridge_ports=number(varbinds.get(BRIDGE_PORTS)) or 0,
        engine_id=engine_id.hex() if isinstance(engine_id, bytes) and engine_id else None,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Make:
    """Who made a device and what runs on it."""

    vendor: str | None = None
    platform: str | None = None
    os_version: str | None = None


# sysDescr before sysObjectID: one vendor's number stands for several operating systems.
_BY_DESCR: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), vendor, platform)
    for pattern, vendor, platform in (
        (r"FRRouting (?P<version>\S+)|\bFRR\b", "FRRouting", "frr"),
        (r"Cisco IOS XR Software.*?Version (?P<version>[^\s,\[]+)", "Cisco", "cisco_xr"),
        (r"Cisco NX-OS.*?Version (?P<version>[^\s,]+)", "Cisco", "cisco_nxos"),
        (r"(?:IOS-XE|IOS XE|CAT\w*L3K).*?Version (?P<version>[^\s,]+)", "Cisco", "cisco_xe"),
        (r"Cisco IOS Software.*?Version (?P<version>[^\s,]+)", "Cisco", "cisco_ios"),
        (r"Cisco Adaptive Security Appliance Version (?P<version>\S+)", "Cisco", "cisco_asa"),
        (r"Arista Networks EOS version (?P<version>\S+)", "Arista", "arista_eos"),
        (r"Juniper.*?JUNOS (?P<version>[^\s,]+)", "Juniper", "juniper_junos"),
        (r"RouterOS (?P<version>[\d.]+\S*)?", "MikroTik", "mikrotik_routeros"),
        (r"VyOS (?P<version>\S+)", "VyOS", "vyos"),
        (r"Huawei.*?Version (?P<version>[\d.]+)", "Huawei", "huawei"),
    )
)
_LINUX = re.compile(r"^Linux \S+ (?P<version>\d\S*)")
_ENTERPRISES = "1.3.6.1.4.1."
_BY_ENTERPRISE = {
    "9": "Cisco",
    "11": "HPE",
    "2011": "Huawei",
    "2636": "Juniper",
    "4526": "NETGEAR",
    "6527": "Nokia",
    "8741": "SonicWall",
    "12356": "Fortinet",
    "14823": "Aruba",
    "14988": "MikroTik",
    "25461": "Palo Alto Networks",
    "25506": "H3C",
    "30065": "Arista",
    "41112": "Ubiquiti",
}
_NET_SNMP_LINUX = "1.3.6.1.4.1.8072.3.2.10"


def make_of(system: System) -> Make:
    """Return vendor, platform and version as far as the system group tells them."""
    descr = system.descr or ""
    for pattern, vendor, platform in _BY_DESCR:
        if found := pattern.search(descr):
            version = found.groupdict().get("version")
            return Make(vendor=vendor, platform=platform, os_version=version)
    linux = _LINUX.match(descr)
    if linux or system.object_id == _NET_SNMP_LINUX:
        # Linux says nothing of the hardware's maker: the MAC's registration may.
        return Make(platform="linux", os_version=linux["version"] if linux else None)
    number_ = (system.object_id or "").removeprefix(_ENTERPRISES).partition(".")[0]
    return Make(vendor=_BY_ENTERPRISE.get(number_))
