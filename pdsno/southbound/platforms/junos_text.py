"""Readers of Junos text, for tables that no template reads well. Pure."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import replace

from pdsno.domain.entities import Interface, Neighbor
from pdsno.domain.observations import ArpEntry, MacTableEntry, Module
from pdsno.southbound.platforms.base import clean_mac
from pdsno.southbound.platforms.columns import has_heading, rows_under
from pdsno.southbound.platforms.ports_told import port_told
from pdsno.southbound.platforms.readings import Reading, union_of_ips
from pdsno.southbound.platforms.words import duration_s, number, said, speed_mbps, vlan_id

_PHYSICAL = re.compile(
    r"^Physical interface: (?P<name>[^,\s]+), (?P<admin>[\w ]+), Physical link is (?P<link>\w+)"
)
_BLOCK = re.compile(r"^(?=Physical interface:|\s+Logical interface )", re.MULTILINE)
_LOGICAL = re.compile(r"^\s+Logical interface (?P<name>\S+)")
_FIELDS = {
    "description": re.compile(r"^\s+Description: (.*\S)"),
    "mtu": re.compile(r"\bMTU: (\d+)"),
    "speed": re.compile(r"\bSpeed: ([\w.]+)"),
    "mac": re.compile(r"Hardware address: ([0-9a-fA-F:]{17})"),
    "local": re.compile(r"\bLocal: ([0-9a-fA-F:.]+)"),
    "destination": re.compile(r"\bDestination: ([0-9a-fA-F:.]+/\d+|[0-9a-fA-F:.]+)"),
    "is_up": re.compile(r"^\s+Flags: (Up|Down)\b"),
}
_ONCE = ("description", "mtu", "speed", "mac", "is_up")


def interfaces(text: str) -> Reading:
    """Read `show interfaces`: physical ports and their logical units with addresses."""
    found: list[Interface] = []
    for block in _BLOCK.split(text):
        entry = _interface(block)
        if entry is not None:
            found.append(entry)
    if not found:
        return Reading(problem="names no interface")
    return Reading(interfaces=tuple(found))


def _interface(block: str) -> Interface | None:
    physical, logical = _PHYSICAL.match(block), _LOGICAL.match(block)
    head = physical or logical
    if head is None:
        return None
    told: dict[str, str] = {}
    for line in block.splitlines():
        for name in _ONCE:
            match = _FIELDS[name].search(line)
            if match:
                told.setdefault(name, match[1])
    entry = Interface(
        name=head["name"],
        mac=clean_mac(told.get("mac")),
        ips=_addresses(block),
        mtu=number(told.get("mtu")),
        speed_mbps=speed_mbps(told.get("speed")),
        description=said(told.get("description")),
    )
    if physical is not None:
        admin = "up" if physical["admin"].startswith("Enabled") else "down"
        return replace(entry, oper_status=physical["link"].lower(), admin_status=admin)
    return replace(entry, oper_status=(told.get("is_up") or "").lower() or None)


def _addresses(block: str) -> tuple[str, ...]:
    """Return local addresses; their length stands in the (shortened) destination prefix."""
    found = []
    for line in block.splitlines():
        local, prefix = _FIELDS["local"].search(line), _FIELDS["destination"].search(line)
        if local is None or ("." not in local[1] and ":" not in local[1]):
            continue
        length = prefix[1].partition("/")[2] if prefix else ""
        try:
            ip = ipaddress.ip_address(local[1])
        except ValueError:
            continue
        found.append(f"{ip}/{length or ip.max_prefixlen}")
    return union_of_ips(found)


# --- neighbours ------------------------------------------------------------------------------


def lldp_neighbors(text: str) -> Reading:
    """Read `show lldp neighbors` by the places of its headings: columns may be empty."""
    if not has_heading(text, "Local Interface"):
        return Reading(problem="has no table of neighbours")
    rows = rows_under(text, "Local Interface")
    return Reading(neighbors=tuple(n for row in rows if (n := _neighbor(row)) is not None))


def _neighbor(row: Mapping[str, str]) -> Neighbor | None:
    local, chassis = said(row.get("local interface")), said(row.get("chassis id"))
    name = said(row.get("system name"))
    if local is None or (chassis is None and name is None) or "master:" in local:
        return None
    return Neighbor(
        local_interface=local,
        remote_name=name,
        remote_interface=port_told(said(row.get("port info"))),
        remote_chassis_id=clean_mac(chassis) or chassis,
    )


# --- tables ----------------------------------------------------------------------------------

_MAC = re.compile(r"(?<![0-9a-fA-F:])(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}(?![0-9a-fA-F:])")
_PORT = re.compile(
    r"\b(?:[a-z]{2}-\d+/\d+/\d+(?::\d+)?|ae\d+|[a-z]+\d*)\.\d+\b|\b(?:vme|me0|em0|fxp0)\S*"
)


def arp(text: str) -> Reading:
    """Read `show arp no-resolve`."""
    found = []
    for line in text.splitlines():
        words = line.split()
        mac = clean_mac(words[0]) if words else None
        ips = [w for w in words[1:] if re.fullmatch(r"\d+(?:\.\d+){3}", w)]
        if mac and ips:
            after = words[words.index(ips[0]) + 1 :]
            found.append(ArpEntry(ip=ips[0], mac=mac, interface=after[0] if after else None))
    return Reading(arp=tuple(found))


def mac_table(text: str) -> Reading:
    """Read `show ethernet-switching table`: VLANs by number where the name holds it."""
    found = []
    for line in text.splitlines():
        match = _MAC.search(line)
        mac = clean_mac(match[0]) if match else None
        if match is None or mac is None:
            continue
        port = _PORT.search(line, match.end())
        vlan = re.search(r"(\d+)\s*\Z", line[: match.start()])
        entry = MacTableEntry(
            mac=mac,
            vlan=vlan_id(vlan[1]) if vlan else None,
            interface=port[0] if port else None,
        )
        found.append(entry)
    return Reading(mac_table=tuple(found))


# --- the device itself -----------------------------------------------------------------------

_PART = re.compile(
    r"^ {0,8}(?P<name>[A-Z](?:(?! +R(?:EV|ev) )[\w/ -])*?)(?: +R(?:EV|ev) \S+| {2,}\S{1,8})?"
    r"(?: +(?:\d{3}-\d{6}|NON-JNPR))? {2,}(?P<serial>[A-Z0-9-]{6,})(?: {2,}(?P<model>\S.*?))?\s*$",
    re.MULTILINE,
)


def chassis_hardware(text: str) -> Reading:
    """Read `show chassis hardware`: the chassis, and every part with a serial."""
    found = []
    model = serial = None
    for match in _PART.finditer(text):
        name, part = match["name"].strip(), said(match["model"])
        if name == "Chassis":
            model, serial = part, match["serial"]
        elif match["serial"] != "BUILTIN":
            found.append(Module(name=name, model=part, serial=match["serial"]))
    return Reading(model=model, serial=serial, modules=tuple(found))


def uptime(text: str) -> Reading:
    """Read `show system uptime`."""
    booted = re.search(r"System booted: .*\((?P<span>[^)]*) ago\)", text)
    running = re.search(r"\bup +(?P<span>\d.*?),? +\d+ users?", text)
    found = booted or running
    return Reading(uptime_s=duration_s(found["span"]) if found else None)
