"""One small network as NetBox 3.7 and as 4.x writes it."""

from typing import Any

from tests.unit.integrations.fake_netbox import FakeNetBox

SITES = {"ams": "emea", "fra": "emea", "nyc": "amer"}


def nested(kind: str, number: int, slug: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    url = f"https://netbox.example/api/{kind}/{number}/"
    name = slug.upper()
    return {"id": number, "url": url, "display": name, "name": name, "slug": slug, **more}


def choice(value: str) -> dict[str, str]:
    return {"value": value, "label": value.capitalize()}


def site_of(slug: str) -> dict[str, Any]:
    return nested("dcim/sites", list(SITES).index(slug) + 1, slug)


class World:
    """Builds items in the shape of a version."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.is_new = version not in {"3.7", "4.1"}
        self.data: dict[str, list[dict[str, Any]]] = {
            "dcim/sites": [
                {
                    **site_of(slug),
                    "region": nested("dcim/regions", 1, region),
                    "group": None,
                    "status": choice("active"),
                }
                for slug, region in SITES.items()
            ],
            "ipam/vrfs": [], "ipam/prefixes": [], "dcim/devices": [], "dcim/interfaces": [],
            "ipam/ip-addresses": [],
        }  # fmt: skip

    def vrf(self, number: int, name: str, rd: str | None = None) -> None:
        self.data["ipam/vrfs"].append({"id": number, "name": name, "rd": rd})

    def prefix(
        self,
        prefix: str,
        site: str | None = None,
        *,
        status: str = "active",
        vrf: int | None = None,
    ) -> None:
        item: dict[str, Any] = {
            "id": len(self.data["ipam/prefixes"]) + 1,
            "prefix": prefix,
            "status": choice(status),
            "vrf": None,
        }
        if vrf is not None:
            found = next(one for one in self.data["ipam/vrfs"] if one["id"] == vrf)
            item["vrf"] = {**found, "url": "https://netbox.example/x/", "display": found["name"]}
        if self.is_new:
            at = site_of(site) if site else None
            item |= {"scope_type": "dcim.site" if at else None, "scope_id": at and at["id"],
                     "scope": at}  # fmt: skip
        else:
            item["site"] = site_of(site) if site else None
        self.data["ipam/prefixes"].append(item)

    def device(
        self, number: int, name: str | None, site: str = "ams", *, status: str = "active",
        ip: str | None = None, serial: str = "", platform: str | None = None, role: str = "switch",
    ) -> None:  # fmt: skip
        address = None
        if ip:
            address = {"id": number, "url": "https://netbox.example/x/", "display": ip,
                       "family": 4 if self.version == "3.7" else {"value": 4, "label": "IPv4"},
                       "address": ip}  # fmt: skip
        maker = nested("dcim/manufacturers", 1, "cisco") | {"name": "Cisco"}
        kind = {
            "id": 1, "url": "https://netbox.example/x/", "display": "C9300", "manufacturer": maker,
            "model": "C9300-48P", "slug": "c9300-48p",
        }  # fmt: skip
        of_role = nested("dcim/device-roles", 1, role)
        item = {
            "id": number, "name": name, "device_type": kind, "serial": serial,
            "platform": nested("dcim/platforms", 1, platform) if platform else None,
            "site": site_of(site), "status": choice(status), "primary_ip4": address,
            "primary_ip6": None, "virtual_chassis": None, "role": of_role,
        }  # fmt: skip
        if self.version == "3.7":
            item["device_role"] = of_role
        self.data["dcim/devices"].append(item)

    def port(
        self, number: int, device: int, name: str, *, mac: str | None = None, ip: str | None = None,
        peer: int | None = None, enabled: bool = True,
    ) -> None:  # fmt: skip
        owner = {"id": device, "url": "https://netbox.example/x/", "display": "x", "name": "x"}
        item: dict[str, Any] = {
            "id": number, "name": name, "enabled": enabled, "device": owner, "mac_address": mac,
            "cable": {"id": number, "url": "https://netbox.example/x/", "display": "x"}
            if peer else None,
            "connected_endpoints_type": "dcim.interface" if peer else None,
            "connected_endpoints": [{"id": peer, "name": "x"}] if peer else None,
        }  # fmt: skip
        if self.is_new:
            item["primary_mac_address"] = mac and {
                "id": number,
                "url": "https://netbox.example/x/",
                "display": mac,
                "mac_address": mac,
            }
        self.data["dcim/interfaces"].append(item)
        if ip:
            self.data["ipam/ip-addresses"].append(
                {
                    "id": number, "address": ip, "assigned_object_type": "dcim.interface",
                    "assigned_object_id": number, "status": choice("active"),
                }
            )  # fmt: skip


def small(version: str) -> FakeNetBox:
    """Two switches and a server, cabled; a spare that is offline; a patch panel."""
    world = World(version)
    world.device(1, "sw1", ip="10.1.0.1/24", serial="FOC1", platform="cisco-ios")
    world.device(2, "sw2", ip="10.1.0.2/24", serial="FOC2", platform="cisco-ios")
    world.device(3, "srv1", ip="10.1.0.3/24", role="server")
    world.device(4, "spare", status="offline", serial="FOC9")
    world.device(5, "panel", role="patch-panel")
    world.port(11, 1, "Gi0/1", mac="00:50:56:00:00:01", ip="10.1.0.1/24", peer=21)
    world.port(21, 2, "Gi0/1", mac="00:50:56:00:00:02", ip="10.1.0.2/24", peer=11)
    world.port(12, 1, "Gi0/2", peer=31)
    world.port(31, 3, "eth0", ip="10.1.0.3/24", peer=12)
    world.port(13, 1, "Gi0/3")
    return FakeNetBox(version=version, data=world.data)
