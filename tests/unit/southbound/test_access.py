"""Which credential goes where, and when none does: so that no account is ever locked out."""

import threading
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pdsno.domain.errors import InputError
from pdsno.domain.observations import Facts, Outcome
from pdsno.southbound.access import DeviceAccess
from pdsno.southbound.access_memory import AccessMemory
from pdsno.southbound.credential_entries import Credentials, CredentialScope, SshCredential
from pdsno.southbound.credentials import parse_credentials
from pdsno.southbound.hints import hints_for
from pdsno.southbound.login_limits import AccountRestsError, LoginLimiter
from pdsno.southbound.ssh_errors import SshError
from tests.unit.southbound.test_platforms import NOW

HOUR, DAY = 3600.0, 86400.0
NEVER = threading.Event()


class Clock:
    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


def login(name: str, **more: object) -> SshCredential:
    return SshCredential(name=name, username=name, password="x", **more)  # type: ignore[arg-type]


def refuse() -> None:
    raise SshError(Outcome.AUTHENTICATION_FAILED)


# --- where a credential may be sent --------------------------------------------------------------


def test_a_credential_is_sent_only_where_its_scope_lies() -> None:
    document = {
        "ssh": [
            {"name": "dmz", "username": "a", "password": "x", "subnets": ["192.0.2.0/24"]},
            {"name": "lab", "username": "b", "password": "x", "namespaces": ["lab"]},
            {"name": "ios", "username": "c", "password": "x", "platforms": ["cisco_xe"]},
            {"name": "any", "username": "d", "password": "x"},
        ]
    }
    credentials = parse_credentials(document)

    def names(namespace: str, address: str, platform: str | None = None) -> list[str]:
        access = DeviceAccess(credentials, namespace=namespace)
        return [c.name for c in access.ssh_for(address, platform)]

    assert names("prod", "192.0.2.1") == ["dmz", "any"]
    assert names("lab", "198.51.100.1") == ["lab", "any"]
    assert names("prod", "198.51.100.1", "cisco_ios") == ["ios", "any"]
    assert names("prod", "198.51.100.1", "arista_eos") == ["any"]


@pytest.mark.parametrize(
    ("scope", "complaint"),
    [
        ({"subnets": ["192.0.2.1/24"]}, "'subnets' holds no prefix"),
        ({"subnets": []}, "leave it out for everywhere"),
        ({"platforms": ["nope"]}, "there is no platform 'nope'"),
        ({"namespaces": "lab"}, "must be a list of texts"),
    ],
)
def test_a_scope_that_means_nothing_is_refused(scope: dict[str, object], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse_credentials({"ssh": [{"name": "a", "username": "a", "password": "x", **scope}]})


def test_what_worked_here_or_nearby_is_tried_first_and_is_kept_over_restarts(
    tmp_path: Path,
) -> None:
    memory = AccessMemory(tmp_path / "access.json")
    credentials = Credentials(ssh=(login("one"), login("two"), login("three")))
    with DeviceAccess(credentials, memory=memory, namespace="n") as access:
        access.enter("192.0.2.1", login("three"), NEVER, lambda: None)
        memory.is_platform("n", "192.0.2.1", "cisco_ios")
    again = DeviceAccess(credentials, memory=AccessMemory(tmp_path / "access.json"), namespace="n")
    assert [c.name for c in again.ssh_for("192.0.2.77")] == ["three", "one", "two"]
    assert [c.name for c in again.ssh_for("192.0.3.1")] == ["one", "two", "three"]
    assert again.memory.platform_at("n", "192.0.2.1") == "cisco_ios"
    assert again.memory.platform_near("n", "192.0.2.77") == "cisco_ios"
    assert again.memory.platform_near("other", "192.0.2.77") is None
    assert "x" not in (tmp_path / "access.json").read_text().split('"')
    assert (tmp_path / "access.json").stat().st_mode & 0o777 == 0o600


def test_a_memory_that_is_damaged_is_put_aside_and_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "access.json"
    path.write_text('{"version": 1, "devices": [')
    with capture_logs() as logs:
        memory = AccessMemory(path)
    assert [entry["event"] for entry in logs] == ["access_memory_broken"]
    assert (tmp_path / "access.json.broken").exists()
    memory.snmp_worked("", "192.0.2.1", "ro")
    memory.save()
    assert AccessMemory(path).snmp_first("", "192.0.2.1") == ("ro",)


# --- when it is not ------------------------------------------------------------------------------


def test_what_a_device_refused_is_tried_there_after_longer_and_longer_pauses() -> None:
    clock = Clock()
    memory = AccessMemory(clock=clock)
    access = DeviceAccess(Credentials(ssh=(login("ops"),), changed_at=1.0), memory=memory)
    for wait_s in (HOUR, 6 * HOUR, DAY, 7 * DAY, 7 * DAY):
        assert access.reason_against("192.0.2.1", login("ops")) is None
        memory.refused("", "192.0.2.1", "ops")
        reason = access.reason_against("192.0.2.1", login("ops"))
        assert reason is not None
        assert "credential ops was refused here; tried again after " in reason
        assert access.reason_against("192.0.2.2", login("ops")) is None
        clock.now += wait_s - 1
        assert access.reason_against("192.0.2.1", login("ops")) is not None
        clock.now += 1
    memory.refused("", "192.0.2.1", "ops")
    changed = Credentials(ssh=(login("ops"),), changed_at=clock.now + 1)
    assert DeviceAccess(changed, memory=memory).reason_against("192.0.2.1", login("ops")) is None


def test_an_account_rests_after_three_refusals_on_whatever_devices(tmp_path: Path) -> None:
    clock = Clock()
    memory = AccessMemory(tmp_path / "access.json", clock=clock)
    credentials = Credentials(ssh=(login("ops"),), changed_at=1.0)
    tried = []

    def attempt(number: int, access: DeviceAccess, *, is_good: bool = False) -> None:
        def log_in() -> None:
            tried.append(number)
            if not is_good:
                refuse()

        access.enter(f"192.0.2.{number}", login("ops"), NEVER, log_in)

    access = DeviceAccess(credentials, memory=memory, logins=LoginLimiter(None, clock))
    for number in (1, 2, 3):
        with pytest.raises(SshError, match="authentication failed"):
            attempt(number, access)
    with pytest.raises(SshError, match="rests: 3 failures in a row") as rests:
        attempt(4, access)
    assert rests.value.outcome is Outcome.NOT_TRIED
    # A restart forgets nothing; another account is free.
    access = DeviceAccess(
        credentials,
        memory=AccessMemory(tmp_path / "access.json", clock=clock),
        logins=LoginLimiter(None, clock),
    )
    with pytest.raises(SshError, match="tried once more after 60 minutes"):
        attempt(4, access)
    access.enter("192.0.2.4", login("other"), NEVER, lambda: None)
    clock.now += HOUR
    with pytest.raises(SshError, match="authentication failed"):
        attempt(5, access)
    clock.now += 30 * DAY
    with pytest.raises(SshError, match="until the credentials file changes"):
        attempt(6, access)
    assert tried == [1, 2, 3, 5]
    changed = DeviceAccess(
        Credentials(ssh=(login("ops"),), changed_at=clock.now),
        memory=AccessMemory(tmp_path / "access.json", clock=clock),
        logins=LoginLimiter(None, clock),
    )
    attempt(7, changed, is_good=True)
    assert tried[-1] == 7


def test_a_success_forgets_the_failures_before_it() -> None:
    access = DeviceAccess(Credentials(ssh=(login("ops"),)), logins=LoginLimiter(None))
    for _ in range(4):
        for _ in range(2):
            with pytest.raises(SshError, match="authentication failed"):
                access.enter("192.0.2.1", login("ops"), NEVER, refuse)
        access.enter("192.0.2.1", login("ops"), NEVER, lambda: None)


def test_never_more_log_ins_of_an_account_are_under_way_than_may_still_fail() -> None:
    limiter = LoginLimiter(None)
    permits = [limiter.begin("ops", NEVER) for _ in range(3)]
    assert all(permits)
    stop = threading.Event()
    got: list[object] = []

    def fourth() -> None:
        try:
            got.append(limiter.begin("ops", stop))
        except AccountRestsError as error:
            got.append(error)

    thread = threading.Thread(target=fourth)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive(), "the fourth waits for what becomes of the others"
    for permit in permits:
        assert permit is not None
        permit.refused()
        permit.refused()  # told twice counts once
    thread.join(10)
    assert not thread.is_alive()
    assert [type(item) for item in got] == [AccountRestsError]
    with pytest.raises(AccountRestsError):
        limiter.begin("ops", NEVER)


def test_all_log_ins_together_keep_to_one_rate() -> None:
    limiter = LoginLimiter(per_minute=1200)
    started = time.monotonic()
    for number in range(5):
        permit = limiter.begin(f"account-{number}", NEVER)
        assert permit is not None
        permit.accepted()
    assert time.monotonic() - started >= 4 * 0.05


def test_a_stop_ends_waiting_for_a_turn() -> None:
    limiter = LoginLimiter(per_minute=1)
    assert limiter.begin("a", NEVER) is not None
    stop = threading.Event()
    stop.set()
    assert limiter.begin("b", stop) is None


# --- what a device seems to be -------------------------------------------------------------------


def test_hints_come_in_the_order_of_their_certainty() -> None:
    by_snmp = Facts(source="snmp", address="192.0.2.1", at=NOW, platform="arista_eos")
    hints = hints_for(
        snmp_facts=by_snmp,
        banner="SSH-2.0-Comware-7.1.070",
        announced="Huawei Versatile Routing Platform Software, VRP (R) software, Version 5.170",
        inventory="juniper_junos",
        learned="cisco_ios",
        nearby="arista_eos",
    )
    assert [(hint.platform, hint.why) for hint in hints] == [
        ("hp_comware", "SSH version 'SSH-2.0-Comware-7.1.070'"),
        ("cisco_ios", "learned at the last log-in"),
        ("arista_eos", "SNMP"),
        ("huawei_vrp", "LLDP or CDP at a neighbour"),
        ("juniper_junos", "inventory"),
    ]
    assert hints_for(inventory="no_such_platform") == ()


def test_what_a_neighbour_tells_without_end_is_read_to_the_length_that_its_mib_allows() -> None:
    ios = "Cisco IOS Software, C2960 Software"
    assert [hint.platform for hint in hints_for(announced=ios)] == ["cisco_ios"]
    assert hints_for(announced="x" * 300 + ios) == ()


def test_the_maker_of_a_network_card_is_a_hint_behind_all_that_was_told() -> None:
    hints = hints_for(makers=["Routerboard.com", "Acme"], learned="vyos", nearby="arista_eos")
    assert [hint.platform for hint in hints] == ["vyos", "mikrotik_routeros", "arista_eos"]
    assert hints_for(makers=["HUAWEI TECHNOLOGIES CO.,LTD"])[0].why == (
        "made by HUAWEI TECHNOLOGIES CO.,LTD"
    )
    assert hints_for(makers=["Hewlett Packard Enterprise", "Ciscoe Ltd"]) == ()


def test_a_scope_without_limits_is_everywhere() -> None:
    assert CredentialScope().covers("2001:db8::1", "any", None)
    assert CredentialScope(subnets=("fe80::/10",)).covers("fe80::1%eth0", "any")
