"""A stolen regional authority: which lies TLS refuses, and that the others give no rights.

The table of `docs/security.md`. Each forged certificate is tried both ways, against a server and
against a client; the honest certificate of the same forger is the positive control.
"""

import subprocess
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.peers import server_name
from pdsno.identity.pki.certificates import to_pem
from pdsno.identity.pki.names import peer_identity, subject_text
from pdsno.identity.pki.vault import AuthorityVault
from tests.pki import Pki, make_pki, now_utc
from tests.unit.identity.forgery import (
    GC_DNS,
    LC_DNS,
    RIGHT_NAMES,
    Stolen,
    Wish,
    as_client,
    as_server,
    forge,
    rdns,
    shake_hands,
    steal,
)

ZONE_B_URI = "spiffe://zone-b.pdsno.internal/local/local_cntl_zone-B_1"

REFUSED_BY_TLS = {
    "the global controller's place": Wish(subject=rdns("global", "global")),
    "another region": Wish(subject=rdns("zone-B", "local")),
    "a regional controller of its own region": Wish(subject=rdns("zone-A", "regional")),
    "a broker of its own region": Wish(subject=rdns("zone-A", "broker")),
    "an authority's name": Wish(subject=rdns("zone-A", "authority")),
    "another organization": Wish(subject=rdns("zone-A", "local", organization="other")),
    "no organization": Wish(subject=rdns("zone-A", "local", organization=None)),
    "units in another order": Wish(subject=rdns("local", "zone-A")),
    "a unit in front": Wish(subject=rdns("global", "zone-A", "local")),
    "the DNS name of another region": Wish(
        names=(x509.DNSName("local-cntl-zone-b-1.zone-b.pdsno.internal"), RIGHT_NAMES[1])
    ),
    "the global controller's DNS name": Wish(names=(x509.DNSName(GC_DNS), RIGHT_NAMES[1])),
    "the global controller's DNS name besides": Wish(names=(*RIGHT_NAMES, x509.DNSName(GC_DNS))),
    "the global controller's DNS name as the only one, in the common name": Wish(
        subject=rdns("zone-A", "local", common_name=GC_DNS), names=(RIGHT_NAMES[1],)
    ),
    "a public DNS name": Wish(names=(*RIGHT_NAMES, x509.DNSName("example.com"))),
    "the URI of another region": Wish(
        names=(RIGHT_NAMES[0], x509.UniformResourceIdentifier(ZONE_B_URI))
    ),
    "the URI of a region below its own": Wish(
        names=(
            RIGHT_NAMES[0],
            x509.UniformResourceIdentifier("spiffe://x.zone-a.pdsno.internal/local/x"),
        )
    ),
    "an IPv4 address, the operator API's": Wish(
        names=(*RIGHT_NAMES, x509.IPAddress(ip_address("192.0.2.1")))
    ),
    "an IPv6 address": Wish(names=(*RIGHT_NAMES, x509.IPAddress(ip_address("2001:db8::1")))),
    "a directory name besides": Wish(
        names=(*RIGHT_NAMES, x509.DirectoryName(rdns("global", "global")))
    ),
}

ACCEPTED_BY_TLS_ONLY = {
    "no subject": Wish(subject=x509.Name([]), has_critical_names=True),
    "no common name": Wish(subject=rdns("zone-A", "local", common_name=None)),
    "a unit behind": Wish(subject=rdns("zone-A", "local", "global")),
    "a common name that looks like more": Wish(
        subject=rdns("zone-A", "local", common_name="x,OU=global")
    ),
    "a wildcard": Wish(names=(x509.DNSName("*.zone-a.pdsno.internal"), RIGHT_NAMES[1])),
    "the regional controller's DNS name": Wish(
        names=(x509.DNSName("regional-cntl-zone-a-1.zone-a.pdsno.internal"), RIGHT_NAMES[1])
    ),
    "the regional controller's URI": Wish(
        names=(
            RIGHT_NAMES[0],
            x509.UniformResourceIdentifier(
                "spiffe://zone-a.pdsno.internal/regional/regional_cntl_zone-A_1"
            ),
        )
    ),
    "two DNS names": Wish(names=(*RIGHT_NAMES, x509.DNSName("b.zone-a.pdsno.internal"))),
    "an e-mail address": Wish(names=(*RIGHT_NAMES, x509.RFC822Name("root@example.com"))),
    "no key bound": Wish(key_id=None),
    "that it is an authority": Wish(is_authority=True),
}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def stolen(pki: Pki) -> Stolen:
    return steal(pki.directory / "rc" / "authority")


def tries(pki: Pki, forged: Stolen, name: str = LC_DNS) -> tuple[bool, bool]:
    """Tell whether a server lets it in, and whether a client believes it."""
    server = pki.rc.tls.server_context(requires_client=True)
    as_caller = shake_hands(
        server, as_client(forged, pki.roots_pem), server_name(pki.rc.controller_id, "zone-A")
    )
    as_listener = shake_hands(as_server(forged, pki.roots_pem), pki.rc.tls.client_context(), name)
    return as_caller.is_connected, as_listener.client_error is None


def openssl_accepts(pki: Pki, forged: Stolen, folder: Path) -> bool:
    """Ask the program, which other software (mosquitto) decides like."""
    leaf, between, roots = folder / "leaf.pem", folder / "between.pem", folder / "roots.pem"
    leaf.write_text(to_pem(forged.chain[0]))
    between.write_text(to_pem(*forged.chain[1:]))
    roots.write_text(pki.roots_pem)
    files = ["-CAfile", str(roots), "-untrusted", str(between), str(leaf)]
    said = subprocess.run(["openssl", "verify", *files], capture_output=True, check=False)
    return said.returncode == 0


def der(forged: Stolen) -> bytes:
    return forged.chain[0].public_bytes(Encoding.DER)


def test_an_honest_certificate_of_the_region_is_accepted(
    pki: Pki, stolen: Stolen, tmp_path: Path
) -> None:
    honest = forge(stolen, Wish())
    assert tries(pki, honest) == (True, True)
    assert openssl_accepts(pki, honest, tmp_path)
    peer = peer_identity(der(honest))
    assert (peer.controller_id, peer.role, peer.region) == (
        "local_cntl_zone-A_1",
        Role.LOCAL,
        "zone-A",
    )


@pytest.mark.attack(9)
@pytest.mark.parametrize("lie", REFUSED_BY_TLS)
def test_tls_refuses(pki: Pki, stolen: Stolen, tmp_path: Path, lie: str) -> None:
    forged = forge(stolen, REFUSED_BY_TLS[lie])
    name = GC_DNS if "DNS name" in lie and "global" in lie else LC_DNS
    assert tries(pki, forged, name) == (False, False)
    assert not openssl_accepts(pki, forged, tmp_path)


@pytest.mark.attack(9)
@pytest.mark.parametrize("lie", ACCEPTED_BY_TLS_ONLY)
def test_what_tls_cannot_refuse_names_nobody(pki: Pki, stolen: Stolen, lie: str) -> None:
    forged = forge(stolen, ACCEPTED_BY_TLS_ONLY[lie])
    assert tries(pki, forged)[0]
    with pytest.raises(RefusedError) as caught:
        peer_identity(der(forged))
    assert caught.value.reason is Refusal.IDENTITY_MISMATCH


@pytest.mark.attack(9)
def test_an_authority_below_the_regional_one_is_refused(
    pki: Pki, stolen: Stolen, tmp_path: Path
) -> None:
    below = forge(stolen, Wish(is_authority=True, uses=(), names=None))
    forged = forge(below, Wish())
    assert tries(pki, forged) == (False, False)
    assert not openssl_accepts(pki, forged, tmp_path)


@pytest.mark.attack(9)
def test_a_leaf_cannot_issue(pki: Pki, stolen: Stolen) -> None:
    forged = forge(forge(stolen, Wish()), Wish())
    assert tries(pki, forged) == (False, False)


def test_the_authoritys_own_certificate_is_no_controllers(pki: Pki, stolen: Stolen) -> None:
    assert tries(pki, stolen, "regional-cntl-zone-a-1.zone-a.pdsno.internal") == (False, False)
    with pytest.raises(RefusedError):
        peer_identity(der(stolen))


@pytest.mark.attack(9)
def test_the_global_controllers_name_within_the_region_stays_local(
    pki: Pki, stolen: Stolen
) -> None:
    """Name constraints cannot protect a common name: role and region do, and the whole subject."""
    wish = Wish(
        subject=rdns("zone-A", "local", common_name="global_cntl_1"),
        names=(
            x509.DNSName("global-cntl-1.zone-a.pdsno.internal"),
            x509.UniformResourceIdentifier("spiffe://zone-a.pdsno.internal/local/global_cntl_1"),
        ),
        key_id=pki.gc.key_id,
    )
    forged = forge(stolen, wish)
    assert tries(pki, forged, "global-cntl-1.zone-a.pdsno.internal") == (True, True)
    assert tries(pki, forged, GC_DNS) == (True, False)
    peer = peer_identity(der(forged))
    assert (peer.role, peer.region) == (Role.LOCAL, "zone-A")
    subject = forged.chain[0].subject.rfc4514_string()
    assert subject == "CN=global_cntl_1,OU=local,OU=zone-A,O=pdsno"
    assert subject != subject_text("global_cntl_1", Role.GLOBAL, None)


def test_the_regions_name_in_other_letters_is_another_region(pki: Pki, stolen: Stolen) -> None:
    """OpenSSL compares without case; the NIB, the broker and we do not."""
    forged = forge(stolen, Wish(subject=rdns("ZONE-a", "local")))
    assert tries(pki, forged) == (True, True)
    peer = peer_identity(der(forged))
    assert peer.region == "ZONE-a"
    assert peer.region != pki.rc.region


def test_another_local_controllers_name_is_only_given_with_its_key(
    pki: Pki, stolen: Stolen
) -> None:
    """A region can impersonate its own; that shows in the key, which the NIB knows better."""
    forged = forge(stolen, Wish())
    assert peer_identity(der(forged)).controller_id == pki.lc.controller_id
    assert peer_identity(der(forged)).key_id != pki.lc.key_id


def test_addresses_of_the_region_may_be_named_if_the_global_controller_said_so(
    pki: Pki, tmp_path: Path
) -> None:
    vault = AuthorityVault(tmp_path / "authority")
    issued = pki.global_authority.issue_regional_authority(
        vault.new_request(),
        controller_id=pki.rc.controller_id,
        region="zone-A",
        key_id=pki.rc.key_id,
        prefixes=("10.1.0.0/16",),
        now=now_utc(),
    )
    vault.accept(issued.chain_pem, pki.roots_pem)
    other = steal(tmp_path / "authority")
    for address, is_accepted in (("10.1.2.3", True), ("10.2.2.3", False), ("2001:db8::1", False)):
        named = (*RIGHT_NAMES, x509.IPAddress(ip_address(address)))
        forged = forge(other, replace(Wish(), names=named))
        assert tries(pki, forged) == (is_accepted, is_accepted)
