"""Events as lines."""

from typing import Any

import pytest

from pdsno.cli.watch_lines import is_wanted, line_of


def event(kind: str, subject: str = "dev_1", /, **data: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "seq": 7,
        "event_type": kind,
        "subject": subject,
        "at": "2026-03-01T12:00:05.250000Z",
        "data": data,
    }


def end(device: str | None, interface: str | None) -> dict[str, Any]:
    return {"device_id": "dev_9", "device": device, "interface": interface}


def test_a_line_says_when_what_and_who() -> None:
    line = line_of(event("DEVICE_APPEARED", name="leaf1", management_ip="10.0.0.2"))
    assert line == "2026-03-01T12:00:05Z  DEVICE_APPEARED         leaf1 10.0.0.2 (dev_1)"
    assert line_of(event("POLICY_APPLIED", "0.3", by="alice")).endswith("0.3  by alice")


def test_a_change_is_told_field_by_field() -> None:
    changes = {
        "os_version": ["15.1", "15.2"],
        "serial": [None, "X1"],
        "ips": [["10.0.0.1"], ["10.0.0.2", "10.0.0.3"]],
        "macs": [[], ["00:50:56:00:00:01"]],
        "interfaces": {
            "eth1": {"oper_status": ["up", "down"], "mtu": [1500, 9000]},
            "eth2": {"added": {"mtu": 1500}},
            "eth3": {"removed": {}},
        },
    }
    assert line_of(event("DEVICE_CHANGED", name="leaf1", changes=changes)).endswith(
        "leaf1 (dev_1)  os_version 15.1 -> 15.2; serial none -> X1; "
        "ips -10.0.0.1 +10.0.0.2, 10.0.0.3; macs +00:50:56:00:00:01; "
        "eth1 oper_status up -> down, mtu 1500 -> 9000; eth2 added; eth3 removed"
    )


def test_of_very_many_interfaces_the_first_are_told() -> None:
    interfaces: dict[str, Any] = {f"eth{i}": {"added": {}} for i in range(30)}
    line = line_of(event("DEVICE_CHANGED", changes={"interfaces": interfaces}))
    assert line.endswith("eth7 added; and 22 more interfaces")


def test_a_move_is_told_by_its_places() -> None:
    moved: dict[str, Any] = {
        "from": {"management_ip": "10.0.0.1"},
        "to": {"management_ip": "10.0.1.1"},
    }
    assert line_of(event("DEVICE_MOVED", **moved)).endswith("management_ip 10.0.0.1 -> 10.0.1.1")


def test_a_link_is_told_by_its_ends() -> None:
    a, b = end("leaf1", "eth1"), end(None, None)
    assert line_of(event("LINK_APPEARED", "link_1", a=a, b=b, status="claimed")).endswith(
        "leaf1 eth1 -- dev_9 ?  claimed"
    )
    changed = event(
        "LINK_CHANGED", a=a, b=[b, end("h1", "eth0")], status=["claimed", "confirmed"], was="link_0"
    )
    assert line_of(changed).endswith("leaf1 eth1 -- h1 eth0  claimed -> confirmed; was dev_9 ?")


def test_what_devices_call_themselves_cannot_steer_the_terminal_nor_make_two_lines() -> None:
    hostile = "x\x1b]0;y\x07\r\n\u202e\u2028z"
    changes = {"name": ["leaf1", hostile], hostile: [1, 2], "interfaces": {hostile: {"added": {}}}}
    line = line_of(event("DEVICE_CHANGED", hostile, name=hostile, changes=changes))
    assert line.isprintable()
    assert "\\x1b]0;y\\x07" in line


def test_a_very_long_text_is_cut() -> None:
    line = line_of(event("DEVICE_CHANGED", changes={"vendor": ["x" * 500, "y"]}))
    assert len(line) < 200


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [((), True), (("DEVICE_*",), True), (("device_*",), True), (("LINK_*",), False),
     (("LINK_*", "*_APPEARED"), True), (("DEVICE",), False), (("DEVICE_APPEARED",), True)],
)  # fmt: skip
def test_types_are_matched_by_patterns(patterns: tuple[str, ...], wanted: bool) -> None:
    assert is_wanted(event("DEVICE_APPEARED"), patterns) is wanted
