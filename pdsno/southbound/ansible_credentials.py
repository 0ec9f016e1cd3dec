"""Credentials and platforms out of an Ansible inventory, containerlab's among them."""

from collections.abc import Iterator
from pathlib import Path

from pdsno.southbound.ansible_inventory import Inventory, read_inventory
from pdsno.southbound.ansible_vault import unsealer
from pdsno.southbound.clab_kinds import PLATFORM_OF_KIND
from pdsno.southbound.host_variables import (
    HOST,
    KEY_FILE,
    NETWORK_OS,
    PASSWORD,
    PORT,
    USER,
    HostVariables,
)
from pdsno.southbound.inventory_logins import (
    FromInventory,
    HostLogins,
    Login,
    gathered,
    platform_called,
    port_of,
)

_COMMUNITY = "pdsno_snmp_community"
_OTHER_NAMES = {"ce": "huawei_vrp", "aoscx": "aruba_aoscx", "aos_cx": "aruba_aoscx"}


def from_ansible(inventory: Path, vault_password_file: Path | None = None) -> FromInventory:
    """Read an inventory. Raises InputError, naming file or host; never quotes a value."""
    found = read_inventory(inventory, unsealer(vault_password_file))
    return gathered("ansible", _hosts(found), changed_at=found.changed_at)


def _hosts(found: Inventory) -> Iterator[HostLogins]:
    for host, variables in found.hosts.items():
        told = HostVariables(host, variables)
        yield HostLogins(
            name=host,
            hostname=told.text(*HOST) or host,
            login=_login(told),
            community=told.text(_COMMUNITY),
            platform=_platform(told) or _platform_of_group(found.groups.get(host, ())),
        )


def _login(told: HostVariables) -> Login | None:
    user, password, key = told.text(*USER), told.text(*PASSWORD), told.text(*KEY_FILE)
    if (
        user is None
        or (password is None and key is None)
        or told.text("ansible_connection") == "local"
    ):
        return None
    return Login(
        username=user,
        password=None if key else password,
        key_file=key,
        port=port_of(told.text(*PORT)),
    )


def _platform(told: HostVariables) -> str | None:
    """Return our platform for `cisco.ios.ios`, `eos` and the like; None if we have none."""
    network_os = told.text(NETWORK_OS)
    return platform_called(network_os and network_os.rpartition(".")[2].lower(), _OTHER_NAMES)


def _platform_of_group(groups: tuple[str, ...]) -> str | None:
    """Return what the kind of a node says: containerlab's groups are called by it."""
    return next((PLATFORM_OF_KIND[name] for name in groups if name in PLATFORM_OF_KIND), None)
