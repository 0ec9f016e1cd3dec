"""What makers' own MIBs and ENTITY-MIB tell of model, serial and version, weighed together."""

import pytest

from pdsno.southbound.mibs.entity import Entity, parse_entity
from pdsno.southbound.mibs.product import Product, product_of
from pdsno.southbound.mibs.system import SYS_DESCR, SYS_OBJECT_ID, parse_system
from pdsno.southbound.mibs.varbinds import Value
from pdsno.southbound.mibs.vendor import columns_of, parse_vendor, scalars_of

ENTERPRISES = "1.3.6.1.4.1."
ENTITY = "1.3.6.1.2.1.47.1.1.1.1"
CONTAINED, CLASS, NAME, SOFTWARE, SERIAL, MODEL = 4, 5, 7, 10, 11, 13
DEVICE_TYPE, DEVICE_DESCR = "1.3.6.1.2.1.25.3.2.1.2.1", "1.3.6.1.2.1.25.3.2.1.3.1"


def product(descr: str, private: str, **told: str) -> Product:
    """Return the product of an agent that also tells `told`, by OIDs beneath `enterprises`."""
    return product_with(descr, private, {ENTERPRISES + oid: v.encode() for oid, v in told.items()})


def product_with(descr: str, private: str, varbinds: dict[str, Value]) -> Product:
    varbinds = {SYS_DESCR: descr.encode(), SYS_OBJECT_ID: ENTERPRISES + private, **varbinds}
    system = parse_system(varbinds)
    own = parse_vendor(system.object_id or "", varbinds)
    return product_of(system, parse_entity(varbinds), own)


def entity(*rows: dict[int, Value]) -> Entity:
    """Return what an entPhysicalTable with these rows (column -> value) tells."""
    return parse_entity(
        {
            f"{ENTITY}.{column}.{index}": value
            for index, row in enumerate(rows, 1)
            for column, value in row.items()
        }
    )


@pytest.mark.parametrize(
    ("private", "told", "expected"),
    [
        (
            "207.1.14.85",  # AT-RESOURCE-MIB, of which the first row is the base board
            {
                "207.8.4.4.3.21.1.1.4.1.1": "AT-x930-28GTX",
                "207.8.4.4.3.21.1.1.4.1.2": "AT-PWR250",
                "207.8.4.4.3.21.1.1.8.1.1": "A00000000000001",
            },
            ("AT-x930-28GTX", "A00000000000001", None),
        ),
        (
            "664.1.1245",
            {
                "664.3.1.1.0": "NetVanta 3448",
                "664.3.1.4.0": "LBADTN0000000",
                "664.3.1.6.0": "R11.4.2",
            },
            ("NetVanta 3448", "LBADTN0000000", "R11.4.2"),
        ),
        (
            "2604.5",
            {"2604.5.1.1.2.0": "XGS2100", "2604.5.1.1.3.0": "SFOS 19.5.1 MR-1-Build278"},
            ("XGS2100", None, "19.5.1"),
        ),
        (
            "17713.21",
            {"17713.21.1.1.1.0": "4.6.2", "17713.21.1.1.30.0": "N/A", "17713.21.1.1.31.0": "E0001"},
            (None, "E0001", "4.6.2"),
        ),
        (
            "15004.2.1",
            {"15004.4.2.3.1.0": "RSG-0001", "15004.4.2.3.3.0": "ROS-CF52 Main v4.3.3"},
            (None, "RSG-0001", "v4.3.3"),
        ),
        (
            "8886.6.300",
            {
                "8886.6.1.1.1.1.0": "8.2.29_20180611",
                "8886.6.1.1.1.2.0": "RAX711-C version A.02",
                "8886.6.1.1.1.14.0": "1230000001",
            },
            ("RAX711-C", "1230000001", "8.2.29_20180611"),
        ),
        (
            "25049.1.81",  # scalars without their instance
            {"25049.17.1.1": "4.3.0 f5ad8650 ()", "25049.17.1.2": "7000000000"},
            (None, "7000000000", "4.3.0"),
        ),
        (
            "1718.4",
            {"1718.4.1.1.1.3.0": "Sentry Version 8.0k", "1718.4.1.2.2.1.5.1": "C2S36CE"},
            ("C2S36CE", None, "8.0k"),
        ),
        (
            "2254.2.4",
            {"2254.2.4.1.2.0": "GES302R", "2254.2.4.1.3.0": "01.02.03"},
            ("GES302R", None, "01.02.03"),
        ),
    ],
)
def test_a_maker_s_mib_names_its_product(
    private: str, told: dict[str, str], expected: tuple[str | None, str | None, str | None]
) -> None:
    found = product("", private, **told)
    assert (found.model, found.serial, found.os_version) == expected


def test_an_object_may_stand_beneath_the_product_s_own_arc_or_its_parent() -> None:
    assert ENTERPRISES + "8691.7.69.1.2.0" in scalars_of(ENTERPRISES + "8691.7.69")
    found = product(
        "EDS", "8691.7.69", **{"8691.7.69.1.2.0": "EDS-510E", "8691.7.69.1.4.0": "V5.2"}
    )
    assert (found.model, found.os_version) == ("EDS-510E", "V5.2")
    found = product(
        "switch",
        "259.10.1.42.101",
        **{
            "259.10.1.42.1.1.5.1.0": "ECS4100-28T",
            "259.10.1.42.1.1.3.1.6.1": "1.2.36.191",
            "259.10.1.42.1.1.3.1.10.1": "EC0000000001",
        },
    )
    assert (found.model, found.serial) == ("ECS4100-28T", "EC0000000001")
    assert found.os_version == "1.2.36.191"


@pytest.mark.parametrize(
    ("descr", "private", "platform"),
    [
        ("Linux db1 5.14.0-427.el9.x86_64 #1 SMP", "8072.3.2.10", "linux"),
        (
            "Hardware: Intel64 - Software: Windows Version 6.3 (Build 17763)",
            "311.1.1.3.1.2",
            "windows",
        ),
        ("VMware ESXi 7.0.3 build-21424296 VMware, Inc. x86_64", "6876.4.1", "vmware_esxi"),
    ],
)
def test_a_server_s_hardware_is_told_by_its_maker_s_agent(
    descr: str, private: str, platform: str
) -> None:
    dell = {
        "674.10892.1.300.10.1.9.1": "PowerEdge R740",
        "674.10892.1.300.10.1.11.1": "ABC0001",
    }
    found = product(descr, private, **dell)
    assert (found.platform, found.model, found.serial) == (platform, "PowerEdge R740", "ABC0001")
    hp = {"232.2.2.4.2.0": "ProLiant DL380 Gen9", "232.2.2.2.1.0": "CZJ0000001"}
    found = product(descr, private, **hp)
    assert (found.model, found.serial) == ("ProLiant DL380 Gen9", "CZJ0000001")


def test_a_serial_may_be_a_number() -> None:
    serial = ENTERPRISES + "5003.9.10.10.2.3.2.0"
    assert product_with("", "5003.8.1.1.43", {serial: 4718592}).serial == "4718592"
    assert product_with("", "5003.8.1.1.43", {serial: 0}).serial is None


def test_a_subscriber_s_number_is_no_version() -> None:
    told = {"48690.1.6.0": "246010000000000", "48690.2.14.0": "RUT9XX_R_00.06.08.6"}
    assert product("", "48690", **told).os_version == "RUT9XX_R_00.06.08.6"
    new = {"48690.1.1.0": "1100000000", "48690.1.6.0": "RUTX_R_00.07.04.5"}
    assert product("RUTX11", "48690", **new).os_version == "RUTX_R_00.07.04.5"


def test_a_radio_s_firmware_is_cut_out_of_its_build() -> None:
    radio = "1.2.840.10036.3.1.2.1"
    assert f"{radio}.4" in columns_of(ENTERPRISES + "10002.1")
    found = product_with(
        "Linux 2.6.32.54 #1 mips",
        "10002.1",
        {
            f"{radio}.3.5": b"NanoStation M5",
            f"{radio}.4.5": b"XW.ar934x.v6.1.7.32555.180523.1754",
        },
    )
    assert (found.model, found.os_version) == ("NanoStation M5", "6.1.7")


def test_a_printer_without_a_serial_is_known_by_its_device_type() -> None:
    descr = "Brother NC-8300h, Firmware Ver.1.07 (10.04.20),MID 8C5-F01"
    device: dict[str, Value] = {DEVICE_DESCR: b"Brother HL-L2350DW series"}
    printer = {**device, DEVICE_TYPE: "1.3.6.1.2.1.25.3.1.5"}
    assert product_with(descr, "2435.2.3.9.1", printer).model == "HL-L2350DW series"
    processor = {**device, DEVICE_TYPE: "1.3.6.1.2.1.25.3.1.3"}
    assert product_with(descr, "2435.2.3.9.1", processor).model == "NC-8300h"


def test_a_ups_is_named_before_the_card_in_it() -> None:
    descr = "APC Web/SNMP Management Card (MB:v4.1.0 PF:v6.5.0 MN:AP9631 HR:05 SN: ZA1234567890)"
    ups = {"318.1.1.1.1.1.1.0": "Smart-UPS 1500", "318.1.1.1.1.2.3.0": "AS0000000001"}
    found = product(descr, "318.1.3.27", **ups)
    assert (found.model, found.serial) == ("Smart-UPS 1500", "AS0000000001")
    alone = product(descr, "318.1.3.27")
    assert (alone.model, alone.serial) == ("AP9631", "ZA1234567890")


def test_an_agent_that_classes_nothing_is_known_by_what_is_in_nothing() -> None:
    found = entity(
        {CONTAINED: 0, NAME: b"Unit 1", SERIAL: b"UNIT0001", MODEL: b"ES-48"},
        {CONTAINED: 1, NAME: b"SFP", SERIAL: b"SFP00001", MODEL: b"SFP-LX"},
    )
    assert (found.model, found.serial) == ("ES-48", "UNIT0001")


def test_a_device_classed_as_something_else_is_found_but_a_fan_is_not() -> None:
    found = entity(
        {CONTAINED: 0, CLASS: 7, SERIAL: b"FAN00001"},
        {CONTAINED: 0, CLASS: 1, SERIAL: b"BOX00001", SOFTWARE: b"3.7.6.24444 2018-07-19"},
    )
    assert (found.serial, found.software) == ("BOX00001", "3.7.6.24444 2018-07-19")
    assert entity({CONTAINED: 0, CLASS: 7, SERIAL: b"FAN00001"}).serial is None


def test_a_chassis_still_comes_first() -> None:
    found = entity(
        {CONTAINED: 0, CLASS: 1, SERIAL: b"OTHER001", MODEL: b"THING"},
        {CONTAINED: 0, CLASS: 3, SERIAL: b"CHASSIS1"},
    )
    assert found.serial == "CHASSIS1"


def test_board_numbers_are_no_model() -> None:
    for number in (b"80-1007253-05", b"3HE06791AAAB01", b"AL4500E07-E6GS"):
        assert entity({CLASS: 3, SERIAL: b"S0000001", MODEL: number}).model is None
