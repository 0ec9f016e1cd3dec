# ruff: noqa: ISC004 - descriptions are longer than a line
"""Makes beyond the first room: what their systems announce, and whose a shared number is."""

import pytest

from pdsno.domain.entities import DeviceType
from pdsno.southbound.mibs.makes import brand, make_of, phrased_version, real

ENTERPRISES = "1.3.6.1.4.1."

# (sysDescr, sysObjectID beneath enterprises, vendor, platform, version, model)
ANNOUNCED = [
    (
        "Cisco IOS Software [Dublin], ISR Software (ARMV8EL_IOS-M), Version 17.12.1, RELEASE",
        ("9.1.3003", "Cisco", "cisco_xe", "17.12.1", None),
    ),
    (
        "Cisco FX-OS(tm) fxos, Software (fxos-k8-system), Version 5.0(3)N2(4.74), RELEASE",
        ("9.1.2293", "Cisco", "cisco_fxos", "5.0(3)N2(4.74)", None),
    ),
    (
        "Catalyst 1300 Series Managed Switch, 16-port GE, 2x1G SFP (C1300-16T-2G)",
        ("9.1.3190", "Cisco", "cisco_s300", None, "C1300-16T-2G"),
    ),
    (
        "IronPort Model C380, AsyncOS Version: 13.5.1-277, Build Date: 2020-05-08, "
        "Serial #: 00AABBCCDDEE-FCH00000000",
        ("15497.1.1", "Cisco", "cisco_asyncos", "13.5.1-277", "C380"),
    ),
    (
        "Hardware:VMware, 4 Intel CPU, 8192 MB Memory: Software:UCOS 7.0.0.0-9",
        ("9.1.1348", "Cisco", "cisco_ucos", "7.0.0.0-9", None),
    ),
    (
        "Arista Networks EOS version 4.30.1F running on an Arista vEOS-lab",
        ("30065.1.2759", "Arista", "arista_eos", "4.30.1F", "vEOS-lab"),
    ),
    (
        "Juniper Networks, Inc. ptx10001-36mr Ethernet Switch, kernel JUNOS EVO 22.4R2-EVO, Build",
        ("2636.1.1.1.4.182.1", "Juniper", "juniper_junos", "22.4R2-EVO", "PTX10001-36MR"),
    ),
    (
        "Huawei Versatile Routing Platform Software VRP (R) software, Version 8.191 "
        "(NE8000 V800R012C00SPC300) Copyright (C) 2012-2019 Huawei Technologies Co., Ltd. "
        "HUAWEI NE8000-M8",
        ("2011.2.62.2.9", "Huawei", "huawei_vrp", "8.191 (V800R012C00SPC300)", "NE8000-M8"),
    ),
    (
        "cisco IOS Software, C3750 Software (C3750-IPBASE-M), Version 12.2(50)SE3, RELEASE",
        ("9.1.516", "Cisco", "cisco_ios", "12.2(50)SE3", None),
    ),
    (
        "Switch 4210G 48-Port Software Version 5.20 Release 2215",
        ("43.1.16.4.3.86", "3Com", "hp_comware", "5.20 Release 2215", "Switch 4210G 48-Port"),
    ),
    (
        "Rack-7, BR-VDX6710-54, Network Operating System Software Version 4.1.3b.",
        ("1588.2.2.1.1.1.5", "Brocade", "brocade_nos", "4.1.3b", "BR-VDX6710-54"),
    ),
    ("MA5608T", ("2011.2.248", "Huawei", "huawei_smartax", None, "MA5608T")),
    (
        "HP Comware Platform Software, Software Version 5.20.99, Release 2222P11 "
        "HP A5120-48G EI Switch with 2 Interface Slots Copyright (c) 2010-2014",
        ("25506.11.1.9", "HPE", "hp_comware", "5.20.99, Release 2222P11", "A5120-48G EI"),
    ),
    (
        "Aruba Instant On 1930 8G 2SFP Switch JL680A, InstantOn_1930_1.0.5.0 (139), Linux 4.4.120",
        ("11.2.3.7.11.200", "Aruba", "aruba_instant_on", "1.0.5.0", "1930 8G 2SFP Switch JL680A"),
    ),
    (
        "HPE OfficeConnect Switch 1920S 8G JL380A, PD.02.22, Linux 3.6.5-ac96795c, U-Boot",
        (
            "11.2.3.7.11.198",
            "HPE",
            "hp_officeconnect",
            "PD.02.22",
            "OfficeConnect Switch 1920S 8G JL380A",
        ),
    ),
    (
        "AOS-W (MODEL: OAW-4550), Version 6.4.2.3 (47524)",
        ("6486.800.1.1.2.2.2.1.1.6", "Alcatel-Lucent", "aruba_os", "6.4.2.3", "OAW-4550"),
    ),
    (
        "ExtremeXOS (Stack) version 30.7.1.1 by release-manager",
        ("1916.2.93", "Extreme Networks", "extreme_exos", "30.7.1.1", None),
    ),
    (
        "Passport-8603 (5.1.3.0)",
        ("2272.50", "Avaya", "extreme_vsp", "5.1.3.0", "Passport-8603"),
    ),
    (
        "Ruckus Wireless, Inc. Stacking System ICX7150-48-POEF, IronWare Version 08.0.95T211",
        ("1991.1.3.65.2.2", "Ruckus", "ruckus_fastiron", "08.0.95", "ICX7150-48-POEF"),
    ),
    (
        "Dell Force10 Networks Real Time Operating System Software Dell Force10 Operating System "
        "Version: 2.0 Dell Force10 Application Software Version: 9.4(0.0) Copyright",
        ("6027.1.3.14", "Dell", "dell_force10", "9.4(0.0)", None),
    ),
    (
        "Cumulus Linux version 3.6.2 running on Dell S4048-ON",
        ("40310", "Cumulus", "cumulus_linux", "3.6.2", "Dell S4048-ON"),
    ),
    (
        "Allied Telesis router/switch, Software (AlliedWare Plus) Version 5.4.4-2.3",
        ("207.1.14.85", "Allied Telesis", "allied_telesis_awplus", "5.4.4-2.3", None),
    ),
    (
        "ROAP Version ISCOM2924GF_ROAP_4.14.1781_20140710.",
        ("8886.6.114", "Raisecom", "raisecom_roap", "4.14.1781", "ISCOM2924GF"),
    ),
    (
        "ZXR10 ROS Version V4.08.22 ZXR10_5928 Software, Version V2.8.02",
        ("3902.3.100.1", "ZTE", "zte_zxros", "V4.08.22", "5928"),
    ),
    (
        "Ericsson Router 6675 IPOS-v19.2.1.0.55-Release",
        ("193.218.1.1", "Ericsson", "ericsson_ipos", "19.2.1.0.55", "Router 6675"),
    ),
    ("cnPilot e410 AP", ("17713.22", "Cambium", "cambium_cnpilot", None, "E410")),
    ("RUTX11 router", ("48690", "Teltonika", "teltonika_rutos", None, "RUTX11")),
    (
        "Westermo Viper, primary:  WeOS v4.32.3, backup: v4.28.0, bootloader: v2017.12.0-0",
        ("16177.1.2.30", "Westermo", "westermo_weos", "4.32.3", "Viper"),
    ),
    ("RuggedSwitch RSG2100", ("15004.2.1", "RuggedCom", "ruggedcom_ros", None, "RSG2100")),
    ("EDS-G509", ("8691.7.22", "Moxa", "moxa", None, "EDS-G509")),
    (
        "Palo Alto Networks Panorama server",
        ("25461.2.3.7", "Palo Alto Networks", "paloalto_panos", None, "Panorama"),
    ),
    (
        "NetScaler NS12.1: Build 55.18.nc, Date: Jan 22 2020",
        ("5951.1", "Citrix", "netscaler", "12.1 (Build 55.18.nc)", None),
    ),
    (
        "AX Series Advanced Traffic Manager AX2500, Advanced Core OS (ACOS) version 2.6.1-P4",
        ("22610.1.3.11", "A10 Networks", "a10_acos", "2.6.1-P4", "AX2500"),
    ),
    (
        "FreeBSD opnsense.example.net 13.2-RELEASE-p7 FreeBSD amd64",
        ("12325.1.1.2.1.1", "OPNsense", "opnsense", None, None),
    ),
]


@pytest.mark.parametrize(("descr", "expected"), ANNOUNCED)
def test_what_more_systems_announce_names_their_make(
    descr: str, expected: tuple[str, str, str, str | None, str | None]
) -> None:
    private, vendor, platform, version, model = expected
    make = make_of(descr, ENTERPRISES + private)
    assert (make.vendor, make.platform) == (vendor, platform)
    assert make.os_version == version
    assert (make.model or make.hint) == model


@pytest.mark.parametrize(
    ("descr", "private", "vendor"),
    [
        ("Extreme Networks NetIron CER, IronWare Version V6.3.0T183", "1991.1.3.51.7", "Extreme"),
        ("Foundry Networks, Inc. NetIron XMR, IronWare Version V3.8.0", "1991.1.3.39", "Foundry"),
        ("Brocade NetIron CES, IronWare Version V5.6.0eT183", "1991.1.3.44.3.2", "Brocade"),
        ("Extreme BR-SLX9240 Switch, SLX Operating System Version 20.1.1", "1588.3.3.1", "Extreme"),
        ("Lenovo RackSwitch G8332", "26543.1.7.20", "Lenovo"),
    ],
)
def test_a_product_line_that_was_sold_on_has_the_maker_its_text_names(
    descr: str, private: str, vendor: str
) -> None:
    assert (make_of(descr, ENTERPRISES + private).vendor or "").startswith(vendor)


def test_an_image_s_product_line_is_a_guess_behind_all_that_names_the_model() -> None:
    make = make_of(
        "Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(2)E7, RELEASE",
        f"{ENTERPRISES}9.1.1208",
    )
    assert (make.hint, make.guess) == (None, "C2960X")


def test_an_appliance_s_linux_kernel_is_not_its_version() -> None:
    kernel = "Linux gate 3.10.0-957.el7.x86_64 #1 SMP"
    assert make_of(kernel, f"{ENTERPRISES}2620.1.6.123.1.48").kernel is None
    assert make_of(kernel, f"{ENTERPRISES}3375.2.1.3.4.43").kernel is None
    assert make_of(kernel, f"{ENTERPRISES}8072.3.2.10").kernel == "3.10.0-957.el7.x86_64"


@pytest.mark.parametrize(
    ("private", "vendor", "platform"),
    [
        ("2636.1.1.1.2.29", "Juniper", "juniper_junos"),
        ("9.12.3.1.3.1062", "Cisco", "cisco_nxos"),
        ("25506.11.1.40", "HPE", "hp_comware"),
        ("25506.1.1229", "H3C", "hp_comware"),
        ("44641", "VyOS", "vyos"),
        ("9.1.516", "Cisco", None),
    ],
)
def test_who_has_a_description_of_its_operator_s_is_known_by_its_number(
    private: str, vendor: str, platform: str | None
) -> None:
    make = make_of("core of building B", ENTERPRISES + private)
    assert (make.vendor, make.platform, make.os_version) == (vendor, platform, None)


def test_an_agent_that_fills_in_the_form_of_windows_is_not_windows() -> None:
    make = make_of(
        "Hardware: EXAMPLE ADC 5500 Intel(R) Xeon(R) CPU - Software: ADC Rel.ADC.9.1.0.3 build on",
        f"{ENTERPRISES}27971",
    )
    assert (make.platform, make.hint, make.kernel) == (None, "EXAMPLE ADC 5500", "ADC.9.1.0.3")
    windows = make_of(
        "Hardware: Intel64 Family 6 Model 63 - Software: Windows Version 6.3 (Build 17763 "
        "Multiprocessor Free)",
        f"{ENTERPRISES}311.1.1.3.1.2",
    )
    assert (windows.platform, windows.hint) == ("windows", None)


def test_a_company_in_front_is_no_model() -> None:
    make = make_of("Force10 Networks Real Time Operating System", f"{ENTERPRISES}99999.1")
    assert make.guess is None


def test_a_card_in_a_ups_is_not_the_ups() -> None:
    card = make_of(
        "APC Web/SNMP Management Card (MB:v4.1.0 PF:v6.5.0 MN:AP9631 HR:05 SN: ZA1234567890)",
        f"{ENTERPRISES}318.1.3.27",
    )
    assert (card.model, card.serial, card.hint, card.os_version) == (None, None, "AP9631", "6.5.0")
    pdu = make_of(
        "APC Web/SNMP Management Card (MB:v4.1.0 PF:v6.5.0 MN:AP8941 HR:02 SN: 5A0000000000)",
        f"{ENTERPRISES}318.1.3.4.6",
    )
    assert (pdu.model, pdu.serial) == ("AP8941", "5A0000000000")


@pytest.mark.parametrize(
    ("descr", "private", "hint"),
    [
        ("HP Color LaserJet MFP M477fdw", "11.2.3.9.1", "Color LaserJet MFP M477fdw"),
        ("hp officejet 7610", "11.2.3.9.1", "officejet 7610"),
        ("Xerox VersaLink C405 v1 Multifunction System; SS 68.60.1", "253.8", "VersaLink C405"),
        ("KONICA MINOLTA bizhub C258", "18334.1.2.1", "bizhub C258"),
        ("KYOCERA Document Solutions Printing System", "1347.41", None),
        (
            "Samsung M332x 382x 402x Series; V3.00.01.14 FEB-17-2014",
            "236.11.5.1",
            "M332x 382x 402x",
        ),
    ],
)
def test_a_printer_is_known_by_its_name(descr: str, private: str, hint: str | None) -> None:
    make = make_of(descr, ENTERPRISES + private)
    assert (make.hint, make.kind) == (hint, DeviceType.ENDPOINT)


def test_placeholders_of_mainboards_and_filled_up_fields_are_nothing() -> None:
    for word in ("System Serial Number", "Not Programmed", "0123456789", "\ufffd\ufffd\ufffd"):
        assert real(word) is None
    assert real("FOC1\ufffd\ufffd") == "FOC1"


def test_a_maker_is_known_by_the_names_it_goes_by() -> None:
    assert brand("Hewlett-Packard Company") == "HPE"
    assert brand("UBNT") == "Ubiquiti"
    assert make_of("D-Link DXS-3400", "").vendor == "D-Link"


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ("3.7.6.24444 2018-07-19 15:13:12", "3.7.6.24444"),
        ("v6.4.5,build1828,201217 (GA)", "v6.4.5"),
        ("ROS-CF52 Main v4.3.3", "v4.3.3"),
        ("R77.30", "R77.30"),
        ("of no number at all", "of no number at all"),
    ],
)
def test_a_version_s_own_object_is_read_from_its_head(told: str, version: str) -> None:
    assert phrased_version(told) == version
