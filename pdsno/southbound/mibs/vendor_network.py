"""Where the makers of switches, routers and radios keep model, serial number and version.

Each line: the sysObjectID beneath `enterprises` of who is asked, the field, the OID beneath
`enterprises`; of one field the best comes first. Names in comments are the objects' own, from the
vendors' published MIBs. `.0` and `.1` ends are instances and go into one GET; `.*` means a column,
of which the first value that says something counts. `@` stands for the device's own sysObjectID,
`@@` for the arc above it, where a vendor has one MIB per product.
"""

NETWORK: tuple[tuple[str, str, str], ...] = (
    # Cisco: CISCO-IMAGE-MIB, OLD-CISCO-CHASSIS-MIB, CISCO-STACK-MIB, AIRESPACE, CISCOSB
    ("9", "image", "9.9.25.1.1.1.2.*"),
    ("9", "serial", "9.3.6.3.0"),
    ("9", "model", "9.5.1.2.16.0"),
    ("9", "serial", "9.5.1.2.19.0"),
    ("9", "version", "14179.1.1.1.14.0"),  # agentInventoryProductVersion
    ("9", "model", "14179.1.1.1.3.0"),  # agentInventoryMachineModel
    ("9", "serial", "14179.1.1.1.4.0"),  # agentInventorySerialNumber
    ("14179", "version", "14179.1.1.1.14.0"),
    ("14179", "model", "14179.1.1.1.3.0"),
    ("14179", "serial", "14179.1.1.1.4.0"),
    ("9.6.1", "version", "9.6.1.101.53.14.1.2.1"),  # rlPhdUnitGenParamSoftwareVersion
    ("9.6.1", "serial", "9.6.1.101.53.14.1.5.1"),
    ("9.6.1", "model", "9.6.1.101.53.14.1.11.1"),
    ("9.1", "version", "9.6.1.101.53.14.1.2.1"),  # Catalyst 1200 and 1300
    ("9.1", "serial", "9.6.1.101.53.14.1.5.1"),
    ("9.6.1", "version", "9.6.1.101.2.4.0"),  # rndBrgVersion
    ("89", "version", "89.53.14.1.2.1"),
    ("89", "serial", "89.53.14.1.5.1"),
    ("674.10895", "version", "89.53.14.1.2.1"),
    ("674.10895", "serial", "89.53.14.1.5.1"),
    # Others' switches with Radlan's agent keep its MIB: Allied Telesis, Linksys, Eltex
    ("207", "serial", "89.53.14.1.5.1"),
    ("207", "version", "89.53.14.1.2.1"),
    ("3955", "serial", "89.53.14.1.5.1"),
    ("3955", "version", "89.2.4.0"),
    ("35265", "serial", "89.53.14.1.5.1"),
    ("35265", "version", "89.2.4.0"),  # rndBrgVersion
    ("207", "model", "207.8.4.4.3.21.1.1.4.*"),  # AT-RESOURCE-MIB rscBoardName
    ("207", "serial", "207.8.4.4.3.21.1.1.8.*"),  # rscBoardSerialNumber
    # Juniper: jnxBoxSerialNo, jnxBoxDescr; Trapeze
    ("2636", "serial", "2636.3.1.3.0"),
    ("2636", "descr", "2636.3.1.2.0"),
    ("14525", "serial", "14525.4.2.1.1.0"),
    ("14525", "version", "14525.4.2.1.4.0"),
    ("3224", "serial", "3224.7.1.3.0"),
    # HP: hpHttpMgSerialNumber, hpSwitchOsVersion
    ("11", "version", "11.2.14.11.5.1.1.3.0"),
    ("11", "serial", "11.2.36.1.1.2.9.0"),
    ("11", "serial", "11.2.3.9.4.2.1.1.3.3.0"),  # printers
    ("11.2.3.9", "model", "11.2.3.9.4.2.1.1.3.2.0"),
    ("29999", "serial", "11.2.3.9.4.2.1.1.3.3.0"),
    ("232", "serial", "232.2.2.2.1.0"),  # cpqSiSysSerialNum
    ("232", "model", "232.2.2.4.2.0"),  # cpqSiProductName
    ("232.9", "version", "232.9.2.2.2.0"),  # cpqSm2CntlrRomRevision
    ("232.9", "serial", "232.9.2.2.15.0"),  # cpqSm2CntlrBoardSerialNumber
    ("11.5.7.1", "model", "232.22.2.3.1.1.1.3.*"),  # cpqRackCommonEnclosureModel
    ("11.5.7.1", "serial", "232.22.2.3.1.1.1.7.*"),
    ("11.5.7.1", "version", "232.22.2.3.1.1.1.8.*"),
    # Aruba: wlsxSysExt, aiAccessPoint
    ("14823", "model", "14823.2.2.1.2.1.3.0"),
    ("14823", "version", "14823.2.2.1.2.1.28.0"),
    ("14823", "serial", "14823.2.2.1.2.1.29.0"),
    ("14823", "serial", "14823.2.3.3.1.2.1.1.4.*"),
    ("14823", "model", "14823.2.3.3.1.2.1.1.6.*"),
    # MikroTik: mtxrLicVersion, mtxrSerialNumber, mtxrBoardName
    ("14988", "version", "14988.1.1.4.4.0"),
    ("14988", "serial", "14988.1.1.7.3.0"),
    ("14988", "model", "14988.1.1.7.9.0"),
    # Huawei: hwEntitySystemModel, iBMC
    ("2011.2", "model", "2011.5.25.31.6.5.0"),
    ("2011.2.235", "model", "2011.2.235.1.1.1.6.0"),
    ("2011.2.235", "serial", "2011.2.235.1.1.1.7.0"),
    # Fortinet: fnSysSerial, fgSysVersion, fsSysVersion
    ("12356", "serial", "12356.100.1.1.1.0"),
    ("12356", "version", "12356.101.4.1.1.0"),
    ("12356.106", "version", "12356.106.4.1.1.0"),
    ("12356.106", "serial", "12356.106.1.1.1.0"),
    # Palo Alto: panSysSwVersion, panSysSerialNumber
    ("25461", "version", "25461.2.1.2.1.1.0"),
    ("25461", "serial", "25461.2.1.2.1.3.0"),
    # Nokia: tmnxHwSerialNumber, of which the first row is the chassis
    ("6527", "serial", "6527.3.1.2.2.1.8.1.5.*"),
    # Extreme, Avaya, Brocade, Foundry, Ruckus
    ("1916", "version", "1916.1.1.1.13.0"),  # extremePrimarySoftwareRev
    ("1916", "serial", "1916.1.1.1.16.0"),  # extremeSystemID
    ("2272", "serial", "2272.1.4.2.0"),  # rcChasSerialNumber
    ("45", "serial", "45.1.6.3.1.6.0"),  # s5ChasSerNum
    ("1588", "version", "1588.2.1.1.1.1.6.0"),  # swFirmwareVersion
    ("1588", "serial", "1588.2.1.1.1.1.10.0"),  # swSsn
    ("1991", "version", "1991.1.1.2.1.11.0"),  # snAgImgVer
    ("1991", "serial", "1991.1.1.1.1.2.0"),  # snChasSerNum
    ("1991", "serial", "1991.1.1.1.4.1.1.2.*"),  # snChasUnitSerNum
    ("25053", "model", "25053.1.2.1.1.1.1.9.0"),  # ruckusZDSystemModel
    ("25053", "serial", "25053.1.2.1.1.1.1.15.0"),
    ("25053", "version", "25053.1.2.1.1.1.1.18.0"),
    ("25053", "model", "25053.1.15.1.1.1.1.9.0"),  # Unleashed
    ("25053", "serial", "25053.1.15.1.1.1.1.15.0"),
    ("25053", "version", "25053.1.15.1.1.1.1.18.0"),
    ("25053", "model", "25053.1.1.2.1.1.1.1.0"),  # ruckusHwInfoModelNumber
    ("25053", "serial", "25053.1.1.2.1.1.1.2.0"),
    ("25053", "version", "25053.1.1.3.1.1.1.1.1.3.1"),
    # FASTPATH agents under their vendors' numbers (agentInventory)
    ("4413", "model", "4413.1.1.1.1.1.3.0"),
    ("4413", "serial", "4413.1.1.1.1.1.4.0"),
    ("4413", "version", "4413.1.1.1.1.1.13.0"),
    ("4526", "model", "4526.10.1.1.1.3.0"),
    ("4526", "serial", "4526.10.1.1.1.4.0"),
    ("4526", "version", "4526.10.1.1.1.13.0"),
    ("4526", "model", "4526.11.1.1.1.3.0"),  # the smart switches' branch
    ("4526", "serial", "4526.11.1.1.1.4.0"),
    ("4526", "version", "4526.11.1.1.1.13.0"),
    # Accton's agent: swProdName, swOpCodeVer and swSerialNumber beneath each product's own arc
    ("259", "model", "@.1.1.5.1.0"),
    ("259", "version", "@.1.1.3.1.6.1"),
    ("259", "serial", "@.1.1.3.1.10.1"),
    ("259", "model", "@@.1.1.5.1.0"),
    ("259", "version", "@@.1.1.3.1.6.1"),
    ("259", "serial", "@@.1.1.3.1.10.1"),
    ("202", "model", "@.1.1.5.1.0"),
    ("202", "version", "@.1.1.3.1.6.1"),
    ("202", "serial", "@.1.1.3.1.10.1"),
    # Dell: productIdentification, iDRAC
    ("674.10895", "model", "674.10895.3000.1.2.100.1.0"),
    ("674.10895", "version", "674.10895.3000.1.2.100.4.0"),
    ("674.10895", "serial", "674.10895.3000.1.2.100.8.1.2.1"),
    ("674.10892.2", "version", "674.10892.2.1.2.1.0"),  # DELL-RAC-MIB drsFirmwareVersion
    ("674.10892.2", "serial", "674.10892.2.1.1.6.0"),  # drsChassisServiceTag
    ("674.10892.2", "model", "674.10892.2.1.1.2.0"),  # drsProductShortName
    ("674.10892", "version", "674.10892.5.1.1.8.0"),
    ("674.10892", "serial", "674.10892.5.1.3.2.0"),
    ("674.10892", "model", "674.10892.5.1.3.12.0"),
    ("6027.1.3", "model", "6027.3.10.1.2.2.1.7.*"),  # F10-S-SERIES-CHASSIS-MIB chStackUnit
    ("6027.1.3", "serial", "6027.3.10.1.2.2.1.12.*"),
    # Small switches
    ("171", "serial", "171.12.1.1.12.0"),
    ("890", "version", "890.1.15.3.1.6.0"),
    ("890", "model", "890.1.15.3.1.11.0"),
    ("890", "serial", "890.1.15.3.1.12.0"),
    ("11863", "version", "11863.6.1.1.6.0"),
    ("11863", "model", "11863.6.1.1.5.0"),
    ("11863", "serial", "11863.6.1.1.8.0"),
    # Ubiquiti: unifiApSystem, dot11manufacturerProduct (below)
    ("41112", "model", "41112.1.6.3.3.0"),
    ("41112", "version", "41112.1.6.3.6.0"),
    ("41112", "version", "41112.1.3.2.1.40.1"),  # UBNT-AirFIBER-MIB fwVersion
    ("10002", "version", "41112.1.3.2.1.40.1"),
    # Ruijie: RUIJIE-SYSTEM-MIB SwVersion and Serialno; Raisecom: RAISECOM-SYSTEM-MIB
    ("4881", "version", "4881.1.1.10.2.1.1.2.0"),
    ("4881", "serial", "4881.1.1.10.2.1.1.24.0"),
    ("8886", "version", "8886.6.1.1.1.1.0"),
    ("8886", "first", "8886.6.1.1.1.2.0"),
    ("8886", "serial", "8886.6.1.1.1.14.0"),
    # ADTRAN-MIB adProd
    ("664", "model", "664.3.1.1.0"),
    ("664", "serial", "664.3.1.4.0"),
    ("664", "version", "664.3.1.6.0"),
    # Radios: CAMBIUM-PMP80211-MIB, CAMBIUM-MIB, MIMOSA-NETWORKS-BFIVE-MIB; WHISP-BOX-MIBV2-MIB
    ("17713.21", "version", "17713.21.1.1.1.0"),
    ("17713.21", "serial", "17713.21.1.1.31.0"),  # cambiumEPMPMSN
    ("17713.21", "serial", "17713.21.1.1.30.0"),  # cambiumESN
    ("17713.22", "version", "17713.22.1.1.1.8.0"),
    ("17713.22", "serial", "17713.22.1.1.1.4.0"),
    ("17713.22", "model", "17713.22.1.1.1.5.0"),
    ("43356", "version", "43356.2.1.2.1.3.0"),
    ("43356", "serial", "43356.2.1.2.1.2.0"),
    ("161.19.250", "model", "161.19.3.3.1.2.0"),
    # Mobile: TELTONIKA-MIB, PEPLINK device
    ("48690", "serial", "48690.1.1.0"),
    ("48690", "version", "48690.2.14.0"),  # before RutOS 7, where 1.6 is the IMSI
    ("48690", "model", "48690.1.7.0"),
    ("48690", "version", "48690.1.6.0"),
    ("23695", "model", "23695.200.1.1.1.1.1.0"),
    ("23695", "serial", "23695.200.1.1.1.1.2.0"),
    ("23695", "version", "23695.200.1.1.1.1.3.0"),
    ("27662", "model", "23695.200.1.1.1.1.1.0"),
    ("27662", "serial", "23695.200.1.1.1.1.2.0"),
    ("27662", "version", "23695.200.1.1.1.1.3.0"),
    # Voice: AC-SYSTEM-MIB acSysTypeProduct, acSysIdSerialNumber, acSysVersionSoftware
    ("5003", "model", "5003.9.10.10.2.1.1.0"),
    ("5003", "serial", "5003.9.10.10.2.3.2.0"),
    ("5003", "version", "5003.9.10.10.2.2.1.0"),
    # Factories: HM2-DEVMGMT-MIB, HMPRIV-MGMT-SNMP-MIB, RUGGEDCOM-SYS-INFO-MIB, MOXA's per product
    ("248", "model", "248.11.10.1.1.2.0"),
    ("248", "serial", "248.11.10.1.1.3.0"),
    ("248", "version", "248.14.1.1.2.0"),
    ("15004", "serial", "15004.4.2.3.1.0"),
    ("15004", "version", "15004.4.2.3.3.0"),
    ("8691.7", "model", "@.1.2.0"),
    ("8691.7", "version", "@.1.4.0"),
)
