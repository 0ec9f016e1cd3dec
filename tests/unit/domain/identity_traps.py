"""Devices that look alike and are not: one function for each trap."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from pdsno.domain.entities import Interface
from tests.unit.domain.identity_base import (
    DOCKER,
    DULL_NAMES,
    World,
    host,
    phone,
    port,
)


def router(world: World) -> None:
    """Asked by two protocols at two addresses; its other addresses answer as well."""
    who = world.new("router")
    count = world.random.randint(3, 7)
    lans = [world.lan() for _ in range(count)]
    ports = [port(n, world.burnt(), f"{lan}.1/24") for n, lan in enumerate(lans)]
    serial = world.text("FOC")
    told = partial(world.told, vendor="cisco", serial=serial, name=who, chassis_id=ports[0].mac)
    told(who, f"{lans[0]}.1", *ports)
    key = world.text("ssh-rsa SHA256:")
    told(who, f"{lans[1]}.1", *ports[: count - 1], source="ssh", ssh_host_key=key)
    for lan, own in zip(lans, ports, strict=True):
        world.saw(who, f"{lan}.1", own.mac, 2)
        world.saw(who, f"{lan}.1", None)


def svi_switch(world: World) -> None:
    """One base MAC on all its VLAN interfaces, and a dull name."""
    who, mac = world.new("switch"), world.burnt()
    lans = [world.lan() for _ in range(3)]
    ports = [port(n, mac, f"{lan}.2/24") for n, lan in enumerate(lans)]
    world.told(who, f"{lans[0]}.2", *ports, name="switch", serial="0000000000")
    for lan in lans:
        world.saw(who, f"{lan}.2", mac, 2)


def silent_router(world: World) -> None:
    """One MAC in two LANs, as a clone would show; nobody can tell, so that it is split."""
    who, mac = world.new("silent router"), world.burnt()
    for _ in range(2):
        world.saw(who, f"{world.lan()}.1", mac, 2)


def cloned_serials(world: World) -> None:
    serial = world.text("9FX")
    for _ in range(2):
        who, mac, lan = world.new("cloned serial"), world.burnt(), world.lan()
        own = port(1, mac, f"{lan}.3/24")
        world.told(who, f"{lan}.3", own, vendor="arista", serial=serial, name=who)
        world.told(who, f"{lan}.3", own, vendor="arista", serial=serial, name=who, source="ssh")
        world.saw(who, f"{lan}.3", mac, 2)


def virtual_routers(world: World) -> None:
    """VRRP, HSRP or GLBP: a MAC and an address that two routers share."""
    lan = world.lan()
    shared = world.random.choice(
        (
            "00:00:5e:00:01:0a",
            "00:00:5e:00:02:0a",
            "00:05:73:a0:00:01",
            "00:00:0c:07:ac:01",
            "00:00:0c:9f:f0:01",
            "00:07:b4:00:01:01",
        )
    )
    for number in (2, 3):
        who, mac = world.new("fhrp"), world.burnt()
        ports = (port(1, mac, f"{lan}.{number}/24"), port(2, shared, f"{lan}.1/32"))
        world.told(who, f"{lan}.{number}", *ports, name=who)
        world.saw(who, f"{lan}.{number}", mac, 2)
    world.saw(f"service {lan}", f"{lan}.1", shared, 2)


def anycast_leaves(world: World) -> None:
    """Gateways with one MAC and address on every leaf, and a loopback that all announce."""
    gateway, lan, service = world.burnt(), world.lan(), f"{world.lan()}.9"
    for _ in range(4):
        who, mac, own_lan = world.new("leaf"), world.burnt(), world.lan()
        ports = (
            port(1, mac, f"{own_lan}.4/24"),
            port(2, gateway, f"{lan}.1/24"),
            Interface(name="lo0", ips=(f"{service}/32",)),
        )
        world.told(who, f"{own_lan}.4", *ports, name=who, engine_id="80001f8880aa")
        world.saw(who, f"{own_lan}.4", mac, 2)
    world.saw(f"service {service}", service, None, 2)


def cloned_guests(world: World) -> None:
    """One image, started twice in two LANs: the same MAC, keys, engine ID and name."""
    mac, image = world.virtual(), f"image-{world.maker}-{world.size}"
    for _ in range(2):
        who, lan = world.new("cloned guest"), world.lan()
        own = port(0, mac, f"{lan}.50/24")
        world.told(
            who,
            f"{lan}.50",
            own,
            *DOCKER,
            name=image,
            engine_id=f"8000{image}",
            ssh_host_key=f"ssh-ed25519 SHA256:{image}",
            chassis_id=mac,
        )
        world.saw(who, f"{lan}.50", mac, 2)


def cloned_strangers(world: World) -> None:
    """The same MAC in two LANs, and nobody to ask."""
    mac = world.virtual()
    for _ in range(2):
        who, lan = world.new("cloned stranger"), world.lan()
        world.saw(who, f"{lan}.60", mac, 3)


def cloned_engines(world: World) -> None:
    """One disk image on different hardware: engine ID, host key and name are copies."""
    image = f"disk-{world.maker}-{world.size}"
    lan = world.lan()
    for number in (31, 32, 33):
        who, mac = world.new("cloned disk"), world.burnt()
        own = port(0, mac, f"{lan}.{number}/24")
        values = {"engine_id": image, "ssh_host_key": f"ssh-rsa {image}", "name": image}
        world.told(who, f"{lan}.{number}", own, **values)
        world.saw(who, f"{lan}.{number}", mac, 2)


def duplicate_address(world: World) -> None:
    lan = world.lan()
    for _ in range(2):
        who, mac = world.new("duplicate address"), world.burnt()
        world.saw(who, f"{lan}.66", mac, 2)
        if world.random.random() < 0.5:
            world.told(who, f"{lan}.66", port(0, mac, f"{lan}.66/24"), name=who)


def proxy_arp(world: World) -> None:
    """A router that answers ARP for hosts behind it; some of them can be asked."""
    who, lan = world.new("proxy"), world.lan()
    mac, inner = world.burnt(), world.burnt()
    ports = (port(1, mac, f"{lan}.1/24"), port(2, inner, f"{world.lan()}.1/24"))
    if world.random.random() < 0.5:
        world.told(who, f"{lan}.1", *ports, name=who)
    world.saw(who, f"{lan}.1", mac)
    for number in range(10, 22):
        behind = world.new("behind proxy")
        world.saw(behind, f"{lan}.{number}", mac, 2)
        if number % 4 == 0:
            own = port(0, world.burnt(), f"{lan}.{number}/24")
            world.told(behind, f"{lan}.{number}", own, name=behind)


def docker_host(world: World) -> None:
    who, mac, lan = world.new("docker host"), world.burnt(), world.lan()
    world.told(who, f"{lan}.80", port(0, mac, f"{lan}.80/24"), *DOCKER, name="docker")
    world.saw(who, f"{lan}.80", mac, 2)


def bare_host(world: World) -> None:
    """Behind a router: no MAC, just an answer, perhaps a name."""
    who, lan = world.new("far host"), world.lan()
    world.saw(who, f"{lan}.90", None, 3)
    if world.random.random() < 0.5:
        world.told(who, f"{lan}.90", name=world.random.choice(DULL_NAMES), serial="123456789")


def cloned_guests_in_a_lan(world: World) -> None:
    """One template rolled out four times: fresh MACs, and all else as the template has it."""
    lan, template = world.lan(), f"template-{world.maker}-{world.size}"
    serial = world.random.choice(("0", "None", "System Serial Number", "Not Specified"))
    key = f"ssh-ed25519 SHA256:{template}"
    for number in range(4):
        who, mac = world.new("cloned template"), world.virtual()
        own = port(0, mac, f"{lan}.{40 + number}/24")
        values = {"serial": serial, "name": template, "ssh_host_key": key}
        world.told(who, f"{lan}.{40 + number}", own, engine_id="80001f888012345678", **values)
        world.told(who, f"{lan}.{40 + number}", source="ssh", **values)
        world.saw(who, f"{lan}.{40 + number}", mac, 2)


def container_hosts(world: World) -> None:
    """Kubernetes nodes: forty veths each, the services' addresses on all, one MAC for all pods."""
    lan = world.lan()
    services = tuple(f"10.255.250.{n}/32" for n in range(1, 30))
    for number in (1, 2, 3):
        who, mac = world.new("container host"), world.burnt()
        pods = [Interface(name=f"veth{n:08x}", mac=f"02:42:ac:11:01:{n:02x}") for n in range(40)]
        world.told(
            who,
            f"{lan}.{number}",
            port(0, mac, f"{lan}.{number}/24"),
            *pods,
            *DOCKER,
            Interface(name="kube-ipvs0", mac="aa:bb:cc:00:00:01", ips=services),
            Interface(name="cali0123456789a", mac="ee:ee:ee:ee:ee:ee"),
            Interface(name="flannel.1", mac="a2:00:00:00:00:01", ips=("10.244.0.0/32",)),
            Interface(name="vmnet8", mac="00:50:56:c0:00:08", ips=("192.168.198.1/24",)),
            name="node",
        )
        world.saw(who, f"{lan}.{number}", mac, 2)


def distributed_gateways(world: World) -> None:
    """EVPN leaves that tell of VLANs only: one MAC and the same addresses on all of them."""
    gateway, lans = world.burnt(), [world.lan() for _ in range(4)]
    for _ in range(2):
        who, own = world.new("evpn leaf"), f"{world.lan()}.1"
        svis = [
            Interface(name=f"vlan{n}", mac=gateway, ips=(f"{lan}.1/24",), vrf="tenant")
            for n, lan in enumerate(lans)
        ]
        world.told(who, own, *svis, Interface(name="lo0", ips=(f"{own}/32",)), chassis_id=gateway)
        world.saw(who, own, None, 2)


def mlag_pair(world: World) -> None:
    """Peers that announce one system MAC, with an engine ID made of it."""
    system, lan = world.burnt(), world.lan()
    engine = f"8000000903{system.replace(':', '')}"
    for number in (2, 3):
        who, mac = world.new("mlag peer"), world.burnt()
        ports = (port(1, mac, f"{lan}.{number}/24"), port(2, system, f"{lan}.1/24"))
        values = {"chassis_id": system, "engine_id": engine, "name": "core"}
        world.told(who, f"{lan}.{number}", *ports, **values)
        world.told(who, f"{lan}.{number}", source="ssh", chassis_id=system, name="core")
        world.saw(who, f"{lan}.{number}", mac, 2)


def firewall_cluster(world: World) -> None:
    """Two firewalls with the same configuration, name and MACs; what tells them apart varies."""
    macs, inside, outside = [world.burnt() for _ in range(4)], world.lan(), world.lan()
    has_serial, tells_own = world.random.choice(((True, True), (True, False), (False, True)))
    managed = world.lan()
    for number in (11, 12):
        who, own = world.new("firewall"), f"{managed}.{number}"
        ports = [port(n, mac) for n, mac in enumerate(macs)]
        ports[0] = port(0, macs[0], f"{inside}.1/24")
        ports[1] = port(1, macs[1], f"{outside}.1/24")
        if tells_own:
            ports.append(port(9, world.burnt(), f"{own}/24"))
        serial = world.text("FGT") if has_serial else None
        world.told(who, own, *ports, name="fw", serial=serial, chassis_id=macs[0])
        world.saw(who, own, None, 2)


def shared_service_port(world: World) -> None:
    """A server and its BMC: one socket, one serial, one name."""
    lan, serial, name = world.lan(), world.text("CZJ"), world.text("db")
    for kind, address in (("server", f"{lan}.5"), ("bmc", f"{lan}.6")):
        who, mac = world.new(kind), world.burnt()
        world.told(who, address, port(0, mac, f"{address}/24"), serial=serial, name=name)
        world.saw(who, address, mac, 2)


def blades(world: World) -> None:
    """Each blade tells the serial of its chassis, some tell no interface."""
    lan, serial = world.lan(), world.text("USE")
    for number in range(1, 5):
        who, mac, address = world.new("blade"), world.burnt(), f"{lan}.{number}"
        ports = [port(0, mac, f"{address}/24")] if number % 2 else []
        key = world.text("ssh-rsa SHA256:")
        world.told(who, address, *ports, serial=serial, vendor="hpe", ssh_host_key=key)
        world.saw(who, address, mac, 2)


def default_engines(world: World) -> None:
    """SNMP engine IDs as makers ship them."""
    lan = world.lan()
    born = (
        "800000090300000000000000",  # a MAC of zeros
        "80000009017f000001",  # 127.0.0.1
        "8000000904" + b"localhost".hex(),
        "8000000905" + "00" * 8,
    )
    engine = world.random.choice(born)
    for number in (1, 2, 3):
        who, mac, address = world.new("default engine"), world.burnt(), f"{lan}.{number}"
        world.told(who, address, engine_id=engine, name="switch")
        world.saw(who, address, mac, 2)


def customer_networks(world: World) -> None:
    """Two provider routers with addresses inside of VRFs, and hosts that have them outside."""
    inside = world.lan()
    for number, vrf in ((1, "cust-a"), (2, world.random.choice(("cust-a", "cust-b")))):
        who, lan, mac = world.new("pe"), world.lan(), world.burnt()
        addresses = (f"{inside}.1/24", f"{inside}.{number}0/24", f"{inside}.{number}1/24")
        vlan = Interface(name="e1.100", mac=mac, ips=addresses, vrf=vrf)
        world.told(who, f"{lan}.1", port(1, mac, f"{lan}.1/24"), vlan, name=who, source="ssh")
        # By SNMP it all looks as if it were in one table.
        flat = replace(vlan, vrf=None)
        world.told(who, f"{lan}.1", port(1, mac, f"{lan}.1/24"), flat, name=who)
        world.saw(who, f"{lan}.1", mac, 2)
        world.saw(world.new("outside"), f"{inside}.{number}0", None, 2)
        asked = world.new("outside")
        world.saw(asked, f"{inside}.{number}1", None, 2)
        world.told(asked, f"{inside}.{number}1")
    world.saw(world.new("outside"), f"{inside}.1", None, 2)


def out_of_band(world: World) -> None:
    """A router reached in its management VRF and in band; SNMP and SSH tell different serials."""
    who, lan, oob = world.new("out of band"), world.lan(), world.lan()
    mac, managed, loopback = world.burnt(), world.burnt(), f"{world.lan()}.1"
    ports = (
        port(1, mac, f"{lan}.1/24"),
        Interface(name="lo0", ips=(f"{loopback}/32",)),
        Interface(name="mgmt0", mac=managed, ips=(f"{oob}.1/24",), vrf="mgmt"),
    )
    board = world.text("FXS")
    for address in (loopback, f"{oob}.1"):
        world.told(who, address, *ports, name=who, serial=board, source="ssh")
    flat = (*ports[:2], replace(ports[2], vrf=None))
    world.told(who, f"{oob}.1", *flat, name=who, serial=world.text("FOC"))
    world.saw(who, f"{oob}.1", managed, 2)
    world.saw(who, f"{lan}.1", mac, 2)
    world.saw(who, loopback, None, 2)


def cloned_appliances(world: World) -> None:
    """One image with its serial, rolled out three times; no interface is told, one is renamed."""
    lan, serial, key = world.lan(), world.text("VM"), world.text("ssh-rsa SHA256:")
    name = world.text("appliance")
    for number in (1, 2, 3):
        who, mac, address = world.new("cloned appliance"), world.burnt(), f"{lan}.{number}"
        own = name if number < 3 else world.text("renamed")
        values = {"serial": serial, "ssh_host_key": key, "name": own}
        world.told(who, address, vendor="acme", **values, source="ssh")
        world.saw(who, address, mac, 2)


def contexts(world: World) -> None:
    """Virtual firewalls of one chassis: its serial and its MACs, and no address is told."""
    serial, macs = world.text("JAF"), [world.burnt() for _ in range(3)]
    for number in (1, 2):
        who, lan = world.new("context"), world.lan()
        ports = [port(n, mac) for n, mac in enumerate(macs)]
        world.told(who, f"{lan}.9", *ports, serial=serial, name=f"{serial}-{number}")
        world.saw(who, f"{lan}.9", None, 2)


def virtual_chassis(world: World) -> None:
    """One switch of four members, asked at its address and at that of each member's port."""
    who, lan, serial = world.new("virtual chassis"), world.lan(), world.text("PE")
    macs = [world.burnt() for _ in range(12)]
    ports = [port(n, mac) for n, mac in enumerate(macs)]
    ports[0] = port(0, macs[0], f"{lan}.1/24")
    for address in (f"{lan}.1", f"{lan}.21", f"{lan}.22"):
        world.told(who, address, *ports, serial=serial, chassis_id=macs[0], name="vc")
    world.saw(who, f"{lan}.1", macs[0], 2)


TRAPS: tuple[tuple[Callable[[World], None], int], ...] = (
    (host, 14),
    (phone, 6),
    (router, 14),
    (svi_switch, 6),
    (silent_router, 1),
    (cloned_serials, 3),
    (virtual_routers, 3),
    (anycast_leaves, 1),
    (cloned_guests, 3),
    (cloned_strangers, 3),
    (cloned_engines, 2),
    (duplicate_address, 3),
    (proxy_arp, 1),
    (docker_host, 5),
    (bare_host, 6),
    (cloned_guests_in_a_lan, 1),
    (container_hosts, 1),
    (distributed_gateways, 1),
    (mlag_pair, 2),
    (firewall_cluster, 3),
    (shared_service_port, 2),
    (blades, 1),
    (default_engines, 1),
    (customer_networks, 2),
    (out_of_band, 3),
    (virtual_chassis, 3),
    (cloned_appliances, 1),
    (contexts, 1),
)


_LARGEST_TRAP = 13
