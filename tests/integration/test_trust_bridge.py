"""A region's broker, bridged to the global one by mosquitto's own bridge: two real mosquittos."""

import os
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from pdsno.communication.broker import Bridge, Mosquitto
from pdsno.domain import topics
from pdsno.domain.broker_rights import BrokerRights, rights_of
from pdsno.domain.errors import OperationError
from pdsno.domain.identifiers import Role
from pdsno.identity.pki.contexts import client_context
from pdsno.identity.pki.requests import key_to_pem, make_request, new_key
from pdsno.identity.reader_desk import ReaderDesk
from pdsno.nib import NIBStore
from pdsno.node.broker_agent import check_bridge
from pdsno.settings import BridgeSettings
from tests.integration.broker_rig import (
    ALONE,
    OK,
    REFUSED,
    Rig,
    free_port,
    running_rig,
    settings_for,
)
from tests.integration.waiting import holds_for, wait_until
from tests.pki import Member, make_member, record_of

RC, LC = "regional_cntl_zone-A_1", "local_cntl_zone-A_1"
TAKEN = (OK, ALONE)


class Region:
    """The broker of zone-A, below the one of the rig."""

    def __init__(self, above: Rig, member: Member, broker: Mosquitto, rig: Rig) -> None:
        self.above = above
        self.member = member
        self.broker = broker
        self.rig = rig
        """The same controllers, connected to this broker."""

    def upper_rights(self, *, has_bridge: bool = True) -> BrokerRights:
        members = [*self.above.members, *([self.member] if has_bridge else [])]
        return rights_of(record_of(member) for member in members)


@contextmanager
def region_below(above: Rig, host: str = "127.0.0.1") -> Iterator[Region]:
    directory = above.settings.state_dir.parent
    member = make_member(
        above.pki.global_authority,
        directory / "region-tls",
        "broker_cntl_zone-A_1",
        Role.BROKER,
        "zone-A",
        addresses=("127.0.0.1",),
    )
    settings = replace(
        settings_for(member, directory / "region", free_port()),
        bridge=Bridge(host=host, port=above.settings.port, region="zone-A"),
    )
    broker = Mosquitto(settings)
    records = [record_of(m) for m in (*above.members, member)]
    broker.apply_rights(rights_of(records, broker_region="zone-A"))
    rig = replace(above, settings=settings, clients=[])
    region = Region(above, member, broker, rig)
    above.broker.apply_rights(region.upper_rights())
    broker.start()
    try:
        yield region
    finally:
        for client in rig.clients:
            client.close()
        broker.stop()


@pytest.fixture
def region() -> Iterator[Region]:
    with running_rig() as above, region_below(above) as below:
        yield below


def test_policy_and_system_events_come_down_and_are_kept(region: Region) -> None:
    gc, rc = region.above.client(region.above.pki.gc), region.rig.client(region.rig.pki.rc)
    rc.subscribe(topics.policy_global(), topics.events_system())
    wait_until(lambda: gc.publish(topics.policy_global(), b"v1", retain=True) == OK, "the bridge")
    gc.publish(topics.events_system(), b"event")
    wait_until(lambda: rc.topics == {topics.policy_global(), topics.events_system()}, "both")
    late = region.rig.client(region.rig.pki.rc)
    late.subscribe(topics.policy_global())
    wait_until(lambda: (topics.policy_global(), b"v1") in late.messages, "what is kept")


def test_status_wills_and_the_region_s_events_go_up(region: Region) -> None:
    gc, rc = region.above.client(region.above.pki.gc), region.rig.client(region.rig.pki.rc)
    gc.subscribe(topics.status_all(), topics.events_all())
    rc.publish(topics.status(RC), b"online", retain=True)
    rc.publish(topics.events("zone-A"), b"event")
    region.rig.client(region.rig.pki.lc, will=topics.status(LC)).break_off()
    wait_until(lambda: len(gc.messages) >= 3, "what goes up")
    assert set(gc.messages) == {
        (topics.status(RC), b"online"),
        (topics.events("zone-A"), b"event"),
        (topics.status(LC), b"will"),
    }
    late = region.above.client(region.above.pki.gc)
    late.subscribe(topics.status_all())
    wait_until(lambda: topics.status(RC) in late.topics, "what is kept")


def test_a_region_s_event_log_goes_up_to_readers_of_all_and_stays_for_its_own(
    region: Region,
) -> None:
    authority = region.above.pki.global_authority
    members = [record_of(member) for member in (*region.above.members, region.member)]
    with NIBStore("memory://") as nib:
        desk = ReaderDesk(nib, lambda: authority)
        everywhere, zone_a = new_reader(desk, "noc", None), new_reader(desk, "noc-a", "zone-A")
        region.above.broker.apply_rights(rights_of(members, nib.readers()))
        region.broker.apply_rights(rights_of(members, nib.readers(), broker_region="zone-A"))
    up, down = region.above.with_context(everywhere), region.rig.with_context(zone_a)
    for client in (up, down):
        client.subscribe("pdsno/nib/#")
    log = topics.nib_events("zone-A")
    region.rig.client(region.rig.pki.rc).publish(log, b"event")
    wait_until(lambda: up.messages == down.messages == [(log, b"event")], "the event")


def new_reader(desk: ReaderDesk, name: str, region: str | None) -> ssl.SSLContext:
    key = new_key()
    made = desk.add(name=name, csr_pem=make_request(key), region=region, by="test")
    return client_context(key_to_pem(key) + made.chain_pem.encode(), made.roots_pem)


def test_what_concerns_the_region_only_stays_in_it(region: Region) -> None:
    gc, rc = region.above.client(region.above.pki.gc), region.rig.client(region.rig.pki.rc)
    lc = region.rig.client(region.rig.pki.lc)
    gc.subscribe("#")
    lc.subscribe(topics.policy("zone-A"))
    rc.subscribe(topics.discovery_all("zone-A"))
    assert rc.publish(topics.policy("zone-A"), b"policy", retain=True) in TAKEN
    assert lc.publish(topics.discovery("zone-A", LC), b"report") in TAKEN
    wait_until(lambda: lc.messages and rc.messages, "both in the region")
    rc.publish(topics.events("zone-A"), b"last")
    wait_until(lambda: topics.events("zone-A") in gc.topics, "the event")
    assert gc.topics == {topics.events("zone-A")}


def test_rights_hold_at_the_region_s_broker(region: Region) -> None:
    lc, other = region.rig.client(region.rig.pki.lc), region.rig.client(region.rig.other_rc)
    assert lc.publish(topics.status(LC)) in TAKEN
    assert lc.publish(topics.policy_global()) == REFUSED
    assert lc.publish(topics.events("zone-A")) == REFUSED
    assert other.publish(topics.events("zone-B")) == REFUSED
    assert other.publish(topics.status(other_id := "regional_cntl_zone-B_1")) == REFUSED, other_id


@pytest.mark.attack(23)
def test_a_bridge_may_speak_above_for_its_region_only(region: Region) -> None:
    """Whoever has the region's broker in hand gets no further than its region."""
    stolen = region.above.client(region.member)  # its certificate, used by somebody else
    assert stolen.publish(topics.status(LC)) in TAKEN
    assert stolen.publish(topics.events("zone-A")) in TAKEN
    for topic in (
        topics.policy_global(),
        topics.policy("zone-A"),
        topics.events("zone-B"),
        topics.events_system(),
        topics.status("global_cntl_1"),
        topics.status("regional_cntl_zone-B_1"),
        topics.discovery("zone-A", LC),
    ):
        assert stolen.publish(topic) == REFUSED, topic


@pytest.mark.attack(12)
def test_a_bridge_whose_right_is_taken_back_brings_nothing_up(region: Region) -> None:
    gc, rc = region.above.client(region.above.pki.gc), region.rig.client(region.rig.pki.rc)
    gc.subscribe(topics.events_all())
    rc.publish(topics.events("zone-A"), b"before")
    wait_until(lambda: gc.messages, "the event before")
    region.above.broker.apply_rights(region.upper_rights(has_bridge=False))
    rc.publish(topics.events("zone-A"), b"refused")
    assert holds_for(lambda: len(gc.messages) == 1, 0.5)
    region.above.broker.apply_rights(region.upper_rights())
    rc.publish(topics.events("zone-A"), b"after")
    wait_until(lambda: (topics.events("zone-A"), b"after") in gc.messages, "the event after")
    assert (topics.events("zone-A"), b"refused") not in gc.messages


def test_the_region_goes_on_while_the_broker_above_is_away(region: Region) -> None:
    gc, rc = region.above.client(region.above.pki.gc), region.rig.client(region.rig.pki.rc)
    gc.subscribe(topics.events_all())
    rc.publish(topics.events("zone-A"), b"before")
    wait_until(lambda: gc.messages, "the bridge")
    region.above.broker.stop()
    lc = region.rig.client(region.rig.pki.lc)
    lc.subscribe(topics.events("zone-A"))
    rc.publish(topics.events("zone-A"), b"meanwhile")
    wait_until(lambda: lc.messages, "the event in the region")
    region.above.broker.start()
    wait_until(lambda: (topics.events("zone-A"), b"meanwhile") in gc.messages, "what was kept", 60)


def test_after_a_renewal_the_bridge_connects_with_the_new_certificate(region: Region) -> None:
    gc, rc = region.above.client(region.above.pki.gc), region.rig.client(region.rig.pki.rc)
    gc.subscribe(topics.events_all())
    rig = replace(region.rig, broker_member=region.member)
    rig.renew(region.above.pki)
    region.broker.renew_certificate()
    pid = region.above.broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: region.above.broker.restarts == 1, "the broker above")
    wait_until(gc.client.is_connected, "the GC", 60)
    gc.subscribe(topics.events_all())

    def arrives() -> bool:
        rc.publish(topics.events("zone-A"))
        return bool(gc.messages)

    wait_until(arrives, "the bridge", 60)


# --- who is above ----------------------------------------------------------------------------


def settings_of(rig: Rig, host: str = "127.0.0.1", broker_id: str | None = None) -> BridgeSettings:
    return BridgeSettings(
        host=host, port=rig.settings.port, id=broker_id or rig.broker_member.controller_id
    )


def test_only_the_broker_that_the_settings_name_is_bridged_to(region: Region) -> None:
    tls, above = region.member.tls, region.above
    check_bridge(settings_of(above), tls)
    with pytest.raises(OperationError, match=r"not to be trusted .*localhost"):
        check_bridge(settings_of(above, host="localhost"), tls)
    with pytest.raises(OperationError, match=r"not to be trusted .*broker-cntl-global-2"):
        check_bridge(settings_of(above, broker_id="broker_cntl_global_2"), tls)


def test_a_broker_above_that_is_away_is_no_fault_of_the_settings(region: Region) -> None:
    region.above.broker.stop()
    check_bridge(settings_of(region.above), region.member.tls)
