"""Certificate requests of strangers: only a P-256 key that signed it itself is taken."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.identity.pki.names import peer_identity
from pdsno.identity.pki.requests import check_request, make_request, new_key
from tests.pki import Pki, make_pki, now_utc
from tests.unit.identity.forgery import KEY_ID

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def request_of(key: Private, *, claims: str | None = None) -> str:
    """Return a request, which may ask to be called something and to be an authority."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if claims is not None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, claims)])
        builder = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(claims)]), critical=False)
        )
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256()
    return builder.sign(key, digest).public_bytes(Encoding.PEM).decode()


def changed(csr_pem: str, position: int) -> str:
    """Flip a bit of the DER, counted from its end if negative."""
    lines = csr_pem.strip().splitlines()
    der = bytearray(base64.b64decode("".join(lines[1:-1])))
    der[position] ^= 1
    return "\n".join([lines[0], base64.b64encode(bytes(der)).decode(), lines[-1], ""])


def swapped_key(csr_pem: str) -> str:
    """Put another public key into a request: what proof of possession is for."""
    lines = csr_pem.strip().splitlines()
    der = base64.b64decode("".join(lines[1:-1]))
    mine, other = (_point(x509.load_der_x509_csr(der)), _point(None))
    return "\n".join([lines[0], base64.b64encode(der.replace(mine, other)).decode(), lines[-1], ""])


def _point(request: x509.CertificateSigningRequest | None) -> bytes:
    key = new_key().public_key() if request is None else request.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    numbers = key.public_numbers()
    return b"\x04" + numbers.x.to_bytes(32) + numbers.y.to_bytes(32)


GOOD = make_request(new_key())

BAD = {
    "RSA": request_of(rsa.generate_private_key(65537, 2048)),
    "P-521": request_of(ec.generate_private_key(ec.SECP521R1())),
    "P-384": request_of(ec.generate_private_key(ec.SECP384R1())),
    "secp256k1": request_of(ec.generate_private_key(ec.SECP256K1())),
    "Ed25519": request_of(ed25519.Ed25519PrivateKey.generate()),
    "a tampered signature": changed(GOOD, -1),
    "another version": changed(GOOD, 6),
    "another key": swapped_key(GOOD),
    "nothing": "",
    "garbage": "garbage",
    "garbage in PEM": f"-----BEGIN CERTIFICATE REQUEST-----\n{'A' * 100}\n"
    "-----END CERTIFICATE REQUEST-----\n",
    "half": GOOD[: len(GOOD) // 2],
    "another kind of PEM": GOOD.replace("CERTIFICATE REQUEST", "CERTIFICATE"),
    "letters beyond ASCII": GOOD.replace("M", "\u041c"),
    "a lone surrogate": GOOD + "\ud800",
    "NUL": GOOD.replace("\n", "\0"),
    "1 MiB": "A" * 1024 * 1024,
    "1 MiB around a good one": " " * 1024 * 1024 + GOOD,
}


def test_a_good_request_is_taken() -> None:
    key = new_key()
    assert check_request(make_request(key)) == key.public_key()


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_request_is_refused(kind: str) -> None:
    with pytest.raises(RefusedError) as caught:
        check_request(BAD[kind])
    assert caught.value.reason is Refusal.INVALID_CSR
    assert len(str(caught.value)) < 200


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def test_no_authority_signs_for_a_bad_request(pki: Pki) -> None:
    for csr in (BAD["RSA"], BAD["another key"], BAD["garbage"]):
        with pytest.raises(RefusedError, match="INVALID_CSR"):
            pki.regional_authority.issue_leaf(
                csr,
                controller_id="local_cntl_zone-A_2",
                role=Role.LOCAL,
                region="zone-A",
                key_id=KEY_ID,
                now=now_utc(),
            )
        with pytest.raises(RefusedError, match="INVALID_CSR"):
            pki.global_authority.issue_regional_authority(
                csr,
                controller_id="regional_cntl_zone-A_2",
                region="zone-A",
                key_id=KEY_ID,
                now=now_utc(),
            )


def test_nothing_but_the_key_is_taken_from_a_request(pki: Pki) -> None:
    key = new_key()
    issued = pki.regional_authority.issue_leaf(
        request_of(key, claims="global-cntl-1.global.pdsno.internal"),
        controller_id="local_cntl_zone-A_2",
        role=Role.LOCAL,
        region="zone-A",
        key_id=KEY_ID,
        now=now_utc(),
    )
    leaf = x509.load_pem_x509_certificates(issued.chain_pem.encode())[0]
    assert leaf.public_key() == key.public_key()
    peer = peer_identity(leaf.public_bytes(Encoding.DER))
    assert (peer.controller_id, peer.role) == ("local_cntl_zone-A_2", Role.LOCAL)
