"""Host keys: new ones are kept, changed ones end the log-in, and OpenSSH reads the file."""

import base64
import subprocess
from pathlib import Path

import pytest

from pdsno.domain.errors import OperationError
from pdsno.southbound.known_hosts import HostKey, HostKeyChangedError, KnownHosts, host_name


def key(text: str, kind: str = "ssh-ed25519") -> HostKey:
    return HostKey(kind=kind, blob=base64.b64encode(text.encode()).decode())


ONE, TWO = key("one"), key("two")


def make_key(path: Path) -> HostKey:
    """Return a real key."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True)
    kind, blob, _ = path.with_suffix(".pub").read_text().split()
    return HostKey(kind=kind, blob=blob)


def test_a_key_is_kept_at_the_first_contact_and_stays_known(tmp_path: Path) -> None:
    path = tmp_path / "state" / "known_hosts"
    KnownHosts(path).check("192.0.2.1", ONE)
    KnownHosts(path).check("192.0.2.1", ONE)
    assert path.read_text() == f"192.0.2.1 ssh-ed25519 {ONE.blob}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert KnownHosts(path).kinds("192.0.2.1") == ("ssh-ed25519",)


@pytest.mark.attack(59)
def test_a_changed_key_is_refused_with_both_keys_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    hosts = KnownHosts(path)
    hosts.check("192.0.2.1", ONE)
    with pytest.raises(HostKeyChangedError) as changed:
        hosts.check("192.0.2.1", TWO)
    said = str(changed.value)
    assert ONE.fingerprint in said
    assert TWO.fingerprint in said
    assert f"ssh-keygen -R '192.0.2.1' -f {path}" in said
    assert TWO.blob not in path.read_text()
    hosts.check("192.0.2.2", TWO)


def test_the_remedy_that_is_told_works(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    real = make_key(tmp_path / "k")
    name = host_name("192.0.2.1", 2222, "zone a")
    hosts = KnownHosts(path)
    hosts.check(name, real)
    with pytest.raises(HostKeyChangedError):
        hosts.check(name, TWO)
    subprocess.run(["ssh-keygen", "-R", name, "-f", str(path)], check=True, capture_output=True)
    hosts.check(name, TWO)


def test_equal_addresses_of_two_namespaces_and_ports_are_different_hosts() -> None:
    names = {
        host_name("10.0.0.1"),
        host_name("10.0.0.1", 2222),
        host_name("10.0.0.1", namespace="zone-A"),
        host_name("10.0.0.1", namespace="zone-B"),
    }
    assert len(names) == 4
    hosts = KnownHosts()
    for number, name in enumerate(sorted(names)):
        hosts.check(name, key(str(number)))


def test_entries_of_openssh_count_revoked_ones_too_and_others_stay_as_they_are(
    tmp_path: Path,
) -> None:
    path = tmp_path / "known_hosts"
    lines = [
        "# mine",
        f"192.0.2.1,router1 ssh-ed25519 {ONE.blob}",
        "broken",
        f"@revoked 192.0.2.9 ssh-ed25519 {TWO.blob}",
    ]
    path.write_text("\n".join(lines))
    hosts = KnownHosts(path)
    hosts.check("router1", ONE)
    with pytest.raises(HostKeyChangedError, match="is revoked"):
        hosts.check("192.0.2.9", TWO)
    hosts.check("192.0.2.3", ONE)
    assert path.read_text().splitlines()[:4] == lines


def test_names_that_openssh_hashed_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    made = make_key(tmp_path / "k")
    KnownHosts(path).check("192.0.2.1", made)
    subprocess.run(["ssh-keygen", "-H", "-f", str(path)], check=True, capture_output=True)
    assert "192.0.2.1" not in path.read_text()
    KnownHosts(path).check("192.0.2.1", made)
    with pytest.raises(HostKeyChangedError):
        KnownHosts(path).check("192.0.2.1", TWO)


def test_two_processes_that_write_the_file_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    one, two = KnownHosts(path), KnownHosts(path)
    one.check("192.0.2.1", ONE)
    two.check("192.0.2.2", TWO)
    one.check("192.0.2.3", ONE)
    assert len(path.read_text().splitlines()) == 3
    with pytest.raises(HostKeyChangedError):
        one.check("192.0.2.2", ONE)


def test_a_file_that_cannot_be_kept_is_a_failure_and_not_trust(tmp_path: Path) -> None:
    folder = tmp_path / "known_hosts"
    folder.mkdir()
    with pytest.raises(OperationError, match="known_hosts: cannot be read"):
        KnownHosts(folder).check("192.0.2.1", ONE)
