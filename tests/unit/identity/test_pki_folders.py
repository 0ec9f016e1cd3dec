"""A TLS identity on disk: private, whole, and the same request until it is answered."""

import os
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509

from pdsno.domain.errors import OperationError, RemoteProtocolError
from pdsno.domain.identifiers import Role
from pdsno.identity.pki import credentials
from pdsno.identity.pki.authority import IssuedCertificate
from pdsno.identity.pki.requests import key_to_pem, make_request, new_key
from pdsno.identity.pki.tls_identity import TlsIdentity
from tests.pki import Pki, copy_pki, make_pki, now_utc
from tests.unit.identity.forgery import KEY_ID


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("original"))


@pytest.fixture
def pki(original: Pki, tmp_path: Path) -> Pki:
    return copy_pki(original, tmp_path)


def folder(pki: Pki) -> Path:
    return pki.directory / "lc" / "tls"


def issue(pki: Pki, csr: str, *, number: int = 1, key_id: str | None = None) -> IssuedCertificate:
    return pki.regional_authority.issue_leaf(
        csr,
        controller_id=f"local_cntl_zone-A_{number}",
        role=Role.LOCAL,
        region="zone-A",
        key_id=key_id or pki.lc.key_id,
        now=now_utc(),
    )


def key_of(csr: str) -> object:
    return x509.load_pem_x509_csr(csr.encode()).public_key()


def files(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()}


def test_all_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        pki = make_pki(tmp_path)
        pki.lc.tls.new_request()
    finally:
        os.umask(before)
    found = list(tmp_path.rglob("*.pem"))
    assert {path.name for path in found} == {
        "authority.pem",
        "root-key.pem",
        "roots.pem",
        "tls.pem",
        "tls-request.pem",
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in found} == {0o700}


def test_a_request_stays_the_same_until_its_certificate_is_accepted(pki: Pki) -> None:
    first = pki.lc.tls.new_request()
    assert pki.lc.tls.new_request() == first
    restarted = TlsIdentity(folder(pki))
    assert restarted.new_request() == first
    before = restarted.certificate_sha256
    issued = issue(pki, first)
    restarted.accept(issued.chain_pem)
    assert restarted.certificate_sha256 == issued.sha256 != before
    assert "tls-request.pem" not in files(folder(pki))
    assert key_of(restarted.new_request()) != key_of(first)


def test_many_that_ask_at_once_ask_for_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda _: TlsIdentity(tmp_path).new_request(), range(16)))
    assert len(set(asked)) == 1


def test_a_lost_answer_is_accepted_when_it_comes_again(pki: Pki) -> None:
    issued = issue(pki, pki.lc.tls.new_request())
    pki.lc.tls.accept(issued.chain_pem)
    pki.lc.tls.accept(issued.chain_pem)
    assert pki.lc.tls.certificate_sha256 == issued.sha256


def test_a_crash_before_the_certificate_is_kept_leaves_the_old_one_and_the_request(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, csr = pki.lc.tls.certificate_sha256, pki.lc.tls.new_request()
    issued = issue(pki, csr)

    def die(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path), len(content))

    with monkeypatch.context() as patch:
        patch.setattr(credentials, "replace_private", die)
        with pytest.raises(OperationError, match="No space left"):
            pki.lc.tls.accept(issued.chain_pem)
    assert pki.lc.tls.certificate_sha256 == before
    restarted = TlsIdentity(folder(pki))
    assert restarted.certificate_sha256 == before
    assert restarted.new_request() == csr
    restarted.accept(issued.chain_pem)
    assert restarted.certificate_sha256 == issued.sha256


def test_a_crash_before_the_request_is_removed_is_not_asked_again(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    csr = pki.lc.tls.new_request()
    issued = issue(pki, csr)

    def die(path: Path) -> None:
        raise OSError(5, "Input/output error", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(credentials, "remove_private", die)
        with pytest.raises(OperationError, match="cannot remove"):
            pki.lc.tls.accept(issued.chain_pem)
    assert "tls-request.pem" in files(folder(pki))
    restarted = TlsIdentity(folder(pki))
    assert restarted.certificate_sha256 == issued.sha256
    assert key_of(restarted.new_request()) != key_of(csr)


# --- what is not accepted ----------------------------------------------------------------------


def test_a_certificate_for_another_key_is_not_accepted(pki: Pki) -> None:
    before, csr = pki.lc.tls.certificate_sha256, pki.lc.tls.new_request()
    for other in (make_request(new_key()), pki.rc.tls.new_request()):
        with pytest.raises(RemoteProtocolError, match="not for the key"):
            pki.lc.tls.accept(issue(pki, other).chain_pem)
    assert pki.lc.tls.certificate_sha256 == before
    pki.lc.tls.accept(issue(pki, csr).chain_pem)


def test_a_renewal_cannot_make_us_another_controller(pki: Pki) -> None:
    before, csr = pki.lc.tls.certificate_sha256, pki.lc.tls.new_request()
    for issued in (issue(pki, csr, number=2), issue(pki, csr, key_id=KEY_ID)):
        with pytest.raises(RemoteProtocolError, match="not ours"):
            pki.lc.tls.accept(issued.chain_pem)
    assert pki.lc.tls.certificate_sha256 == before
    pki.lc.tls.accept(issue(pki, csr).chain_pem)


def test_a_renewal_cannot_change_whom_we_trust(pki: Pki, tmp_path: Path) -> None:
    """A regional controller that was taken over could lead its local ones elsewhere."""
    other = make_pki(tmp_path / "other")
    csr = pki.lc.tls.new_request()
    elsewhere, here = issue(other, csr, key_id=pki.lc.key_id), issue(pki, csr)
    for roots in (other.roots_pem, pki.roots_pem + other.roots_pem):
        for chain in (elsewhere.chain_pem, here.chain_pem):
            with pytest.raises(RemoteProtocolError, match="joining again"):
                pki.lc.tls.accept(chain, roots)
    with pytest.raises(RemoteProtocolError, match="TLS does not accept"):
        pki.lc.tls.accept(elsewhere.chain_pem)
    assert pki.lc.tls.roots_pem == pki.roots_pem
    pki.lc.tls.accept(here.chain_pem, pki.roots_pem)


def test_joining_another_system_does_change_it(pki: Pki, tmp_path: Path) -> None:
    other = make_pki(tmp_path / "other")
    issued = issue(other, pki.lc.tls.new_request(), number=9)
    pki.lc.tls.accept(issued.chain_pem, other.roots_pem, is_join=True)
    assert pki.lc.tls.identity.controller_id == "local_cntl_zone-A_9"
    assert TlsIdentity(folder(pki)).root_sha256 == other.root_sha256


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: "",
        lambda _: "garbage",
        lambda chain: chain[: len(chain) // 2],
        lambda chain: chain.split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n",
    ],
    ids=["nothing", "garbage", "half", "without those above"],
)
def test_a_broken_chain_is_not_accepted(pki: Pki, damage: Callable[[str], str]) -> None:
    chain = issue(pki, pki.lc.tls.new_request()).chain_pem
    with pytest.raises(RemoteProtocolError):
        pki.lc.tls.accept(damage(chain))
    pki.lc.tls.accept(chain)


def test_nothing_is_accepted_before_a_root_is_known(pki: Pki, tmp_path: Path) -> None:
    new = TlsIdentity(tmp_path / "new")
    issued = issue(pki, new.new_request())
    with pytest.raises(OperationError, match="join first"):
        new.accept(issued.chain_pem)
    with pytest.raises(OperationError, match="join first"):
        new.server_context(requires_client=True)
    assert not new.has_certificate
    new.accept(issued.chain_pem, pki.roots_pem)
    assert new.has_certificate


# --- damage ------------------------------------------------------------------------------------


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


OTHER_KEY = key_to_pem(new_key())


def with_other_key(content: bytes) -> bytes:
    return OTHER_KEY + content[content.index(b"-----BEGIN CERTIFICATE-----") :]


@pytest.mark.parametrize("name", ["tls.pem", "roots.pem"])
@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", cut, lambda content: content[:-40], lambda _: b"\0" * 500, with_other_key],
    ids=["empty", "half", "short", "zeros", "another key"],
)
def test_a_damaged_file_is_named_with_its_remedy_and_left_alone(
    pki: Pki, name: str, damage: Callable[[bytes], bytes]
) -> None:
    path = folder(pki) / name
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with pytest.raises(OperationError, match=rf"{name}.*restore it from a backup"):
        TlsIdentity(folder(pki))
    assert path.read_bytes() == damage(whole)
    path.write_bytes(whole)
    TlsIdentity(folder(pki))


@pytest.mark.parametrize("damage", [lambda _: b"", cut, lambda content: content[:-40]])
def test_a_damaged_request_is_named_with_its_remedy(
    pki: Pki, damage: Callable[[bytes], bytes]
) -> None:
    csr = pki.lc.tls.new_request()
    path = folder(pki) / "tls-request.pem"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OperationError, match="a new one is made"):
        pki.lc.tls.new_request()
    path.unlink()
    assert key_of(pki.lc.tls.new_request()) != key_of(csr)


def test_a_certificate_of_an_authority_is_no_tls_identity(pki: Pki) -> None:
    path = folder(pki) / "tls.pem"
    shutil.copy(pki.directory / "rc" / "authority" / "authority.pem", path)
    with pytest.raises(OperationError, match="no certificate of a controller"):
        TlsIdentity(folder(pki))


def test_missing_roots_are_named(pki: Pki) -> None:
    (folder(pki) / "roots.pem").unlink()
    with pytest.raises(OperationError, match="is missing"):
        TlsIdentity(folder(pki))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
@pytest.mark.parametrize("name", ["tls.pem", "roots.pem"])
def test_a_file_that_others_may_reach_is_refused(pki: Pki, name: str, mode: int) -> None:
    path = folder(pki) / name
    path.chmod(mode)
    with pytest.raises(OperationError, match="chmod 600"):
        TlsIdentity(folder(pki))
    path.chmod(0o600)
    TlsIdentity(folder(pki))


def test_a_folder_that_others_may_write_is_refused(pki: Pki) -> None:
    folder(pki).chmod(0o777)
    with pytest.raises(OperationError, match="chmod o-w"):
        TlsIdentity(folder(pki))


def test_a_fifo_in_the_files_place_does_not_hang_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tls.pem", 0o600)
    with pytest.raises(OperationError, match="not a regular file"):
        TlsIdentity(tmp_path)
