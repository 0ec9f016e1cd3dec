"""The switches of a cycle: who told a MAC table, and on which ports they hear one another."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pdsno.domain.entities import Device, DeviceType
from pdsno.domain.link_directory import Directory, Named, named_by
from pdsno.domain.link_ports import Ports
from pdsno.domain.locate import Switch
from pdsno.domain.observations import Facts, MacTableEntry

_FORWARDS = frozenset({DeviceType.SWITCH, DeviceType.ROUTER})


def switches_of(
    facts: Iterable[Facts], tellers: Mapping[str, Device], devices: Sequence[Device]
) -> tuple[Switch, ...]:
    """Return the switches that told MAC tables, with the ports on which they hear others forward.

    `tellers` are the devices that told these facts, by address. A neighbour forwards if it told a
    MAC table too, or if it is a switch or a router by its type. A server or a telephone that
    speaks LLDP does not, and its port is an edge.
    """
    told: dict[str, list[MacTableEntry]] = defaultdict(list)
    switches: dict[str, Device] = {}
    for item in facts:
        device = tellers.get(item.address)
        if device is not None and item.mac_table:
            told[device.device_id] += item.mac_table
            switches[device.device_id] = device
    forwards = {d.device_id for d in devices if d.device_type in _FORWARDS} | switches.keys()
    wanted = {device_id: _neighbours(device) for device_id, device in switches.items()}
    directory = Directory(devices, [named for pairs in wanted.values() for _, named in pairs])
    found = []
    for device_id, device in switches.items():
        ports = _PortNames(device)
        uplinks: dict[str, str] = {}
        for local, named in wanted[device_id]:
            other = directory.find(device, named)
            if other is not None and other.device_id in forwards:
                uplinks[ports[local]] = other.device_id
        found.append(
            Switch(
                device_id=device_id,
                name=device.name,
                macs=frozenset({*device.macs, *(i.mac for i in device.interfaces if i.mac)}),
                uplinks=uplinks,
                table=tuple(_with_port(entry, ports) for entry in told[device_id]),
            )
        )
    return tuple(found)


def _neighbours(device: Device) -> list[tuple[str, Named]]:
    named = ((entry.local_interface, named_by(entry)) for entry in device.neighbors)
    return [(local, who) for local, who in named if who is not None]


class _PortNames(dict[str, str]):
    """The port that each told name means, looked up once."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self._ports = Ports(device)

    def __missing__(self, told: str) -> str:
        name, _ = self._ports.named(told)
        self[told] = name or told
        return self[told]


def _with_port(entry: MacTableEntry, ports: _PortNames) -> MacTableEntry:
    return entry if entry.interface is None else replace(entry, interface=ports[entry.interface])
