"""Credentials and platforms out of a Nornir inventory, containerlab's among them."""

from collections.abc import Iterator
from pathlib import Path

from pdsno.southbound.clab_kinds import PLATFORM_OF_KIND
from pdsno.southbound.inventory_logins import (
    FromInventory,
    HostLogins,
    Login,
    gathered,
    platform_called,
    port_of,
)
from pdsno.southbound.nornir_inventory import NornirInventory, read_nornir


def from_nornir(hosts_file: Path) -> FromInventory:
    """Read an inventory. Raises InputError, naming the file; never quotes a value."""
    found = read_nornir(hosts_file)
    return gathered("nornir", _hosts(found), changed_at=found.changed_at)


def _hosts(found: NornirInventory) -> Iterator[HostLogins]:
    for name in found.hosts:
        username, password = found.text(name, "username"), found.text(name, "password")
        login = None
        if username and password:
            port = port_of(found.text(name, "port"))
            login = Login(username=username, password=password, port=port)
        yield HostLogins(
            name=name,
            hostname=found.text(name, "hostname") or name,
            login=login,
            platform=platform_called(found.text(name, "platform"), PLATFORM_OF_KIND),
        )
