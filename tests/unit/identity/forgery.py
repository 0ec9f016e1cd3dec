"""What an attacker does with a stolen authority: any certificate, and handshakes with it."""

import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from pdsno.identity.pki import names
from pdsno.identity.pki.certificates import Issuer, to_pem
from pdsno.identity.pki.contexts import client_context, server_context
from pdsno.identity.pki.credentials import CredentialFolder
from pdsno.identity.pki.requests import key_to_pem, new_key

BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
LC = "local_cntl_zone-A_1"
LC_DNS = "local-cntl-zone-a-1.zone-a.pdsno.internal"
LC_URI = "spiffe://zone-a.pdsno.internal/local/local_cntl_zone-A_1"
GC_DNS = "global-cntl-1.global.pdsno.internal"
KEY_ID = "k" * 43


@dataclass(frozen=True, kw_only=True)
class Stolen:
    """An authority's key, its certificate, and those above it."""

    issuer: Issuer
    chain: tuple[x509.Certificate, ...]


def steal(directory: Path) -> Stolen:
    """Read an authority from the disk of its controller."""
    found = CredentialFolder(directory, "authority", remedy="").load()
    assert found is not None
    return Stolen(issuer=Issuer(certificate=found.certificate, key=found.key), chain=found.chain)


def rdns(
    *units: str, organization: str | None = "pdsno", common_name: str | None = LC
) -> x509.Name:
    """Return a subject of these organizational units."""
    parts: list[tuple[ObjectIdentifier, str]] = []
    if organization is not None:
        parts.append((NameOID.ORGANIZATION_NAME, organization))
    parts += [(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in units]
    if common_name is not None:
        parts.append((NameOID.COMMON_NAME, common_name))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


RIGHT_SUBJECT = rdns("zone-A", "local")
RIGHT_NAMES: tuple[x509.GeneralName, ...] = (
    x509.DNSName(LC_DNS),
    x509.UniformResourceIdentifier(LC_URI),
)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A certificate as the attacker wants it; as it stands, that of an honest LC."""

    subject: x509.Name = RIGHT_SUBJECT
    names: Sequence[x509.GeneralName] | None = RIGHT_NAMES
    uses: Sequence[ObjectIdentifier] = BOTH
    is_authority: bool = False
    has_critical_names: bool = False
    not_before: timedelta = timedelta(minutes=-5)
    not_after: timedelta = timedelta(days=1)
    key_id: str | None = KEY_ID


def forge(by: Stolen, wish: Wish) -> Stolen:
    """Sign whatever is wished for; the result may itself sign."""
    key, now = new_key(), datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key
    builder = (
        x509.CertificateBuilder()
        .subject_name(wish.subject)
        .issuer_name(by.issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + wish.not_before)
        .not_valid_after(now + wish.not_after)
        .add_extension(x509.BasicConstraints(wish.is_authority, None), critical=True)
        .add_extension(_usage(is_authority=wish.is_authority), critical=True)
        .add_extension(identifier(key.public_key()), critical=False)
        .add_extension(_issued_by(by.issuer.key), critical=False)
    )
    if wish.uses:
        builder = builder.add_extension(x509.ExtendedKeyUsage(wish.uses), critical=False)
    if wish.names is not None:
        alternative = x509.SubjectAlternativeName(wish.names)
        builder = builder.add_extension(alternative, critical=wish.has_critical_names)
    if wish.key_id is not None:
        builder = builder.add_extension(names.key_binding(wish.key_id), critical=False)
    certificate = builder.sign(by.issuer.key, SHA256())
    return Stolen(issuer=Issuer(certificate=certificate, key=key), chain=(certificate, *by.chain))


def self_signed() -> Stolen:
    """Return an authority of the attacker's own making, whose root nobody knows."""
    key, now = new_key(), datetime.now(UTC)
    name = rdns("root", common_name="0123456789abcdef")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, SHA256())
    )
    return Stolen(issuer=Issuer(certificate=certificate, key=key), chain=(certificate,))


def _issued_by(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


# --- handshakes ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a handshake: each side's error, or None, and the certificate that it saw."""

    server_error: str | None
    client_error: str | None
    server_saw: bytes | None
    client_saw: bytes | None

    @property
    def is_connected(self) -> bool:
        return self.server_error is None and self.client_error is None


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> Outcome:
    """Connect over a socket pair, and say a byte both ways: TLS 1.3 refuses clients only then."""
    near, far = socket.socketpair()
    seen: dict[str, bytes | None] = {}
    errors: dict[str, str] = {}

    def serve() -> None:
        try:
            with closing(server.wrap_socket(near, server_side=True)) as tls:
                seen["server"] = tls.getpeercert(binary_form=True)
                tls.recv(1)
                tls.send(b"!")
        except OSError as error:
            errors["server"] = str(error)
        finally:
            near.close()

    near.settimeout(10)
    far.settimeout(10)
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with closing(client.wrap_socket(far, server_hostname=name)) as tls:
            seen["client"] = tls.getpeercert(binary_form=True)
            tls.send(b"?")
            if tls.recv(1) != b"!":
                errors["client"] = "closed"
    except OSError as error:
        errors["client"] = str(error)
    finally:
        far.close()
        thread.join()
    return Outcome(
        server_error=errors.get("server"),
        client_error=errors.get("client"),
        server_saw=seen.get("server"),
        client_saw=seen.get("client"),
    )


def credential_of(stolen: Stolen) -> bytes:
    """Return key and chain in PEM, without a root."""
    chain = [one for one in stolen.chain if one.subject != one.issuer or one is stolen.chain[0]]
    return key_to_pem(stolen.issuer.key) + to_pem(*chain).encode()


def as_client(stolen: Stolen, roots_pem: str) -> ssl.SSLContext:
    """Return the context of an attacker that connects."""
    return client_context(credential_of(stolen), roots_pem)


def as_server(stolen: Stolen, roots_pem: str) -> ssl.SSLContext:
    """Return the context of an attacker that listens."""
    return server_context(credential_of(stolen), roots_pem, requires_client=False)
