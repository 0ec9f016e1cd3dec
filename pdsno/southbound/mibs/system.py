"""SNMPv2-MIB system group, and what it says about who made the device.

RFC 3418 (system), RFC 4293 (ipForwarding), RFC 4188 (dot1dBaseNumPorts), RFC 3411 (engine ID).
"""

from dataclasses import dataclass

from pdsno.southbound.mibs import makes
from pdsno.southbound.mibs.makes import Make
from pdsno.southbound.mibs.varbinds import Value, Varbinds, number, text

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
        object_id=_object_id(object_id),
        name=text(varbinds.get(SYS_NAME)),
        uptime_s=None if ticks is None else ticks // _TICKS_PER_S,
        services=number(varbinds.get(SYS_SERVICES)),
        is_forwarding=number(varbinds.get(IP_FORWARDING)) == _FORWARDING,
        bridge_ports=number(varbinds.get(BRIDGE_PORTS)) or 0,
        engine_id=engine_id.hex() if isinstance(engine_id, bytes) and engine_id else None,
    )


def _object_id(value: Value) -> str | None:
    """Return a sysObjectID; 0.0 points nowhere."""
    value = value.strip().lstrip(".") if isinstance(value, str) else ""
    return value if value.startswith("1.") else None


def make_of(system: System) -> Make:
    """Return vendor, platform and version as far as the system group tells them."""
    return makes.make_of(system.descr or "", system.object_id or "")
