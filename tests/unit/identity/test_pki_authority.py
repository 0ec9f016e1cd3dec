"""What authorities issue, to whom they refuse it, and what stands in it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.errors import InputError, OperationError, Refusal, RefusedError
from pdsno.domain.identifiers import Role, controller_id
from pdsno.identity.pki.authority import IssuedCertificate, Lifetimes
from pdsno.identity.pki.names import (
    alternative_names,
    key_binding,
    peer_identity,
    subject,
    subject_text,
)
from pdsno.identity.pki.renewal import (
    AUTHORITY_FRACTION,
    LEAF_FRACTION,
    Standing,
    renewal_due_at,
    standing,
)
from pdsno.identity.pki.requests import make_request, new_key
from pdsno.identity.pki.roots import check_roots, fingerprints
from tests.pki import Pki, make_pki, now_utc
from tests.unit.identity.forgery import KEY_ID

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def leaf_args(**changes: object) -> Mapping[str, Any]:
    return {
        "controller_id": "local_cntl_zone-A_7",
        "role": Role.LOCAL,
        "region": "zone-A",
        "key_id": KEY_ID,
        "now": now_utc(),
        **changes,
    }


def leaf_of(issued: IssuedCertificate) -> x509.Certificate:
    return x509.load_pem_x509_certificates(issued.chain_pem.encode())[0]


def addresses_of(issued: IssuedCertificate) -> list[str]:
    names = leaf_of(issued).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(ip) for ip in names.get_values_for_type(x509.IPAddress)]


def test_what_was_issued_is_read_back(pki: Pki) -> None:
    issued = pki.regional_authority.issue_leaf(make_request(new_key()), **leaf_args())
    peer = peer_identity(leaf_of(issued).public_bytes(Encoding.DER))
    assert (peer.controller_id, peer.role, peer.region, peer.key_id) == (
        "local_cntl_zone-A_7",
        Role.LOCAL,
        "zone-A",
        KEY_ID,
    )
    assert (peer.certificate_sha256, peer.not_after) == (issued.sha256, issued.not_after)
    assert issued.sha256 == fingerprints(issued.chain_pem)[0]
    assert len(fingerprints(issued.chain_pem)) == 3
    assert pki.root_sha256 not in fingerprints(issued.chain_pem)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"role": Role.REGIONAL}, Refusal.NOT_ALLOWED),
        ({"role": Role.GLOBAL, "region": None}, Refusal.NOT_ALLOWED),
        ({"role": Role.BROKER}, Refusal.NOT_ALLOWED),
        ({"region": "zone-B"}, Refusal.WRONG_REGION),
        ({"region": "ZONE-A"}, Refusal.WRONG_REGION),
        ({"region": None}, Refusal.WRONG_REGION),
    ],
)
def test_a_regional_authority_is_for_its_own_local_controllers(
    pki: Pki, changes: Mapping[str, object], reason: Refusal
) -> None:
    request = make_request(new_key())
    with pytest.raises(RefusedError) as caught:
        pki.regional_authority.issue_leaf(request, **leaf_args(**changes))
    assert caught.value.reason is reason
    pki.regional_authority.issue_leaf(request, **leaf_args())


def test_a_regional_authority_makes_no_other(pki: Pki) -> None:
    args = {**leaf_args(controller_id="regional_cntl_zone-A_2")}
    del args["role"]
    request = make_request(new_key())
    with pytest.raises(RefusedError, match="NOT_ALLOWED"):
        pki.regional_authority.issue_regional_authority(request, **args)
    pki.global_authority.issue_regional_authority(request, **args)


@pytest.mark.parametrize(
    "changes",
    [
        {"role": Role.GLOBAL, "region": "zone-A"},
        {"role": Role.REGIONAL, "region": None},
        {"role": Role.LOCAL, "region": "global"},
        {"region": "zone.A"},
        {"region": "zone-A,OU=global"},
        {"controller_id": "x,OU=global"},
        {"controller_id": "x" * 64},
        {"controller_id": ""},
        {"key_id": "short"},
        {"key_id": "\u00e9" * 43},
    ],
)
def test_no_authority_writes_names_that_cannot_be(pki: Pki, changes: Mapping[str, object]) -> None:
    with pytest.raises(InputError):
        pki.global_authority.issue_leaf(make_request(new_key()), **leaf_args(**changes))


def test_each_authority_is_limited_in_itself(pki: Pki) -> None:
    """Each limit on its own: at a handshake, the global one's would hide a missing regional one."""
    lengths = {}
    for authority in (pki.global_authority, pki.regional_authority):
        own = x509.load_pem_x509_certificates(authority.chain_pem.encode())[0]
        basic = own.extensions.get_extension_for_class(x509.BasicConstraints)
        assert basic.critical
        lengths[authority.region] = basic.value.path_length
    assert lengths == {None: 1, "zone-A": 0}
    assert own.extensions.get_extension_for_class(x509.NameConstraints).critical


def test_addresses_are_named_only_where_tls_would_accept_them(pki: Pki) -> None:
    addresses = ("10.1.2.3", "2001:db8::1", "10.1.2.3")
    request = make_request(new_key())
    broad = pki.global_authority.issue_leaf(
        request,
        **leaf_args(role=Role.BROKER, controller_id="broker_cntl_zone-A_1", addresses=addresses),
    )
    assert addresses_of(broad) == ["10.1.2.3", "2001:db8::1"]
    narrow = pki.regional_authority.issue_leaf(request, **leaf_args(addresses=addresses))
    assert addresses_of(narrow) == []


def test_nothing_outlives_its_issuer(pki: Pki) -> None:
    late = pki.regional_authority.not_after - DAY
    issued = pki.regional_authority.issue_leaf(make_request(new_key()), **leaf_args(now=late))
    assert issued.not_after == pki.regional_authority.not_after
    assert pki.regional_authority.not_after <= pki.global_authority.not_after
    usual = pki.regional_authority.issue_leaf(make_request(new_key()), **leaf_args())
    assert usual.not_after - usual.not_before == 7 * DAY + timedelta(minutes=5)


def test_an_authority_that_is_not_in_force_issues_nothing(pki: Pki) -> None:
    authority = pki.regional_authority
    for now in (authority.not_after, authority.not_before - DAY):
        assert not authority.is_in_force(now)
        with pytest.raises(OperationError, match="check the clock"):
            authority.issue_leaf(make_request(new_key()), **leaf_args(now=now))


def test_short_lives_begin_only_a_little_earlier(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Else half of a life of 20 s would be over before it began."""
    lifetimes = Lifetimes(regional_authority=timedelta(seconds=60), leaf=timedelta(seconds=20))
    now = now_utc()
    short = make_pki(tmp_path_factory.mktemp("short"), lifetimes=lifetimes, now=now)
    due = short.lc.tls.renewal_due_at(-1)
    assert timedelta(seconds=3) < due - now < timedelta(seconds=12)
    assert short.lc.tls.not_after - now > timedelta(seconds=18)


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (
            ("local_cntl_zone-A_1", Role.LOCAL, "zone-A"),
            "CN=local_cntl_zone-A_1,OU=local,OU=zone-A,O=pdsno",
        ),
        (
            ("regional_cntl_zone-A_1", Role.REGIONAL, "zone-A"),
            "CN=regional_cntl_zone-A_1,OU=regional,OU=zone-A,O=pdsno",
        ),
        (("global_cntl_1", Role.GLOBAL, None), "CN=global_cntl_1,OU=global,OU=global,O=pdsno"),
        (
            ("broker_cntl_global_1", Role.BROKER, None),
            "CN=broker_cntl_global_1,OU=broker,OU=global,O=pdsno",
        ),
        (
            ("broker_cntl_zone-A_1", Role.BROKER, "zone-A"),
            "CN=broker_cntl_zone-A_1,OU=broker,OU=zone-A,O=pdsno",
        ),
    ],
)
def test_the_subjects_text_is_the_user_name_at_the_broker(
    place: tuple[str, Role, str | None], text: str
) -> None:
    assert subject_text(*place) == text


def test_alternative_names_are_a_dns_name_a_spiffe_id_and_addresses() -> None:
    names = alternative_names("local_cntl_zone-A_1", Role.LOCAL, "zone-A", ["192.0.2.1"])
    assert [str(name.value) for name in names] == [
        "local-cntl-zone-a-1.zone-a.pdsno.internal",
        "spiffe://zone-a.pdsno.internal/local/local_cntl_zone-A_1",
        "192.0.2.1",
    ]


REGIONS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?", fullmatch=True).filter(
    lambda name: name.isascii() and name.casefold() not in {"global", "system"}
)


@given(REGIONS, st.sampled_from([Role.REGIONAL, Role.LOCAL, Role.BROKER]), st.integers(1, 10**9))
def test_every_id_that_is_given_out_fits_and_needs_no_escaping(
    region: str, role: Role, number: int
) -> None:
    given_id = controller_id(role, region, number)
    assert (
        subject_text(given_id, role, region) == f"CN={given_id},OU={role.value},OU={region},O=pdsno"
    )
    assert subject(given_id, role, region) != subject(given_id, role, f"{region[:31]}0")


def test_the_bound_key_is_a_der_string() -> None:
    extension = key_binding(KEY_ID)
    assert extension.value == b"\x0c\x2b" + KEY_ID.encode()


@pytest.mark.parametrize("der", [b"", b"garbage", b"0\x80", bytes(100_000)])
def test_what_is_no_certificate_names_nobody(der: bytes) -> None:
    with pytest.raises(RefusedError, match="IDENTITY_MISMATCH"):
        peer_identity(der)


# --- roots -----------------------------------------------------------------------------------


def test_only_the_root_that_the_token_names_is_taken(pki: Pki, tmp_path_factory: Any) -> None:  # noqa: ANN401
    other = make_pki(tmp_path_factory.mktemp("other"))
    bundle = other.roots_pem + pki.roots_pem
    assert check_roots(bundle.encode(), pki.root_sha256) == pki.roots_pem
    assert check_roots(bundle, pki.root_sha256.upper()) == pki.roots_pem
    for wrong in ("", "0" * 64, pki.root_sha256[:-1], pki.gc.tls.certificate_sha256, "\u00e9"):
        with pytest.raises(RefusedError, match="CHANNEL_MISMATCH"):
            check_roots(bundle, wrong)


@pytest.mark.parametrize(
    "bundle", [b"", b"garbage", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nAAAA\n", b"A" * 70_000]
)
def test_what_is_no_bundle_is_refused(bundle: bytes) -> None:
    with pytest.raises(OperationError, match="certificates"):
        check_roots(bundle, "0" * 64)


def test_a_bundle_of_very_many_is_refused(pki: Pki) -> None:
    with pytest.raises(OperationError, match="at most"):
        fingerprints(pki.roots_pem * 17)
    assert len(fingerprints(pki.roots_pem * 16)) == 16


# --- when ------------------------------------------------------------------------------------


def test_a_leaf_is_renewed_at_half_of_its_life_give_or_take_a_tenth() -> None:
    def after(jitter: float) -> timedelta:
        return renewal_due_at(BEGIN, BEGIN + 10 * DAY, jitter=jitter) - BEGIN

    assert after(0) == 5 * DAY
    assert after(-1) == 4 * DAY
    assert after(1) == 6 * DAY
    assert after(-50) == 4 * DAY
    assert after(50) == 6 * DAY


def test_an_authority_of_90_days_is_renewed_30_before_its_end() -> None:
    due = renewal_due_at(BEGIN, BEGIN + 90 * DAY, jitter=0, fraction=AUTHORITY_FRACTION)
    assert due - BEGIN == 60 * DAY


def test_a_certificate_is_late_only_when_its_latest_moment_has_passed() -> None:
    def at(days: float) -> Standing:
        now = BEGIN + days * DAY
        return standing(BEGIN, BEGIN + 10 * DAY, now=now, fraction=LEAF_FRACTION)

    assert at(-0.1) is Standing.NOT_YET_VALID
    assert at(0) is Standing.IN_FORCE
    assert at(5.9) is Standing.IN_FORCE
    assert at(6.1) is Standing.RENEWAL_DUE
    assert at(10) is Standing.EXPIRED
