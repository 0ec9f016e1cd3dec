"""Who is at the other end of a TLS connection, by the certificate that it showed."""

from dataclasses import dataclass
from datetime import datetime

from pdsno.domain.identifiers import Role

TRUST_DOMAIN = "pdsno.internal"


@dataclass(frozen=True, kw_only=True, slots=True)
class PeerIdentity:
    """What a verified certificate says; rights come only from the NIB's record of the same key.

    `key_id` is the thumbprint of the Ed25519 key that the certificate is bound to, and
    `certificate_sha256` the hexadecimal digest of the whole certificate.
    """

    controller_id: str
    role: Role
    region: str | None
    key_id: str
    certificate_sha256: str
    not_after: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """The connection that a message came by: facts of the delivery, no part of what was signed.

    `peer` is None on a join listener and in embedding mode; `certificate_sha256` is of the
    certificate that the other end showed, empty without TLS; `address` is where it came from.
    """

    peer: PeerIdentity | None = None
    certificate_sha256: str = ""
    address: str = ""


def server_name(controller_id: str, region: str | None) -> str:
    """Return the DNS name in a controller's certificate, which clients expect there (SNI).

    Found by name, never by the address that it was reached by. Controllers and brokers without a
    region are in `global`, which no region is called.
    """
    host = controller_id.replace("_", "-")
    return f"{host}.{region or 'global'}.{TRUST_DOMAIN}".lower()


def subject_of(name: str, unit: str, region: str | None) -> str:
    """Return a certificate's subject as RFC 4514 text: the user name by which mosquitto knows it.

    Nothing in names, units and regions needs escaping there.
    """
    return f"CN={name},OU={unit},OU={region or 'global'},O=pdsno"


def subject_text(controller_id: str, role: Role, region: str | None) -> str:
    """Return the subject of a controller: `CN=local_cntl_zone-A_1,OU=local,OU=zone-A,O=pdsno`."""
    return subject_of(controller_id, role.value, region)
