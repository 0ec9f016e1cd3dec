"""What `pdsno doctor` makes of what it finds: each judgement with a good and a bad case."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pdsno.cli import doctor_events, doctor_host, doctor_peers, doctor_ports, doctor_state
from pdsno.cli.doctor_host import Interface
from pdsno.cli.doctor_peers import Answer
from pdsno.cli.doctor_ports import Listener, Wanted
from pdsno.cli.doctor_report import (
    Finding,
    Outcome,
    failed,
    has_failed,
    ok,
    parted,
    size,
    span,
    summary,
    warning,
)
from pdsno.cli.doctor_state import Disk
from pdsno.identity.pki.overview import CertificateView, Kind
from pdsno.identity.pki.renewal import standing
from pdsno.nib.glance import Glance

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OK, WARNING, FAILED, SKIPPED = Outcome


def check(finding: Finding, outcome: Outcome, *words: str) -> None:
    assert finding.outcome is outcome, finding
    for word in words:
        assert word in f"{finding.detail} | {finding.remedy}"
    # Whoever reads of something that is not well reads what to do.
    assert bool(finding.remedy) is (outcome in {WARNING, FAILED})


def test_rights_are_those_of_raw_sockets() -> None:
    told = "Name:\tx\nCapEff:\t0000000000002000\n"
    assert doctor_host.capabilities(told) == 1 << 13
    judge = doctor_host.judge_rights
    check(judge(is_root=False, effective=1 << 13, sweeps=True), OK)
    check(judge(is_root=False, effective=0, sweeps=True), WARNING, "CAP_NET_RAW", "as root")
    check(judge(is_root=False, effective=0, sweeps=False), SKIPPED)


def interface(name: str, address: str | None, *, is_up: bool = True) -> Interface:
    return Interface(name=name, is_up=is_up, is_loopback=name == "lo", address=address)


def test_a_machine_needs_an_interface_that_is_up_and_has_an_address() -> None:
    judge = doctor_host.judge_interfaces
    lo = interface("lo", "127.0.0.1")
    check(judge([lo, interface("eth0", "192.0.2.1")], is_needed=True), OK, "eth0 192.0.2.1")
    check(judge([lo, interface("eth0", None)], is_needed=True), FAILED, "IPv4 address")
    down = [lo, interface("eth0", "192.0.2.1", is_up=False)]
    check(judge(down, is_needed=True), FAILED, "ip link set dev")
    check(judge(down, is_needed=False), WARNING)


def test_a_default_route_is_found_in_the_kernels_table() -> None:
    head = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
    lan = "eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
    default = "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n"
    check(doctor_host.judge_route(head + lan + default), OK, "by 192.0.2.1 on eth0")
    check(doctor_host.judge_route(head + lan), WARNING, "ip route add default")


def test_programs_are_wanted_where_they_are_used() -> None:
    def judge(broker: str | None, missing: tuple[str, ...] = ()) -> list[Finding]:
        return doctor_host.judge_programs(
            needs_broker=True, broker=broker, needs_local=True, missing=missing
        )

    good = judge("/usr/sbin/mosquitto")
    check(good[0], OK)
    check(good[1], OK)
    bad = judge(None, ("scapy",))
    check(bad[0], WARNING, "apt install mosquitto")
    check(bad[1], FAILED, "scapy", "pdsno[local]")
    for unused in doctor_host.judge_programs(
        needs_broker=False, broker=None, needs_local=False, missing=()
    ):
        check(unused, SKIPPED)


def test_a_clock_that_follows_nobody_is_told() -> None:
    check(doctor_host.judge_sync(0, 0x2001), OK)
    check(doctor_host.judge_sync(5, 0x40), WARNING, "30 s", "timedatectl")
    check(doctor_host.judge_sync(0, 0x40), WARNING)


@pytest.mark.parametrize(
    ("ahead_s", "outcome"),
    [(0, OK), (-4, OK), (8, WARNING), (-8, WARNING), (40, FAILED), (-31, FAILED)],
)  # fmt: skip
def test_clocks_may_differ_by_what_messages_may(ahead_s: float, outcome: Outcome) -> None:
    check(doctor_peers.judge_skew(NOW + timedelta(seconds=ahead_s), NOW), outcome)


def test_without_a_date_no_clock_is_compared() -> None:
    check(doctor_peers.judge_skew(NOW, None), SKIPPED)


def test_a_full_disk_and_one_that_is_read_only_are_told() -> None:
    def judge(free: int, total: int = 10 << 30, *, is_read_only: bool = False) -> Finding:
        disk = Disk(free=free, total=total, is_read_only=is_read_only)
        return doctor_state.judge_disk(disk, Path("/var/lib/pdsno"))

    check(judge(5 << 30), OK, "5 GiB of 10 GiB free")
    check(judge(100 << 20), WARNING, "100 MiB", "free some space")
    check(judge(1 << 20), FAILED, "nothing can be kept")
    check(judge(510 << 20, 512 << 20), OK)
    check(judge(50 << 20, 512 << 20), WARNING)
    check(judge(5 << 30, is_read_only=True), FAILED, "read-only", "remount,rw")


def seen(revision: str | None = "0003", **values: object) -> Glance:
    default = {"is_current": revision == "0003", "is_older": (revision or "9") < "0003"}
    return Glance(revision=revision, **{"faults": (), **default, **values})  # type: ignore[arg-type]


def test_a_database_is_judged_by_its_pages_and_its_schema() -> None:
    def judge(glance: Glance) -> Finding:
        return doctor_state.judge_database(glance, "nib.sqlite")

    check(judge(seen()), OK, "no damage")
    check(judge(seen(faults=None)), OK, "not looked through")
    check(judge(seen("0001")), WARNING, "older", "upgraded when the controller starts")
    check(judge(seen("9999")), FAILED, "newer", "upgrade PDSNO")
    check(judge(seen(None)), FAILED, "not a NIB")
    check(judge(seen(None, is_empty=True)), FAILED, "-wal")
    check(judge(seen(faults=("row 7 missing", "x"))), FAILED, "row 7", "restore a backup")


def test_a_backlog_is_judged_by_its_age() -> None:
    def judge(waiting: int, age: timedelta) -> Finding:
        return doctor_state.judge_backlog(seen(waiting=waiting, oldest=NOW - age), NOW)

    check(judge(0, timedelta(days=9)), OK, "nothing waits")
    check(judge(3, timedelta(minutes=1)), OK, "3 messages")
    check(judge(3, timedelta(hours=1)), WARNING, "60 min", "kept")
    check(judge(3, timedelta(days=3)), FAILED, "3 d")
    check(doctor_state.judge_backlog(seen("0001"), NOW), SKIPPED)


def certificate(since: timedelta, until: timedelta, renewed_by: str = "itself") -> Finding:
    view = CertificateView(
        kind=Kind.LEAF,
        subject="CN=x",
        sha256="00",
        not_before=NOW + since,
        not_after=NOW + until,
        status=standing(NOW + since, NOW + until, now=NOW, fraction=0.5),
        renewed_by=renewed_by,
        file="tls.pem",
    )
    return doctor_state.judge_certificate(view, NOW)


def test_a_certificate_is_judged_by_its_dates() -> None:
    day = timedelta(days=1)
    check(certificate(-day, 6 * day), OK, "6 d left")
    check(certificate(-6 * day, day), WARNING, "due for renewal", "itself")
    check(certificate(-9 * day, -2 * day), FAILED, "expired 2 d ago", "when its parent")
    check(certificate(day, 8 * day), FAILED, "24 h", "clock")
    check(certificate(-9 * day, -2 * day, "pdsno pki renew-authority"), FAILED, "renew-authority")


def test_a_secret_belongs_to_its_owner_alone() -> None:
    def judge(mode: int, owner: int = 0) -> Finding | None:
        return doctor_state.judge_mode(Path("/s/key.pem"), mode, owner, {0, 998})

    assert judge(stat.S_IFREG | 0o600) is None
    assert judge(stat.S_IFDIR | 0o700, 998) is None
    for fault, words in (
        (judge(stat.S_IFREG | 0o640), ("0640", "chmod 600")),
        (judge(stat.S_IFDIR | 0o711), ("0711", "chmod go-rwx")),
        (judge(stat.S_IFREG | 0o600, 1234), ("uid 1234", "chown")),
    ):
        assert fault is not None
        check(fault, FAILED, *words)


def test_a_parent_that_refuses_us_is_told_with_its_reason() -> None:
    check(doctor_peers.judge_parent(Answer(status=200), "gc"), OK, "accepts our certificate")
    refused = Answer(status=403, detail="REVOKED: it was stolen")
    check(doctor_peers.judge_parent(refused, "gc"), FAILED, "REVOKED", "controller list")


def test_a_broker_is_judged_by_its_greeting() -> None:
    check(doctor_peers.judge_greeting(0, "broker"), OK)
    check(doctor_peers.judge_greeting(None, "broker"), FAILED, "no MQTT 5")
    check(doctor_peers.judge_greeting(0x87, "broker"), FAILED, "0x87", "controller list")
    check(doctor_peers.judge_greeting(0x97, "broker"), FAILED, "0x97", "its log")


def test_a_controller_that_runs_may_wait_to_be_admitted() -> None:
    status = {"controller_id": "local_cntl_zone-A_1", "is_validated": True}
    check(doctor_peers.judge_controller(status), OK, "local_cntl_zone-A_1 runs")
    waiting = status | {"is_validated": False}
    check(doctor_peers.judge_controller(waiting), WARNING, "pdsno token create")


API = Wanted(number=8080, purpose="operators' API")


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_port_that_another_has_is_told_with_who_it_is(address: str) -> None:
    taken = [Listener(address=address, port=8080, program="nginx (pid 7)")]
    (bad,) = doctor_ports.judge_ports([API], taken, is_running=False)
    check(bad, FAILED, "nginx (pid 7)", "operators' API", "another port")
    (free,) = doctor_ports.judge_ports([API], [], is_running=False)
    check(free, OK, "free")
    (ours,) = doctor_ports.judge_ports([API], taken, is_running=True)
    check(ours, OK, "listens")
    (silent,) = doctor_ports.judge_ports([API], [], is_running=True)
    check(silent, WARNING, "nobody listens")


def test_a_listener_elsewhere_takes_no_port() -> None:
    others = [Listener(address="192.0.2.7", port=8080), Listener(address="127.0.0.1", port=80)]
    (found,) = doctor_ports.judge_ports([API], others, is_running=False)
    check(found, OK, "free")
    everywhere = Wanted(number=8080, purpose="API", address="0.0.0.0")
    (found,) = doctor_ports.judge_ports([everywhere], others, is_running=False)
    check(found, FAILED, "run this as root to see who")


def test_the_kernels_table_of_sockets_is_read() -> None:
    lines = [
        " 0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1",
        " 1: 0100007F:1F90 0100007F:8000 01 00000000:00000000 00:00000000 00000000 0 0 4712 1",
        " 2: 00000000000000000000000001000000:1F91 0:0 0A 0:0 00:0 0 0 0 4713 1",
        "garbage",
    ]
    assert list(doctor_ports.parse_table(lines)) == [
        ("127.0.0.1", 8080, "4711"),
        ("::1", 8081, "4713"),
    ]


def test_a_report_sums_up() -> None:
    found = [ok("a", "x"), warning("b", "y", "do"), ok("c", "z")]
    assert (summary(found), has_failed(found)) == ("2 ok, 1 warning", False)
    assert has_failed([*found, failed("d", "x", "do")])
    assert parted(ValueError("cannot read x: denied; chmod it")) == (
        "cannot read x: denied",
        "chmod it",
    )
    assert parted(ValueError("cannot read x: chmod it")) == ("cannot read x", "chmod it")
    assert parted(ValueError("no")) == ("no", "see its log")
    assert [span(s) for s in (1, 119, 600, 7200, 999999)] == [
        "1 s",
        "119 s",
        "10 min",
        "2 h",
        "12 d",
    ]
    assert [size(n) for n in (5, 2048, 3 << 40)] == ["5 B", "2 KiB", "3.0 TiB"]


def test_events_reach_readers_as_the_controller_says() -> None:
    judge = doctor_events.judge_publishing
    well = {"cursor": "41-9f86d081", "count": 7, "waiting": 0, "failure": None}
    check(judge(well), OK, "41-9f86d081")
    check(judge(well | {"waiting": 10_001}), WARNING, "10001 events")
    check(judge(well | {"failure": "not authorised"}), WARNING, "not authorised")


def test_a_reader_s_certificate_should_hold_for_some_time() -> None:
    judge = doctor_events.judge_reader
    check(judge("noc", NOW + timedelta(days=15), NOW), OK, "15 d")
    check(judge("noc", NOW + timedelta(days=13), NOW), WARNING, "pdsno reader add noc")
    check(judge("noc", NOW, NOW), FAILED, "ended")


def test_who_publishes_no_events_is_not_judged_by_them() -> None:
    assert list(doctor_events.look_at({}, NOW)) == []
    assert list(doctor_events.look_at({"events_published": None, "readers": {}}, NOW)) == []
    ended = {"events_published": None, "readers": {"noc": NOW.isoformat()}}
    assert [finding.outcome for finding in doctor_events.look_at(ended, NOW)] == [FAILED]
