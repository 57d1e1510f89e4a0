"""The indirect CRL: whose entries are whose, whose signature counts, and that nothing else is raised (RFC 5280 §5)."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from sipguard.stir.certificate import Anchors, read_chain, validate
from sipguard.stir.errors import TrustError
from sipguard.stir.revocation import NO_CRL, REMARKS, Crl, fell, mark, read_crl, require_newer, together
from tests import pki

PKI = pki.Pki()
NOW = PKI.now.timestamp()
STI_PA = PKI.administrator()
OTHER = PKI.administrator()  # the same name with another key
CA_1, CA_2 = PKI.authority("Example SHAKEN CA 1"), PKI.authority("Example SHAKEN CA 2")
NAME_1, NAME_2 = CA_1.certificate.subject, CA_2.certificate.subject
ISSUERS = (STI_PA.certificate,)


def read(der: bytes, at: float = NOW) -> Crl:
    """What STI_PA signed."""
    return read_crl(der, ISSUERS, at)


def why(der: bytes, issuers: tuple[x509.Certificate, ...] = ISSUERS) -> str:
    """The reason why a CRL is refused."""
    with pytest.raises(TrustError) as raised:
        read_crl(der, issuers, NOW)
    return raised.value.reason


def test_an_entry_without_an_issuer_has_that_of_the_entry_before() -> None:
    found = read(pki.crl(STI_PA, [(None, 1), (NAME_1, 2), (None, 3), (NAME_2, 4), (None, 5), (NAME_1, 6)]))
    own = STI_PA.certificate.subject
    entries = [(own, 1), (NAME_1, 2), (NAME_1, 3), (NAME_2, 4), (NAME_2, 5), (NAME_1, 6)]
    assert len(found) == len(entries)
    for issuer in (own, NAME_1, NAME_2):
        for serial in range(8):
            assert (mark(issuer, serial) in found) is ((issuer, serial) in entries)


def test_names_are_the_same_whatever_their_strings_are_made_of() -> None:
    def written(text: str, kind: x509.name._ASN1Type) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text, kind)])

    plain = written("Example SHAKEN CA", x509.name._ASN1Type.PrintableString)
    assert mark(plain, 7) == mark(written("example  shaken CA ", x509.name._ASN1Type.UTF8String), 7)
    assert mark(plain, 7) != mark(written("Example SHAKEN CA 2", x509.name._ASN1Type.UTF8String), 7)
    assert mark(plain, 7) != mark(plain, 8)


def test_every_certificate_of_a_path_can_be_revoked() -> None:
    leaf = PKI.leaf(issuer=CA_1)
    path = validate(read_chain(leaf.pem + CA_1.pem), Anchors([PKI.root.certificate]), NOW)
    for one in (leaf, CA_1, PKI.root):
        assert read(pki.crl(STI_PA, pki.revoked(one))).names_any(path.marks)
    assert not read(pki.crl(STI_PA, pki.revoked(PKI.leaf(issuer=CA_1), CA_2))).names_any(path.marks)


def test_it_says_its_number_and_times() -> None:
    issued = PKI.now.replace(microsecond=0) - timedelta(hours=1)
    found = read(pki.crl(STI_PA, issued=issued, number=4711, lasts=timedelta(hours=6)))
    assert (found.number, found.issued_at, found.next_at) == ("4711", NOW // 1 - 3600, NOW // 1 + 5 * 3600)
    assert found.deviations == () and len(found) == 0
    assert read(pki.crl(STI_PA, number=None, indirect=False)).deviations == ("not_indirect",)


PARTS = {
    "only_user_certs": x509.IssuingDistributionPoint(None, None, True, False, None, True, False),
    "only_authorities": x509.IssuingDistributionPoint(None, None, False, True, None, True, False),
    "only_some_reasons": x509.IssuingDistributionPoint(
        None, None, False, False, frozenset({x509.ReasonFlags.key_compromise}), True, False
    ),
}


@pytest.mark.parametrize("slug", PARTS)
def test_a_crl_that_covers_a_part_only_counts_and_says_so(slug: str) -> None:
    point: pki.Extension = (PARTS[slug], True)
    found = read(pki.crl(STI_PA, pki.revoked(CA_1), indirect=False, extensions=[point]))
    assert found.deviations == (slug,) and slug in REMARKS
    assert len(found) == 1


def test_pem_is_read_and_both_forms_can_be_sent_between_processes() -> None:
    der = pki.crl(STI_PA, pki.revoked(CA_1))
    pem = x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)
    sent = pickle.loads(pickle.dumps(read(pem)))
    assert sent.marks == read(der).marks and mark(CA_1.certificate.issuer, CA_1.certificate.serial_number) in sent


def test_one_that_is_too_old_is_read_and_one_of_tomorrow_is_not() -> None:
    old = pki.crl(STI_PA, pki.revoked(CA_1), issued=PKI.now - timedelta(days=9))
    assert read(old).next_at < NOW and len(read(old)) == 1
    assert why(pki.crl(STI_PA, issued=PKI.now + timedelta(days=1))) == "crl_not_yet_valid"


def test_an_old_one_is_not_taken_for_a_new_one() -> None:
    old = read(pki.crl(STI_PA, issued=PKI.now - timedelta(days=2)))
    new = read(pki.crl(STI_PA))
    require_newer(new, old)
    require_newer(new, new)
    with pytest.raises(TrustError, match="crl_older"):
        require_newer(old, new)


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.1"), b"\x05\x00")
ATTRIBUTES = x509.IssuingDistributionPoint(None, None, False, False, None, True, True)
REFUSED = {
    "another key of the same name": (pki.crl(OTHER), "crl_signature"),
    "another name": (pki.crl(PKI.root), "crl_issuer"),
    "a delta": (pki.crl(STI_PA, extensions=[(x509.DeltaCRLIndicator(1), True)]), "crl_delta"),
    "a critical extension": (pki.crl(STI_PA, extensions=[(UNKNOWN, True)]), "crl_extension"),
    "of attributes": (pki.crl(STI_PA, indirect=False, extensions=[(ATTRIBUTES, True)]), "crl_extension"),
    "an entry of nobody": (
        x509.CertificateRevocationListBuilder()
        .issuer_name(STI_PA.certificate.subject)
        .last_update(PKI.now)
        .next_update(PKI.now + pki.DAY)
        .add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(7)
            .revocation_date(PKI.now)
            .add_extension(x509.CertificateIssuer([x509.DNSName("ca.example")]), True)
            .build()
        )
        .sign(STI_PA.key, pki.hashes.SHA256())
        .public_bytes(Encoding.DER),
        "crl_entry_issuer",
    ),
    "a page": (b"<html>not here</html>", "crl_malformed"),
    "nothing": (b"", "crl_malformed"),
    "a certificate": (PKI.root.pem, "crl_malformed"),
    "too much": (bytes(33 * 1024 * 1024), "crl_too_large"),
}


@pytest.mark.parametrize(("octets", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_must_not_be_used_is_refused(octets: bytes, reason: str) -> None:
    assert why(octets) == reason


def test_an_unknown_extension_that_is_not_critical_is_passed_over() -> None:
    assert len(read(pki.crl(STI_PA, pki.revoked(CA_1), extensions=[(UNKNOWN, False)]))) == 1


def test_who_signs_must_be_valid_and_may_sign_crls() -> None:
    assert why(pki.crl(past := PKI.administrator(days=5)), (past.certificate,)) == "issuer_expired"
    signer = PKI.issue(None, pki.CRL_ISSUER, pki.new_key(), [(pki.usage(digital_signature=True), True)], PKI.now, 9)
    assert why(pki.crl(signer), (signer.certificate,)) == "issuer_usage"
    assert len(read_crl(pki.crl(STI_PA), (OTHER.certificate, STI_PA.certificate), NOW)) == 0


WHOLE = pki.crl(STI_PA, [(NAME_1, 2), (None, 3)])


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=6), st.integers(0, 6))
def test_whatever_comes_only_a_trust_error_is_raised(at: int, put: bytes, cut: int) -> None:
    changed = WHOLE[:at] + put + WHOLE[at + cut :]
    try:
        found = read(changed)
    except TrustError:
        return
    assert changed == WHOLE or found.marks == read(WHOLE).marks


@given(st.binary(max_size=200))
def test_random_octets_are_no_crl(octets: bytes) -> None:
    assert why(octets) == "crl_malformed"


def test_a_number_that_falls_is_told_by_the_numbers_alone() -> None:
    nine, ten = (read(pki.crl(STI_PA, number=number)) for number in (9, 10))
    assert fell(nine, ten)
    assert not fell(ten, nine)
    assert not fell(ten, ten)
    assert not fell(read(pki.crl(STI_PA, number=None)), ten)


def test_several_crls_are_one_that_is_as_old_as_the_oldest() -> None:
    early = NOW - 7200.0
    one = read(pki.crl(STI_PA, [(NAME_1, 1), (NAME_1, 2)], number=3))
    other = read(
        pki.crl(STI_PA, [(NAME_1, 2), (NAME_2, 9)], number=4, issued=PKI.now - timedelta(hours=2), indirect=False)
    )
    found = together([one, other])
    assert len(found) == 3 and all(mark(*each) in found for each in [(NAME_1, 1), (NAME_1, 2), (NAME_2, 9)])
    assert (found.number, int(found.issued_at), found.next_at) == ("3, 4", int(early), other.next_at)
    assert found.deviations == ("not_indirect",)
    assert together([one]) is one and together([]) is NO_CRL
