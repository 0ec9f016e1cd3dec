"""What other tools call our platforms (Netmiko's names), and what we call theirs.

The Ansible collection carries this file along to where PDSNO is not: the standard library only.
"""

import re

ANSIBLE_NETWORK_OS = {
    "arista_eos": "arista.eos.eos",
    "aruba_aoscx": "arubanetworks.aoscx.aoscx",
    "cisco_ios": "cisco.ios.ios",
    "cisco_nxos": "cisco.nxos.nxos",
    "cisco_xr": "cisco.iosxr.iosxr",
    "huawei_vrp": "community.network.ce",
    "juniper_junos": "junipernetworks.junos.junos",
    "mikrotik_routeros": "community.routeros.routeros",
    "vyos": "vyos.vyos.vyos",
}
"""Platforms for which Ansible has a `network_cli` plugin."""

_OURS = {
    "arista_eos", "aruba_aoscx", "aruba_os", "cisco_ios", "cisco_nxos", "cisco_xr", "frr",
    "hp_comware", "hp_procurve", "huawei_vrp", "juniper_junos", "linux", "mikrotik_routeros",
    "vyos",
}  # fmt: skip
_ALSO = {
    "eos": "arista_eos", "ios": "cisco_ios", "iosxe": "cisco_ios", "ios_xe": "cisco_ios",
    "cisco_xe": "cisco_ios", "cisco_iosxe": "cisco_ios", "cisco_ios_xe": "cisco_ios",
    "nxos": "cisco_nxos", "nxos_ssh": "cisco_nxos", "nx_os": "cisco_nxos",
    "cisco_nx_os": "cisco_nxos", "iosxr": "cisco_xr", "ios_xr": "cisco_xr",
    "cisco_iosxr": "cisco_xr", "cisco_ios_xr": "cisco_xr", "junos": "juniper_junos",
    "juniper": "juniper_junos", "vyatta_vyos": "vyos", "vyatta": "vyos",
    "routeros": "mikrotik_routeros", "ce": "huawei_vrp", "vrp": "huawei_vrp",
    "huawei": "huawei_vrp", "aoscx": "aruba_aoscx", "aos_cx": "aruba_aoscx",
    "aruba_aos_cx": "aruba_aoscx", "comware": "hp_comware", "procurve": "hp_procurve",
    "aruba_osswitch": "aruba_os", "ubuntu": "linux", "debian": "linux", "rhel": "linux",
}  # fmt: skip


_NETMIKO_ALSO = {
    "aireos": "cisco_wlc", "asa": "cisco_asa", "ciscosmb": "cisco_s300", "classic": "nokia_sros",
    "cumulus": "cumulus_linux", "edgeos": "ubiquiti_edgerouter",
    "edgeswitch": "ubiquiti_edgeswitch", "exos": "extreme_exos", "fortios": "fortinet",
    "icx": "ruckus_fastiron", "ironware": "extreme_netiron", "md": "nokia_sros",
    "netvisor": "pluribus", "nos": "extreme_nos", "os10": "dell_os10", "os6": "dell_os6",
    "os9": "dell_os9", "panos": "paloalto_panos", "slxos": "extreme_slx", "srlinux": "nokia_srl",
    "sros": "nokia_sros", "voss": "extreme_vsp",
}  # fmt: skip
"""What Netmiko calls other network operating systems of Ansible, by the last part of their name."""

NETMIKO_TYPES = {"frr": "cisco_ios"}
"""Our platforms that Netmiko has no name for: the type of its that speaks with them."""


def netmiko_name(network_os: str | None) -> str | None:
    """Return Netmiko's name for what Ansible calls `cisco.ios.ios`; FRR is `frr` all the same.

    A name that we do not know is returned as it stands: Netmiko says then what it knows.
    """
    if not network_os:
        return None
    last = network_os.rpartition(".")[2]
    return own_platform(network_os) or _NETMIKO_ALSO.get(last.casefold(), last)


def own_platform(name: str | None) -> str | None:
    """Return our platform for `cisco.ios.ios`, `IOS-XE`, `junos`; None if we have none.

    None is "cannot be compared", never "wrong".
    """
    if not name:
        return None
    last = name.rpartition(".")[2] if re.fullmatch(r"[\w.]+", name) else name
    folded = re.sub(r"[^a-z0-9]+", "_", last.casefold()).strip("_")
    return folded if folded in _OURS else _ALSO.get(folded)
