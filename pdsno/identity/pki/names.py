"""What a certificate says of a controller, written and read in one exact form."""

import ipaddress
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID, ObjectIdentifier

from pdsno.domain.errors import InputError, Refusal, RefusedError
from pdsno.domain.identifiers import Role, check_controller_id, check_region
from pdsno.domain.peers import TRUST_DOMAIN, PeerIdentity, server_name
from pdsno.domain.readers import UNIT, common_name

ORGANIZATION = "pdsno"
GLOBAL = "global"
"""What stands for the region of those who have none; no region is called so."""
_AUTHORITY = "authority"
"""In the place of the role in an issuing CA's name: no role is called so."""
KEY_BINDING = ObjectIdentifier("2.25.324325837423164021934735462973110829645")
"""The extension with the thumbprint of the Ed25519 key that signs the controller's messages."""

_PARTS = 4
_LONGEST_ID = 63
_UTF8_STRING = 0x0C
_THUMBPRINT_CHARACTERS = 43


def check_place(controller_id: str, role: Role, region: str | None) -> None:
    """Raise InputError unless these three may stand together in a certificate."""
    check_controller_id(controller_id)
    if len(controller_id) > _LONGEST_ID:
        raise InputError(f"{controller_id!r} is longer than {_LONGEST_ID} characters, a DNS label")
    if region is not None:
        check_region(region)
    if (role is Role.GLOBAL and region is not None) or (
        role in {Role.REGIONAL, Role.LOCAL} and region is None
    ):
        raise InputError(f"a {role.value} controller cannot be of region {region!r}")


def subject(controller_id: str, role: Role, region: str | None) -> x509.Name:
    """Return the subject of a leaf; InputError if the parts do not go together."""
    check_place(controller_id, role, region)
    return _name(region or GLOBAL, role.value, controller_id)


def subject_text(controller_id: str, role: Role, region: str | None) -> str:
    """Return the subject as RFC 4514 text, the user name by which mosquitto knows the controller.

    As in `CN=local_cntl_zone-A_1,OU=local,OU=zone-A,O=pdsno`; nothing in it ever needs escaping.
    """
    return subject(controller_id, role, region).rfc4514_string()


def reader_subject(name: str, region: str | None, key_sha256: str) -> x509.Name:
    """Return the subject of a reader's certificate; it is no controller's."""
    return _name(region or GLOBAL, UNIT, common_name(name, key_sha256))


def authority_subject(controller_id: str, region: str | None) -> x509.Name:
    """Return the subject of a controller's issuing CA; it is no leaf's."""
    return _name(region or GLOBAL, _AUTHORITY, controller_id)


def authority_place(name: x509.Name) -> tuple[str, str | None]:
    """Return the controller and the region of an issuing CA. Raises ValueError for other names."""
    values = [str(attribute.value) for attribute in name]
    if len(values) == _PARTS:
        _, unit, _, controller_id = values
        region = None if unit == GLOBAL else unit
        if name == authority_subject(controller_id, region):
            return controller_id, region
    raise ValueError("not the name of an issuing authority")


def region_subtree(region: str) -> x509.Name:
    """Return the part of all subjects that a regional issuing CA may give out."""
    return x509.Name(_attributes(region, Role.LOCAL.value))


def region_domain(region: str | None) -> str:
    """Return the DNS domain of a region's controllers."""
    return f"{region or GLOBAL}.{TRUST_DOMAIN}".lower()


def spiffe_id(controller_id: str, role: Role, region: str | None) -> str:
    """Return the URI in a certificate, of the SPIFFE form."""
    return f"spiffe://{region_domain(region)}/{role.value}/{controller_id}"


def alternative_names(
    controller_id: str, role: Role, region: str | None, addresses: Iterable[str] = ()
) -> x509.SubjectAlternativeName:
    """Return the names besides the subject: DNS, URI and IP addresses."""
    ips = sorted({ipaddress.ip_address(address) for address in addresses}, key=str)
    return x509.SubjectAlternativeName(
        [
            x509.DNSName(server_name(controller_id, region)),
            x509.UniformResourceIdentifier(spiffe_id(controller_id, role, region)),
            *(x509.IPAddress(ip) for ip in ips),
        ]
    )


def key_binding(key_id: str) -> x509.UnrecognizedExtension:
    """Return the extension that binds a certificate to a message key."""
    if len(key_id) != _THUMBPRINT_CHARACTERS or not key_id.isascii():
        raise InputError(f"{key_id!r} is no RFC 7638 thumbprint")
    value = bytes([_UTF8_STRING, len(key_id)]) + key_id.encode()
    return x509.UnrecognizedExtension(KEY_BINDING, value)


def peer_identity(der: bytes) -> PeerIdentity:
    """Return who a leaf is of; its chain is not looked at, that is TLS's part.

    Raises RefusedError IDENTITY_MISMATCH unless subject, DNS name and URI are exactly those of one
    controller, and a message key is bound.
    """
    try:
        return _peer_identity(x509.load_der_x509_certificate(der))
    except (ValueError, InputError, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        detail = "the certificate does not name a controller in our form"
        raise RefusedError(Refusal.IDENTITY_MISMATCH, detail) from error


def _peer_identity(certificate: x509.Certificate) -> PeerIdentity:
    controller_id, role, region = _placed(certificate.subject)
    extensions = certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    wanted = alternative_names(controller_id, role, region)
    named = [name for name in names if not isinstance(name, x509.IPAddress)]
    if named != list(wanted):
        raise ValueError("other alternative names than the subject's")
    if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise ValueError("the certificate of an authority, not of a controller")
    return PeerIdentity(
        controller_id=controller_id,
        role=role,
        region=region,
        key_id=_bound_key(extensions),
        certificate_sha256=certificate.fingerprint(SHA256()).hex(),
        not_after=certificate.not_valid_after_utc,
    )


def _placed(name: x509.Name) -> tuple[str, Role, str | None]:
    """Return what a subject says, if it is exactly as we write it."""
    values = [str(attribute.value) for attribute in name]
    if len(values) != _PARTS:
        raise ValueError("not four parts")
    _, unit, role_text, controller_id = values
    role, region = Role(role_text), None if unit == GLOBAL else unit
    if name != subject(controller_id, role, region):
        raise ValueError("parts in another order or of another kind")
    return controller_id, role, region


def _bound_key(extensions: x509.Extensions) -> str:
    value = extensions.get_extension_for_oid(KEY_BINDING).value
    if not isinstance(value, x509.UnrecognizedExtension):
        raise ValueError("no key bound")  # noqa: TRY004 - the content is wrong, not the caller's type
    key_id = value.value[2:].decode("ascii")
    if key_binding(key_id).value != value.value:
        raise ValueError("no key bound in our form")
    return key_id


def _attributes(unit: str, kind: str) -> list[x509.NameAttribute[str]]:
    return [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, kind),
    ]


def _name(unit: str, kind: str, common_name: str) -> x509.Name:
    return x509.Name(
        [*_attributes(unit, kind), x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    )
