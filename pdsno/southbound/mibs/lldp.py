"""LLDP-MIB (IEEE 802.1AB-2005) and LLDP-V2-MIB (2009): what a device announces and hears."""

from dataclasses import dataclass

from pdsno.domain.entities import Neighbor
from pdsno.domain.observations import Announcement
from pdsno.southbound.mibs.varbinds import (
    Value,
    Varbinds,
    address,
    cells,
    column,
    counted,
    mac,
    number,
    text,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where one edition of the MIB keeps things. `arcs` is the length of a remote's index."""

    root: str
    first_column: int
    arcs: int

    @property
    def local_chassis(self) -> tuple[str, str]:
        """The OIDs of subtype and value of the device's own chassis ID."""
        return f"{self.root}.3.1.0", f"{self.root}.3.2.0"

    @property
    def local_name(self) -> str:
        """The OID of the name that the device announces for itself."""
        return f"{self.root}.3.3.0"

    @property
    def local(self) -> tuple[str, ...]:
        """Columns of the local ports: ID subtype, ID, description."""
        return tuple(f"{self.root}.3.7.1.{n}" for n in (2, 3, 4))

    @property
    def remote(self) -> tuple[str, ...]:
        """Columns of the remotes: chassis subtype and ID, port subtype, ID, text, system name."""
        first = self.first_column
        return tuple(f"{self.root}.4.1.1.{n}" for n in range(first, first + 6))

    @property
    def remote_description(self) -> str:
        """The column of the remotes' own system descriptions."""
        return f"{self.root}.4.1.1.{self.first_column + 6}"

    @property
    def management(self) -> str:
        """The column whose index holds the remotes' addresses."""
        return f"{self.root}.4.2.1.3"

    @property
    def columns(self) -> tuple[str, ...]:
        """Everything to walk."""
        return (*self.local, *self.remote, self.remote_description, self.management)


V1 = Layout(root="1.0.8802.1.1.2.1", first_column=4, arcs=3)
"""Indexed by time mark, local port number, remote index."""
V2 = Layout(root="1.3.111.2.802.1.1.13.1", first_column=5, arcs=4)
"""Indexed by time mark, ifIndex, destination MAC index, remote index."""

# LldpChassisIdSubtype and LldpPortIdSubtype number the same kinds differently.
_CHASSIS_MAC, _CHASSIS_ADDRESS = 4, 5
_PORT_ALIAS, _PORT_MAC, _PORT_ADDRESS, _PORT_IFNAME, _PORT_LOCAL = 1, 3, 4, 5, 7
_PORT_ARC = 1
_IPV4, _IPV4_BYTES = 1, 4
_NOBODY = ("0.0.0.0", "::")  # noqa: S104 - an address, nothing bound


def chassis_id(subtype: Value, value: Value) -> str | None:
    """Return a chassis ID: a normalised MAC where it is one, an address, else text."""
    return _identifier(
        value, is_mac=subtype == _CHASSIS_MAC, is_address=subtype == _CHASSIS_ADDRESS
    )


def port_id(subtype: Value, value: Value) -> str | None:
    """Return a port ID, decoded by its subtype."""
    return _identifier(value, is_mac=subtype == _PORT_MAC, is_address=subtype == _PORT_ADDRESS)


def _identifier(value: Value, *, is_mac: bool, is_address: bool) -> str | None:
    is_raw = isinstance(value, bytes) and not _is_printable(value)
    if (is_mac or is_raw) and not is_address and (found := mac(value)):
        return found
    if is_address and is_raw and isinstance(value, bytes):
        # networkAddress: one octet of IANA address family (which some leave out), then the address.
        bare = address(_IPV4, value) if len(value) == _IPV4_BYTES else None
        return address(value[0], value[1:]) or bare or value.hex(":")
    return text(value)


def _is_printable(value: bytes) -> bool:
    """Tell whether octets are text; a NUL may end it."""
    try:
        return value.rstrip(b"\0").decode().isprintable()
    except UnicodeDecodeError:
        return False


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalPort:
    """How the device names its own LLDP port."""

    number: int
    subtype: int | None
    id: str | None
    description: str | None


def parse_chassis(varbinds: Varbinds) -> str | None:
    """Return what the device announces as its own chassis ID."""
    for layout in (V1, V2):
        subtype, value = layout.local_chassis
        if found := chassis_id(varbinds.get(subtype), varbinds.get(value)):
            return found
    return None


def parse_name(varbinds: Varbinds) -> str | None:
    """Return the system name that the device announces of itself."""
    return text(varbinds.get(V1.local_name)) or text(varbinds.get(V2.local_name))


def parse_local_ports(varbinds: Varbinds, layout: Layout = V1) -> dict[int, LocalPort]:
    """Return the local ports by port number (second edition: by ifIndex)."""
    subtypes, ids, descriptions = (cells(varbinds, item) for item in layout.local)
    return {
        index: LocalPort(
            number=index,
            subtype=number(subtypes.get(index)),
            id=port_id(subtypes.get(index), value),
            description=text(descriptions.get(index)),
        )
        for index, value in ids.items()
    }


def interface_of(
    port: int,
    local_ports: dict[int, LocalPort],
    names: dict[int, str],
    names_by_mac: dict[str, str],
) -> str:
    """Return the interface behind a local port number.

    By the port's ID if that is an interface's name or MAC, then by its description; then the
    number may be the ifIndex (most agents), else it is all that we know.
    """
    known = set(names.values())
    entry = local_ports.get(port)
    if entry is not None:
        for candidate in (entry.id, entry.description):
            if candidate in known:
                return str(candidate)
        if entry.subtype == _PORT_MAC and entry.id in names_by_mac:
            return names_by_mac[entry.id]
        if entry.subtype == _PORT_LOCAL and entry.id and entry.id.isdigit():
            named = names.get(int(entry.id))
            if named:
                return named
    if port in names:
        return names[port]
    return (entry.id or entry.description if entry else None) or f"port {port}"


def parse_neighbors(
    varbinds: Varbinds,
    local_ports: dict[int, LocalPort],
    names: dict[int, str],
    names_by_mac: dict[str, str],
    layout: Layout = V1,
) -> tuple[Neighbor, ...]:
    """Return what the device hears, ordered by local interface. `names` are by ifIndex."""
    table = [dict(column(varbinds, item)) for item in layout.remote]
    chassis_kinds, chassis, port_kinds, ports, descriptions, system_names = table
    management = _management_addresses(varbinds, layout)
    found = []
    for index in sorted({key for cells_ in table for key in cells_}):
        if len(index) != layout.arcs:
            continue
        subtype = number(port_kinds.get(index))
        entry = Neighbor(
            local_interface=interface_of(index[_PORT_ARC], local_ports, names, names_by_mac),
            remote_name=text(system_names.get(index)),
            remote_interface=_remote_interface(
                subtype, port_id(subtype, ports.get(index)), text(descriptions.get(index))
            ),
            remote_chassis_id=_remote_chassis(
                chassis_id(number(chassis_kinds.get(index)), chassis.get(index)),
                mac(ports.get(index)) if subtype == _PORT_MAC else None,
            ),
            remote_management_ip=management.get(index),
        )
        if entry.remote_name or entry.remote_chassis_id:
            found.append(entry)
    return tuple(sorted(set(found), key=_order))


def parse_announcements(varbinds: Varbinds, layout: Layout = V1) -> tuple[Announcement, ...]:
    """Return what neighbours with an address say that they are, ordered by address."""
    management = _management_addresses(varbinds, layout)
    told = {
        management[index]: words
        for index, value in column(varbinds, layout.remote_description)
        if index in management and (words := text(value))
    }
    return tuple(Announcement(address=ip, text=told[ip]) for ip in sorted(told))


def _remote_chassis(told: str | None, port_mac: str | None) -> str | None:
    """Return the chassis ID; a phone without an address yet says 0.0.0.0, as all others do."""
    return port_mac if told in _NOBODY else told


def _order(entry: Neighbor) -> tuple[str, str, str]:
    return entry.local_interface, entry.remote_chassis_id or "", entry.remote_interface or ""


def _remote_interface(subtype: int | None, told: str | None, description: str | None) -> str | None:
    """Return the name of the far port: its ID if that is a name, else the description."""
    if subtype in (_PORT_IFNAME, _PORT_ALIAS) and told:
        return told
    if subtype in (_PORT_MAC, _PORT_LOCAL, _PORT_ADDRESS) and description:
        return description
    return told or description


def _management_addresses(varbinds: Varbinds, layout: Layout) -> dict[tuple[int, ...], str]:
    """Return the first management address (IPv4 before IPv6) of each remote."""
    found: dict[tuple[int, ...], list[str]] = {}
    for index, _ in column(varbinds, layout.management):
        ip = _address_of(index[layout.arcs :])
        if ip:
            found.setdefault(index[: layout.arcs], []).append(ip)
    return {key: min(ips, key=lambda ip: (":" in ip, ip)) for key, ips in found.items()}


def _address_of(index: tuple[int, ...]) -> str | None:
    """Return an address of `family.length.octets`; some agents leave the length out."""
    ip = address(*counted(index))
    if ip is None and len(index) in (5, 17):  # family and four or sixteen octets
        ip = address(*counted((index[0], len(index) - 1, *index[1:])))
    return ip
