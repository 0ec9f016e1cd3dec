"""Issuing authorities on disk: founded once, renewed from the root, the root's key taken away."""

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pdsno.domain.errors import OperationError, RemoteProtocolError
from pdsno.domain.identifiers import Role
from pdsno.identity.pki import credentials
from pdsno.identity.pki.authority import Authority, Lifetimes
from pdsno.identity.pki.roots import fingerprints
from pdsno.identity.pki.vault import AuthorityVault
from tests.pki import Pki, copy_pki, make_member, make_pki, now_utc
from tests.unit.identity.forgery import KEY_ID, shake_hands

GC = "global_cntl_1"
GC_DNS = "global-cntl-1.global.pdsno.internal"


def founded(directory: Path) -> tuple[AuthorityVault, Authority]:
    vault = AuthorityVault(directory)
    return vault, vault.found(GC, now_utc())


# --- the global controller ---------------------------------------------------------------------


def test_a_root_is_founded_once(tmp_path: Path) -> None:
    _, first = founded(tmp_path)
    _, again = founded(tmp_path)
    assert again.sha256 == first.sha256
    assert (first.root_sha256,) == fingerprints(first.roots_pem)
    assert first.region is None


def test_several_that_found_at_once_get_one_root(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: founded(tmp_path)[1], range(8)))
    assert len({authority.root_sha256 for authority in found}) == 1
    assert len({authority.sha256 for authority in found}) == 1


@pytest.mark.parametrize("written", [0, 1, 2])
def test_founding_goes_on_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """Whatever was written before stays: a root that somebody may have seen does not change."""
    left = [written]
    whole = credentials.CredentialFolder.write

    def dying(
        folder: credentials.CredentialFolder, path: Path, content: bytes, *, is_new: bool = False
    ) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        whole(folder, path, content, is_new=is_new)

    with monkeypatch.context() as patch:
        patch.setattr(credentials.CredentialFolder, "write", dying)
        with pytest.raises(KeyboardInterrupt):
            founded(tmp_path)
    key_file = tmp_path / "root-key.pem"
    before = key_file.read_bytes() if key_file.exists() else None
    _, authority = founded(tmp_path)
    if before is not None:
        assert key_file.read_bytes() == before
    member = make_member(authority, tmp_path / "tls", GC, Role.GLOBAL, None)
    listener = member.tls.server_context(requires_client=True)
    assert shake_hands(listener, member.tls.client_context(), GC_DNS).is_connected


def test_a_lost_authority_is_not_founded_anew_when_the_root_key_is_away(tmp_path: Path) -> None:
    """Another root would lock everybody out."""
    vault, first = founded(tmp_path / "authority")
    vault.export_root_key(tmp_path / "root.pem")
    (tmp_path / "authority" / "authority.pem").unlink()
    with pytest.raises(OperationError, match=r"renew-authority --root-key"):
        founded(tmp_path / "authority")
    again = AuthorityVault(tmp_path / "authority").renew_from_root(
        now_utc(), root_key_file=tmp_path / "root.pem", controller_id=GC
    )
    assert again.root_sha256 == first.root_sha256


def test_a_new_authority_and_the_old_one_are_both_trusted(tmp_path: Path) -> None:
    pki = make_pki(tmp_path)
    old = pki.global_authority
    new = pki.global_vault.renew_from_root(now_utc())
    assert new.sha256 != old.sha256
    assert pki.global_authority.sha256 == new.sha256
    later = make_member(new, tmp_path / "later", "regional_cntl_zone-B_1", Role.REGIONAL, "zone-B")
    for server, client in ((pki.gc, later), (later, pki.lc)):
        name = server.tls.identity.controller_id.replace("_", "-").lower()
        region = (server.region or "global").lower()
        outcome = shake_hands(
            server.tls.server_context(requires_client=True),
            client.tls.client_context(),
            f"{name}.{region}.pdsno.internal",
        )
        assert outcome.is_connected, outcome


def test_a_running_controller_follows_a_renewal_by_another_process(tmp_path: Path) -> None:
    running, before = founded(tmp_path)
    renewed = AuthorityVault(tmp_path).renew_from_root(now_utc())
    followed = running.authority()
    assert followed is not None
    assert followed.sha256 == renewed.sha256 != before.sha256
    assert running.authority() is followed


@pytest.mark.lab
def test_what_root_renews_stays_the_service_users(tmp_path: Path) -> None:
    directory = tmp_path / "authority"
    founded(directory)
    for path in (directory, *directory.iterdir()):
        os.chown(path, 65534, 65534)
    AuthorityVault(directory).renew_from_root(now_utc())
    assert {path.stat().st_uid for path in directory.iterdir()} == {65534}
    os.chown(directory / "authority.pem", 65533, 65533)
    with pytest.raises(OperationError, match="another user"):
        AuthorityVault(directory).authority()


def test_the_authority_is_due_at_two_thirds_of_its_life(tmp_path: Path) -> None:
    vault, authority = founded(tmp_path)
    life = authority.not_after - authority.not_before
    due = vault.renewal_due_at(0) - authority.not_before
    assert abs(due - life * 2 / 3) < timedelta(seconds=1)


# --- the root's key ----------------------------------------------------------------------------


def test_the_root_key_is_moved_whole_and_private(tmp_path: Path) -> None:
    vault, authority = founded(tmp_path / "authority")
    content = vault.root_key_file.read_bytes()
    target = tmp_path / "medium" / "root.pem"
    target.parent.mkdir()
    before = os.umask(0)
    try:
        vault.export_root_key(target)
    finally:
        os.umask(before)
    assert target.read_bytes() == content
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert not vault.has_root_key
    assert vault.found(GC, now_utc()).sha256 == authority.sha256
    key = content.split(b"-----END PRIVATE KEY-----")[0].splitlines()[1]
    left = [path for path in (tmp_path / "authority").rglob("*") if path.is_file()]
    assert left
    assert all(key not in path.read_bytes() for path in left)


def test_an_export_that_died_before_removing_is_finished(tmp_path: Path) -> None:
    vault, _ = founded(tmp_path / "authority")
    target = tmp_path / "root.pem"
    target.write_bytes(vault.root_key_file.read_bytes())
    target.chmod(0o600)
    vault.export_root_key(target)
    assert not vault.has_root_key


@pytest.mark.parametrize("content", [b"", b"something else", None], ids=["empty", "other", "half"])
def test_an_export_overwrites_nothing(tmp_path: Path, content: bytes | None) -> None:
    vault, _ = founded(tmp_path / "authority")
    whole = vault.root_key_file.read_bytes()
    target = tmp_path / "root.pem"
    there = whole[:100] if content is None else content
    target.write_bytes(there)
    target.chmod(0o600)
    with pytest.raises(OperationError, match="exists and holds something else"):
        vault.export_root_key(target)
    assert target.read_bytes() == there
    assert vault.root_key_file.read_bytes() == whole


def test_an_export_that_could_not_be_written_leaves_the_key_here(tmp_path: Path) -> None:
    vault, _ = founded(tmp_path / "authority")
    for target in (tmp_path / "missing" / "root.pem", Path("/dev/full"), Path("/proc/root.pem")):
        with pytest.raises(OperationError):
            vault.export_root_key(target)
        assert vault.has_root_key


def test_an_export_to_where_others_could_replace_it_is_undone(tmp_path: Path) -> None:
    vault, _ = founded(tmp_path / "authority")
    place = tmp_path / "open"
    place.mkdir()
    place.chmod(0o777)
    with pytest.raises(OperationError, match="chmod o-w"):
        vault.export_root_key(place / "root.pem")
    assert vault.has_root_key
    assert list(place.iterdir()) == []


def test_an_export_into_the_state_directory_is_refused(tmp_path: Path) -> None:
    vault, _ = founded(tmp_path / "authority")
    with pytest.raises(OperationError, match="inside the state directory"):
        vault.export_root_key(tmp_path / "authority" / "elsewhere.pem")
    assert vault.has_root_key


def test_only_our_own_root_renews_the_authority(tmp_path: Path) -> None:
    vault, before = founded(tmp_path / "authority")
    other, _ = founded(tmp_path / "other")
    with pytest.raises(OperationError, match="another root"):
        vault.renew_from_root(now_utc(), root_key_file=other.root_key_file)
    assert vault.found(GC, now_utc()).sha256 == before.sha256
    vault.renew_from_root(now_utc())


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-30],
        lambda content: content[content.index(b"-----BEGIN CERT") :],
    ],
    ids=["empty", "half", "short", "no key"],
)
def test_a_damaged_root_key_is_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    vault, before = founded(tmp_path)
    vault.root_key_file.write_bytes(damage(vault.root_key_file.read_bytes()))
    with pytest.raises(OperationError, match="no whole root key"):
        vault.renew_from_root(now_utc())
    assert vault.found(GC, now_utc()).sha256 == before.sha256


# --- a regional controller ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("original"))


@pytest.fixture
def pki(original: Pki, tmp_path: Path) -> Pki:
    return copy_pki(original, tmp_path)


def issue(pki: Pki, csr: str, *, region: str = "zone-A", now: datetime | None = None) -> str:
    return pki.global_authority.issue_regional_authority(
        csr,
        controller_id=f"regional_cntl_{region}_1",
        region=region,
        key_id=KEY_ID,
        now=now or now_utc(),
    ).chain_pem


def test_a_regional_authority_asks_the_same_until_it_is_answered(pki: Pki) -> None:
    vault, before = pki.regional_vault, pki.regional_authority
    csr = vault.new_request()
    assert AuthorityVault(pki.directory / "rc" / "authority").new_request() == csr
    accepted = vault.accept(issue(pki, csr))
    assert accepted.region == "zone-A"
    assert pki.regional_authority.sha256 == accepted.sha256 != before.sha256
    assert vault.new_request() != csr


def test_an_authority_for_another_key_region_or_root_is_not_accepted(
    pki: Pki, tmp_path: Path
) -> None:
    vault, before = pki.regional_vault, pki.regional_authority
    csr, other = vault.new_request(), make_pki(tmp_path / "other")
    with pytest.raises(RemoteProtocolError, match="not for the key"):
        vault.accept(issue(pki, other.regional_vault.new_request()))
    with pytest.raises(RemoteProtocolError, match="not ours"):
        vault.accept(issue(pki, csr, region="zone-B"))
    with pytest.raises(RemoteProtocolError, match="TLS does not accept"):
        vault.accept(issue(other, csr))
    with pytest.raises(RemoteProtocolError, match="joining again"):
        vault.accept(issue(other, csr), other.roots_pem)
    assert pki.regional_authority.sha256 == before.sha256
    vault.accept(issue(pki, csr), pki.roots_pem)


def test_a_leaf_is_no_authority(pki: Pki) -> None:
    leaf = pki.global_authority.issue_leaf(
        pki.regional_vault.new_request(),
        controller_id="regional_cntl_zone-A_1",
        role=Role.REGIONAL,
        region="zone-A",
        key_id=KEY_ID,
        now=now_utc(),
    )
    with pytest.raises(RemoteProtocolError, match="not of an issuing authority"):
        pki.regional_vault.accept(leaf.chain_pem)


def test_what_the_old_authority_issued_stays_good_after_a_renewal(pki: Pki) -> None:
    pki.regional_vault.accept(issue(pki, pki.regional_vault.new_request()))
    later = make_member(
        pki.regional_authority, pki.directory / "later", "local_cntl_zone-A_2", Role.LOCAL, "zone-A"
    )
    listener = pki.rc.tls.server_context(requires_client=True)
    for client in (pki.lc, later):
        outcome = shake_hands(
            listener, client.tls.client_context(), "regional-cntl-zone-a-1.zone-a.pdsno.internal"
        )
        assert outcome.is_connected, outcome


def test_no_authority_is_there_before_it_was_given(tmp_path: Path) -> None:
    vault = AuthorityVault(tmp_path, lifetimes=Lifetimes())
    assert vault.authority() is None
    with pytest.raises(OperationError, match="no issuing authority yet"):
        vault.renewal_due_at(0)


def test_a_damaged_authority_is_named_with_its_remedy(pki: Pki) -> None:
    path = pki.directory / "rc" / "authority" / "authority.pem"
    whole = path.read_bytes()
    for content in (b"", whole[:200], whole[:-20], b"\0" * 400):
        path.write_bytes(content)
        with pytest.raises(OperationError, match=r"authority\.pem holds .*restore it"):
            pki.regional_vault.authority()
    path.write_bytes(whole)
    assert pki.regional_vault.authority() is not None
