"""What runs on a node of containerlab, by its kind: the names of today and of before.

`linux` is not among them: anything may run in a container of that kind.
"""

PLATFORM_OF_KIND = {
    "arista_ceos": "arista_eos", "arista_veos": "arista_eos", "aruba_aoscx": "aruba_aoscx",
    "ceos": "arista_eos", "cisco_c8000v": "cisco_ios", "cisco_cat9kv": "cisco_ios",
    "cisco_csr1000v": "cisco_ios", "cisco_iol": "cisco_ios", "cisco_n9kv": "cisco_nxos",
    "cisco_vios": "cisco_ios", "cisco_xrd": "cisco_xr", "cisco_xrv": "cisco_xr",
    "cisco_xrv9k": "cisco_xr", "crpd": "juniper_junos", "huawei_vrp": "huawei_vrp",
    "juniper_crpd": "juniper_junos", "juniper_vjunosevolved": "juniper_junos",
    "juniper_vjunosrouter": "juniper_junos", "juniper_vjunosswitch": "juniper_junos",
    "juniper_vmx": "juniper_junos", "juniper_vqfx": "juniper_junos",
    "juniper_vsrx": "juniper_junos", "mikrotik_ros": "mikrotik_routeros",
    "vr-aoscx": "aruba_aoscx", "vr-csr": "cisco_ios", "vr-n9kv": "cisco_nxos",
    "vr-ros": "mikrotik_routeros", "vr-veos": "arista_eos", "vr-vmx": "juniper_junos",
    "vr-vqfx": "juniper_junos", "vr-xrv": "cisco_xr", "vr-xrv9k": "cisco_xr",
    "vyosnetworks_vyos": "vyos", "xrd": "cisco_xr",
}  # fmt: skip
