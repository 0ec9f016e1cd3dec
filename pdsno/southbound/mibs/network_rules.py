"""Rules for the great makers of routers and switches, from what their systems really announce.

The first that fits wins: the more particular stand above.
"""

from pdsno.domain.entities import DeviceType
from pdsno.southbound.mibs.rules import Rule, rule

_FIREWALL, _ENDPOINT = DeviceType.FIREWALL, DeviceType.ENDPOINT
_SERVER, _SWITCH = DeviceType.SERVER, DeviceType.SWITCH

# `C2960S Software (C2960S-UNIVERSALK9-M)`: the image's product line, if nothing names the model.
_IOS_PRODUCT = r"(?:, |\] )(?P<guess>(?=\S*\d)[A-Z]\w+) Software \("

NETWORK: tuple[Rule, ...] = (
    rule("FRRouting", "frr", r"FRRouting (?P<version>\S+)|\bFRR\b"),
    # Cisco
    rule("Cisco", "cisco_xr", r"Cisco IOS XR Software.*?Version (?P<version>[\w.]+)"),
    rule("Cisco", "cisco_nxos", r"Cisco (?:NX-OS|Nexus Operating).*?Version (?P<version>[^\s,]+)"),
    rule(
        "Cisco",
        "cisco_xe",
        # A name in brackets (`[Amsterdam]`, `[IOSXE]`) is a release train of IOS XE.
        r"(?:IOS-?XE|IOS XE|CAT\w*L3K|LINUX_IOSD|Cisco IOS Software \[\w+\])"
        r".*?Version (?P<version>[^\s,]+)",
        more=(_IOS_PRODUCT,),
    ),
    rule(
        "Cisco",
        "cisco_ios",
        r"(?i:Cisco) (?:IOS|Internetwork Operating System) Software"
        r"(?:.*?Version (?P<version>[^\s,]+))?",
        more=(_IOS_PRODUCT,),
    ),
    rule(
        "Cisco",
        "cisco_ios",
        r"(?s)^IOS \(tm\).*?Version (?P<version>[^\s,]+)",
        oids="9",
    ),
    rule(
        "Cisco",
        "cisco_catos",
        r"Cisco Systems,? (?:Inc\.? )?(?P<hint>WS-\S+).*?Version (?P<version>[^\s,]+)",
    ),
    rule(
        "Cisco",
        "cisco_asa",
        r"Cisco Adaptive Security Appliance Version (?P<version>\S+)",
        kind=_FIREWALL,
    ),
    rule(
        "Cisco",
        "cisco_ftd",
        r"Cisco (?:Firepower|Secure Firewall).*?Version (?P<version>[^\s,]+)",
        kind=_FIREWALL,
    ),
    rule("Cisco", "cisco_fxos", r"FX-?OS\(?.*?Version (?P<version>[^\s,]+)", oids="9"),
    rule("Cisco", "cisco_asa", r"Cisco PIX.*?Version (?P<version>[^\s,]+)", kind=_FIREWALL),
    rule("Cisco", "cisco_wlc", r"^Cisco Controller"),
    rule(
        "Cisco",
        "cisco_s300",
        r"^Catalyst 1[23]00 Series",
        oids="9",
        more=(r"\((?P<hint>C1[23]00[\w-]*)\)",),
    ),
    rule(
        "Cisco",
        "cisco_s300",
        oids="9.6.1",
        more=(r"\b(?P<hint>(?:S[FGRLX]{1,2}\d|CBS|C1[23]00|SRW|SLM|SGE)[\w-]*)",),
    ),
    rule("Cisco Meraki", "cisco_meraki", oids="29671", more=(r"Meraki (?P<model>\S+)",)),
    rule("Cisco", "cisco_ucos", r"Software: ?UCOS (?P<version>\S+)", kind=_SERVER),
    rule(
        "Cisco",
        "cisco_asyncos",
        r"AsyncOS Version:? (?P<version>[^\s,]+)",
        more=(
            r"Model (?P<hint>[^\s,]+)",
            r"for Cisco (?P<hint>\S+)",
            r"Serial #: (?P<serial>[\w-]+)",
        ),
        kind=_SERVER,
    ),
    rule("Cisco", "cisco_ise", r"Cisco Identity Services Engine", kind=_SERVER),
    # Arista, Juniper
    rule(
        "Arista",
        "arista_eos",
        r"Arista Networks EOS version (?P<version>\S+)",
        more=(r"running on an? Arista (?:Networks )?(?P<hint>\S+)",),
    ),
    rule("Arista", "arista_eos", oids="30065.1"),
    rule(
        "Juniper",
        "juniper_junos",
        r"Juniper Networks.*? (?P<model>v?srx\S*) .*?JUNOS (?P<version>\d[^\s,]*)",
        kind=_FIREWALL,
    ),
    rule(
        "Juniper",
        "juniper_junos",
        r"Juniper Networks, Inc\.,? (?P<model>\S+) .*?"
        r"JUNOS(?: EVO| Evolved)? (?P<version>\d[^\s,]*)",
    ),
    rule("Juniper", "juniper_junos", r"JUNOS(?: Software Release)? \[?(?P<version>[^\s,\]]+)"),
    rule(
        "Juniper",
        "juniper_screenos",
        oids="3224",
        more=(
            r"^(?P<hint>\S+) version (?P<version>\S+)",
            r"SN: (?P<serial>\w+)",
        ),
        kind=_FIREWALL,
    ),
    rule(
        "Juniper",
        "trapeze",
        oids="14525",
        more=(r"Inc\.?,? (?P<model>\S+) (?P<version>\d\S+)",),
    ),
    # MikroTik, Vyatta and its children
    rule(
        "MikroTik",
        "mikrotik_routeros",
        r"RouterOS(?: (?P<version>\d+\.[\w.]+))?(?: (?P<model>\S*[A-Za-z]\S*.*))?",
    ),
    rule(
        "MikroTik",
        "mikrotik_swos",
        r"^(?P<model>\S+) SwOS v(?P<version>\S+)",
        kind=_SWITCH,
    ),
    rule("MikroTik", "mikrotik_routeros", oids="14988.1"),
    rule(
        "Ubiquiti",
        "ubiquiti_edge",
        r"EdgeOS v?(?P<version>\d+\.\d+\.\d+)",
    ),
    rule("VyOS", "vyos", r"VyOS (?P<version>\S+)"),
    rule("Vyatta", "vyatta_vyos", r"Vyatta (?:unknown\S*|(?P<version>\S+))"),
    # Huawei, H3C and Comware under HP's name
    rule(
        "Huawei",
        "huawei_vrp",
        r"(?:VRP \(R\)|Huawei).*?Version (?P<version>[\d.]+)",
        more=(
            r"Version [\d.]+ \(?(?:\S+ )?(?P<release>V\d+R\w+)",
            r"(?:^|(?:Huawei|HUAWEI) )(?P<model>[A-Z]\S*\d\S*) Huawei Versatile",
            r"(?:HUAWEI|Quidway) (?P<hint>[A-Z][\w-]*\d[\w-]*)\s*$",
            r"\((?P<hint>[A-Z]\S*\d\S*) V\d+R",
        ),
    ),
    rule("Huawei", "huawei_vrp", r"^VRP (?:\(R\) )?[Ss]oftware|^Software Version VRP"),
    rule("Huawei", "huawei_ibmc", oids="2011.2.235", kind=_SERVER),
    rule("Huawei", "huawei_oceanstor", oids="2011.2.91", kind=_SERVER),
    rule("Huawei", None, oids="2011.6", kind=_ENDPOINT),
    rule(
        "Huawei",
        "huawei_smartax",
        r"Integrated Access Software|^MA5\d",
        oids="2011.2",
        more=(r"^(?P<hint>MA5\w+)",),
    ),
    rule(
        "Huawei",
        "huawei_vrp",
        oids="2011.2",
        more=(r"^(?:HUAWEI |Quidway )?(?P<hint>[A-Z][\w-]*\d[\w-]*)$",),
    ),
    rule(
        "HPE",
        "hp_comware",
        r"^(?:HPE?|Hewlett).*?Version (?P<version>[\d.]+,? Release \w+)",
        more=(
            r"Release \w+ HPE? (?P<hint>.+?)(?: Switch with .*?)?(?: Copyright|$)",
            r"^HPE? (?P<hint>\S+ Switch) Software",
        ),
    ),
    rule(
        "H3C",
        "hp_comware",
        r"(?:Comware|H3C).*?Version (?P<version>(?:[\d.]+,? )?Release \w+)",
        more=(
            r"(?:Software|Release \w+|^)\s*H3C (?:Switch )?(?P<hint>[A-Z][\w-]*\d[\w-]*)",
            r"Software (?P<hint>[A-Z][\w-]*\d[\w-]*)\. Product",
        ),
    ),
    rule(
        "3Com",
        "hp_comware",
        r"^(?P<hint>.+?) Software Version (?P<version>\d[\d.]*,? Release \w+)",
        oids="43",
    ),
    rule(
        "3Com",
        "hp_comware",
        r"^3Com (?P<hint>.+?),? (?:Software|SW) Version(?: 3Com OS)?:? ?(?P<version>[^\s,]+)",
    ),
    rule("3Com", None, r"^3Com (?P<hint>[^,]*\d[^,]*?)(?:,| Software|$)", oids="43"),
    # HP and Aruba
    rule(
        "Aruba",
        "aruba_osswitch",
        r"^Aruba .*?revision (?P<version>[A-Z]{1,2}\.[\w.]+)",
        more=(r"^Aruba (?P<hint>.+?),? revision",),
    ),
    rule(
        "Aruba",
        "aruba_instant_on",
        r"Instant On (?P<hint>.+?), InstantOn_\w+?_(?P<version>\d[\d.]*\d)",
    ),
    rule(
        "HPE",
        "hp_procurve",
        r"revision (?P<version>[A-Z]{1,2}\.[\w.]+)",
        oids="11.2.3.7",
        more=(r"^(?:HPE?|ProCurve|Hewlett[- ]Packard) (?P<hint>.+?),? revision",),
    ),
    rule(
        "HPE",
        "hp_officeconnect",
        r"(?i)^(?:HPE? |ProCurve )(?-i:(?P<hint>.+?)), (?-i:(?P<version>P[A-Z]\.\d[\d.]*\d))",
    ),
    rule(
        "HPE",
        "hp_virtualconnect",
        r"^HPE? (?P<hint>VC .+?) Virtual Connect (?P<version>\d\S*)",
    ),
    rule(
        "Aruba",
        "aruba_aoscx",
        oids="47196.4.1",
        more=(r"^(?:HPE ANW|HPE|Aruba) (?P<hint>.+?)(?:\s+(?P<version>[A-Z]{2}\.[\d.]+\w*)|$)",),
    ),
    rule(
        "Alcatel-Lucent",
        "aruba_os",
        r"^AOS-W \(MODEL: (?P<model>[^)]+)\), Version (?P<version>\d[\w.]*)",
    ),
    rule(
        "Aruba",
        "aruba_os",
        oids="14823",
        more=(r"MODEL: (?P<model>[^),]+)", r"Version (?P<version>\d[\w.-]*)"),
    ),
    # Extreme and what it bought; Brocade and Ruckus
    rule(
        "Extreme Networks",
        "extreme_exos",
        r"(?:ExtremeXOS|Switch Engine)(?: \((?:Stack|(?P<hint>[^)]+))\))? version (?P<version>\S+)",
    ),
    rule(
        None,
        "extreme_ers",
        r"(?P<hint>(?:Ethernet (?:Routing|Switch)|BayStack|Virtual Services) .*?)\s+HW:.*?"
        r"SW:v?(?P<version>\S+)",
    ),
    rule(
        None,
        "extreme_vsp",
        r"^(?P<hint>(?:VSP|ERS|Passport)\S+) \((?P<version>\d[\w.]+)\)",
    ),
    rule(
        "Extreme Networks",
        "extreme",
        r"^(?P<hint>\S+) - Version (?P<version>\d[\w.]+) \(Build",
        oids="1916",
    ),
    rule(
        None,
        "extreme_slx",
        r"(?P<hint>(?:BR-)?SLX\d\w*).*?"
        r"SLX[- ]O(?:perating System|S) Version:? (?P<version>\w[\w.]*\w)",
    ),
    rule(
        "Extreme Networks",
        "extreme_vsp",
        r"^(?:Fabric Engine \(?)?(?P<hint>[\w-]*\d[\w-]*)\)? (?:version |\()(?P<version>\d[\w.]+)",
        oids="1916",
    ),
    rule(
        "Aerohive",
        "aerohive_hiveos",
        r"(?:HiveOS|IQ Engine)(?:[ ,]*v?(?P<version>\d[\w.]*))?",
        more=(r"\b(?P<hint>AP_?\d\w*)",),
    ),
    rule("Aerohive", None, r"^Aerohive (?P<hint>[\w-]+)[:,].*?(?P<version>\d+\.\d+\.\d[\w.]*)"),
    rule("Extreme Networks", "extreme_vsp", oids="2272"),
    rule(
        "Enterasys",
        "enterasys",
        oids="5624 52",
        more=(r"Rev\s+(?P<version>\d[\w.]+)", r"(?:Inc\.|Networks) (?P<hint>\S*\d\S*)"),
    ),
    rule(
        None,
        "brocade_nos",
        r"Network Operating System Software Version (?P<version>[\w.]*\w)",
        more=(r"(?P<hint>BR-VDX[\w-]+)", r"(?P<hint>VDX[\w-]+)"),
    ),
    rule(
        None,
        "brocade_netiron",
        r"NetIron (?P<hint>[A-Z]{2,}\w*).*?IronWare Version V?(?P<version>\d[\d.]*[a-z]*)",
    ),
    rule(
        "Ruckus",
        "ruckus_fastiron",
        r"Ruckus.*?IronWare Version V?(?P<version>\d[\d.]*[a-z]*)",
        more=(r"Inc\.,? (?:Stacking System )?(?P<hint>[^,]+), IronWare",),
    ),
    rule("Foundry", "ruckus_fastiron", r"^Foundry.*IronWare Version V?(?P<version>\d[\d.]*[a-z]*)"),
    rule(
        None,
        "ruckus_fastiron",
        r"IronWare Version V?(?P<version>\d[\d.]*[a-z]*)",
        more=(r"Inc\.,? (?:Stacking System )?(?P<hint>[^,]+), IronWare",),
    ),
    rule("Brocade", "brocade_fos", oids="1588.2.1.1", kind=_SWITCH),
)
