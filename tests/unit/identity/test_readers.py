"""A reader's certificate, and what an operator does with readers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from pdsno.domain.errors import (
    InputError,
    NotFoundError,
    OperationError,
    Refusal,
    RefusedError,
)
from pdsno.domain.readers import MOST_READERS, check_reader_name
from pdsno.identity.pki.names import peer_identity
from pdsno.identity.pki.requests import make_request, new_key
from pdsno.identity.reader_desk import ReaderDesk
from pdsno.nib import NIBStore
from tests.pki import Pki, make_pki


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        yield store


@pytest.fixture
def desk(pki: Pki, nib: NIBStore) -> ReaderDesk:
    return ReaderDesk(nib, pki.global_vault.authority)


def request() -> str:
    return make_request(new_key())


def leaf_of(chain_pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificates(chain_pem.encode())[0]


def test_the_certificate_bears_the_subject_by_which_the_broker_knows_it(desk: ReaderDesk) -> None:
    for region in (None, "zone-A"):
        made = desk.add(name="grafana", csr_pem=request(), region=region, by="alice")
        leaf = leaf_of(made.chain_pem)
        assert leaf.subject.rfc4514_string() == made.reader.subject
        assert made.reader.subject.endswith(f",OU=reader,OU={region or 'global'},O=pdsno")
        assert leaf.not_valid_after_utc == made.reader.not_after


@pytest.mark.attack(9)
def test_it_is_no_controller_s_and_no_server_s(desk: ReaderDesk) -> None:
    leaf = leaf_of(desk.add(name="global-cntl-1", csr_pem=request(), by="alice").chain_pem)
    with pytest.raises(RefusedError) as caught:
        peer_identity(leaf.public_bytes(Encoding.DER))
    assert caught.value.reason is Refusal.IDENTITY_MISMATCH
    uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    with pytest.raises(x509.ExtensionNotFound):
        leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)


@pytest.mark.attack(9)
def test_the_authority_of_a_region_makes_no_reader(pki: Pki, nib: NIBStore) -> None:
    desk = ReaderDesk(nib, pki.regional_vault.authority)
    with pytest.raises(RefusedError) as caught:
        desk.add(name="noc", csr_pem=request(), region="zone-A", by="alice")
    assert caught.value.reason is Refusal.NOT_ALLOWED
    assert nib.readers() == ()


def test_it_never_outlives_the_issuing_authority(pki: Pki, desk: ReaderDesk) -> None:
    short = desk.add(name="short", csr_pem=request(), days=1, by="alice").reader
    assert short.not_after <= datetime.now(UTC) + timedelta(days=1)
    long = desk.add(name="long", csr_pem=request(), days=3650, by="alice").reader
    assert long.not_after == pki.global_authority.not_after


def test_the_same_name_again_replaces_a_reader_and_the_same_key_keeps_its_subject(
    desk: ReaderDesk, nib: NIBStore
) -> None:
    csr = request()
    first = desk.add(name="noc", csr_pem=csr, by="alice").reader
    again = desk.add(name="noc", csr_pem=csr, by="alice").reader
    other = desk.add(name="noc", csr_pem=request(), by="alice").reader
    assert first.subject == again.subject != other.subject
    assert first.certificate_sha256 != again.certificate_sha256
    assert nib.readers() == (other,)
    types = [event.event_type for event in nib.events()]
    assert types == ["READER_ADDED", "READER_REPLACED", "READER_REPLACED"]


def test_removing_is_recorded_and_what_is_not_there_cannot_be_removed(
    desk: ReaderDesk, nib: NIBStore
) -> None:
    desk.add(name="noc", csr_pem=request(), by="alice")
    assert desk.remove("noc", by="bob").name == "noc"
    assert nib.readers() == ()
    assert [event.actor for event in nib.events()] == ["alice", "bob"]
    with pytest.raises(NotFoundError):
        desk.remove("noc", by="bob")


def test_so_many_readers_there_may_be_and_no_more(desk: ReaderDesk, nib: NIBStore) -> None:
    csr = request()
    for number in range(MOST_READERS):
        desk.add(name=f"noc-{number}", csr_pem=csr, by="alice")
    with pytest.raises(InputError, match="remove one"):
        desk.add(name="one-more", csr_pem=csr, by="alice")
    desk.add(name="noc-0", csr_pem=csr, by="alice")
    assert len(nib.readers()) == MOST_READERS


@pytest.mark.parametrize(
    "name",
    ["", "A", "-a", "a-", "a.b", "a b", "a/b", "+", "#", "a" * 32, "é", "a\n", "a,OU=global"],
)
def test_what_cannot_name_a_reader_gets_no_certificate(
    name: str, desk: ReaderDesk, nib: NIBStore
) -> None:
    with pytest.raises(InputError):
        desk.add(name=name, csr_pem=request(), by="alice")
    assert nib.readers() == ()


def test_a_name_of_full_length_fits_a_certificate(desk: ReaderDesk) -> None:
    name = check_reader_name("a" * 31)
    assert desk.add(name=name, csr_pem=request(), by="alice").reader.name == name


def test_no_request_no_days_and_no_authority_give_no_certificate(
    desk: ReaderDesk, nib: NIBStore
) -> None:
    with pytest.raises(RefusedError):
        desk.add(name="noc", csr_pem="-----BEGIN CERTIFICATE REQUEST-----", by="alice")
    with pytest.raises(InputError):
        desk.add(name="noc", csr_pem=request(), days=0, by="alice")
    with pytest.raises(InputError):
        desk.add(name="noc", csr_pem=request(), region="global", by="alice")
    with pytest.raises(OperationError):
        ReaderDesk(nib, lambda: None).add(name="noc", csr_pem=request(), by="alice")
    assert nib.readers() == ()
