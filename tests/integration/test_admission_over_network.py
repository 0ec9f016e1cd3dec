"""Who may join and who is believed, between processes in namespaces of their own."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import paho.mqtt.client
import pytest
import requests
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.domain.entities import Device
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.identifiers import new_device_id
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import DiscoveryReport, Message, MessageType
from pdsno.identity.directory import NIBVerifier
from pdsno.identity.keys import load_or_create_key
from pdsno.identity.pki.authority import Lifetimes
from pdsno.identity.pki.vault import AuthorityVault, TlsIdentity
from pdsno.signing import SigningKey
from tests.integration.namespaces import until
from tests.integration.network import Network, network
from tests.integration.network_nodes import PDSNO, Controller

pytestmark = pytest.mark.lab

NARROW = "zone-N"
"""Has one seat that its regional controller may give, and later one that the global one may."""
ESCALATING = "zone-E"
"""Every admission is for the global controller to decide."""
OPEN = "zone-O"

_numbers = count(60)
_SHORT = timedelta(seconds=2)


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    with network(
        NARROW,
        ESCALATING,
        OPEN,
        without_local=(OPEN,),
        zone_N={"local_ceiling": 1},
        zone_E={"admission": "global"},
        zone_O={"local_quota": 50, "local_ceiling": 50},
    ) as running:
        yield running


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What `pdsno controller join` said."""

    code: int
    approved: bool = False
    controller_id: str | None = None
    reason: str | None = None
    decided_by: str | None = None


def applicant(net: Network, region: str, **settings: object) -> Controller:
    number = next(_numbers)
    return net.add_local(region, f"x{number}", number, broker=None, api=None, **settings)


def join(node: Controller, token: str) -> Answer:
    """Join as an operator does; the answer is the command's."""
    node.write_settings()
    argv = ("controller", "join", "--settings", str(node.settings_file), "--token-stdin")
    done = node.space.run(*PDSNO, *argv, "-o", "json", stdin=token, timeout_s=90)
    if not done.stdout.strip():  # turned away before the challenge
        refusal = re.search(r"^pdsno: error: ([A-Z_]+):", done.stderr, re.MULTILINE)
        assert refusal, done.stderr[-800:]
        return Answer(code=done.returncode, reason=refusal[1])
    said = json.loads(done.stdout)
    return Answer(
        code=done.returncode,
        approved=said["approved"],
        controller_id=said["controller_id"],
        reason=said["reason"],
        decided_by=said["decided_by"],
    )


def decisions(net: Network, region: str) -> list[tuple[str, str, str | None]]:
    """Return what the global controller decided for a region: (event, cause, reason)."""
    return [
        (e["event_type"], e["data"]["cause"], e["data"]["reason"])
        for e in net.gc.items("events")
        if e["event_type"].startswith("ESCALATION_") and e["data"]["region"] == region
    ]


def decided_by(net: Network, controller_id: str) -> str:
    found = [c for c in net.gc.items("controllers") if c["controller_id"] == controller_id]
    return str(found[0]["decided_by"])


def test_where_policy_says_global_the_global_controller_decides(net: Network) -> None:
    until(lambda: len(net.gc.items("controllers?role=local")) >= 2, "both local controllers")
    assert decided_by(net, "local_cntl_zone-E_1") == "global_cntl_1"
    assert ("ESCALATION_APPROVED", "ADMISSION_GLOBAL", None) in decisions(net, ESCALATING)
    # The control: elsewhere the regional controller decided, and asked nobody.
    assert decided_by(net, "local_cntl_zone-N_1") == "regional_cntl_zone-N_1"


def test_beyond_the_quota_the_global_controller_refuses_until_policy_has_a_seat(
    net: Network,
) -> None:
    rc = net.rcs[NARROW]
    refused = join(applicant(net, NARROW), rc.mint("local", NARROW))
    assert (refused.code, refused.approved, refused.reason) == (1, False, "QUOTA_EXCEEDED")
    assert refused.decided_by == "global_cntl_1"
    assert decisions(net, NARROW) == [("ESCALATION_REFUSED", "QUOTA_EXCEEDED", "QUOTA_EXCEEDED")]
    before = rc.log_end()
    net.apply_policy(
        zone_N={"local_ceiling": 2},
        zone_E={"admission": "global"},
        zone_O={"local_quota": 50, "local_ceiling": 50},
    )
    until(lambda: rc.logged("policy_applied", before), "the policy at the regional controller")
    approved = join(applicant(net, NARROW), rc.mint("local", NARROW))
    assert (approved.code, approved.approved, approved.decided_by) == (0, True, "global_cntl_1")
    assert approved.controller_id == "local_cntl_zone-N_2"


def test_a_subnet_of_another_region_is_refused_by_the_global_controller(net: Network) -> None:
    def known() -> set[str]:
        """Whom the global controller has heard of; those of other tests may still come."""
        return {item["controller_id"] for item in net.gc.items("controllers")}

    foreign = applicant(net, OPEN, subnets=["10.1.0.0/26"])
    with net.rcs[OPEN].nib() as nib:
        before = nib.controllers()
    refused = join(foreign, net.rcs[OPEN].mint("local", OPEN))
    assert (refused.code, refused.reason) == (1, "FOREIGN_SUBNET")
    with net.rcs[OPEN].nib() as nib:
        assert [c.controller_id for c in nib.controllers()] == [c.controller_id for c in before]
    free = applicant(net, OPEN, subnets=["10.1.2.64/26"])
    admitted = join(free, net.rcs[OPEN].mint("local", OPEN))
    assert admitted.approved
    until(lambda: admitted.controller_id in known(), "the one that was admitted")


@pytest.mark.attack(3)
def test_a_token_admits_one_key_only(net: Network) -> None:
    token = net.rcs[OPEN].mint("local", OPEN)
    assert join(applicant(net, OPEN), token).approved
    with net.rcs[OPEN].nib() as nib:
        before = nib.controllers()
    thief = join(applicant(net, OPEN), token)
    assert (thief.code, thief.approved, thief.reason) == (1, False, "TOKEN_USED")
    with net.rcs[OPEN].nib() as nib:
        assert nib.controllers() == before


def _let_authority_end(net: Network, rc: Controller) -> None:
    """Give a regional controller that does not run an issuing CA that has ended."""
    names = [node.folder / "state" / "authority" for node in (net.gc, rc)]
    above = AuthorityVault(names[0], lifetimes=Lifetimes(regional_authority=_SHORT)).authority()
    assert above is not None
    own = AuthorityVault(names[1])
    issued = above.issue_regional_authority(
        own.new_request(),
        controller_id=rc.known_id,
        region=OPEN,
        key_id=load_or_create_key(rc.folder / "state" / "key.pem").key_id,
        now=datetime.now(UTC),
    )
    own.accept(issued.chain_pem)
    until(lambda: datetime.now(UTC) > issued.not_after, "its end")


@pytest.mark.attack(9)
def test_without_its_issuing_authority_a_regional_controller_admits_nobody_by_itself(
    net: Network,
) -> None:
    rc = net.rcs[OPEN]
    rc.kill()
    _let_authority_end(net, rc)
    rc.cut(net.gc)
    rc.start()
    with rc.nib() as nib:
        before = nib.controllers()
    alone = join(applicant(net, OPEN), rc.mint("local", OPEN))
    assert (alone.code, alone.approved, alone.reason) == (1, False, "GLOBAL_UNREACHABLE")
    with rc.nib() as nib:
        assert [c.controller_id for c in nib.controllers()] == [c.controller_id for c in before]
    rc.heal()
    asked = join(applicant(net, OPEN), rc.mint("local", OPEN))
    assert asked.approved
    # Unless it had renewed its authority by itself since, it asked above, and got it thereby.
    if asked.decided_by != rc.known_id:
        assert ("ESCALATION_APPROVED", "NO_DELEGATION", None) in decisions(net, OPEN)
    again = join(applicant(net, OPEN), rc.mint("local", OPEN))
    assert (again.approved, again.decided_by) == (True, rc.known_id)


# --- messages ----------------------------------------------------------------------------------


@dataclass
class Member:
    """An admitted local controller without a process: the test speaks with its key."""

    net: Network
    node: Controller
    key: SigningKey = field(init=False)
    tls: TlsIdentity = field(init=False)

    def __post_init__(self) -> None:
        self.key = load_or_create_key(self.node.folder / "state" / "key.pem")
        self.tls = TlsIdentity(self.node.folder / "state" / "tls")

    def send(self, report: DiscoveryReport, *, key: SigningKey, seq: int) -> Message | None:
        """Send a report to the regional controller, signed with a key."""
        rc = self.net.rcs[OPEN]

        def call() -> Message | None:
            with self.node.nib() as nib:
                client = ControllerHTTPClient(
                    signer=key, verifier=NIBVerifier(nib), tls=self.tls, retries=0
                )
                client.register_controller(rc.known_id, rc.settings["url"], region=OPEN)
                try:
                    return client.send(
                        sender_id=self.node.known_id,
                        recipient_id=rc.known_id,
                        message_type=MessageType.DISCOVERY_REPORT,
                        payload=jsonable(report),
                        stream_id="test-stream",
                        seq=seq,
                    )
                finally:
                    client.close()

        return self.net.inside(call)


@pytest.fixture(scope="module")
def member(net: Network) -> Member:
    node = applicant(net, OPEN)
    assert join(node, net.rcs[OPEN].mint("local", OPEN)).approved
    return Member(net, node)


def _report(member: Member, address: str, region: str = OPEN) -> DiscoveryReport:
    now = datetime.now(UTC)
    device = Device(
        device_id=new_device_id(),
        region=region,
        namespace=region,
        local_controller=member.node.known_id,
        management_ip=address,
        ips=(address,),
        first_seen=now,
        last_seen=now,
    )
    return DiscoveryReport(
        cycle_id="cycle_forged",
        region=region,
        local_controller=member.node.known_id,
        started_at=now,
        finished_at=now,
        coverage=(),
        devices=(device,),
    )


def _knowledge(net: Network) -> tuple[object, ...]:
    """Return what the regional NIB holds of devices."""
    with net.rcs[OPEN].nib() as nib:
        return nib.all_devices(), nib.claims(), nib.outbox_tail()


@pytest.mark.attack(48)
def test_only_a_report_signed_by_its_sender_changes_the_nib(net: Network, member: Member) -> None:
    before = _knowledge(net)
    with pytest.raises(RefusedError) as stranger:
        member.send(_report(member, "203.0.113.9"), key=SigningKey.generate(), seq=1)
    assert stranger.value.reason in (Refusal.UNKNOWN_KEY, Refusal.IDENTITY_MISMATCH)
    with pytest.raises(RefusedError) as foreign:
        member.send(_report(member, "203.0.113.9", NARROW), key=member.key, seq=1)
    assert foreign.value.reason is Refusal.WRONG_REGION
    bare = _post_unsigned(member, jsonable(_report(member, "203.0.113.9")))
    assert (bare.status_code, bare.json()["reason"]) == (401, "UNSIGNED")
    assert _knowledge(net) == before

    reply = member.send(_report(member, "203.0.113.10"), key=member.key, seq=1)
    assert reply is not None
    assert reply.message_type is MessageType.STATUS
    for tier in (net.rcs[OPEN], net.gc):
        until(lambda tier=tier: tier.items("devices?ip=203.0.113.10"), "its device")  # type: ignore[misc]
        assert tier.items("devices?ip=203.0.113.9") == []


def _post_unsigned(member: Member, body: object) -> requests.Response:
    url = f"{member.net.rcs[OPEN].settings['url']}/messages/discovery_report"

    def post() -> requests.Response:
        return requests.post(
            url,
            json=body,
            headers={"Content-Type": "application/jose+json"},
            cert=str(member.tls.certificate_file),
            verify=str(member.tls.roots_file),
            timeout=10,
        )

    return member.net.inside(post)


def _publish(member: Member, topic: str, body: str) -> str:
    """Publish as a member does, without its signature; returns the broker's answer."""
    client = paho.mqtt.client.Client(
        CallbackAPIVersion.VERSION2, member.node.known_id, protocol=MQTTProtocolVersion.MQTTv5
    )
    client.tls_set_context(member.tls.client_context())
    answers: list[str] = []
    client.on_publish = lambda _c, _u, _mid, reason, _p: answers.append(str(reason))
    client.connect(member.net.broker.address, 8883)
    client.loop_start()
    try:
        client.publish(topic, body, qos=1)
        until(lambda: answers, "the broker's answer")
    finally:
        client.disconnect()
        client.loop_stop()
    return answers[0]


@pytest.mark.attack(25)
def test_an_unsigned_report_over_mqtt_is_refused_and_changes_nothing(
    net: Network, member: Member
) -> None:
    rc = net.rcs[OPEN]
    until(rc.is_on_mqtt, "the regional controller to be on MQTT", timeout_s=40)
    before, position = _knowledge(net), rc.log_end()
    body = json.dumps(jsonable(_report(member, "203.0.113.11")))
    topic = f"pdsno/discovery/{OPEN}/{member.node.known_id}"
    until(
        lambda: net.inside(lambda: _publish(member, topic, body)) == "Success",
        "the member's right at the broker",
    )
    until(lambda: rc.logged("mqtt_message_refused", position), "the refusal")
    assert rc.logged("mqtt_message_refused", position)[0]["reason"] == "UNSIGNED"
    assert _knowledge(net) == before
