"""Rules for smaller makers of switches, and for open systems; the more particular stand above."""

from pdsno.domain.entities import DeviceType
from pdsno.southbound.mibs.rules import Rule, rule

_SERVER = DeviceType.SERVER

_V = r"[Vv]?(?P<version>\d[^\s,;]*)"

SWITCHES: tuple[Rule, ...] = (
    # Dell
    rule(
        "Dell",
        "dell_force10",
        r"(?:Application Software|Force10.*?Software) Version: (?P<version>[\w.()-]+)",
        oids="6027",
        more=(r"Series: (?P<hint>\S+)",),
    ),
    rule(
        "Dell",
        "dell_os10",
        r"OS10.*?OS Version: (?P<version>[\d.]*\d)(?:.*?System Type: (?P<hint>\S+))?",
    ),
    rule("Dell", "dell_idrac", oids="674.10892", kind=_SERVER),
    rule(
        "Dell",
        "dell_powerconnect",
        oids="674.10895",
        more=(r"(?P<hint>[A-Z]*\d{4}\S*), (?P<version>\d[\d.]+\d)", r"(?P<hint>[A-Z]*\d{4}\S*)"),
    ),
    # The small and the open
    rule(
        "Mellanox",
        "mellanox_mlnxos",
        r"(?:ONYX|MLNX-OS)[ ,]+v?(?P<version>\d[\w.]*)",
        more=(r"\b(?P<hint>(?:MSN|MSX|MSB|MQM|SN|SX|SB|QM)\d\w*)",),
    ),
    rule("Mellanox", "mellanox_mlnxos", r"Mellanox (?P<hint>[^,\s]+).*?SWv(?P<version>\S+)"),
    rule(
        "Cumulus",
        "cumulus_linux",
        r"Cumulus[- ]Linux (?:version )?(?P<version>\d\S*)(?: running on (?P<hint>.+))?",
    ),
    rule("Pica8", "pica8", r"(?i)^pica8,? (?P<hint>\S*\d\S*)(?:.*?(?P<version>\d+\.\d+\.\d\S*))?"),
    rule(
        None,
        "sonic",
        r"SONiC Software Version: (?:SONiC\.)?(?P<version>\S+)(?:.*?HwSku: (?P<model>\S+))?",
    ),
    rule(
        "Edgecore",
        "edgecore",
        r"^(?:(?:Edge-?[Cc]ore|Accton) )?(?P<hint>(?:ECS|ES|AS)\d\w*(?:-\w+)*)",
        oids="259",
    ),
    rule(
        "Allied Telesis",
        "allied_telesis_awplus",
        r"(?:AW\+ v|AlliedWare Plus\S* (?:Version )?v?)(?P<version>\d\S*)",
    ),
    rule(
        "D-Link",
        "dlink_ds",
        oids="171",
        more=(r"\b(?P<hint>D[A-Z]{2}-[\w/-]+)", r"(?:Firmware|Version|Ver\.?)\W+" + _V),
    ),
    rule(
        "Zyxel",
        "zyxel_os",
        oids="890",
        more=(
            r"^(?P<hint>[A-Z]{2,}[\w-]*\d[\w-]*)",
            r"^(?P<hint>(?:ZyWALL|USG|ATP|VPN)[\w -]*)$",
        ),
    ),
    rule(
        "TP-Link",
        "tplink_jetstream",
        oids="11863",
        more=(r"\b(?P<hint>(?:TL-|T|SG|EAP)\w*\d[\w-]*)",),
    ),
    rule(
        "NETGEAR",
        "netgear_prosafe",
        oids="4526",
        more=(
            r"\b(?P<hint>(?:[A-Z]{1,3}SM?|M)\d{3,4}[\w-]*)",
            r", (?P<version>\d+\.[\d.]+\d)",
        ),
    ),
    rule(
        "Ubiquiti",
        "ubiquiti_edgeswitch",
        r"^(?P<hint>(?:EdgeSwitch|USW?-|US-?\d|UniFi).*?), (?P<version>\d[\w.]+), Linux",
    ),
    rule("Ubiquiti", "ubiquiti_unifi", r"^UniFi (?P<hint>\S+) (?P<version>\d+\.\d+\.\d\S*)"),
    rule("Ubiquiti", "ubiquiti_unifi", r"^(?P<hint>U[A-Z0-9][\w-]+) (?P<version>\d+\.\d+\.\d\S*)$"),
    rule("Ubiquiti", "ubiquiti_airos", oids="41112.1.4 10002"),
    # Their routers keep Net-SNMP's sysObjectID; the kernel has a mark of its maker.
    rule("Ubiquiti", "linux", r"^Linux \S+ (?P<kernel>\S*-(?i:ubnt)\S*)"),
    rule(
        "Raisecom",
        "raisecom_roap",
        r"ROAP\s+Version (?P<hint>[\w-]+?)_?ROAP_(?P<version>[\d.]+)",
    ),
    rule("DrayTek", "draytek", oids="7367", more=(r"(?P<hint>Vigor\s?\w+)",)),
    rule(
        "Opengear",
        "opengear",
        oids="25049",
        more=(r"(?i)^opengear[/ ](?P<hint>\S+)", r"Version (?P<version>\d[\w.]*)"),
    ),
    rule(
        "Radware",
        None,
        r"^Alteon (?:Application Switch )?(?P<hint>\S*\d\S*)",
        oids="1872",
    ),
    rule(
        None,
        None,
        r"RackSwitch (?P<hint>[A-Z]\d\w*)",
        oids="26543 20301",
    ),
)
