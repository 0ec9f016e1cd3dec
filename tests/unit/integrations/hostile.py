"""Devices whose names and descriptions attack whoever reads an export."""

from pdsno.domain.entities import (
    Attachment,
    Device,
    DeviceType,
    Endpoint,
    Interface,
    Link,
    LinkEnd,
    LinkStatus,
)
from tests.unit.api.serving import NOW, device, endpoint

TEMPLATE = "{{ lookup('pipe', 'touch /tmp/pdsno-owned') }}"
NAMES = (
    "sw1", "SW1", "sw[1:9]", "a:22", TEMPLATE, "{% raw %}", "{# x", "=cmd|'/c calc'!A0", "@sum",
    "localhost", "all", "region_zone_a", "yes", "null", "1.5", "!!python/object:x", "- a", "# x",
    "x\n---\ny: 1", 'quo"te', "naïve-ü", "../../etc/passwd", "", "10.0.0.1", "a" * 300,
)  # fmt: skip


def hostile() -> list[Device]:
    found = [
        device(
            number,
            name=name or None,
            region="zone-A" if number % 2 else "zone_A",
            namespace="zone-A" if number % 2 else "zone_A",
            management_ip=f"10.0.0.{number}",
            platform="cisco_ios" if number % 3 else None,
            device_type=DeviceType.ROUTER,
            vendor=name or "Cisco",
            model=name or None,
            serial=name or None,
            os_version=TEMPLATE,
            macs=(f"00:50:56:00:00:{number:02x}",),
            interfaces=(
                Interface(
                    name="GigabitEthernet0/1",
                    mac=f"00:50:56:00:00:{number:02x}",
                    ips=(f"10.0.0.{number}/24", "192.168.0.1/24", "fe80::1/64", "127.0.0.1/8"),
                    description=name,
                    admin_status="up",
                    mtu=9000,
                    speed_mbps=1000,
                ),
                Interface(name="Loopback0", ips=("10.255.0.1",), vrf="blue"),
                Interface(name=name or "Vlan1", mac="00:00:5e:00:01:01", mtu=0, speed_mbps=10**9),
            ),
        )
        for number, name in enumerate(NAMES, start=1)
    ]
    return [*found, device(99, region="zone-A")]


def cabled(a: str, b: str, port: str = "GigabitEthernet0/1", **values: object) -> Link:
    ends = [LinkEnd(device_id=one, device=TEMPLATE, interface=port) for one in (a, b)]
    default: dict[str, object] = {
        "link_id": f"l-{a}-{b}", "a": ends[0], "b": ends[1], "source": "lldp",
        "status": LinkStatus.CONFIRMED, "last_seen": NOW,
    }  # fmt: skip
    return Link(**default | values)  # type: ignore[arg-type]


def strange_endpoint() -> Endpoint:
    port = Attachment(device_id=None, device="=1+1", interface="@x")
    return endpoint(1, vendor="+evil", attachment=port)
