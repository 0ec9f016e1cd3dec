"""Where hosts are plugged in: trunks are no place, and unknown is better than wrong."""

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.entities import Attachment, DeviceType
from pdsno.domain.locate import Switch, locate
from pdsno.domain.observations import Facts, MacTableEntry
from pdsno.domain.switches import switches_of
from tests.unit.domain.builders import device, facts, interface, mac, neighbor


def entry(port: str | None, number: int, vlan: int | None = 10) -> MacTableEntry:
    return MacTableEntry(mac=mac(number), vlan=vlan, interface=port)


def switch(
    name: str, *table: MacTableEntry, uplinks: dict[str, str] | None = None, own: int = 0
) -> Switch:
    return Switch(
        device_id=name,
        name=name,
        macs=frozenset({mac(own)} if own else ()),
        uplinks=uplinks or {},
        table=table,
    )


def port_of(number: int, *switches: Switch) -> tuple[str | None, str] | None:
    found = locate(switches)[mac(number)].attachment
    return (found.device_id, found.interface) if found else None


def test_a_host_is_at_the_edge_port_and_not_on_the_trunk_that_leads_there() -> None:
    access = switch("access", entry("p1", 1), entry("up", 9))
    core = switch("core", entry("p7", 1), entry("p9", 9), uplinks={"p7": "access"})
    assert port_of(1, access, core) == ("access", "p1")
    assert port_of(9, access, core) == ("core", "p9")


def test_a_port_with_the_mac_of_another_switch_is_a_trunk() -> None:
    access = switch("access", entry("p1", 1), own=200)
    core = switch("core", entry("p7", 1), entry("p7", 200), own=201)
    assert port_of(1, access, core) == ("access", "p1")
    assert mac(200) not in locate([access, core])


def test_two_hosts_that_another_switch_tells_apart_make_a_trunk_without_any_lldp() -> None:
    access = switch("access", entry("p1", 1), entry("p2", 2))
    core = switch("core", entry("p7", 1), entry("p7", 2))
    assert port_of(1, access, core) == ("access", "p1")


def test_a_mac_that_only_trunks_have_is_nowhere() -> None:
    core = switch("core", entry("p7", 1), uplinks={"p7": "hidden"})
    found = locate([core])[mac(1)]
    assert found.attachment is None
    assert found.switches == {"core"}


def test_between_equal_ports_nobody_guesses() -> None:
    assert port_of(1, switch("a", entry("p1", 1)), switch("b", entry("p1", 1))) is None


def test_hosts_on_an_unreadable_switch_are_at_the_readable_port_in_front_of_it() -> None:
    core = switch("core", entry("p3", 1), entry("p3", 2), entry("p4", 3))
    assert port_of(1, core) == ("core", "p3")


def test_hosts_on_an_unreadable_switch_between_two_readable_ones_have_no_place() -> None:
    left = switch("left", entry("p1", 1), entry("up", 5), entry("up", 2), own=200)
    right = switch("right", entry("p1", 2), entry("up", 5), entry("up", 1), own=201)
    seen_left = switch("left", *left.table, entry("up", 201), own=200)
    seen_right = switch("right", *right.table, entry("up", 200), own=201)
    assert port_of(5, seen_left, seen_right) is None
    assert port_of(1, seen_left, seen_right) == ("left", "p1")


def test_a_host_on_two_switches_by_one_bundle_is_one_and_no_duplicate() -> None:
    peer = {"peer": "b"}
    a = switch("a", entry("Port-Channel5", 1), uplinks=peer)
    b = switch("b", entry("Port-Channel5", 1), uplinks={"peer": "a"})
    found = locate([a, b])[mac(1)]
    assert found.attachment == Attachment(
        device_id="a", device="a", interface="Port-Channel5", vlan=10
    )
    assert found.places == ()


def test_one_mac_at_edge_ports_of_two_switches_that_know_one_another_is_at_two_places() -> None:
    a = switch("a", entry("p1", 1), uplinks={"up": "core"})
    core = switch("core", uplinks={"p7": "a", "p8": "b"})
    b = switch("b", entry("p1", 1), uplinks={"up": "core"})
    found = locate([a, core, b])[mac(1)]
    assert found.attachment is None
    assert [(p.device_id, p.interface) for p in found.places] == [("a", "p1"), ("b", "p1")]


def test_virtual_router_macs_and_entries_without_a_port_are_nobody() -> None:
    table = MacTableEntry(mac="00:00:5e:00:01:01", vlan=10, interface="p1")
    assert locate([switch("a", table, entry(None, 1))]) == {}


# --- who are the switches --------------------------------------------------------------------


def told(address: str, *table: MacTableEntry) -> Facts:
    return facts(address, mac_table=table)


def test_a_switch_by_lldp_makes_an_uplink_and_a_server_or_a_telephone_does_not() -> None:
    heard = (
        neighbor("Gi0/1", "access", remote_chassis_id=mac(1)),
        neighbor("p2", "server"),
        neighbor("p3", "SEP0011", remote_chassis_id=mac(3)),
        neighbor("p4", "edge.example.net"),
        neighbor("p5", None, remote_management_ip="10.0.0.9"),
    )
    core = device(
        "dev_core",
        name="core",
        neighbors=heard,
        namespace="zone-A",
        interfaces=(interface("GigabitEthernet0/1"),),
    )
    access = device("dev_access", macs=(mac(1),), namespace="zone-A")
    others = [
        device("dev_server", name="server", device_type=DeviceType.SERVER, namespace="zone-A"),
        device("dev_edge", name="edge", device_type=DeviceType.ROUTER, namespace="zone-A"),
        device("dev_dist", ips=("10.0.0.9",), namespace="zone-A", device_type=DeviceType.SWITCH),
    ]
    found = switches_of(
        [told("10.0.0.1", entry("Gi0/1", 7)), told("10.0.0.2", entry("p1", 8))],
        {"10.0.0.1": core, "10.0.0.2": access},
        [core, access, *others],
    )
    (here,) = (s for s in found if s.device_id == "dev_core")
    assert here.uplinks == {
        "GigabitEthernet0/1": "dev_access",
        "p4": "dev_edge",
        "p5": "dev_dist",
    }
    assert [e.interface for e in here.table] == ["GigabitEthernet0/1"]


@pytest.mark.parametrize("name", ["eth1.10", "ge-0/0/1.0"])
def test_a_sub_interface_counts_as_its_port_where_the_device_has_one(name: str) -> None:
    parent = name.rpartition(".")[0]
    known = device("dev_a", interfaces=(interface(parent), interface(name)))
    unknown = device("dev_b")
    table = (entry(name, 1),)
    found = switches_of(
        [told("10.0.0.1", *table), told("10.0.0.2", *table)],
        {"10.0.0.1": known, "10.0.0.2": unknown},
        [known, unknown],
    )
    assert [s.table[0].interface for s in found] == [parent, name]


# --- any tree --------------------------------------------------------------------------------


@dataclass
class Tree:
    """Switches in a tree, hosts at their edge ports, and who learns what where."""

    links: dict[int, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    hosts: dict[int, tuple[int, str]] = field(default_factory=dict)
    size: int = 0

    def toward(self, start: int, goal: int) -> str:
        """Return the port of `start` behind which `goal` lies."""
        for nearer, port in self.links[start].items():
            seen, waiting = {start}, [nearer]
            while waiting:
                node = waiting.pop()
                seen.add(node)
                if node == goal:
                    return port
                waiting += [n for n in self.links[node] if n not in seen]
        raise AssertionError((start, goal))


def make_tree(seed: int) -> Tree:
    rng = random.Random(seed)  # noqa: S311 - the same tree for the same seed
    tree = Tree(size=rng.randint(1, 7))
    for node in range(1, tree.size):
        parent = rng.randrange(node)
        tree.links[node][parent] = "up"
        tree.links[parent][node] = f"down{node}"
    for number in range(rng.randint(1, 25)):
        at = rng.randrange(tree.size)
        tree.hosts[number] = (at, f"edge{rng.randint(1, 6)}")
    return tree


def tables(
    tree: Tree,
    readable: Iterable[int],
    *,
    lldp: bool,
    talking: bool,
    forget: float = 0,
    seed: int = 0,
) -> list[Switch]:
    rng = random.Random(seed)  # noqa: S311 - the same tree for the same seed
    known = set(readable)
    switches = []
    for node in sorted(known):
        rows = []
        for number, (at, port) in tree.hosts.items():
            name = port if at == node else tree.toward(node, at)
            if at == node or rng.random() >= forget:
                rows.append(entry(name, number))
        if talking:
            rows += [entry(tree.toward(node, o), 1000 + o) for o in range(tree.size) if o != node]
        uplinks = {p: f"sw{o}" for o, p in tree.links[node].items() if o in known}
        switches.append(
            Switch(
                device_id=f"sw{node}",
                name=None,
                macs=frozenset({mac(1000 + node)}),
                uplinks=uplinks if lldp else {},
                table=tuple(rows),
            )
        )
    return switches


seeds = st.integers(0, 100_000)


@given(seeds, st.sampled_from([(True, False), (False, True), (True, True)]))
def test_in_any_tree_every_host_is_at_its_true_port(seed: int, how: tuple[bool, bool]) -> None:
    tree = make_tree(seed)
    found = locate(tables(tree, range(tree.size), lldp=how[0], talking=how[1]))
    for number, (at, port) in tree.hosts.items():
        place = found[mac(number)].attachment
        assert place is not None
        assert (place.device_id, place.interface) == (f"sw{at}", port)
        assert found[mac(number)].places == ()


@given(seeds, st.booleans())
def test_tables_that_forgot_half_do_not_lead_astray(seed: int, lldp: bool) -> None:
    tree = make_tree(seed)
    found = locate(
        tables(tree, range(tree.size), lldp=lldp, talking=not lldp, forget=0.5, seed=seed)
    )
    for number, (at, port) in tree.hosts.items():
        place = found[mac(number)].attachment
        assert place is not None
        assert (place.device_id, place.interface) == (f"sw{at}", port)


@given(seeds)
def test_with_lldp_at_some_ends_only_no_host_is_at_a_wrong_port(seed: int) -> None:
    tree = make_tree(seed)
    rng = random.Random(seed)  # noqa: S311 - the same choice for the same seed
    told = tables(tree, range(tree.size), lldp=True, talking=False)
    some = [
        replace(s, uplinks={k: v for k, v in s.uplinks.items() if rng.random() < 0.5}) for s in told
    ]
    found = locate(some)
    for number, (at, port) in tree.hosts.items():
        place = found[mac(number)].attachment
        assert place is None or (place.device_id, place.interface) == (f"sw{at}", port)


@given(seeds)
def test_without_lldp_and_without_talking_switches_no_host_is_at_a_wrong_port(seed: int) -> None:
    tree = make_tree(seed)
    found = locate(tables(tree, range(tree.size), lldp=False, talking=False))
    for number, (at, port) in tree.hosts.items():
        place = found[mac(number)].attachment
        assert place is None or (place.device_id, place.interface) == (f"sw{at}", port)


@given(seeds, st.data())
def test_with_unreadable_switches_a_host_is_at_the_last_readable_port_or_nowhere(
    seed: int, data: st.DataObject
) -> None:
    tree = make_tree(seed)
    readable = data.draw(st.sets(st.integers(0, tree.size - 1), min_size=1))
    found = locate(tables(tree, readable, lldp=False, talking=True))
    for number, (at, port) in tree.hosts.items():
        place = found[mac(number)].attachment
        if at in readable:
            assert place is not None
            assert (place.device_id, place.interface) == (f"sw{at}", port)
            continue
        facing = {(node, tree.toward(node, at)) for node in readable}
        # The one readable port in front of the host, if no readable switch is behind it as well.
        ends = {
            (f"sw{node}", p)
            for node, p in facing
            if not any(o != node and tree.toward(node, o) == p for o in readable)
        }
        told = (place.device_id, place.interface) if place else None
        assert told == (next(iter(ends)) if len(ends) == 1 else None)


@given(seeds, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(seed: int, rng: random.Random) -> None:
    tree = make_tree(seed)
    switches = tables(tree, range(tree.size), lldp=False, talking=True)
    once = locate(switches)
    again = [*switches, *rng.sample(switches, rng.randint(0, len(switches)))]
    rng.shuffle(again)
    assert locate(again) == once
