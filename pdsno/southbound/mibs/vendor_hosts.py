"""Where the makers of firewalls, printers, power supplies and hosts keep model and serial.

Each line: the sysObjectID beneath `enterprises` of who is asked, the field, the OID beneath
`enterprises`; of one field the best comes first. Names in comments are the objects' own, from the
vendors' published MIBs. `.0` and `.1` ends are instances and go into one GET; `.*` means a column,
of which the first value that says something counts. `@` stands for the device's own sysObjectID,
`@@` for the arc above it, where a vendor has one MIB per product.
"""

NET_SNMP = "8072.3.2"

HOSTS: tuple[tuple[str, str, str], ...] = (
    # Check Point, F5, SonicWall, Citrix, A10, Infoblox, Riverbed
    ("2620", "version", "2620.1.6.4.1.0"),
    ("2620", "serial", "2620.1.6.16.3.0"),
    ("2620", "model", "2620.1.6.16.7.0"),
    ("3375", "version", "3375.2.1.4.2.0"),
    ("3375", "serial", "3375.2.1.3.3.3.0"),
    ("3375", "model", "3375.2.1.3.5.2.0"),
    ("8741", "model", "8741.2.1.1.1.0"),
    ("8741", "serial", "8741.2.1.1.2.0"),
    ("8741", "version", "8741.2.1.1.3.0"),
    ("5951", "version", "5951.4.1.1.1.0"),
    ("5951", "serial", "5951.4.1.1.14.0"),
    ("5951", "model", "5951.4.1.1.11.0"),
    ("22610", "serial", "22610.2.4.1.6.2.0"),
    ("7779", "model", "7779.3.1.1.2.1.4.0"),
    ("7779", "serial", "7779.3.1.1.2.1.6.0"),
    ("7779", "version", "7779.3.1.1.2.1.7.0"),
    ("17163", "model", "17163.1.1.1.1.0"),
    ("17163", "serial", "17163.1.1.1.2.0"),
    ("17163", "version", "17163.1.1.1.3.0"),
    # SFOS-FIREWALL-MIB sfosDeviceType, sfosDeviceFWVersion, sfosDeviceAppKey
    ("2604.5", "model", "2604.5.1.1.2.0"),
    ("2604.5", "version", "2604.5.1.1.3.0"),
    ("2604.5", "serial", "2604.5.1.1.4.0"),
    ("11256", "model", "11256.1.0.1.0"),  # Stormshield
    ("11256", "version", "11256.1.0.2.0"),
    ("11256", "serial", "11256.1.0.3.0"),
    # Siemens: snInfoMLFBNr, snSwVersion, snInfoSerialNr; Digi (Sarian)
    ("4196", "model", "4196.1.1.8.3.100.1.8.26.0"),
    ("4196", "version", "4196.1.1.8.3.100.1.8.4.0"),
    ("4196", "serial", "4196.1.1.8.3.100.1.8.6.0"),
    ("4329", "model", "4329.6.3.2.1.1.2.0"),
    ("4329", "serial", "4329.6.3.2.1.1.3.0"),
    ("4329", "version", "4329.6.3.2.1.1.5.0"),
    ("995", "model", "995.15.1.1.1.0"),  # MultiTech
    ("995", "serial", "995.15.1.1.2.0"),
    ("995", "version", "995.15.1.1.3.0"),
    # Genua, genuaInfoMib
    ("3717", "model", "3717.2.3.5.0"),
    ("3717", "version", "3717.2.3.3.0"),
    ("3717", "serial", "3717.2.3.6.0"),
    # Printers: Epson, OKI, Zebra
    ("1248", "model", "1248.1.2.2.1.1.1.2.1"),
    ("1248", "serial", "1248.1.2.2.1.1.1.5.1"),
    ("2001", "model", "2001.1.1.1.1.11.1.10.25.0"),
    ("2001", "serial", "2001.1.1.1.1.11.1.10.45.0"),
    ("10642", "model", "10642.1.1.0"),
    ("10642", "version", "10642.1.2.0"),
    # RICOH-MIB, LEXMARK-PRINTER-MIB, KYOCERA-Private-MIB, BROTHER-MIB, XEROX-COMMON-MIB
    ("367", "model", "367.3.2.1.1.1.1.0"),
    ("367", "version", "367.3.2.1.1.1.2.0"),
    ("367", "serial", "367.3.2.1.2.1.4.0"),
    ("641", "model", "641.2.1.2.1.2.1"),
    ("641", "version", "641.2.1.2.1.4.1"),
    ("641", "serial", "641.2.1.2.1.6.1"),
    ("1347", "version", "1347.43.5.4.1.5.1.1"),
    ("1347", "serial", "1347.43.5.1.1.28.1"),
    ("2435", "serial", "2435.2.3.9.4.2.1.5.5.1.0"),
    ("253", "serial", "253.8.53.3.2.1.3.1"),
    # Power: PowerNet-MIB, MG-SNMP-UPS, XUPS, LIEBERT-GP, PDU2, Sentry3
    ("318", "model", "318.1.1.1.1.1.1.0"),
    ("318", "serial", "318.1.1.1.1.2.3.0"),
    ("318", "version", "318.1.1.1.1.2.1.0"),
    ("318", "model", "318.1.1.12.1.5.0"),
    ("318", "serial", "318.1.1.12.1.6.0"),
    ("318", "version", "318.1.1.12.1.3.0"),
    ("318", "model", "318.1.1.26.2.1.8.*"),  # rPDU2IdentModelNumber
    ("318", "serial", "318.1.1.26.2.1.9.*"),
    ("318", "model", "318.1.1.8.1.5.0"),  # atsIdentModelNumber
    ("318", "serial", "318.1.1.8.1.6.0"),
    ("705", "model", "705.1.1.2.0"),
    ("705", "model", "705.1.1.1.0"),
    ("705", "serial", "705.1.1.7.0"),
    ("705", "version", "705.1.1.4.0"),
    ("534", "model", "534.1.1.2.0"),
    ("534", "version", "534.1.1.3.0"),
    ("534.6.6.7", "model", "534.6.6.7.1.2.1.3.0"),  # ePDU
    ("534.6.6.7", "serial", "534.6.6.7.1.2.1.4.0"),
    ("534.6.6.7", "version", "534.6.6.7.1.2.1.5.0"),
    ("534.10", "model", "534.10.2.1.2.0"),  # EATON-ATS2-MIB
    ("534.10", "version", "534.10.2.1.3.0"),
    ("534.10", "serial", "534.10.2.1.5.0"),
    ("2254.2.4", "model", "2254.2.4.1.2.0"),  # DeltaUPS-MIB
    ("2254.2.4", "version", "2254.2.4.1.3.0"),
    ("476", "model", "476.1.42.2.1.2.0"),
    ("476", "version", "476.1.42.2.1.3.0"),
    ("476", "serial", "476.1.42.2.1.4.0"),
    ("935", "model", "935.1.1.1.1.1.1.0"),
    ("935", "version", "935.1.1.1.1.2.1.0"),
    ("935", "serial", "935.1.1.1.1.2.3.0"),
    ("13742", "model", "13742.6.3.2.1.1.3.1"),
    ("13742", "serial", "13742.6.3.2.1.1.4.1"),
    ("13742", "version", "13742.6.3.2.3.1.6.1.1.1"),
    ("1718", "version", "1718.3.1.1.0"),
    ("1718", "model", "1718.3.2.1.1.7.*"),  # towerModelNumber
    ("1718", "serial", "1718.3.2.1.1.6.*"),
    ("1718", "serial", "1718.3.1.2.0"),  # the network card's
    ("1718", "version", "1718.4.1.1.1.3.0"),  # Sentry4
    ("1718", "model", "1718.4.1.2.2.1.5.*"),
    ("1718", "serial", "1718.4.1.2.2.1.4.*"),
    ("3808", "model", "3808.1.1.1.1.1.1.0"),
    ("3808", "version", "3808.1.1.1.1.2.1.0"),
    ("3808", "serial", "3808.1.1.1.1.2.3.0"),
    ("3808", "model", "3808.1.1.3.1.5.0"),  # ePDUIdentModelNumber
    ("3808", "version", "3808.1.1.3.1.3.0"),
    ("3808", "serial", "3808.1.1.3.1.6.0"),
    ("21239", "model", "21239.2.1.5.0"),
    ("21239", "version", "21239.2.1.2.0"),
    ("21239", "serial", "21239.2.1.8.0"),
    ("850", "model", "850.1.1.1.2.1.5.*"),  # tlpDeviceModel
    ("850", "serial", "850.1.1.2.1.1.5.*"),
    # Storage, servers: NETWORK-APPLIANCE-MIB, ISILON-MIB, SYNOLOGY-SYSTEM-MIB, VMWARE, IMM
    ("789", "version", "789.1.1.2.0"),
    ("789", "model", "789.1.1.5.0"),
    ("789", "serial", "789.1.1.9.0"),
    ("12124", "serial", "12124.2.51.1.3.*"),
    ("19746", "serial", "19746.1.13.1.1.0"),  # DATA-DOMAIN-MIB
    ("19746", "version", "19746.1.13.1.3.0"),
    ("19746", "model", "19746.1.13.1.4.0"),
    ("2.3.51.3", "model", "2.3.51.3.1.5.2.1.5.0"),  # machine VPD of IBM's and Lenovo's controllers
    ("2.3.51.3", "serial", "2.3.51.3.1.5.2.1.3.0"),
    ("19046.11.1", "model", "19046.11.1.1.5.2.1.5.0"),
    ("19046.11.1", "serial", "19046.11.1.1.5.2.1.3.0"),
    # Console servers: OG-STATUSv2-MIB (its scalars have no instance), ACS8000-MIB, ACS6000's
    ("25049", "version", "25049.17.1.1"),
    ("25049", "serial", "25049.17.1.2"),
    ("10418.26", "model", "10418.26.2.1.2.0"),
    ("10418.26", "serial", "10418.26.2.1.4.0"),
    ("10418.16", "model", "10418.16.2.1.2.0"),
    ("10418.16", "serial", "10418.16.2.1.4.0"),
    ("6876", "version", "6876.1.2.0"),
    ("24681", "model", "24681.1.2.12.0"),
    # Agents on Net-SNMP that keep its sysObjectID
    (NET_SNMP, "model", "6574.1.5.1.0"),
    (NET_SNMP, "serial", "6574.1.5.2.0"),
    (NET_SNMP, "version", "6574.1.5.3.0"),
    (NET_SNMP, "model", "24681.1.2.12.0"),
    (NET_SNMP, "model", "41112.1.6.3.3.0"),
    (NET_SNMP, "version", "41112.1.6.3.6.0"),
    (NET_SNMP, "version", "2620.1.6.4.1.0"),
    (NET_SNMP, "serial", "12356.100.1.1.1.0"),
    (NET_SNMP, "version", "12356.101.4.1.1.0"),
    (NET_SNMP, "version", "40310.1.1.0"),
    (NET_SNMP, "serial", "48690.1.1.0"),
    (NET_SNMP, "model", "48690.1.7.0"),
    (NET_SNMP, "version", "48690.2.14.0"),
    # A server's hardware, from its maker's agent beside the system's own: CPQSINFO-MIB,
    # MIB-Dell-10892 chassisModelName and chassisServiceTagName
    *(
        (system, name, oid)
        for system in (NET_SNMP, "311.1.1.3", "6876")
        for name, oid in (
            ("model", "232.2.2.4.2.0"),
            ("serial", "232.2.2.2.1.0"),
            ("model", "674.10892.1.300.10.1.9.1"),
            ("serial", "674.10892.1.300.10.1.11.1"),
        )
    ),
)
