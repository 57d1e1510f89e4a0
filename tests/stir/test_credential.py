"""Chains: from PEM to Credential (facts A6.2, A6.5; RFC 5280 §6.1)."""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from sipguard.stir.credential import (
    CHAIN_LIMIT,
    NO_ANCHORS,
    PEM_LIMIT,
    Anchors,
    Credential,
    read_chain,
    validate,
)
from sipguard.stir.errors import UnsupportedCredential
from sipguard.stir.revocation import mark
from tests import pki

PKI = pki.Pki()
ROGUE = pki.Pki("Example SHAKEN ROOT")  # the same name, another key
NOW = PKI.now.timestamp()
DAY = timedelta(days=1)
ANCHORS = Anchors([PKI.root.certificate])
MIDDLE = PKI.authority()
LEAF = PKI.leaf()


def judge(*pems: bytes, anchors: Anchors = ANCHORS, unix_at: float = NOW) -> Credential:
    """The credential of these certificates in this order."""
    return validate(read_chain(b"".join(pems)), anchors, unix_at)


def test_a_leaf_under_an_anchor_becomes_a_credential() -> None:
    found = judge(LEAF.pem)
    assert found.spc == ("709J",)
    assert found.organisation == "Example Voice"
    assert found.subject == "CN=SHAKEN 709J,O=Example Voice,C=US"
    assert found.issuer == "CN=Example SHAKEN ROOT,O=Example STI-CA,C=US"
    assert found.sha256 == x509_print(LEAF.certificate)
    assert found.key == LEAF.key.public_key()
    assert found.warnings == ()
    assert found.not_after_at == LEAF.certificate.not_valid_after_utc.timestamp()


def test_a_credential_names_every_certificate_of_its_path() -> None:
    found = judge(UNDER_MIDDLE.pem, MIDDLE.pem)
    path = (UNDER_MIDDLE, MIDDLE, PKI.root)
    assert found.marks == tuple(mark(one.certificate.issuer, one.certificate.serial_number) for one in path)


def x509_print(certificate: x509.Certificate) -> str:
    """SHA-256 of the DER."""
    return sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


UNDER_MIDDLE = PKI.leaf(issuer=MIDDLE)
LOWER = PKI.authority("Example SHAKEN CA 2", MIDDLE)
UNDER_LOWER = PKI.leaf(issuer=LOWER)
# A re-issue: the same name and key as MIDDLE, expired.
REISSUED = PKI.issue(
    PKI.root, MIDDLE.certificate.subject, MIDDLE.key, pki.authority_extensions(), PKI.now - 90 * DAY, 30
)
SHORT_ROOT = PKI.issue(None, pki.name("Short SHAKEN ROOT"), pki.new_key(), pki.authority_extensions(), PKI.now - DAY, 5)
UNDER_SHORT = PKI.leaf(issuer=SHORT_ROOT)

TRUSTED: dict[str, Callable[[], Credential]] = {
    "root absent": lambda: judge(UNDER_MIDDLE.pem, MIDDLE.pem),
    "root present": lambda: judge(UNDER_MIDDLE.pem, MIDDLE.pem, PKI.root.pem),
    "leaf alone under an intermediate anchor": lambda: judge(UNDER_MIDDLE.pem, anchors=Anchors([MIDDLE.certificate])),
    "two intermediates": lambda: judge(UNDER_LOWER.pem, LOWER.pem, MIDDLE.pem),
    "intermediates in the wrong order": lambda: judge(UNDER_LOWER.pem, MIDDLE.pem, LOWER.pem),
    "an unrelated certificate beside": lambda: judge(UNDER_MIDDLE.pem, ROGUE.root.pem, MIDDLE.pem),
    "an expired re-issue beside": lambda: judge(UNDER_MIDDLE.pem, REISSUED.pem, MIDDLE.pem),
    "text around the certificates": lambda: judge(b"Subject: x\n", LEAF.pem, b"\n# the end\n"),
    "an anchor of the same name beside": lambda: judge(
        LEAF.pem, anchors=Anchors([ROGUE.root.certificate, PKI.root.certificate])
    ),
    "pathLen 0 over a leaf": lambda: judge(PKI.leaf(issuer=(tight := PKI.authority(path_length=0))).pem, tight.pem),
    "anchor on P-384": lambda: p384(),
}


def p384() -> Credential:
    """A leaf under a root with another curve."""
    root = PKI.issue(
        None,
        pki.name("P-384 SHAKEN ROOT"),
        ec.generate_private_key(ec.SECP384R1()),
        pki.authority_extensions(),
        PKI.now - DAY,
        30,
    )
    return judge(PKI.leaf(issuer=root).pem, anchors=Anchors([root.certificate]))


@pytest.mark.parametrize("make", TRUSTED.values(), ids=TRUSTED)
def test_a_chain_to_an_anchor_is_trusted_in_any_order(make: Callable[[], Credential]) -> None:
    assert make().warnings == ()


def test_the_leaf_may_stand_last_with_a_warning() -> None:
    assert judge(MIDDLE.pem, UNDER_MIDDLE.pem).warnings == ("chain_order",)


def test_the_validity_is_the_tightest_of_the_chain() -> None:
    found = judge(UNDER_SHORT.pem, anchors=Anchors([SHORT_ROOT.certificate]))
    root = SHORT_ROOT.certificate
    assert found.not_after_at == root.not_valid_after_utc.timestamp()
    assert found.not_before_at == root.not_valid_before_utc.timestamp()


def without(extensions: list[pki.Extension], kind: type[x509.ExtensionType]) -> list[pki.Extension]:
    """All but the extensions of one type."""
    return [one for one in extensions if not isinstance(one[0], kind)]


AUTHORITY = pki.tnauthlist(["709J"])
LEAF_EXTENSIONS = pki.leaf_extensions(AUTHORITY)
CONSTRAINED = PKI.authority("Constrained SHAKEN CA", path_length=0)
BELOW = PKI.authority("Too low SHAKEN CA", CONSTRAINED)
NO_CA = PKI.authority("No CA", extensions=pki.leaf_extensions(None))
NO_BC = PKI.authority("No BC", extensions=[(pki.usage(key_cert_sign=True), True)])
NO_SIGN = PKI.authority(
    "No sign", extensions=[(x509.BasicConstraints(True, None), True), (pki.usage(crl_sign=True), True)]
)
DELEGATING = PKI.authority(
    "Delegating",
    extensions=[*pki.authority_extensions(), (x509.UnrecognizedExtension(pki.TNAUTHLIST, AUTHORITY), False)],
)
OLD = PKI.authority("Old SHAKEN CA", opens=PKI.now - 90 * DAY, days=30)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
CONSTRAINTS = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.27"), b"\x30\x00")

UNTRUSTED: dict[str, tuple[Callable[[], Credential], str]] = {
    "no anchors": (lambda: judge(LEAF.pem, anchors=NO_ANCHORS), "chain_untrusted"),
    "another CA": (lambda: judge(pki.Pki("Other ROOT").leaf().pem), "chain_untrusted"),
    "another CA that brings its root": (
        lambda: judge((other := pki.Pki("Other ROOT")).leaf().pem, other.root.pem),
        "chain_untrusted",
    ),
    "another CA of the same name": (lambda: judge(ROGUE.leaf().pem), "chain_signature"),
    "intermediate absent": (lambda: judge(UNDER_MIDDLE.pem), "chain_untrusted"),
    "intermediate expired": (lambda: judge(PKI.leaf(issuer=OLD).pem, OLD.pem), "certificate_expired"),
    "leaf expired": (
        lambda: judge(LEAF.pem, unix_at=LEAF.certificate.not_valid_after_utc.timestamp() + 1),
        "certificate_expired",
    ),
    "leaf not valid yet": (
        lambda: judge(LEAF.pem, unix_at=LEAF.certificate.not_valid_before_utc.timestamp() - 1),
        "certificate_not_yet_valid",
    ),
    "anchor expired": (
        lambda: judge(UNDER_SHORT.pem, anchors=Anchors([SHORT_ROOT.certificate]), unix_at=NOW + 10 * 86400),
        "certificate_expired",
    ),
    "issuer is no CA": (lambda: judge(PKI.leaf(issuer=NO_CA).pem, NO_CA.pem), "chain_constraints"),
    "issuer is another leaf": (lambda: judge(PKI.leaf(issuer=LEAF).pem, LEAF.pem), "chain_constraints"),
    "issuer without BasicConstraints": (
        lambda: judge(PKI.leaf(issuer=NO_BC).pem, NO_BC.pem),
        "chain_constraints",
    ),
    "issuer may not sign certificates": (
        lambda: judge(PKI.leaf(issuer=NO_SIGN).pem, NO_SIGN.pem),
        "chain_constraints",
    ),
    "pathLen exceeded": (
        lambda: judge(PKI.leaf(issuer=BELOW).pem, BELOW.pem, CONSTRAINED.pem),
        "chain_constraints",
    ),
    "issuer with a scope": (
        lambda: judge(PKI.leaf(issuer=DELEGATING).pem, DELEGATING.pem),
        "delegate_unsupported",
    ),
    "leaf is the root": (lambda: judge(PKI.root.pem), "leaf_is_authority"),
    "no TNAuthList": (
        lambda: judge(PKI.leaf(extensions=pki.leaf_extensions(None)).pem),
        "tnauthlist_missing",
    ),
    "TNAuthList malformed": (
        lambda: judge(PKI.leaf(extensions=pki.leaf_extensions(b"\x30\x00")).pem),
        "tnauthlist_malformed",
    ),
    "key on P-384": (
        lambda: judge(PKI.leaf(key=ec.generate_private_key(ec.SECP384R1())).pem),
        "key_unsupported",
    ),
    "key RSA": (
        lambda: judge(PKI.leaf(key=rsa.generate_private_key(65537, 2048)).pem),
        "key_unsupported",
    ),
    "unknown critical extension": (
        lambda: judge(PKI.leaf(extensions=[*LEAF_EXTENSIONS, (UNKNOWN, True)]).pem),
        "extension_unsupported",
    ),
    "claim constraints": (
        lambda: judge(PKI.leaf(extensions=[*LEAF_EXTENSIONS, (CONSTRAINTS, False)]).pem),
        "extension_unsupported",
    ),
    "empty": (lambda: judge(b""), "pem_malformed"),
    "no PEM": (lambda: judge(b"<html>"), "pem_malformed"),
    "PEM of garbage": (
        lambda: judge(b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"),
        "pem_malformed",
    ),
    "PEM too large": (lambda: judge(LEAF.pem + b"\n" * PEM_LIMIT), "pem_too_large"),
    "too many certificates": (lambda: judge(*[LEAF.pem] * (CHAIN_LIMIT + 1)), "chain_too_long"),
}


@pytest.mark.parametrize(("make", "reason"), UNTRUSTED.values(), ids=UNTRUSTED)
def test_a_chain_that_does_not_hold_is_refused_with_437(make: Callable[[], Credential], reason: str) -> None:
    with pytest.raises(UnsupportedCredential) as raised:
        make()
    assert (raised.value.reason, raised.value.status) == (reason, 437)


def test_a_maze_of_cross_signatures_ends() -> None:
    subject = MIDDLE.certificate.subject
    signers = [pki.Holder(MIDDLE.certificate, pki.new_key()) for _ in range(2)]
    maze = [
        PKI.issue(signer, subject, signer.key, pki.authority_extensions(), PKI.now - n * DAY, 30)
        for n in range(1, 4)
        for signer in signers
    ]
    with pytest.raises(UnsupportedCredential) as raised:
        judge(PKI.leaf(issuer=signers[0]).pem, *(one.pem for one in maze))
    assert raised.value.reason == "chain_too_long"


KEY_USAGE = x509.KeyUsage
WARNED: dict[str, tuple[list[pki.Extension], tuple[str, ...]]] = {
    "no KeyUsage": (without(LEAF_EXTENSIONS, KEY_USAGE), ("key_usage_missing",)),
    "no BasicConstraints": (without(LEAF_EXTENSIONS, x509.BasicConstraints), ("basic_constraints_missing",)),
    "no policies": (without(LEAF_EXTENSIONS, x509.CertificatePolicies), ("policies_missing",)),
    "no CRL": (without(LEAF_EXTENSIONS, x509.CRLDistributionPoints), ("crl_missing",)),
    "KeyUsage without digitalSignature": (
        [*without(LEAF_EXTENSIONS, KEY_USAGE), (pki.usage(key_agreement=True), True)],
        ("key_usage",),
    ),
    "KeyUsage not critical": (
        [*without(LEAF_EXTENSIONS, KEY_USAGE), (pki.usage(digital_signature=True), False)],
        ("not_critical",),
    ),
    "further extension": ([*LEAF_EXTENSIONS, (UNKNOWN, False)], ("extension_unexpected",)),
    "CRL without its issuer": (
        [
            *without(LEAF_EXTENSIONS, x509.CRLDistributionPoints),
            (
                x509.CRLDistributionPoints(
                    [x509.DistributionPoint([x509.UniformResourceIdentifier(pki.CRL_URL)], None, None, None)]
                ),
                False,
            ),
        ],
        ("crl_issuer_missing",),
    ),
    "two SPCs": (pki.leaf_extensions(pki.tnauthlist(["709J", "1234"])), ("not_one_spc",)),
    "numbers alone": (pki.leaf_extensions(pki.tnauthlist(ones=["12025550101"])), ("not_one_spc",)),
}


@pytest.mark.parametrize(("extensions", "warnings"), WARNED.values(), ids=WARNED)
def test_deviations_from_the_profile_are_warnings(extensions: list[pki.Extension], warnings: tuple[str, ...]) -> None:
    assert judge(PKI.leaf(extensions=extensions).pem).warnings == warnings


def test_a_subject_that_is_not_the_profiles_is_a_warning() -> None:
    leaf = PKI.issue(PKI.root, pki.name("709J"), pki.new_key(), LEAF_EXTENSIONS, PKI.now - DAY, 30)
    assert judge(leaf.pem).warnings == ("subject_name",)
    bare = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "SHAKEN 709J")])
    found = judge(PKI.issue(PKI.root, bare, pki.new_key(), LEAF_EXTENSIONS, PKI.now - DAY, 30).pem)
    assert (found.warnings, found.organisation) == (("subject_incomplete",), "")


def test_anchors_know_their_content_by_revision() -> None:
    one, two = PKI.root.pem, MIDDLE.pem
    assert Anchors.read([one, two]).revision == Anchors.read([two + one]).revision
    assert Anchors.read([one]).revision != Anchors.read([one, two]).revision
    assert (len(Anchors.read([one, one, two])), len(NO_ANCHORS)) == (2, 0)
    assert PKI.root.certificate in Anchors.read([one])
    assert MIDDLE.certificate not in Anchors.read([one])


def test_an_anchor_file_that_is_none_is_refused() -> None:
    with pytest.raises(UnsupportedCredential) as raised:
        Anchors.read([PKI.root.pem, b"hello"])
    assert raised.value.reason == "pem_malformed"
