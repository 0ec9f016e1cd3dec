"""Where vendors keep model, serial number and version in MIBs of their own.

Names in comments are the objects' own, from the vendors' published MIBs. `.0` and `.1` ends are
instances and go into one GET; `.*` means a column, of which the first value that says something
counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pdsno.southbound.mibs.makes import generic_version, real, vendor_of
from pdsno.southbound.mibs.varbinds import Varbinds, column, text

_ENTERPRISES = "1.3.6.1.4.1."
_NET_SNMP = "8072.3.2"
_SHORTEST = 3

_QUESTIONS: tuple[tuple[str, str, str], ...] = (
    # (sysObjectID beneath enterprises, field, OID beneath enterprises), best first.
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
    ("89", "version", "89.53.14.1.2.1"),
    ("89", "serial", "89.53.14.1.5.1"),
    ("674.10895", "version", "89.53.14.1.2.1"),
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
    ("11256", "model", "11256.1.0.1.0"),  # Stormshield
    ("11256", "version", "11256.1.0.2.0"),
    ("11256", "serial", "11256.1.0.3.0"),
    # Nokia: tmnxHwSerialNumber, of which the first row is the chassis
    ("6527", "serial", "6527.3.1.2.2.1.8.1.5.*"),
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
    # Dell: productIdentification, iDRAC
    ("674.10895", "model", "674.10895.3000.1.2.100.1.0"),
    ("674.10895", "version", "674.10895.3000.1.2.100.4.0"),
    ("674.10895", "serial", "674.10895.3000.1.2.100.8.1.2.1"),
    ("674.10892", "version", "674.10892.5.1.1.8.0"),
    ("674.10892", "serial", "674.10892.5.1.3.2.0"),
    ("674.10892", "model", "674.10892.5.1.3.12.0"),
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
    # Power: PowerNet-MIB, MG-SNMP-UPS, XUPS, LIEBERT-GP, PDU2, Sentry3
    ("318", "model", "318.1.1.1.1.1.1.0"),
    ("318", "serial", "318.1.1.1.1.2.3.0"),
    ("318", "version", "318.1.1.1.1.2.1.0"),
    ("318", "model", "318.1.1.12.1.5.0"),
    ("318", "serial", "318.1.1.12.1.6.0"),
    ("705", "model", "705.1.1.2.0"),
    ("705", "model", "705.1.1.1.0"),
    ("705", "serial", "705.1.1.7.0"),
    ("705", "version", "705.1.1.4.0"),
    ("534", "model", "534.1.1.2.0"),
    ("534", "version", "534.1.1.3.0"),
    ("534.6.6.7", "model", "534.6.6.7.1.2.1.3.0"),  # ePDU
    ("534.6.6.7", "serial", "534.6.6.7.1.2.1.4.0"),
    ("534.6.6.7", "version", "534.6.6.7.1.2.1.5.0"),
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
    ("1718", "serial", "1718.3.1.2.0"),
    ("3808", "model", "3808.1.1.1.1.1.1.0"),
    ("3808", "version", "3808.1.1.1.1.2.1.0"),
    ("3808", "serial", "3808.1.1.1.1.2.3.0"),
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
    ("6876", "version", "6876.1.2.0"),
    ("24681", "model", "24681.1.2.12.0"),
    # Agents on Net-SNMP that keep its sysObjectID
    (_NET_SNMP, "model", "6574.1.5.1.0"),
    (_NET_SNMP, "serial", "6574.1.5.2.0"),
    (_NET_SNMP, "version", "6574.1.5.3.0"),
    (_NET_SNMP, "model", "24681.1.2.12.0"),
    (_NET_SNMP, "model", "41112.1.6.3.3.0"),
    (_NET_SNMP, "version", "41112.1.6.3.6.0"),
    (_NET_SNMP, "version", "2620.1.6.4.1.0"),
    (_NET_SNMP, "serial", "12356.100.1.1.1.0"),
    (_NET_SNMP, "version", "12356.101.4.1.1.0"),
    (_NET_SNMP, "version", "40310.1.1.0"),
)

# Standards that any vendor may implement: UPS-MIB (RFC 1628), Printer-MIB (RFC 3805),
# HOST-RESOURCES-MIB (RFC 2790), RMON2 probeConfig (RFC 4502), IEEE802dot11.
UPS_VENDOR, UPS_MODEL = "1.3.6.1.2.1.33.1.1.1.0", "1.3.6.1.2.1.33.1.1.2.0"
UPS_SOFTWARE, UPS_AGENT = "1.3.6.1.2.1.33.1.1.3.0", "1.3.6.1.2.1.33.1.1.4.0"
PRINTER_SERIAL, DEVICE_DESCR = "1.3.6.1.2.1.43.5.1.1.17.1", "1.3.6.1.2.1.25.3.2.1.3.1"
PROBE_SOFTWARE = "1.3.6.1.2.1.16.19.2.0"
STANDARD = (
    UPS_VENDOR,
    UPS_MODEL,
    UPS_SOFTWARE,
    UPS_AGENT,
    PRINTER_SERIAL,
    DEVICE_DESCR,
    PROBE_SOFTWARE,
)
_RADIO = "1.2.840.10036.3.1.2.1."
RADIO_MODEL, RADIO_VERSION = f"{_RADIO}3", f"{_RADIO}4"
_RADIO_MAKERS = ("41112.", "10002.")


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorFacts:
    """What a vendor's own MIB told."""

    vendor: str | None = None
    model: str | None = None
    serial: str | None = None
    version: str | None = None
    spare_version: str | None = None
    is_ups: bool = False
    is_printer: bool = False


def scalars_of(object_id: str) -> tuple[str, ...]:
    """Return the OIDs to GET from a device with this sysObjectID; the standard ones included."""
    return (*STANDARD, *(oid for _, oid in _asked(object_id) if not oid.endswith("*")))


def columns_of(object_id: str) -> tuple[str, ...]:
    """Return the columns to walk on a device with this sysObjectID."""
    own = tuple(oid.removesuffix(".*") for _, oid in _asked(object_id) if oid.endswith("*"))
    is_radio = object_id.removeprefix(_ENTERPRISES).startswith(_RADIO_MAKERS)
    return (*own, RADIO_MODEL, RADIO_VERSION) if is_radio else own


def parse_vendor(object_id: str, varbinds: Varbinds) -> VendorFacts:
    """Return what the vendor's MIB and the standard ones for hosts tell."""
    told: dict[str, str] = {}
    for name, value in _told(object_id, varbinds):
        told.setdefault(name, value)
    is_generic = object_id.startswith(_ENTERPRISES + _NET_SNMP)
    owners = (oid for _, oid in _asked(object_id) if real(text(varbinds.get(oid))))
    printer_serial = real(text(varbinds.get(PRINTER_SERIAL)))
    ups_model = real(text(varbinds.get(UPS_MODEL)))
    device = real(text(varbinds.get(DEVICE_DESCR))) if printer_serial else None
    ups_version = text(varbinds.get(UPS_AGENT)) or text(varbinds.get(UPS_SOFTWARE))
    return VendorFacts(
        vendor=real(text(varbinds.get(UPS_VENDOR)))
        or (vendor_of(next(owners, "")) if is_generic else None),
        model=told.get("model") or ups_model or device,
        serial=told.get("serial") or printer_serial,
        version=told.get("version"),
        spare_version=real(ups_version) or real(text(varbinds.get(PROBE_SOFTWARE))),
        is_ups=ups_model is not None,
        is_printer=printer_serial is not None,
    )


def _asked(object_id: str) -> Iterator[tuple[str, str]]:
    private = object_id.removeprefix(_ENTERPRISES) + "."
    for prefix, name, oid in _QUESTIONS:
        if private.startswith(f"{prefix}."):
            yield name, _ENTERPRISES + oid


def _told(object_id: str, varbinds: Varbinds) -> Iterator[tuple[str, str]]:
    for name, oid in _asked(object_id):
        if not oid.endswith("*"):
            yield from _interpreted(name, real(text(varbinds.get(oid))))
            continue
        for _, value in column(varbinds, oid.removesuffix(".*")):
            yield from _interpreted(name, real(text(value)))
    for name, oid in (("model", RADIO_MODEL), ("version", RADIO_VERSION)):
        for _, value in column(varbinds, oid):
            yield from _interpreted(name, real(text(value)))


def _interpreted(name: str, value: str | None) -> Iterator[tuple[str, str]]:
    """Read the objects that are more than the value: lists, sentences, versions in a phrase."""
    if value is None or len(value) < _SHORTEST:
        return
    if name == "image":
        # ciscoImageString: `CW_VERSION$12.2(55)SE3$`
        key, _, rest = value.partition("$")
        if key == "CW_VERSION":
            yield "version", rest.rstrip("$")
    elif name == "descr":
        # jnxBoxDescr: `Juniper MX960 Internet Backbone Router`
        words = [word for word in value.split() if any(c.isdigit() for c in word)]
        if words:
            yield "model", words[0]
    elif name == "version":
        found = generic_version(value) if " " in value or "," in value else None
        yield name, found or value
    else:
        yield name, value
