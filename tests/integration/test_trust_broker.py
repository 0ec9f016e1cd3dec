"""What certificates and rights keep apart at a real mosquitto (case 23)."""

import ssl
import subprocess
from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography import x509
from paho.mqtt.enums import MQTTProtocolVersion

from pdsno.domain import topics
from pdsno.domain.peers import subject_text
from pdsno.identity.pki.contexts import client_context
from tests.integration.broker_rig import ALONE, OK, REFUSED, Raw, Rig, running_rig
from tests.integration.waiting import holds_for, wait_until
from tests.unit.identity.forgery import Wish, as_client, forge, rdns, self_signed, steal

GC, RC, LC, LC2 = (
    "global_cntl_1",
    "regional_cntl_zone-A_1",
    "local_cntl_zone-A_1",
    "local_cntl_zone-A_2",
)
TAKEN = (OK, ALONE)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with running_rig() as running:
        yield running


OWN_TOPICS = {
    "gc": {
        topics.policy_global(),
        topics.events_system(),
        topics.nib_events(None),
        topics.status(GC),
    },
    "rc": {
        topics.policy("zone-A"),
        topics.events("zone-A"),
        topics.nib_events("zone-A"),
        topics.status(RC),
    },
    "lc": {topics.discovery("zone-A", LC), topics.status(LC)},
    "broker": set(),
}
EVERY_TOPIC = {
    *(topic for owned in OWN_TOPICS.values() for topic in owned),
    topics.discovery("zone-A", LC2),
    topics.status(LC2),
    topics.discovery("zone-B", "local_cntl_zone-B_1"),
    topics.policy("zone-B"),
    topics.events("zone-B"),
    topics.nib_events("zone-B"),
    f"{topics.discovery('zone-A', LC)}/below",
    "pdsno/discovery/zone-A",
    "pdsno",
    "elsewhere",
    "$SYS/broker/version",
}


@pytest.mark.attack(23)
@pytest.mark.parametrize("who", list(OWN_TOPICS))
def test_each_publishes_on_its_own_topics_and_on_no_other(rig: Rig, who: str) -> None:
    member = rig.broker_member if who == "broker" else getattr(rig.pki, who)
    client = rig.client(member)
    answers = {topic: client.publish(topic) for topic in sorted(EVERY_TOPIC)}
    assert {topic for topic, answer in answers.items() if answer in TAKEN} == OWN_TOPICS[who]
    assert {answers[topic] for topic in EVERY_TOPIC - OWN_TOPICS[who]} == {REFUSED}


@pytest.mark.attack(23)
def test_a_subscription_to_everything_brings_only_what_may_be_read(rig: Rig) -> None:
    gc, rc, lc, lc2 = (rig.client(m) for m in (rig.pki.gc, rig.pki.rc, rig.pki.lc, rig.lc2))
    rc.publish(topics.policy("zone-A"), b"kept", retain=True)
    lc2.publish(topics.status(LC2), b"kept", retain=True)
    lc.subscribe("#", "+/+/+", "$SYS/#", "$share/group/pdsno/#")
    lc2.publish(topics.discovery("zone-A", LC2), b"not for you")
    rig.client(rig.other_rc).publish(topics.events("zone-B"), b"not for you")
    gc.publish(topics.policy_global(), b"not for you")
    rc.publish(topics.events("zone-A"), b"for you")
    gc.publish(topics.events_system(), b"the last one")
    wait_until(lambda: topics.events_system() in lc.topics, "what may be read")
    assert lc.topics == {topics.policy("zone-A"), topics.events("zone-A"), topics.events_system()}


@pytest.mark.attack(23)
def test_nobody_takes_over_the_session_of_another_by_its_client_id(rig: Rig) -> None:
    subject = subject_text(LC, rig.pki.lc.role, "zone-A")
    victim, rc = rig.client(rig.pki.lc, client_id=LC), rig.client(rig.pki.rc)
    victim.subscribe(topics.events("zone-A"))
    for name in (LC, subject):
        rig.client(rig.lc2, client_id=name)
    rc.publish(topics.events("zone-A"))
    wait_until(lambda: victim.messages, "the victim's message")
    assert victim.disconnects == []
    rig.client(rig.pki.lc, client_id="another")  # its own certificate may
    wait_until(lambda: victim.disconnects, "the take-over")


@pytest.mark.attack(23)
def test_a_will_comes_out_only_where_its_owner_may_publish(rig: Rig) -> None:
    rc, ears = rig.client(rig.pki.rc), rig.client(rig.lc2)
    rc.subscribe(topics.status(LC))
    ears.subscribe(topics.policy("zone-A"))
    rig.client(rig.pki.lc, will=topics.policy("zone-A")).break_off()
    rig.client(rig.pki.lc, will=topics.status(LC)).break_off()
    wait_until(lambda: rc.messages == [(topics.status(LC), b"will")], "the allowed will")
    rc.publish(topics.policy("zone-A"), b"real")
    wait_until(lambda: ears.messages, "the policy")
    assert ears.messages == [(topics.policy("zone-A"), b"real")]


@pytest.mark.attack(23)
def test_only_its_owner_clears_a_retained_policy(rig: Rig) -> None:
    topic = topics.policy("zone-A")
    rc, lc = rig.client(rig.pki.rc), rig.client(rig.pki.lc)
    rc.publish(topic, b"policy", retain=True)
    assert lc.publish(topic, b"", retain=True) == REFUSED
    late = rig.client(rig.lc2)
    late.subscribe(topic)
    wait_until(lambda: late.messages == [(topic, b"policy")], "the policy that is kept")
    assert rc.publish(topic, b"", retain=True) in TAKEN
    lc.subscribe(topic)
    assert holds_for(lambda: not lc.messages, 0.5)


@pytest.mark.attack(23)
def test_a_client_of_mqtt_3_gains_no_right(rig: Rig) -> None:
    ears, rc = rig.client(rig.lc2), rig.client(rig.pki.rc)
    ears.subscribe(topics.policy("zone-A"))
    rc.subscribe(topics.discovery_all("zone-A"))
    old = rig.client(rig.pki.lc, version=MQTTProtocolVersion.MQTTv311)
    # It is not told: MQTT 3 has no answer that means no.
    assert old.publish(topics.policy("zone-A"), b"forged") == OK
    assert old.publish(topics.discovery("zone-A", LC), b"report") == OK
    wait_until(lambda: rc.topics == {topics.discovery("zone-A", LC)}, "what it may publish")
    rc.publish(topics.policy("zone-A"), b"real")
    wait_until(lambda: ears.messages, "the policy")
    assert ears.messages == [(topics.policy("zone-A"), b"real")]


@pytest.mark.attack(23)
def test_a_forged_user_name_is_ignored(rig: Rig) -> None:
    subject = subject_text(GC, rig.pki.gc.role, None)
    forger = rig.client(rig.pki.lc, username=subject, client_id=subject)
    assert forger.publish(topics.policy_global()) == REFUSED
    assert forger.publish(topics.status(LC)) in TAKEN


# --- certificates ----------------------------------------------------------------------------


@pytest.mark.attack(9)
@pytest.mark.parametrize(
    "subject",
    [
        rdns("zone-A", "local", common_name=GC),
        rdns("zone-A", "local", common_name=f"{GC},OU=global,OU=global,O=pdsno"),
        rdns("zone-A", "local", "global", "global", common_name=GC),
        rdns("ZONE-A", "LOCAL", common_name=LC),
        rdns("zone-A", "local", common_name="#"),
        rdns("zone-A", "local", common_name=None),
    ],
    ids=["cn", "escaped", "longer", "case", "wildcard", "nameless"],
)
def test_what_a_stolen_regional_authority_signs_gains_no_right(
    rig: Rig, subject: x509.Name
) -> None:
    stolen = steal(rig.pki.directory / "rc" / "authority")
    forged = forge(stolen, Wish(subject=subject, names=None))
    forger = rig.with_context(as_client(forged, rig.pki.roots_pem))
    forger.subscribe("#")
    assert {forger.publish(topic) for topic in sorted(EVERY_TOPIC)} == {REFUSED}
    gc, rc = rig.client(rig.pki.gc), rig.client(rig.pki.rc)
    assert gc.publish(topics.policy_global()) in TAKEN
    assert rc.publish(topics.events("zone-A")) in TAKEN
    assert holds_for(lambda: not forger.messages, 0.3)


def _refused(rig: Rig, context: ssl.SSLContext) -> bool:
    """Tell whether a client gets no session: TLS 1.3 refuses it with its first words."""
    raw = Raw(context, rig.settings.port)
    rig.clients.append(raw)
    try:
        raw.connect()
    except OSError:
        return True
    except AssertionError:
        return bool(raw.disconnects)
    return False


@pytest.mark.attack(28)
def test_certificates_that_do_not_hold_are_refused(rig: Rig) -> None:
    roots = rig.pki.roots_pem
    of_global = steal(rig.pki.directory / "gc" / "authority")
    of_region = steal(rig.pki.directory / "rc" / "authority")
    past = Wish(not_before=timedelta(hours=-1), not_after=timedelta(minutes=-1))
    wrong = {
        "none": client_context(None, roots),
        "expired": as_client(forge(of_global, past), roots),
        "self-signed": as_client(self_signed(), roots),
        "of another root": as_client(forge(self_signed(), Wish()), roots),
        "another region's subject": as_client(
            forge(of_region, Wish(subject=rdns("zone-B", "local"), names=None)), roots
        ),
        "the global subject": as_client(
            forge(of_region, Wish(subject=rdns("global", "global", common_name=GC), names=None)),
            roots,
        ),
    }
    assert {name: _refused(rig, context) for name, context in wrong.items()} == dict.fromkeys(
        wrong, True
    )
    assert not _refused(rig, as_client(forge(of_region, Wish()), roots))


@pytest.mark.attack(22)
def test_openssl_without_a_certificate_is_refused(rig: Rig) -> None:
    def connect(*options: str) -> str:
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{rig.settings.port}", *options]
        roots = rig.broker_member.tls.roots_file
        done = subprocess.run(
            [*command, "-CAfile", str(roots), "-ign_eof"],
            # CONNECT of MQTT 5, so that whoever is let in gets an answer, and then DISCONNECT.
            input=bytes.fromhex("100d00044d51545405020014000000e000"),
            capture_output=True,
            timeout=20,
            check=False,
        )
        return (done.stdout + done.stderr).decode(errors="replace")

    said = connect()
    assert "certificate required" in said
    assert "TLSv1.3" in said
    certificate = str(rig.pki.lc.tls.certificate_file)
    assert "certificate required" not in connect("-cert", certificate, "-key", certificate)
    assert "no protocols available" in connect("-tls1_2") or "alert" in connect("-tls1_2")
