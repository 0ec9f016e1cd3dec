"""Which stand-in serves for a container image, by an explicit mapping."""

import re
from dataclasses import dataclass

from pdsno.lab.topology import Role

NODE_IMAGE = "pdsno-node"
"""Our own image (lab/Dockerfile): starts nothing but what its environment names."""

_ROUTER_IMAGES = frozenset({"frr", "frrouting", "free-range-routing", "quagga", "docker-frr"})
_HOST_IMAGES = frozenset(
    {
        "alpine", "alpine-host", "busybox", "centos", "debian", "fedora", "linux",
        "multitool", "netshoot", "network-multitool", "praqma-network-multitool",
        "python", "ubuntu", "rockylinux", "nginx", "iperf3",
    }
)  # fmt: skip

ROUTER_ENVIRONMENT = {
    "LAB_DAEMONS": "frr snmpd lldpd sshd",
    "LAB_SNMP_COMMUNITY": "public",
}
HOST_ENVIRONMENT = {
    "LAB_DAEMONS": "snmpd",
    "LAB_SNMP_COMMUNITY": "public",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """What runs in place of an image. `is_known` is false for a guess worth a warning."""

    role: Role
    environment: dict[str, str]
    is_known: bool = True


def _base_name(image: str) -> str:
    """Return the image's own name: `quay.io/frrouting/frr:9.1.0` is `frr`."""
    return re.split(r"[:@]", image.rsplit("/", 1)[-1])[0].lower()


def stand_in(image: str, kind: str, labels: dict[str, str]) -> StandIn:
    """Map an image to its stand-in; our own image says its role in the label `pdsno.role`."""
    name = _base_name(image)
    if name == NODE_IMAGE:
        role = labels.get("pdsno.role", "host")
        known = role in set(Role)
        return StandIn(role=Role(role) if known else Role.HOST, environment={}, is_known=known)
    if name in _ROUTER_IMAGES or kind == "frr":
        return StandIn(role=Role.ROUTER, environment=ROUTER_ENVIRONMENT)
    return StandIn(role=Role.HOST, environment=HOST_ENVIRONMENT, is_known=name in _HOST_IMAGES)
