"""The kernel's own ARP table: who answered when this machine tried to reach an address.

The way to MACs without CAP_NET_RAW: something else touches the addresses, the kernel asks for
them by ARP, and we read what it learned.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import normalise_mac
from pdsno.domain.observations import Method, Sighting

TABLE = Path("/proc/net/arp")
_COMPLETE = 0x02
_COLUMNS = 6


def read_neighbours(
    addresses: Collection[str], interface: str, *, table: Path = TABLE
) -> list[Sighting]:
    """Return complete entries of these addresses on this interface.

    An entry may be minutes old: it shows that the address was there lately.
    """
    found = []
    wanted = set(addresses)
    for line in table.read_text().splitlines()[1:]:
        columns = line.split()
        if len(columns) != _COLUMNS or columns[0] not in wanted or columns[5] != interface:
            continue
        mac = _mac(columns[3])
        if int(columns[2], 16) & _COMPLETE and mac is not None:
            sighting = Sighting(
                address=columns[0], mac=mac, method=Method.NEIGHBOUR_TABLE, at=datetime.now(UTC)
            )
            found.append(sighting)
    return found


def _mac(text: str) -> str | None:
    try:
        mac = normalise_mac(text)
    except InputError:
        return None
    return None if mac == "00:00:00:00:00:00" else mac
