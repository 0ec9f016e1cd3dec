"""An output in which nothing is found, and one that is truly empty, are not the same."""

import io

import pytest

from pdsno.cli.main import main
from pdsno.southbound.parsing import ParserPool, facts_of_recording, without_prompts
from pdsno.southbound.platforms import platform_named
from pdsno.southbound.platforms.readings import Reading

OLD_IOS = """
Chassis id: 0200.5e00.5301
Port id: Gi0/2
Port Description: GigabitEthernet0/2
System Name: dist-1

System Description:
Cisco IOS Software, C2960 Software

Time remaining: 115 seconds
System Capabilities: B
Enabled Capabilities: B
Management Addresses:
    IP: 192.0.2.7
Auto Negotiation - supported, enabled
Media Attachment Unit type: 30
---------------------------------------------


Total entries displayed: 1
"""
JUNOS_PARTS = """Hardware inventory:
Item             Version  Part number  Serial number     Description
Chassis                                ZZ0000000001      EX0000-48T
Routing Engine 0 REV 03   740-000001   ZZ0000000002      RE-EX0000
FPC 0            REV 17   650-000002   ZZ0000000003      EX0000-48T
  CPU                     BUILTIN      BUILTIN           FPC CPU
    Xcvr 54               740-000003   ZZ000000004-2     QSFP28-100G-CU1M
    Xcvr 55      REV 01   NON-JNPR     ZZ0000000005      SFP-T
  Power Supply 0 REV 04   740-000006   ZZ0000000006      PSU-650W-AC
PEM 0            Rev 01   740-000007   ZZ0000000007      PS 1.4-2.52kW; 90-264V AC in
  Fan Tray 0                                             fan, Front to Back
"""
EOS_BLANK = """Interface Ethernet3 detected 1 LLDP neighbors:

  Neighbor 0200.5e00.5301/"Port 7 of 24", age 12 seconds
  - Chassis ID type: MAC address (4)
    Chassis ID     : 0200.5e00.5301
  - Port ID type: Locally assigned (7)
    Port ID     : "Port 7 of 24"
  - System Name: "desk-switch"
"""
IOS_ARP = """Protocol  Address     Age (min)  Hardware Addr   Type   Interface
Internet  192.0.2.1   5          0200.5e00.5301  ARPA   Vlan10
"""
COMWARE_ARP = """  Type: S-Static   D-Dynamic   O-Openflow   R-Rule   M-Multiport  I-Invalid
IP address      MAC address    VLAN/VSI name Interface                Aging Type
192.0.2.1       0200-5e00-5301 10            GE1/0/1                  17    D
"""
JUNOS_ARP = """MAC Address       Address         Interface                Flags
02:00:5e:00:53:01 192.0.2.1       ge-0/0/1.0               none
Total entries: 1
"""


def read(platform: str, command: str, text: str) -> Reading:
    return platform_named(platform).readers[command](text)


def test_neighbours_without_a_port_of_ours_are_no_empty_list() -> None:
    found = read("cisco_ios", "show lldp neighbors detail", OLD_IOS)
    assert found.neighbors is None
    assert found.problem == "does not say at which port it hears 1 of its neighbours"
    nobody = read("cisco_ios", "show lldp neighbors detail", "\nTotal entries displayed: 0\n")
    assert (nobody.neighbors, nobody.problem) == ((), None)


@pytest.mark.parametrize(
    ("platform", "command"),
    [
        ("cisco_ios", "show version"),
        ("cisco_ios", "show interfaces"),
        ("cisco_nxos", "show interface"),
        ("hp_comware", "display interface"),
        ("huawei_vrp", "display version"),
        ("juniper_junos", "show lldp neighbors"),
        ("vyos", "show lldp neighbors"),
    ],
)
def test_what_every_device_prints_is_a_failure_when_nothing_in_it_is_found(
    platform: str, command: str
) -> None:
    try:
        problem = read(platform, command, "Welcome to the machine\nno such thing here\n").problem
    except ValueError as error:
        problem = str(error)
    assert problem


@pytest.mark.parametrize(
    ("platform", "heading"),
    [
        (
            "juniper_junos",
            "Local Interface    Parent Interface    Chassis Id   Port info  System Name",
        ),
        ("vyos", "Device ID    Local    Proto    Cap    Platform    Port ID"),
    ],
)
def test_a_table_without_rows_says_that_nobody_is_heard(platform: str, heading: str) -> None:
    found = read(platform, "show lldp neighbors", heading + "\n")
    assert (found.neighbors, found.problem) == ((), None)


def test_parts_of_junos_devices_have_their_names_alone() -> None:
    found = read("juniper_junos", "show chassis hardware", JUNOS_PARTS)
    assert (found.model, found.serial) == ("EX0000-48T", "ZZ0000000001")
    assert [(m.name, m.model, m.serial) for m in found.modules] == [
        ("Routing Engine 0", "RE-EX0000", "ZZ0000000002"),
        ("FPC 0", "EX0000-48T", "ZZ0000000003"),
        ("Xcvr 54", "QSFP28-100G-CU1M", "ZZ000000004-2"),
        ("Xcvr 55", "SFP-T", "ZZ0000000005"),
        ("Power Supply 0", "PSU-650W-AC", "ZZ0000000006"),
        ("PEM 0", "PS 1.4-2.52kW; 90-264V AC in", "ZZ0000000007"),
    ]


def test_the_admin_state_of_an_nxos_interface_without_remarks_is_read_whole() -> None:
    text = (
        "mgmt0 is up\nadmin state is up\n  Hardware: Ethernet, address: 0200.5e00.5301\n"
        "Ethernet1/1 is down (Administratively down)\nadmin state is down, Dedicated Interface\n"
        "loopback0 is up\nadmin state is up,\n  Hardware: Loopback\n"
    )
    found = read("cisco_nxos", "show interface", text)
    assert [(i.name, i.oper_status, i.admin_status) for i in found.interfaces] == [
        ("mgmt0", "up", "up"),
        ("Ethernet1/1", "down", "down"),
        ("loopback0", "up", "up"),
    ]


def test_an_eos_neighbour_whose_port_has_blanks_in_its_name_is_heard() -> None:
    found = read("arista_eos", "show lldp neighbors detail", EOS_BLANK)
    assert [(n.remote_name, n.remote_interface) for n in found.neighbors or ()] == [
        ("desk-switch", "Port 7 of 24")
    ]


@pytest.mark.parametrize(
    ("platform", "command", "prompt", "table"),
    [
        ("cisco_ios", "show ip arp", "acc-1#", IOS_ARP),
        ("cisco_ios", "show ip arp", "acc-1.example.net> ", IOS_ARP),
        ("hp_comware", "display arp", "<acc-1>", COMWARE_ARP),
        ("juniper_junos", "show arp no-resolve", "ops@acc-1> ", JUNOS_ARP),
    ],
)
def test_what_a_person_recorded_is_read_like_what_we_read(
    platform: str, command: str, prompt: str, table: str
) -> None:
    stamp = "Load for five secs: 0%/0%; one minute: 1%; five minutes: 1%\n"
    stamp += "Time source is NTP, 09:28:50.737 DST Wed Nov 8 2017\n\n"
    recorded = f"{prompt}{command}\n{stamp if 'ios' in platform else ''}{table}\n{prompt}"
    with ParserPool(workers=1) as pool:
        plain = facts_of_recording(platform, command, table, pool=pool)
        by_person = facts_of_recording(platform, command, recorded, pool=pool)
    assert len(plain[0].arp) == 1
    assert by_person[0].arp == plain[0].arp
    assert by_person[1] is None


def test_a_table_that_only_looks_like_a_prompt_stays() -> None:
    for text in ("Vlan10 up\n* 3 0200.5e00.5301 F F Po2\n", "  100%\n", "a > b\n", IOS_ARP):
        assert without_prompts(text) == text


def test_parse_says_when_an_output_tells_nothing_or_is_too_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def parsed(text: bytes) -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
        code = main(["parse", "--platform", "cisco_ios", "--command", "show ip arp", "-"])
        return code, capsys.readouterr().err

    code, said = parsed(b"")
    assert code == 0
    assert "tells nothing: empty, or not what cisco_ios prints for 'show ip arp'" in said
    table = b"Protocol  Address     Age (min)  Hardware Addr   Type   Interface\n"
    row = b"Internet  192.0.2.1   5          0200.5e00.5301  ARPA   Vlan10\n"
    assert parsed(table + row) == (0, "")
    code, said = parsed(row * 80_000)
    assert code == 1
    assert said == "pdsno: error: the output is longer than 4 MiB\n"
