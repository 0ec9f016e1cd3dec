"""Creates a lab's namespaces, cables and bridge on the machine, and removes them."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from pdsno.domain.errors import OperationError
from pdsno.lab import inventories, machine, processes, state
from pdsno.lab.plan import bridge_name, plan
from pdsno.lab.progress import Progress, Stage
from pdsno.lab.reader import lab_directory
from pdsno.lab.state import LabState
from pdsno.lab.topology import Topology


def plan_and_wire(topology: Topology, *, owned: bool, progress: Progress) -> LabState:
    """Plan a lab against what runs already, write its state, then build it.

    Raises OperationError, with nothing left, if the machine or another lab is in the way.
    """
    with state.lock("wiring", wait=True, busy=""):
        taken: dict[IPv4Address, str] = {
            IPv4Address(node.mgmt_ipv4): f"lab '{lab.name}'"
            for lab in state.load_all()
            if lab.network == topology.mgmt.network and lab.name != topology.name
            for node in lab.nodes
            if node.mgmt_ipv4
        }
        planned = plan(topology, lab_directory(topology.name), taken)
        if owned:
            planned = replace(planned, owner=state.this_process())
        progress(Stage.PLAN, "", f"{len(planned.nodes)} nodes, {len(planned.links)} links")
        _refuse_conflicts(topology, planned)
        state.save(planned)
        try:
            _wire(topology, planned)
        except BaseException:
            tear_down(planned, is_wiring_locked=True)
            raise
    progress(Stage.WIRE, "", f"management network {planned.subnet} on {planned.bridge}")
    return planned


def _refuse_conflicts(topology: Topology, planned: LabState) -> None:
    mgmt = topology.mgmt
    route = machine.foreign_route(IPv4Network(planned.subnet), bridge_name(mgmt))
    if route and any(node.mgmt_ipv4 for node in planned.nodes):
        raise OperationError(
            f"the management subnet {planned.subnet} overlaps this machine's route to {route}: "
            f"choose another 'ipv4-subnet' below 'mgmt' in {topology.path}"
        )
    for node in planned.nodes:
        if machine.has_namespace(node.long_name):
            raise OperationError(
                f"network namespace '{node.long_name}' exists and is not this lab's: give the "
                "lab another 'name' or 'prefix', or remove it with 'ip netns del'"
            )


def _wire(topology: Topology, planned: LabState) -> None:
    """Create namespaces, bridge and cables, each kind in one call of `ip`."""
    machine.batch([f"netns add {node.long_name}" for node in planned.nodes])
    long = {node.name: node.long_name for node in planned.nodes}
    machine.batch(
        [
            f"link add name {link.a.interface} netns {long[link.a.node]} mtu {link.mtu} "
            f"address {link.a.mac} type veth peer name {link.b.interface} "
            f"netns {long[link.b.node]} mtu {link.mtu} address {link.b.mac}"
            for link in planned.links
        ]
    )
    on_mgmt = [node for node in planned.nodes if node.mgmt_ipv4]
    if not on_mgmt:
        return
    mgmt = topology.mgmt
    machine.ensure_bridge(planned.bridge, mgmt.gateway, mgmt.subnet.prefixlen, mgmt.mtu)
    commands = []
    for node in on_mgmt:
        commands.append(
            f"link add name {node.host_interface} mtu {mgmt.mtu} type veth peer name eth0 "
            f"netns {node.long_name} mtu {mgmt.mtu} address {node.mgmt_mac}"
        )
        commands.append(f"link set dev {node.host_interface} master {planned.bridge} up")
    machine.batch(commands)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keep a second Ctrl-C from leaving half of a lab behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def tear_down(found: LabState, *, is_wiring_locked: bool = False) -> None:
    """Remove everything that the state names and that is still there."""
    with _uninterrupted():
        names = [node.long_name for node in found.nodes]
        processes.kill_all(names)
        machine.delete_interfaces(
            node.host_interface for node in found.nodes if node.host_interface
        )
        machine.delete_namespaces(names)
        if is_wiring_locked:
            machine.remove_bridge_if_unused(found.bridge)
        else:
            with state.lock("wiring", wait=True, busy=""):
                machine.remove_bridge_if_unused(found.bridge)
        inventories.remove(found)
        state.forget(found.name)
