"""What Ansible is told of a device. No user, no password: how to log in is the operator's to say.

The Ansible collection carries this file along to where PDSNO is not: the standard library only,
and what lies beside it.
"""

from .inventory_names import Listed, facts_of
from .platform_names import ANSIBLE_NETWORK_OS


def variables_of(device: Listed) -> dict[str, object]:
    """Return a host's variables: where it is, what Ansible needs to log in, and what is known."""
    found: dict[str, object] = {}
    if device.management_ip:
        found["ansible_host"] = device.management_ip
    network_os = ANSIBLE_NETWORK_OS.get(device.platform or "")
    if network_os:
        found["ansible_network_os"] = network_os
        found["ansible_connection"] = "ansible.netcommon.network_cli"
    return found | {f"pdsno_{key}": value for key, value in facts_of(device).items()}
