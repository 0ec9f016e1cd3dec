"""Rules for who is known by sysObjectID alone: operators may set sysDescr to what they like.

They stand behind what sysDescr tells, and name only makes that run one system under a number.
"""

from pdsno.domain.entities import DeviceType
from pdsno.southbound.mibs.rules import Rule, rule

_SERVER = DeviceType.SERVER

BY_NUMBER: tuple[Rule, ...] = (
    # 9.12.3.1.3: CISCO-ENTITY-VENDORTYPE-OID-MIB cevChassis, which only Nexus, MDS and UCS give
    rule("Cisco", "cisco_nxos", oids="9.12.3.1.3"),
    rule("Juniper", "juniper_junos", oids="2636.1.1.1"),
    rule("HPE", "hp_comware", oids="25506.11"),
    rule(None, "hp_comware", oids="25506 43.1.16 43.45.1.2"),
    rule("HPE", "hp_procurve", oids="11.2.3.7.11"),
    rule("Extreme Networks", "extreme_exos", oids="1916.2"),
    rule(None, "ruckus_fastiron", oids="1991.1.3"),
    rule("Nokia", "nokia_srl", oids="6527.1.20"),
    rule("Nokia", "alcatel_sros", oids="6527.1.3 6527.1.6 6527.1.9 6527.1.15"),
    rule("Alcatel-Lucent", "alcatel_aos", oids="6486.800.1.1.2.1 6486.801.1.1.2.1"),
    rule("Dell", "dell_force10", oids="6027.1.3"),
    rule("Dell", "dell_os10", oids="674.11000.5000.100.2.1"),
    rule("Ubiquiti", "ubiquiti_edge", oids="41112.1.5"),
    rule("VyOS", "vyos", oids="44641"),
    rule("Vyatta", "vyatta_vyos", oids="30803"),
    rule("Cumulus", "cumulus_linux", oids="40310"),
    rule("Ciena", "ciena_saos", oids="6141"),
    rule("Edgecore", "edgecore", oids="259.6 259.8 259.10"),
    rule("Eltex", "eltex", oids="35265.1"),
    rule("ZTE", "zte_zxros", oids="3902.3 3902.15"),
    rule("Raisecom", "raisecom_roap", oids="8886"),
    rule("BDCOM", "bdcom", oids="3320.1"),
    rule("Ericsson", "ericsson_ipos", oids="2352.1"),
    rule("Brocade", "brocade_nos", oids="1588.2.2.1.1.1"),
    rule("A10 Networks", "a10_acos", oids="22610.1.3"),
    rule("VMware", "vmware_esxi", oids="6876.4", kind=_SERVER),
    rule("NetApp", "netapp_ontap", oids="789.2", kind=_SERVER),
    rule("Microsoft", "windows", oids="311.1.1.3", kind=_SERVER),
)
