"""Rules for what stands with carriers and in factories; the more particular stand above."""

from pdsno.southbound.mibs.rules import Rule, rule

CARRIER: tuple[Rule, ...] = (
    # Telecoms
    rule(
        "Nokia",
        "alcatel_sros",
        r"TiMOS-(?P<version>[\w.-]+) \S+ (?:Nokia|ALCATEL) (?P<hint>\S+(?: \S+)?)",
    ),
    rule("Nokia", None, r"^Nokia (?P<hint>1830 \S+) v(?P<version>\d\S*)"),
    rule("Nokia", None, r"ISAM (?P<hint>\d{4}\S*)", oids="637"),
    rule(
        "Ericsson",
        "ericsson_ipos",
        r"(?:IPOS|SEOS)-v?(?P<version>\d[\w.]*\d)",
        more=(r"^(?:Ericsson )?(?P<hint>Router \d+|SSR \d+)",),
    ),
    rule(
        "Nokia",
        "nokia_srl",
        r"SRLinux-v(?P<version>\S+) (?P<hint>\S+(?: [A-Z]\S*\d\S*)?)",
    ),
    rule(
        "Alcatel-Lucent",
        "alcatel_aos",
        r"Alcatel-Lucent (?:Enterprise )?(?P<hint>OS\S+) (?P<version>\d[\w.]+)",
    ),
    rule(
        "ADTRAN",
        "adtran_os",
        oids="664",
        more=(r"^(?P<hint>[^,]+), Version: (?P<version>[\w.]+)",),
    ),
    rule(
        "ZTE",
        "zte_zxros",
        r"ZX[A-Z]+\d|ZTE",
        oids="3902",
        more=(r"Version:? (?P<version>\w[\w.]+)", r"ZXR10[\s_]+(?P<model>[\w-]*\d[\w-]*)"),
    ),
    rule("BDCOM", "bdcom", r"BDCOM\(tm\) (?P<hint>\S+) Software, Version (?P<version>\S+)"),
    rule(
        "Ruijie",
        "ruijie_os",
        oids="4881",
        more=(r"\((?P<hint>[A-Z][^)]*\d[^)]*)\)",),
    ),
    rule(
        None,
        None,
        r"^\s*(?P<hint>\S+) Device, Compiled.*?SoftWare (?:Package )?Version (?:\S+_)?"
        r"(?P<version>\d\S*)",
        more=(r"serial number (?P<serial>\w+)",),
    ),
    rule(
        "Ciena",
        "ciena_saos",
        oids="6141.1 1271.2",
        more=(
            r"^(?:Ciena )?(?P<hint>\d{4}\w*)\b",
            r"[Vv]ersion:? (?:saos-)?(?P<version>\d[\w.-]*)",
        ),
    ),
    rule(
        "Cambium",
        "cambium_canopy",
        r"^CANOPY (?P<version>\d\S*)",
        oids="161.19.250",
    ),
    rule(
        "Cambium",
        "cambium_epmp",
        oids="17713.21",
        more=(r"(?P<hint>ePMP\S*(?: \d\S*)?)",),
    ),
    rule("Cambium", "cambium_cnpilot", oids="17713.22", more=(r"cnPilot (?P<hint>\S+)",)),
    rule("Cambium", "cambium_ptp", oids="17713", more=(r"(?P<hint>PTP\W?\d\w*)",)),
    rule("Mimosa", None, r"^Mimosa (?P<hint>\S+) Firmware", oids="43356"),
    rule("Teltonika", "teltonika_rutos", oids="48690", more=(r"(?P<hint>[RT][A-Z]{2}\w?\d+\w*)",)),
    rule(
        "LANCOM",
        "lancom_lcos",
        r"LANCOM (?P<hint>\S+).*? (?P<version>\d+\.\d\S*) / \S+ (?P<serial>\w{8,})",
    ),
    rule(
        "DrayTek",
        "draytek",
        r"Router Model: (?P<hint>\S+).*?Version: (?P<version>[^\s,]+)",
    ),
    rule(
        "Yamaha",
        "yamaha_rt",
        r"^(?:Yamaha )?(?P<hint>[A-Z]+\d\S*) Rev\.(?P<version>\S+)",
        oids="1182",
    ),
    rule("NEC", "nec_ix", r"IX Series (?P<hint>IX\d\w*).*?Version (?P<version>[^\s,]+)"),
    rule(
        "AlaxalA",
        "alaxala",
        r"(?i)^AlaxalA (?P<hint>AX\w+).*?Ver\. (?P<version>[\w.]+)",
    ),
    # Voice
    rule(
        "AudioCodes",
        None,
        r"Product: ?(?P<hint>[^;]+?) ?;\s*SW Version: ?(?P<version>\d[\w.]*)",
    ),
    rule("Avaya", None, r"^Avaya Inc\. (?P<hint>\S+) Media Gateway.*?(?P<version>\d+\.\d[\d.]*)"),
    rule("Oracle", None, r"^Acme Packet (?P<hint>\S*\d\S*) (?P<version>[A-Z]+\d[\w.]*)"),
    # Industry
    rule(
        "Siemens",
        "scalance",
        r"SCALANCE",
        oids="4329 4196",
        more=(
            r"(?P<hint>SCALANCE \w[\w-]*)",
            r"FW: (?:Version )?V?(?P<version>\d[\w.]*)",
            r", S(?P<serial>VP\w{6,})",
        ),
    ),
    rule(
        "Siemens",
        None,
        r"SIMATIC.*?FW: (?:Version )?V?(?P<version>\d[\w.]*)",
        more=(r"(?P<hint>6\w{3} \w{3}-\w{5}-\w{4})",),
    ),
    rule(
        "Westermo",
        "westermo_weos",
        r"Westermo (?P<hint>[^,]+), primary:\s+WeOS v?(?P<version>\d[\w.-]*)",
    ),
    rule("Hirschmann", "hirschmann", oids="248", more=(r"^Hirschmann (?P<guess>.*\d.*)",)),
    rule("RuggedCom", "ruggedcom_ros", r"^(?:RuggedCom )?RuggedSwitch (?P<hint>\S+)", oids="15004"),
    rule("Moxa", "moxa", oids="8691", more=(r"^(?i:moxa )?(?P<hint>[A-Z][\w-]*\d\S*|\w+ \d\S*)",)),
)
