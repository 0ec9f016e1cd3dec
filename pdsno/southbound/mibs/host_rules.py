"""Rules for firewalls, servers, printers, power supplies and other hosts."""

from pdsno.domain.entities import DeviceType
from pdsno.southbound.mibs.rules import Rule, rule

_FIREWALL, _ENDPOINT = DeviceType.FIREWALL, DeviceType.ENDPOINT
_SERVER, _SWITCH = DeviceType.SERVER, DeviceType.SWITCH

SECURITY: tuple[Rule, ...] = (
    rule(
        "Fortinet",
        "fortinet",
        oids="12356.101 12356.15",
        more=(r"(?P<hint>Forti(?:Gate|Wifi|WiFi)[- ]\w+)",),
        kind=_FIREWALL,
    ),
    rule(
        "Fortinet",
        "fortiswitch",
        oids="12356.106",
        more=(r"(?P<hint>FortiSwitch-\S+) v?(?P<version>\d[\d.]*\d)",),
        kind=_SWITCH,
    ),
    rule(
        "Fortinet",
        None,
        oids="12356",
        more=(r"(?P<hint>Forti[A-Z]\w+[- ]\d\w*)",),
    ),
    rule(
        "Palo Alto Networks",
        "paloalto_panos",
        oids="25461",
        more=(r"Palo Alto Networks (?P<hint>(?:PA|VM|M)-\S+|Panorama)",),
        kind=_FIREWALL,
    ),
    rule("Check Point", "checkpoint_gaia", oids="2620", kind=_FIREWALL),
    rule(
        "SonicWall",
        "sonicwall_sonicos",
        oids="8741",
        more=(r"(?i)SonicWALL (?P<hint>.+?) \((?:SonicOS(?: Enhanced)? )?(?P<version>[\w.-]+)",),
        kind=_FIREWALL,
    ),
    rule("WatchGuard", "watchguard_fireware", oids="3097", kind=_FIREWALL),
    rule("Sophos", "sophos_sfos", oids="2604.5", kind=_FIREWALL),
    rule("pfSense", "pfsense", r"pfSense \S+ (?P<version>\d\S+)", kind=_FIREWALL),
    rule(
        "Blue Coat",
        "bluecoat_sgos",
        r"(?P<hint>SG\w+)? ?Series.*?SGOS (?P<version>[\d.]+)",
    ),
    rule(
        "A10 Networks",
        "a10_acos",
        r"(?P<hint>\S+), (?:Advanced Core OS \()?ACOS\)?(?: version)? (?P<version>\d[\w.-]*)",
    ),
    rule(
        "Topsec",
        "topsec",
        oids="14331",
        more=(r"Topsec\s+(?P<hint>[\w-]+)", r"Version (?P<version>\S+)"),
        kind=_FIREWALL,
    ),
    rule("Venustech", "vsos", r"VENUS VSOS-(?P<version>\S+)", kind=_FIREWALL),
    rule("Netentsec", "netentsec", r"^Netentsec (?P<hint>\S+)", kind=_FIREWALL),
    rule(
        "Clavister",
        "clavister_cos",
        oids="5089",
        more=(r"(?P<version>\d+\.\d\S*)",),
        kind=_FIREWALL,
    ),
    rule(
        "DPtech",
        "dptech_conplat",
        oids="31648",
        more=(r"Version (?P<version>[^\s,]+)", r"(?P<model>\S+) Product Version"),
    ),
    rule("F5", "f5_tmsh", oids="3375"),
    rule(
        "Citrix",
        "netscaler",
        oids="5951",
        more=(r"NetScaler NS(?P<version>[\d.]*\d)(?:: (?P<release>Build [\w.]+))?",),
    ),
    rule("Infoblox", "infoblox_nios", oids="7779"),
    rule(
        "Riverbed",
        "riverbed_rios",
        r"^rbt_\w+ (?P<version>\d[\w.]*)",
        oids="17163",
    ),
    rule(
        "Silver Peak",
        "silverpeak_vxoa",
        r"^Silver Peak\S*(?: Systems, Inc\.)? (?P<hint>\S+)(?:.*?VXOA (?P<version>\d[\w.]*))?",
    ),
    rule(
        None, "gigamon", r"GigaVUE-OS (?P<version>\d[\w.]*)", more=(r"(?P<hint>GigaVUE-(?!OS)\w+)",)
    ),
    rule(
        None,
        None,
        oids="11256 28557 15227 9833 1369 2604 9789 9694 5089 28557",
        kind=_FIREWALL,
    ),
)

_PRINTERS = "367 641 253 1347 1602 2001 2435 18334 1248 2385 1129 10642 683 297 11.2.3.9 236.11"
_PRINTER_BRANDS = (
    "Lexmark|Xerox|RICOH|SHARP|OKI|EPSON|Brother|KYOCERA|Canon|KONICA MINOLTA|TOSHIBA|FUJI XEROX"
)
_HP_PRINTERS = "LaserJet|OfficeJet|DeskJet|DesignJet|PageWide|Inkjet|PhotoSmart|ScanJet"
_AFTER_PRINTER = r"(?: version| V?\d+\.\d| v\d| Rev\.| /|;|,|$)"
_POWER = (
    "318 534 705 476 13400 850 3808 13742 1718 935 2468 40614 21239 17373 3711 2254 4555 6302 "
    "1356 5491 42610 38446 34097 2606 1364 7783 15446 38446"
)
_SENSORS = "368 36849 50001 39165 37496 39747 21701 23465 46202 37940 3854 17095 21796 20916 22626"

HOSTS: tuple[Rule, ...] = (
    rule(
        "APC",
        "apc_aos",
        # A network card in a UPS: model and serial are not the UPS's, which its MIB tells.
        r"MN: ?(?P<hint>AP96\d\d\w*)",
        oids="318",
        more=(r"PF:v?(?P<version>[\w.]+)",),
        kind=_ENDPOINT,
    ),
    rule(
        "APC",
        "apc_aos",
        oids="318",
        more=(
            r"PF:v?(?P<version>[\w.]+)",
            r"MN: ?(?P<model>\S+)",
            r"SN: ?(?P<serial>\w+)",
        ),
        kind=_ENDPOINT,
    ),
    rule(
        None,
        None,
        r"PowerAlert (?P<version>[\d.]+)",
        oids="850",
        kind=_ENDPOINT,
    ),
    rule(
        "Axis",
        "axis_os",
        oids="368",
        more=(r"; AXIS (?P<model>[^;]+); [^;]+; (?P<version>[\d.]+)",),
        kind=_ENDPOINT,
    ),
    rule(
        "HP",
        "jetdirect",
        oids="11.2.3.9",
        more=(
            r"PID:(?:HP )?(?P<model>[^,]+)",
            rf"(?i)^(?:HP )?(?P<hint>(?:[\w-]+ )*(?:{_HP_PRINTERS})\b.*)",
            r"SN:(?P<serial>\w+)",
            r"EEPROM V?\.?(?P<version>[\w.]+)",
        ),
        kind=_ENDPOINT,
    ),
    rule(
        "Samsung",
        None,
        r"^Samsung (?:Samsung )?(?P<hint>[^;]+?)(?: Series)?; V(?P<version>[\w.]+)",
        kind=_ENDPOINT,
    ),
    rule(
        None,
        None,
        oids=_PRINTERS,
        more=(
            rf"^(?:{_PRINTER_BRANDS}) (?=[^;/,]*\d)(?P<hint>[^;/,]+?){_AFTER_PRINTER}",
            r"(?:[Ff]irmware Ver\.|version|System|ESS|\bSS)\s*(?P<version>\d?[A-Z\d]+\.[\w.]+)",
        ),
        kind=_ENDPOINT,
    ),
    rule(
        None,
        None,
        oids=_POWER,
        more=(
            r"^(?P<hint>[A-Z][\w ]*?\d?\w*) v(?P<version>\d[\d.]+)",
            r"\(SN (?P<serial>\w+)\)",
            r"(?i)^eaton (?P<model>\S.*)",
        ),
        kind=_ENDPOINT,
    ),
    rule(None, None, oids=_SENSORS, kind=_ENDPOINT),
    rule(
        "VMware",
        "vmware_vcenter",
        r"VMware-vCenter-Server-Appliance (?P<version>\d\S+)",
        kind=_SERVER,
    ),
    rule(
        "VMware",
        "vmware_esxi",
        r"VMware ESXi? (?P<version>\d\S+)",
        kind=_SERVER,
    ),
    rule(
        "NetApp",
        "netapp_ontap",
        r"NetApp Release (?P<version>[^\s:]+)",
        kind=_SERVER,
    ),
    rule("Dell EMC", "dell_datadomain", r"Data Domain OS (?P<version>\d\S*)", kind=_SERVER),
    rule("iXsystems", "truenas", r"(?:TrueNAS|FreeNAS)-(?P<version>\d[^\s;]*)", kind=_SERVER),
    rule("Isilon", "onefs", r"OneFS (?:\S+ )?v?(?P<version>\d[\d.]+)", kind=_SERVER),
    rule(
        "Microsoft",
        "windows",
        r"Software: Windows.*?Version (?P<version>\d+\.\d+) \((?P<release>Build \d+)",
        kind=_SERVER,
    ),
    # The form of Windows, as other appliances' agents fill it in.
    rule(
        None,
        None,
        r"^Hardware: (?P<hint>\S.*?\d\S*) (?:Intel|AMD|Genuine)\b.* - Software: ",
        kind=_SERVER,
    ),
    rule(None, "solaris", r"^SunOS \S+ (?P<version>\S+)", kind=_SERVER),
    rule("IBM", "aix", r"IBM PowerPC (?:CHRP )?Computer", kind=_SERVER),
    rule("Apple", "macos", r"Darwin.*?Version (?P<version>[\d.]+)", kind=_SERVER),
    rule(
        "OPNsense",
        "opnsense",
        r"(?i)FreeBSD opnsense\S* (?P<kernel>\S+)|^opnsense\S* (?P<version>\d\S*) FreeBSD",
        kind=_FIREWALL,
    ),
    rule(None, "freebsd", r"\bFreeBSD (?P<kernel>\d\S*)", oids="12325 8072.3.2.8"),
    rule(None, "freebsd", r"^FreeBSD \S+ (?P<kernel>\d\S*)"),
    rule(None, "openbsd", r"^OpenBSD \S+ (?P<kernel>\d\S*)"),
    rule("HPE", "ilo", oids="232", kind=_SERVER),
    rule("HPE", "hp_oa", oids="11.5.7.1", kind=_SERVER),
    rule(None, "linux", r"^Linux (?:\S+ )?(?P<kernel>\d+\.\d\S*)"),
    rule(None, "linux", r"^Linux \S+$"),
    rule(None, "linux", oids="8072.3.2.10 2021.250.10"),
)
