"""What an ssh_config says about the way to a device, and what of it is refused."""

from pathlib import Path

import pytest

from pdsno.discovery import behind_jumps
from pdsno.discovery.behind_jumps import silent_behind_jumps
from pdsno.discovery.observe import scope_of
from pdsno.discovery.targets import plan_targets
from pdsno.domain.errors import InputError
from pdsno.domain.observations import Outcome
from pdsno.southbound.access import DeviceAccess
from pdsno.southbound.credentials import Credentials, SshCredential
from pdsno.southbound.jump_hosts import Hop, Way
from pdsno.southbound.ssh_errors import SshError

OPS = SshCredential(name="ops", username="ops", password="x")


def access(folder: Path, text: str, credential: SshCredential = OPS) -> DeviceAccess:
    path = folder / "ssh_config"
    path.write_text(text)
    return DeviceAccess(Credentials(ssh=(credential,), ssh_config=path))


def test_without_an_ssh_config_every_way_is_direct() -> None:
    found = DeviceAccess(Credentials(ssh=(OPS,)))
    assert found.way_to("192.0.2.1", OPS) == Way(host="192.0.2.1", port=22)
    assert not found.is_behind_jump("192.0.2.1")


def test_host_patterns_name_the_jump_host_its_user_port_and_key(tmp_path: Path) -> None:
    config = """
    Host 192.0.2.*  !192.0.2.9
      ProxyJump admin@gate:2222
      Port 2022
    Host gate
      HostName 198.51.100.1
      IdentityFile /etc/pdsno/gate
    """
    found = access(tmp_path, config)
    gate = Hop(
        name="gate", host="198.51.100.1", port=2222, user="admin", key_file="/etc/pdsno/gate"
    )
    assert found.way_to("192.0.2.1", OPS) == Way(host="192.0.2.1", port=2022, hops=(gate,))
    assert found.way_to("192.0.2.9", OPS).hops == ()
    other_port = SshCredential(name="n", username="n", password="x", port=830)
    assert found.way_to("192.0.2.1", other_port).port == 830


def test_a_jump_host_may_lie_behind_another_one(tmp_path: Path) -> None:
    config = "Host 192.0.2.1\n ProxyJump inner\nHost inner\n ProxyJump outer\n"
    hops = access(tmp_path, config).way_to("192.0.2.1", OPS).hops
    assert [hop.name for hop in hops] == ["outer", "inner"]


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("Host *\n ProxyCommand nc %h %p\n", "never run: use ProxyJump"),
        ("Host 192.0.2.1\n ProxyJump a\nHost a\n ProxyJump b\nHost b\n ProxyJump a\n", "circle"),
        ("Host 192.0.2.1\n ProxyJump a,b,c,d,e\n", "more than 4 jump hosts"),
        ("Host 192.0.2.1\n ProxyJump a:b:c:d\n", "is not user@host:port"),
    ],
)
def test_a_way_that_cannot_be_gone_is_on_record_with_the_remedy(
    config: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(SshError) as refused:
        access(tmp_path, config).way_to("192.0.2.1", OPS)
    assert refused.value.outcome is Outcome.NOT_TRIED
    assert complaint in refused.value.detail


def test_a_config_that_runs_programs_or_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'Match exec' runs programs: name hosts instead"):
        access(tmp_path, 'Match host x exec "touch /tmp/y"\n User z\n')
    with pytest.raises(InputError, match="not an ssh_config"):
        access(tmp_path, "Host\n")
    missing = Credentials(ssh=(OPS,), ssh_config=tmp_path / "missing")
    with pytest.raises(InputError, match="missing: cannot read the ssh_config: No such file"):
        DeviceAccess(missing)


def test_silent_addresses_are_asked_only_behind_jump_hosts_and_not_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = access(tmp_path, "Host 192.0.2.*\n ProxyJump gate\n")
    targets = plan_targets(
        ["192.0.2.0/28", "198.51.100.0/28"], exclude=["192.0.2.4/30"], passive_only=["192.0.2.8/29"]
    )
    scope = scope_of(targets)
    silent, note = silent_behind_jumps(targets, {"192.0.2.2"}, found, scope)
    assert [c.address for c in silent] == ["192.0.2.1", "192.0.2.3"]
    assert all(c.is_silent for c in silent)
    assert note is None
    monkeypatch.setattr(behind_jumps, "MAX_SILENT", 1)
    silent, note = silent_behind_jumps(targets, set(), found, scope)
    assert [c.address for c in silent] == ["192.0.2.1"]
    assert note is not None
    assert "name smaller subnets" in note
    direct = DeviceAccess(Credentials(ssh=(OPS,)))
    assert silent_behind_jumps(targets, set(), direct, scope) == ([], None)
