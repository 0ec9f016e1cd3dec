# ruff: noqa: ISC004 - descriptions are longer than a line
import pytest

from pdsno.domain.entities import DeviceType
from pdsno.southbound.mibs.makes import Make, brand, generic_version, make_of, real, vendor_of
from pdsno.southbound.mibs.vendor import columns_of, parse_vendor, scalars_of

ENTERPRISES = "1.3.6.1.4.1."


@pytest.mark.parametrize(
    ("descr", "private", "vendor", "platform", "version", "model"),
    [
        (
            "Cisco IOS Software [Amsterdam], Catalyst L3 Switch Software (CAT9K_IOSXE), "
            "Version 17.3.4, RELEASE SOFTWARE (fc3)",
            "9.1.2494",
            "Cisco",
            "cisco_xe",
            "17.3.4",
            None,
        ),
        (
            "Cisco IOS XR Software (Cisco ASR9K Series), Version 6.1.3[Default] Copyright",
            "9.1.1639",
            "Cisco",
            "cisco_xr",
            "6.1.3",
            None,
        ),
        (
            "Cisco Adaptive Security Appliance Version 9.8(2)",
            "9.1.2114",
            "Cisco",
            "cisco_asa",
            "9.8(2)",
            None,
        ),
        (
            "SG350-28 28-Port Gigabit Managed Switch",
            "9.6.1.95.28.5",
            "Cisco",
            "cisco_s300",
            None,
            "SG350-28",
        ),
        (
            "Juniper Networks, Inc. ex4300-48t Ethernet Switch, kernel JUNOS 18.4R2.7, Build date",
            "2636.1.1.1.2.63",
            "Juniper",
            "juniper_junos",
            "18.4R2.7",
            "EX4300-48T",
        ),
        (
            "RouterOS CCR1009-7G-1C-1S+",
            "14988.1",
            "MikroTik",
            "mikrotik_routeros",
            None,
            "CCR1009-7G-1C-1S+",
        ),
        (
            "S6720-30C-EI Huawei Versatile Routing Platform Software VRP (R) software, "
            "Version 5.170 (S6720 V200R011C10SPC600) Copyright (C) 2007 Huawei",
            "2011.2.23.431",
            "Huawei",
            "huawei_vrp",
            "5.170 (V200R011C10SPC600)",
            "S6720-30C-EI",
        ),
        (
            "HP J9773A 2530-24G-PoEP Switch, revision YA.16.02.0012, ROM YA.15.09",
            "11.2.3.7.11.139",
            "HPE",
            "hp_procurve",
            "YA.16.02.0012",
            "J9773A 2530-24G-PoEP Switch",
        ),
        (
            "HPE Comware Platform Software, Software Version 7.1.045, Release 2418P06 "
            "HPE 5130-24G-4SFP+ EI Switch Copyright (c) 2010",
            "25506.11.1.181",
            "HPE",
            "hp_comware",
            "7.1.045, Release 2418P06",
            "5130-24G-4SFP+ EI Switch",
        ),
        (
            "ExtremeXOS (X460G2-48t-10G4) version 22.4.1.4 22.4.1.4-patch1-6 by release-manager",
            "1916.2.215",
            "Extreme Networks",
            "extreme_exos",
            "22.4.1.4",
            "X460G2-48t-10G4",
        ),
        (
            "Ruckus Wireless, Inc. ICX7150-24-POE, IronWare Version 08.0.80T213 Compiled on",
            "1991.1.3.61.1",
            "Ruckus",
            "ruckus_fastiron",
            "08.0.80",
            "ICX7150-24-POE",
        ),
        (
            "Dell EMC Networking N1148T-ON, 6.5.4.3, Linux 4.14.138",
            "674.10895.3079",
            "Dell",
            "dell_powerconnect",
            "6.5.4.3",
            "N1148T-ON",
        ),
        (
            "TiMOS-B-15.0.R4 both/x86_64 Nokia 7750 SR Copyright (c) 2000-2017 Nokia",
            "6527.1.3.15",
            "Nokia",
            "alcatel_sros",
            "B-15.0.R4",
            "7750 SR",
        ),
        (
            "Hardware: Intel64 - Software: Windows Version 6.3 (Build 17763 Multiprocessor Free)",
            "311.1.1.3.1.2",
            "Microsoft",
            "windows",
            "6.3 (Build 17763)",
            None,
        ),
        (
            "EdgeOS v1.10.7.5127989.181001.1227",
            "41112.1.5",
            "Ubiquiti",
            "ubiquiti_edge",
            "1.10.7",
            None,
        ),
        (
            "; AXIS M3045-V; Network Camera; 6.50.1; Jul 4 2017; 7B6; 1;",
            "368.1.4",
            "Axis",
            "axis_os",
            "6.50.1",
            "M3045-V",
        ),
        (
            "5520-48W-VOSS (8.5.0.0)",
            "1916.2.351",
            "Extreme Networks",
            "extreme_vsp",
            "8.5.0.0",
            "5520-48W-VOSS",
        ),
        (
            "ExtremeXOS version 12.4.1.7 v1241b7 by",
            "1916.2.63",
            "Extreme Networks",
            "extreme_exos",
            "12.4.1.7",
            None,
        ),
        (
            "HiveAP, AP230, HiveOS 8.2r4 build-196609",
            "26928.1",
            "Aerohive",
            "aerohive_hiveos",
            "8.2r4",
            "AP230",
        ),
        ("3930 Service Delivery Switch", "6141.1.90", "Ciena", "ciena_saos", None, "3930"),
        ("CANOPY 15.0.0.1 AP-DES", "161.19.250.256", "Cambium", "cambium_canopy", "15.0.0.1", None),
        (
            "RTX1210 Rev.14.01.38 (Fri Jul 5 2019)",
            "1182.1.64",
            "Yamaha",
            "yamaha_rt",
            "14.01.38",
            "RTX1210",
        ),
        (
            "LANCOM 1783VA 10.20.0238 / 01.02.2019 4004123456789012",
            "2356.11.8.1783",
            "LANCOM",
            "lancom_lcos",
            "10.20.0238",
            "1783VA",
        ),
        (
            "Siemens, SIMATIC NET, SCALANCE X208, 6GK5 208-0BA10-2AA3, HW: Version 5, "
            "FW: Version V05.02.03, SVPL6147920",
            "4329.6.1.2",
            "Siemens",
            "scalance",
            "05.02.03",
            "SCALANCE X208",
        ),
        (
            "SRLinux-v21.6.4-45-g5d3c2b 7220 IXR-D3L Copyright (c) 2000-2021 Nokia",
            "6527.1.20.22",
            "Nokia",
            "nokia_srl",
            "21.6.4-45-g5d3c2b",
            "7220 IXR-D3L",
        ),
        (
            "AX Series Advanced Traffic Manager AXvThunder, ACOS 2.7.2-P4-SP1,",
            "22610.1.3.13",
            "A10 Networks",
            "a10_acos",
            "2.7.2-P4-SP1",
            "AXvThunder",
        ),
        (
            "HPE ANW R8S92A 8100-24XT   LL.10.15.1005",
            "47196.4.1.1.1.400",
            "Aruba",
            "aruba_aoscx",
            "LL.10.15.1005",
            "R8S92A 8100-24XT",
        ),
    ],
)
def test_what_a_system_announces_names_its_make(
    descr: str,
    private: str,
    vendor: str,
    platform: str,
    version: str | None,
    model: str | None,
) -> None:
    make = make_of(descr, ENTERPRISES + private)
    assert (make.vendor, make.platform) == (vendor, platform)
    assert make.os_version == version
    assert (make.model or make.hint) == model


def test_a_vendor_is_known_by_its_enterprise_number_alone() -> None:
    assert vendor_of(f"{ENTERPRISES}25506.1.9") == "H3C"
    assert vendor_of(f"{ENTERPRISES}99999999.1") is None
    assert vendor_of("0.0") is None
    assert make_of("", f"{ENTERPRISES}28557.1") == Make(
        vendor="Hillstone", kind=DeviceType.FIREWALL
    )


def test_the_kernel_of_an_appliance_gives_way_to_what_its_vendor_tells() -> None:
    make = make_of("Linux nas 4.4.302+ #1 SMP", f"{ENTERPRISES}8072.3.2.10")
    assert (make.platform, make.os_version, make.kernel) == ("linux", None, "4.4.302+")
    own = parse_vendor(
        f"{ENTERPRISES}8072.3.2.10",
        {
            f"{ENTERPRISES}6574.1.5.1.0": b"DS918+",
            f"{ENTERPRISES}6574.1.5.2.0": b"1780PDN000001",
            f"{ENTERPRISES}6574.1.5.3.0": b"DSM 7.1-42661",
        },
    )
    assert (own.vendor, own.model, own.serial) == ("Synology", "DS918+", "1780PDN000001")


def test_a_column_of_a_vendor_is_read_down_to_its_first_value() -> None:
    object_id = f"{ENTERPRISES}9.1.283"
    image = f"{ENTERPRISES}9.9.25.1.1.1.2"
    assert image in columns_of(object_id)
    assert not any(oid.endswith("*") for oid in scalars_of(object_id))
    own = parse_vendor(
        object_id, {f"{image}.4": b"CW_FAMILY$X$", f"{image}.5": b"CW_VERSION$12.2(18)SXF12$"}
    )
    assert own.version == "12.2(18)SXF12"


def test_words_that_mean_nothing_are_nothing() -> None:
    for word in ("N/A", "none", "NULL", "0000000", "Not Specified", '""', "  "):
        assert real(word) is None
    assert real(" FOC1 ") == "FOC1"


def test_a_shouted_or_long_name_is_the_same_maker() -> None:
    assert brand("HUAWEI") == "Huawei"
    assert brand("Cisco Systems, Inc.") == "Cisco"
    assert brand("Acme Works") == "Acme Works"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("SomeBox Firmware v2.3.4-rc1, built", "2.3.4-rc1"),
        ("Switch Software Version: V3.1 build 7", "3.1"),
        ("RGOS 10.4(3)p4 Release(161753)", "10.4(3)p4"),
        ("FortiGate v5.4.5,build1138", "v5.4.5"),
        ("nothing of the kind 7", None),
    ],
)
def test_a_version_is_found_in_free_text(text: str, version: str | None) -> None:
    assert generic_version(text) == version


@pytest.mark.parametrize(
    ("descr", "private", "guess"),
    [
        ("MES2324F AC 28-port 1G/10G Managed Switch", "35265.1.121", "MES2324F"),
        ("Allied Telesis AT-8000S/24 stack", "207.1.4.126", "AT-8000S/24"),
        ("24-port 10/100 Ethernet Switch", "9999.1", None),
        ("V5.2.1 of something", "9999.1", None),
        ("Linux HOST01 4.19.0", "8072.3.2.10", None),
    ],
)
def test_a_first_word_that_looks_like_a_model_is_a_guess(
    descr: str, private: str, guess: str | None
) -> None:
    assert make_of(descr, ENTERPRISES + private).guess == guess


def test_under_a_chip_makers_number_the_brand_in_the_text_is_the_vendor() -> None:
    assert make_of("NETGEAR GS752, 6.1.0.3", f"{ENTERPRISES}4413").vendor == "NETGEAR"
    assert make_of("a switch", f"{ENTERPRISES}4413").vendor == "Broadcom"
