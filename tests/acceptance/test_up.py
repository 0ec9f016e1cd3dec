"""`pdsno up` on a network that is not ours: with and without rights, again, and after a crash."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdsno.domain import chain
from pdsno.nib import NIBStore
from tests.acceptance.site import LOCAL_API, up
from tests.acceptance.support import AS_A_USER, error_line, pdsno, until
from tests.integration.namespaces import Site, site_with_hosts

pytestmark = pytest.mark.lab

SUBNET = "10.77.41.0/28"
HOSTS = {"10.77.41.11", "10.77.41.12", "10.77.41.13"}
QUICK = ("--subnet", SUBNET, "--interval", "5", "--rate", "200")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with site_with_hosts(folder, "10.77.41.0/24", hosts=len(HOSTS)) as made:
        yield made


@pytest.fixture
def inside(site: Site) -> list[str]:
    """Put before a command: it runs inside the site."""
    return ["ip", "netns", "exec", site.here.name]


def addresses(devices: list[dict[str, object]]) -> list[str]:
    return sorted(str(item["management_ip"]) for item in devices)


def test_it_finds_the_hosts_and_shows_them_at_the_top(inside: list[str], state: Path) -> None:
    with up(*QUICK, state_dir=state, prefix=inside) as running:
        running.has_cycled()
        devices = running.nib("devices")
        assert addresses(devices) == sorted(HOSTS)
        assert all(item["macs"] and item["status"] == "active" for item in devices)
        assert {item["controller_id"] for item in running.nib("controllers")} == {
            "global_cntl_1",
            "regional_cntl_site_1",
            "local_cntl_site_1",
        }
        probes = {one["address"]: one["summary"] for one in running.nib("probes", api=LOCAL_API)}
        assert probes["10.77.41.11"] == "answered ARP, ICMP"
        assert probes["10.77.41.9"] == "ARP silent"
        assert running.stop() == 0
    assert not running.events("controller_cannot_serve")


@pytest.mark.parametrize(
    ("pingable", "missing"),
    [("1 0", "could not ping"), ("0 2147483647", "could not ARP")],
)
def test_without_rights_it_works_all_the_same_and_says_what_it_could_not_do(
    site: Site, inside: list[str], state: Path, pingable: str, missing: str
) -> None:
    site.run("sysctl", "-qw", f"net.ipv4.ping_group_range={pingable}")
    site.run("ip", "neigh", "flush", "all")
    with up(*QUICK, state_dir=state, prefix=inside, as_user=AS_A_USER) as running:
        running.has_cycled()
        running.says("CAP_NET_RAW")
        notes = " ".join(str(one["note"]) for one in running.events("discovery_limited"))
        assert missing in notes
        devices = running.nib("devices")
        assert addresses(devices) == sorted(HOSTS)
        assert all("neighbour-table" in str(item["sources"]) for item in devices)


def test_started_again_it_goes_on_where_it_was(inside: list[str], state: Path) -> None:
    with up(*QUICK, state_dir=state, prefix=inside) as running:
        running.has_cycled()
        before = {item["device_id"]: item["first_seen"] for item in running.nib("devices")}
        assert running.stop() == 0
    with up("--rate", "150", state_dir=state, prefix=inside) as running:
        assert f"discovering {SUBNET}; 5 s between cycles" in running.log
        assert {i["device_id"]: i["first_seen"] for i in running.nib("devices")} == before
        running.has_cycled()
        assert {i["device_id"]: i["first_seen"] for i in running.nib("devices")} == before
        kinds = [item["event_type"] for item in running.nib("events")]
        assert kinds.count("DEVICE_APPEARED") == len(HOSTS)
        assert kinds.count("JOIN_TOKEN_CREATED") == 1
        assert kinds.count("POLICY_APPLIED") == 2
        assert running.stop() == 0


def test_killed_in_the_middle_it_starts_again_and_nothing_is_lost_or_doubled(
    inside: list[str], state: Path
) -> None:
    with up(*QUICK, state_dir=state, prefix=inside) as running:
        until(lambda: running.events("discovery_started"), "a cycle")
        running.kill()
    with up(state_dir=state, prefix=inside) as running:
        running.has_cycled()
        assert addresses(running.nib("devices")) == sorted(HOSTS)
        assert running.stop() == 0
    for tier in ("global", "regional", "local"):
        nib = NIBStore(state / tier / "nib.sqlite")
        try:
            events = list(nib.events(limit=1000))
        finally:
            nib.close()
        assert chain.first_fault(events) is None
        assert [e.event_type for e in events].count("DEVICE_APPEARED") == len(HOSTS)


def test_without_mosquitto_it_goes_on_over_rest_with_a_note(
    inside: list[str], state: Path, tmp_path: Path
) -> None:
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert program
    hidden = tmp_path / "hidden.sh"
    hidden.write_text(f'mount --bind /dev/null {program} && exec "$@"\n')
    prefix = [*inside, "unshare", "--mount", "sh", str(hidden)]
    with up(*QUICK, state_dir=state, prefix=prefix) as running:
        (note,) = running.events("no_broker")
        assert note["remedy"] == "install mosquitto"
        running.has_cycled()
        assert {one["over"] for one in running.events("report_taken_in")} == {"rest"}
        assert running.stop() == 0


def test_two_on_one_state_directory_are_refused(inside: list[str], state: Path) -> None:
    with up(*QUICK, state_dir=state, prefix=inside) as running:
        done = pdsno("up", "--state-dir", str(state), prefix=inside)
        assert done.returncode == 1
        assert f"another `pdsno up` runs on {state}" in error_line(done)
        assert running.stop() == 0


def test_a_state_directory_that_mosquitto_cannot_reach_is_one_clear_line(
    inside: list[str], tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    state = tmp_path / "state"
    done = pdsno("up", *QUICK, "--state-dir", str(state), prefix=inside)
    assert done.returncode == 1
    line = error_line(done)
    assert "mosquitto runs as user mosquitto, who may not pass through /" in line
    assert "--state-dir, or chmod o+x" in line
