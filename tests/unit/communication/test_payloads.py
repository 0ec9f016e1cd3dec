from datetime import UTC, datetime
from typing import Any

import pytest

from pdsno.communication.codec import read
from pdsno.domain.coverage import Coverage
from pdsno.domain.entities import Device, DeviceStatus, DeviceType, FieldSource, Interface
from pdsno.domain.errors import RemoteProtocolError
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import (
    Challenge,
    DiscoveryReport,
    Message,
    MessageType,
    PolicyUpdate,
    Status,
    StreamTail,
)
from pdsno.domain.policy import LocalPolicy, RegionPolicy

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def message(payload: Any) -> Message:  # noqa: ANN401 - also what is wrong
    return Message(
        message_id="m",
        message_type=MessageType.STATUS,
        sender_id="a",
        recipient_id="b",
        timestamp=NOW,
        payload=payload,
    )


def report() -> DiscoveryReport:
    device = Device(
        device_id="dev_1",
        status=DeviceStatus.ACTIVE,
        device_type=DeviceType.ROUTER,
        region="zone-A",
        namespace="zone-A",
        local_controller="lc",
        management_ip="10.0.0.1",
        macs=("02:00:00:00:00:01",),
        ips=("10.0.0.1",),
        interfaces=(Interface(name="eth0", mtu=1500),),
        neighbors=(),
        sources=("snmp",),
        first_seen=NOW,
        last_seen=NOW,
        version=3,
        provenance={"name": FieldSource(source="snmp", at=NOW)},
        name="r1",
        vendor=None,
        model=None,
        platform=None,
        os_version=None,
        serial=None,
        chassis_id=None,
    )
    return DiscoveryReport(
        cycle_id="c",
        region="zone-A",
        local_controller="lc",
        started_at=NOW,
        finished_at=NOW,
        coverage=(Coverage(namespace="zone-A", prefixes=("10.0.0.0/24",)),),
        devices=(device,),
        seen=("dev_2",),
    )


@pytest.mark.parametrize(
    "value",
    [
        report(),
        Status(state="online", role="local", streams=(StreamTail(stream_id="s", seq=4),)),
        Challenge(challenge_id="c", nonce="n", validator_id="v", expires_at=NOW),
        PolicyUpdate(
            epoch=1,
            version=2,
            region=RegionPolicy(
                region="zone-A",
                local_controllers=(LocalPolicy(controller_id="lc", subnets=("10.0.0.0/24",)),),
            ),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_payload_comes_back_as_it_was(value: Any) -> None:  # noqa: ANN401 - several types
    assert read(message(jsonable(value)), type(value)) == value


def test_unknown_fields_are_ignored() -> None:
    status = read(message({"state": "online", "role": "local", "novel": {"x": 1}}), Status)
    assert status == Status(state="online", role="local")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"state": None}, "state"),
        ({"state": 5}, "state"),
        ({"policy_epoch": "1"}, "policy_epoch"),
        ({"policy_epoch": True}, "policy_epoch"),
        ({"policy_epoch": 1.0}, "policy_epoch"),
        ({"streams": [{"stream_id": "s"}]}, "streams.0.seq"),
        ({"streams": "abc"}, "streams"),
    ],
)
def test_a_wrong_type_is_a_protocol_error_that_names_the_place(
    change: dict[str, Any], place: str
) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read(message({"state": "online", "role": "local"} | change), Status)
    assert f"payload of STATUS: {place}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_field_is_a_protocol_error() -> None:
    with pytest.raises(RemoteProtocolError, match="role: Field required"):
        read(message({"state": "online"}), Status)


@pytest.mark.parametrize("when", ["2026-03-01T12:00:00", "noon", None])
def test_a_time_must_tell_its_zone(when: str | None) -> None:
    payload = {"challenge_id": "c", "nonce": "n", "validator_id": "v", "expires_at": when}
    with pytest.raises(RemoteProtocolError, match="expires_at"):
        read(message(payload), Challenge)


def test_an_unknown_value_of_a_closed_list_is_a_protocol_error() -> None:
    payload = jsonable(report())
    payload["devices"][0]["status"] = "asleep"
    with pytest.raises(RemoteProtocolError, match=r"devices\.0\.status"):
        read(message(payload), DiscoveryReport)
