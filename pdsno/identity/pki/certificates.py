"""Building the five kinds of certificate. Who gets one is decided elsewhere."""

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pdsno.domain.identifiers import Role
from pdsno.identity.pki import names

_MOST_BACKDATING = timedelta(minutes=5)
_EVERYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, kw_only=True, slots=True)
class Validity:
    """From when to when a certificate holds, in whole seconds."""

    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Issuer:
    """A certificate and its key, which sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def validity(now: datetime, lifetime: timedelta, within: x509.Certificate | None) -> Validity:
    """Return the validity of a certificate issued at `now`, never longer than its issuer's.

    It begins a little earlier, by up to 5 minutes, for those whose clocks are behind.
    """
    start = (now - min(_MOST_BACKDATING, lifetime / 10)).replace(microsecond=0)
    end = (now + lifetime).replace(microsecond=0)
    if within is not None:
        start = max(start, within.not_valid_before_utc)
        end = min(end, within.not_valid_after_utc)
    return Validity(not_before=start, not_after=end)


def build_root(key: ec.EllipticCurvePrivateKey, valid: Validity) -> x509.Certificate:
    """Return a self-signed root."""
    ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, names.ORGANIZATION),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "root"),
            x509.NameAttribute(NameOID.COMMON_NAME, ski[:16]),
        ]
    )
    builder = _builder(name, name, key.public_key(), key.public_key(), valid)
    return _authority(builder, path_length=None).sign(key, SHA256())


def build_global_authority(
    issuer: Issuer, public_key: ec.EllipticCurvePublicKey, controller_id: str, valid: Validity
) -> x509.Certificate:
    """Return the issuing CA of a global controller, signed by the root."""
    name = names.authority_subject(controller_id, None)
    return _authority(_issued(issuer, name, public_key, valid), path_length=1).sign(
        issuer.key, SHA256()
    )


def build_regional_authority(
    issuer: Issuer,
    public_key: ec.EllipticCurvePublicKey,
    *,
    controller_id: str,
    region: str,
    key_id: str,
    prefixes: Sequence[str],
    valid: Validity,
) -> x509.Certificate:
    """Return the issuing CA of a regional controller: leaves of its own local controllers only."""
    name = names.authority_subject(controller_id, region)
    builder = _authority(_issued(issuer, name, public_key, valid), path_length=0)
    builder = builder.add_extension(_constraints(region, prefixes), critical=True)
    builder = builder.add_extension(names.key_binding(key_id), critical=False)
    return builder.sign(issuer.key, SHA256())


def build_leaf(
    issuer: Issuer,
    public_key: ec.EllipticCurvePublicKey,
    *,
    controller_id: str,
    role: Role,
    region: str | None,
    key_id: str,
    addresses: Iterable[str],
    valid: Validity,
) -> x509.Certificate:
    """Return the certificate of a controller, good as a TLS server and as a client."""
    builder = _issued(issuer, names.subject(controller_id, role, region), public_key, valid)
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    alternative = names.alternative_names(controller_id, role, region, addresses)
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(alternative, critical=False)
        .add_extension(names.key_binding(key_id), critical=False)
        .sign(issuer.key, SHA256())
    )


def build_reader(
    issuer: Issuer, public_key: ec.EllipticCurvePublicKey, name: x509.Name, valid: Validity
) -> x509.Certificate:
    """Return the certificate of a reader: good as a TLS client only, and it names no host."""
    return (
        _issued(issuer, name, public_key, valid)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
        .sign(issuer.key, SHA256())
    )


def key_sha256(public_key: ec.EllipticCurvePublicKey) -> str:
    """Return the hexadecimal SHA-256 of a public key (SubjectPublicKeyInfo)."""
    der = public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def to_pem(*certificates: x509.Certificate) -> str:
    """Return certificates in PEM, in this order."""
    encoding = serialization.Encoding.PEM
    return "".join(certificate.public_bytes(encoding).decode() for certificate in certificates)


def may_name_address(authority: x509.Certificate, address: str) -> bool:
    """Tell whether name constraints let this authority's leaves name an IP address."""
    try:
        extension = authority.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return True
    ip = ipaddress.ip_address(address)
    permitted = extension.value.permitted_subtrees or ()
    networks = (tree.value for tree in permitted if isinstance(tree, x509.IPAddress))
    return any(ip in ipaddress.ip_network(network) for network in networks)


def _constraints(region: str, prefixes: Sequence[str]) -> x509.NameConstraints:
    """Return what the leaves of a regional CA may be called.

    IP addresses too: else it could issue a certificate for the address of the global controller's
    operator API.
    """
    networks = [ipaddress.ip_network(prefix) for prefix in prefixes]
    versions = {network.version for network in networks}
    excluded = [
        x509.IPAddress(everywhere)
        for everywhere in map(ipaddress.ip_network, _EVERYWHERE)
        if everywhere.version not in versions
    ]
    domain = names.region_domain(region)
    permitted: list[x509.GeneralName] = [
        x509.DirectoryName(names.region_subtree(region)),
        x509.DNSName(domain),
        x509.UniformResourceIdentifier(domain),
        *(x509.IPAddress(network) for network in networks),
    ]
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=excluded or None)


def _issued(
    issuer: Issuer, name: x509.Name, public_key: ec.EllipticCurvePublicKey, valid: Validity
) -> x509.CertificateBuilder:
    signer = issuer.certificate
    return _builder(name, signer.subject, public_key, issuer.key.public_key(), valid)


def _builder(
    name: x509.Name,
    issuer_name: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    valid: Validity,
) -> x509.CertificateBuilder:
    identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
    issuer_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer_name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid.not_before)
        .not_valid_after(valid.not_after)
        .add_extension(identifier, critical=False)
        .add_extension(issuer_identifier, critical=False)
    )


def _authority(
    builder: x509.CertificateBuilder, *, path_length: int | None
) -> x509.CertificateBuilder:
    constraints = x509.BasicConstraints(ca=True, path_length=path_length)
    usage = _usage(key_cert_sign=True, crl_sign=True)
    return builder.add_extension(constraints, critical=True).add_extension(usage, critical=True)


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
