"""From empty Debian hosts to a validated system and back, by the commands of docs/deploy.md.

Steps stand on those before them: run all, in order (`make test-deploy`).
"""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy import availability
from tests.deploy.support import (
    HOSTS,
    OLD_VERSION,
    REPOSITORY,
    Deployment,
    documented,
    run,
    until,
)

pytestmark = pytest.mark.timeout(1500)

Tell = Callable[[str], None]
FIRST_THREE = ("gc", "rc-a", "lc-a")
PROBED = {
    host: "https://172.30.40.10:8080/api/v1/health/ready"
    if tier == "global"
    else "http://127.0.0.1:8080/api/v1/health/ready"
    for host, tier in HOSTS.items()
}
MOST_EXPOSED = 3.0


def unchanged(found: dict[str, int], *hosts: str) -> None:
    """Check that a run changed nothing on these hosts: all of its own, if none are named."""
    assert set(hosts) <= set(found)
    assert {host: found[host] for host in hosts or found if found[host]} == {}


def validated(lab: Deployment) -> set[str]:
    rows = lab.ask("gc", "nib controllers")
    return {row["controller_id"] for row in rows if row["status"] == "active"}


def check_devices_complete(lab: Deployment, folder: Path) -> None:
    """Compare what the API of the global controller tells with the live nodes of the lab."""
    name = f"verify-{time.monotonic_ns()}"
    token, roots = folder / "token", folder / "roots.pem"
    token.touch(0o600)
    token.write_text(lab.on("gc", f"pdsno api-token create --name {name} --role viewer"))
    roots.write_text(lab.on("gc", "cat /var/lib/pdsno/authority/roots.pem"))

    def is_complete() -> str:
        return run(
            ["pdsno", "lab", "verify", "lab/hosts/hosts.clab.yml",
             "--api", "https://172.30.40.10:8080",
             "--token-file", str(token), "--ca", str(roots)],
        )  # fmt: skip

    until("the NIB to show the lab as it is", is_complete, 180)


def await_next_report(lab: Deployment) -> None:
    """Wait until the global controller applies another report of zone-A's local controller."""
    events = "nib events --type DISCOVERY_SUMMARY_APPLIED --region zone-A --limit 1000"
    done = len(lab.ask("gc", events))
    until("the next report at the top", lambda: len(lab.ask("gc", events)) > done, 180)


def test_playbooks_and_roles_pass_ansible_lint_production() -> None:
    # yamllint is part of `make check`.
    run(["ansible-lint", "playbooks", "inventory"], timeout_s=300)


def test_a_dry_run_on_empty_hosts_shows_changes_and_makes_none(lab: Deployment) -> None:
    found = lab.ansible("ansible-playbook -i inventory/lab playbooks/site.yml --check", lab.old)
    assert all(changed > 0 for changed in found.values())
    for host in HOSTS:
        assert lab.on(host, "ls -d /opt/pdsno /etc/pdsno /var/lib/pdsno 2>/dev/null || true") == ""


def test_one_run_takes_three_empty_hosts_to_validated_controllers_and_a_first_discovery(
    lab: Deployment,
) -> None:
    (install,) = documented("Install")
    found = lab.ansible(install, lab.old)
    assert set(found) == set(FIRST_THREE)
    assert validated(lab) == {
        "global_cntl_1", "broker_cntl_global_1", "regional_cntl_zone-A_1", "local_cntl_zone-A_1",
    }  # fmt: skip
    assert {row["region"] for row in lab.ask("gc", "nib devices")} == {"zone-A"}


def test_a_second_region_joins_and_nothing_changes_on_the_hosts_that_were_there(
    lab: Deployment, tmp_path: Path
) -> None:
    (grow,) = documented("Another region")
    unchanged(lab.ansible(grow, lab.old), *FIRST_THREE)
    assert {"regional_cntl_zone-B_1", "local_cntl_zone-B_1"} <= validated(lab)
    assert lab.ask("gc", "nib health")["version"] == OLD_VERSION
    check_devices_complete(lab, tmp_path)


def test_a_second_run_changes_nothing_and_a_dry_run_shows_no_difference(lab: Deployment) -> None:
    again, check = documented("Change settings")
    unchanged(lab.ansible(again, lab.old), *HOSTS)
    unchanged(lab.ansible(check, lab.old), *HOSTS)


def test_units_are_hardened_and_only_local_controllers_may_send_raw_packets(
    lab: Deployment, tell: Tell
) -> None:
    wanted = "User AmbientCapabilities ProtectSystem NoNewPrivileges"
    options = " ".join(f"-p {name}" for name in wanted.split())
    for host, unit in [(host, "pdsno-controller") for host in HOSTS] + [("gc", "pdsno-broker")]:
        text = lab.on(host, f"systemd-analyze security --no-pager {unit}.service | tail -n 1")
        found = re.search(r": ([0-9.]+) ", text)
        assert found, text
        tell(f"systemd-analyze security: {host} {unit} {found[1]}")
        assert float(found[1]) <= MOST_EXPOSED
        shown = dict(
            line.split("=", 1)
            for line in lab.on(host, f"systemctl show {unit}.service {options}").splitlines()
        )
        capabilities = "cap_net_raw" if HOSTS[host] == "local" else ""
        assert shown == {
            "User": "pdsno-broker" if unit == "pdsno-broker" else "pdsno",
            "AmbientCapabilities": capabilities,
            "ProtectSystem": "strict",
            "NoNewPrivileges": "yes",
        }


def test_the_firewall_opens_each_port_to_those_who_need_it_only(lab: Deployment) -> None:
    def may_connect(host: str, address: str, port: int) -> bool:
        probe = f"timeout 2 bash -c '</dev/tcp/{address}/{port}' 2>/dev/null && echo yes || echo no"
        return lab.on(host, probe).strip() == "yes"

    assert may_connect("rc-a", "172.30.40.10", 8001)
    assert may_connect("lc-a", "172.30.40.10", 8883)
    assert may_connect("lc-a", "172.30.40.20", 8012)
    assert not may_connect("lc-a", "172.30.40.10", 8001)
    assert not may_connect("lc-a", "172.30.40.10", 8011)
    assert not may_connect("rc-a", "172.30.40.10", 8080)
    listening = lab.on("gc", "ss -Hltn | awk '{print $4}'").split()
    assert {port.rpartition(":")[2] for port in listening if "127." not in port} == {
        "22", "8001", "8011", "8080", "8883",
    }  # fmt: skip


def test_a_host_that_reboots_is_back_in_service_by_itself(lab: Deployment) -> None:
    invocation = lab.on("lc-a", "systemctl show -p InvocationID pdsno-controller")
    lab.on("lc-a", "systemd-run --quiet --on-active=1 systemctl reboot")
    until(
        "lc-a to have started again",
        lambda: lab.on("lc-a", "systemctl show -p InvocationID pdsno-controller") != invocation,
    )
    until("lc-a to be ready", lambda: lab.is_ready("lc-a"))
    await_next_report(lab)


def test_an_upgrade_takes_one_controller_down_at_a_time_and_loses_no_report(
    lab: Deployment, tmp_path: Path, tell: Tell
) -> None:
    (upgrade,) = documented("Upgrade")
    with availability.probes(PROBED, tmp_path) as files:
        until("the probes to see all up", lambda: availability.have_seen_all(files.values()))
        lab.ansible(upgrade, lab.new)
    timelines = {host: availability.read(file) for host, file in files.items()}
    assert all(availability.was_down(samples) for samples in timelines.values())
    count, who = availability.most_down(timelines)
    tell(f"rolling upgrade: at most {count} of {len(HOSTS)} controllers down at a time {who}")
    assert count == 1
    version = lab.new.stem.removeprefix("pdsno-")
    assert {lab.ask(host, "nib health")["version"] for host in HOSTS} == {version}
    until("all reports to be at the top", lambda: not lab.cycles_not_at_the_top())
    tell("rolling upgrade: discovery reports lost or applied twice: 0")


def test_rotation_gives_everybody_a_new_certificate_and_nobody_a_new_id(lab: Deployment) -> None:
    def serials() -> dict[str, str]:
        tls = "/var/lib/pdsno/tls/tls.pem"
        return {host: lab.on(host, f"sha256sum {tls}") for host in HOSTS if host != "gc"}

    before, ids = serials(), validated(lab)
    (rotate,) = documented("Renew certificates")
    lab.ansible(rotate, lab.new)
    assert all(serials()[host] != old for host, old in before.items())
    assert validated(lab) == ids
    for host in HOSTS:
        until(f"{host} to be ready", lambda host=host: lab.is_ready(host))  # type: ignore[misc]


def test_a_wiped_global_controller_comes_back_from_its_backup(
    lab: Deployment, tmp_path: Path
) -> None:
    backup, restore = documented("Back up and restore")
    ids, root = validated(lab), lab.on("gc", "sha256sum /var/lib/pdsno/authority/roots.pem")
    devices = {row["device_id"] for row in lab.ask("gc", "nib devices")}
    lab.ansible(backup, lab.new)
    kept = list((REPOSITORY / "backups").glob("*/*.tar"))
    assert {path.parent.name for path in kept} == set(HOSTS)
    assert all(path.parent.stat().st_mode & 0o077 == 0 for path in kept)
    lab.ansible("ansible-playbook -i inventory/lab playbooks/uninstall.yml --limit gc", lab.new)
    assert lab.on("gc", "ls -d /var/lib/pdsno /opt/pdsno 2>/dev/null || true") == ""
    lab.ansible(restore, lab.new)
    assert validated(lab) == ids
    assert lab.on("gc", "sha256sum /var/lib/pdsno/authority/roots.pem") == root
    assert devices <= {row["device_id"] for row in lab.ask("gc", "nib devices")}
    # What came after the backup is in no log of this NIB: a snapshot brings it, then reports go on.
    await_next_report(lab)
    check_devices_complete(lab, tmp_path)


def test_uninstalling_leaves_nothing_and_a_second_time_changes_nothing(
    lab: Deployment, tell: Tell
) -> None:
    (remove,) = documented("Remove")
    lab.ansible(remove, lab.new)
    for host in HOSTS:
        found = lab.on(
            host,
            "find / -xdev -iname '*pdsno*' -not -path '/proc/*' -not -path '/var/log/*' "
            "-not -path '/var/lib/systemd/timers/*'; "
            "getent passwd pdsno pdsno-broker; pgrep -fa pdsno | grep -v 'sh -s'; "
            "nft list tables 2>/dev/null | grep pdsno; systemctl list-units --all --plain "
            "--no-legend 'pdsno*'; true",
        )
        assert found == "", f"{host}: {found}"
    unchanged(lab.ansible(remove, lab.new), *HOSTS)
    tell("\n".join(["ansible-playbook runs:", *lab.log]))


def test_the_probe_counts_who_is_down_at_one_time() -> None:
    up_down_up = [(0.0, True), (1.0, False), (2.0, True)]
    apart = {"a": up_down_up, "b": [(0.0, True), (2.5, False), (3.0, True)]}
    together = {"a": up_down_up, "b": [(0.0, True), (1.5, False), (3.0, True)]}
    assert availability.most_down(apart)[0] == 1
    assert availability.most_down(together) == (2, ("a", "b"))
