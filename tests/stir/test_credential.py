"""Chains: from PEM to Credential (facts A6.2, A6.5; RFC 5280 §6.1)."""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
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
OTHER_KEY = PKI.authority()  # the name of MIDDLE
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
    "a certificate twice": lambda: judge(UNDER_MIDDLE.pem, UNDER_MIDDLE.pem, MIDDLE.pem, MIDDLE.pem),
    "an unrelated leaf behind": lambda: judge(LEAF.pem, ROGUE.leaf().pem),
    "another key of the issuer's name first": lambda: judge(UNDER_MIDDLE.pem, OTHER_KEY.pem, MIDDLE.pem),
    "DER": lambda: judge(LEAF.certificate.public_bytes(Encoding.DER)),
    "line ends of two octets": lambda: judge(LEAF.pem.replace(b"\n", b"\r\n")),
    "text around the certificates": lambda: judge(b"Subject: x\n", LEAF.pem, b"\n# the end\n"),
    "an anchor of the same name beside": lambda: judge(
        LEAF.pem, anchors=Anchors([ROGUE.root.certificate, PKI.root.certificate])
    ),
    "pathLen 0 over a leaf": lambda: judge(PKI.leaf(issuer=(tight := PKI.authority(path_length=0))).pem, tight.pem),
    "anchor on P-384": lambda: p384(),
    "intermediate on P-384": lambda: judge(
        PKI.leaf(issuer=(upper := authority(ec.generate_private_key(ec.SECP384R1())))).pem, upper.pem
    ),
}


def authority(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> pki.Holder:
    """An intermediate with this key."""
    return PKI.issue(PKI.root, pki.name("Odd SHAKEN CA"), key, pki.authority_extensions(), PKI.now - DAY, 30)


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


def test_an_anchor_may_have_an_rsa_key() -> None:
    found = judge(PKI.leaf(issuer=OLD_FASHIONED).pem, anchors=Anchors([OLD_FASHIONED.certificate]))
    assert "authority_key" in found.warnings


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
OLD = PKI.authority("Old SHAKEN CA", opens=PKI.now - 90 * DAY, days=30)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
MALFORMED = pki.constrained(b"\x30\x00")

OLD_FASHIONED = PKI.issue(
    None,
    pki.name("RSA SHAKEN ROOT"),
    rsa.generate_private_key(65537, 2048),
    pki.authority_extensions(),
    PKI.now - DAY,
    9,
)


def sha1() -> bytes:
    """A leaf whose signature rests on SHA-1. Nothing signs one any more, so the algorithm is exchanged in its DER."""
    whole = PKI.leaf(issuer=OLD_FASHIONED).certificate.public_bytes(Encoding.DER)
    sha256_rsa, sha1_rsa = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    return whole.replace(sha256_rsa, sha1_rsa)


def foreign(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    """A chain whose leaf another key of the same kind signed: were that asked, it would be `chain_signature`."""
    above = authority(key)
    if isinstance(key, rsa.RSAPrivateKey):
        other = pki.Holder(above.certificate, rsa.generate_private_key(65537, 2048))
    else:
        other = pki.Holder(above.certificate, ec.generate_private_key(key.curve))
    return PKI.leaf(issuer=other).pem + above.pem


def big() -> pki.Holder:
    """A leaf with a name of 2 KiB."""
    parts = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, "x" * 60)] * 30)
    return PKI.issue(PKI.root, parts, pki.new_key(), LEAF_EXTENSIONS, PKI.now - DAY, 30)


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
    "an authority between with an RSA key": (
        lambda: judge(foreign(rsa.generate_private_key(65537, 4096))),
        "key_unsupported",
    ),
    "an authority between on P-521": (
        lambda: judge(foreign(ec.generate_private_key(ec.SECP521R1()))),
        "key_unsupported",
    ),
    "an authority between on another curve": (
        lambda: judge(foreign(ec.generate_private_key(ec.BrainpoolP512R1()))),
        "key_unsupported",
    ),
    "large names": (lambda: judge(*[big().pem for _ in range(4)]), "pem_too_large"),
    "unknown critical extension": (
        lambda: judge(PKI.leaf(extensions=[*LEAF_EXTENSIONS, (UNKNOWN, True)]).pem),
        "extension_unsupported",
    ),
    "constraints malformed": (
        lambda: judge(PKI.leaf(extensions=[*LEAF_EXTENSIONS, MALFORMED]).pem),
        "constraints_malformed",
    ),
    "KeyUsage without digitalSignature": (
        lambda: judge(
            PKI.leaf(extensions=[*without(LEAF_EXTENSIONS, x509.KeyUsage), (pki.usage(key_agreement=True), True)]).pem
        ),
        "key_unsupported",
    ),
    "TNAuthList by reference alone": (
        lambda: judge(PKI.leaf(extensions=[*pki.leaf_extensions(None), pki.by_reference()]).pem),
        "tnauthlist_by_reference",
    ),
    "signed with SHA-1": (lambda: judge(sha1(), anchors=Anchors([OLD_FASHIONED.certificate])), "chain_signature"),
    "DER of garbage": (lambda: judge(b"\x30\x03\x02\x01\x01"), "pem_malformed"),
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
    "KeyUsage with more than digitalSignature": (
        [*without(LEAF_EXTENSIONS, KEY_USAGE), (pki.usage(digital_signature=True, key_agreement=True), True)],
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
    "CRL by LDAP": (
        [
            *without(LEAF_EXTENSIONS, x509.CRLDistributionPoints),
            (
                x509.CRLDistributionPoints(
                    [x509.DistributionPoint([x509.UniformResourceIdentifier("ldap://example.com")], None, None, None)]
                ),
                False,
            ),
        ],
        ("crl_points",),
    ),
    "another policy": (
        [
            *without(LEAF_EXTENSIONS, x509.CertificatePolicies),
            (
                x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.3.6.1.4.1.99999"), None)]),
                False,
            ),
        ],
        ("policies_foreign",),
    ),
    "SPC in small letters": (pki.leaf_extensions(pki.tnauthlist(["709j"])), ("subject_name", "spc_format")),
    "SPC without its tag": (pki.leaf_extensions(pki.tnauthlist(["709J"], tagged=False)), ("spc_untagged",)),
    "SPC in UTF8": (pki.leaf_extensions(pki.tnauthlist(["709J"], string=pki.UTF8)), ("tnauthlist_string",)),
    "TNAuthList here and elsewhere": (
        [*LEAF_EXTENSIONS, pki.by_reference()],
        ("extension_unexpected", "tnauthlist_reference"),
    ),
    "constraints": (
        [*LEAF_EXTENSIONS, pki.constrained(pki.claim_constraints(["attest"]))],
        ("extension_unexpected",),
    ),
    "constraints of both kinds": (
        [
            *LEAF_EXTENSIONS,
            pki.constrained(pki.claim_constraints(["attest"])),
            pki.constrained(pki.claim_constraints(excluded=["rcd"]), enhanced=True),
        ],
        ("extension_unexpected", "constraints_both"),
    ),
    "constraints that exclude the caller": (
        [*LEAF_EXTENSIONS, pki.constrained(pki.claim_constraints(excluded=["orig"]), enhanced=True)],
        ("extension_unexpected", "constraints_ignored"),
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


# ------------------------------------------------------------------------------------------ delegates (RFC 9060)

PROVIDER = PKI.provider("709J")
RANGE = pki.tnauthlist(ranges=[("12025550100", 50)])
DELEGATE = PKI.delegate(PROVIDER, RANGE)
RESELLER = PKI.delegate(PROVIDER, RANGE, ca=True, organisation="Example Reseller")
BELOW_RESELLER = PKI.delegate(RESELLER, pki.tnauthlist(ones=["12025550120"]))


def test_a_delegate_signs_for_its_numbers_under_its_provider() -> None:
    found = judge(DELEGATE.pem, PROVIDER.pem)
    assert (found.delegate, found.provider, found.provider_spc) == (True, "Example Voice", ("709J",))
    assert (found.organisation, found.spc, found.warnings) == ("Example Bakery", (), ())
    assert found.authority.covers("12025550149")
    assert not found.authority.covers("12025550150")
    assert len(found.marks) == 3
    plain = judge(LEAF.pem)
    assert (plain.delegate, plain.provider, plain.provider_spc) == (False, "", ())


def test_delegates_delegate_and_the_provider_answers_for_all() -> None:
    found = judge(BELOW_RESELLER.pem, RESELLER.pem, PROVIDER.pem, PKI.root.pem)
    assert (found.delegate, found.provider, found.provider_spc) == (True, "Example Voice", ("709J",))
    assert found.authority.ranges == (("12025550120", 1),)


def test_the_anchor_may_be_the_provider() -> None:
    found = judge(DELEGATE.pem, anchors=Anchors([PROVIDER.certificate]))
    assert (found.delegate, found.provider) == (True, "Example Voice")


def test_limits_on_claims_of_the_whole_path_are_kept() -> None:
    of_provider = pki.constrained(pki.claim_constraints(excluded=["rcd"]), enhanced=True)
    of_delegate = pki.constrained(pki.claim_constraints(values={"attest": ["B"]}))
    provider = PKI.provider(extensions=[of_provider])
    found = judge(PKI.delegate(provider, RANGE, extensions=[of_delegate]).pem, provider.pem)
    assert [(one.required, one.values, one.excluded) for one in found.constraints] == [
        ((), (("attest", ("B",)),), ()),
        ((), (), ("rcd",)),
    ]


def with_other_aki() -> bytes:
    """A delegate whose AKI names another key than the one that signed it."""
    whole = DELEGATE.certificate.public_bytes(Encoding.DER)
    ski = x509.SubjectKeyIdentifier.from_public_key(PROVIDER.key.public_key()).digest
    changed = x509.load_der_x509_certificate(whole.replace(ski, bytes(len(ski))))
    return signed_again(changed)


def signed_again(certificate: x509.Certificate) -> bytes:
    """The same certificate with a signature of PROVIDER over what it says now."""
    builder = x509.CertificateBuilder(
        certificate.issuer,
        certificate.subject,
        certificate.public_key(),
        certificate.serial_number,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        list(certificate.extensions),
    )
    return builder.sign(PROVIDER.key, SHA256()).public_bytes(Encoding.PEM)


REFERRING = PKI.authority("Referring", extensions=[*pki.authority_extensions(), pki.by_reference()])
NARROW = PKI.provider(authority=RANGE)
REFUSED: dict[str, tuple[Callable[[], Credential], str]] = {
    "numbers beyond the parent's": (
        lambda: judge(PKI.delegate(NARROW, pki.tnauthlist(ones=["12025550150"])).pem, NARROW.pem),
        "delegate_scope",
    ),
    "a code that the parent has not": (
        lambda: judge(PKI.delegate(PROVIDER, pki.tnauthlist(["818H"])).pem, PROVIDER.pem),
        "delegate_scope",
    ),
    "a code under numbers": (lambda: judge(PKI.delegate(NARROW, AUTHORITY).pem, NARROW.pem), "delegate_scope"),
    "numbers beyond those of a reseller": (
        lambda: judge(PKI.delegate(RESELLER, AUTHORITY).pem, RESELLER.pem, PROVIDER.pem),
        "delegate_scope",
    ),
    "an authority without a list between": (
        lambda: judge(PKI.leaf(issuer=(plain := PKI.authority(issuer=PROVIDER))).pem, plain.pem, PROVIDER.pem),
        "delegate_scope",
    ),
    "the key of another": (lambda: judge(with_other_aki(), PROVIDER.pem), "delegate_key_id"),
    "a parent that is no authority": (
        lambda: judge(PKI.delegate(LEAF, RANGE).pem, LEAF.pem),
        "chain_constraints",
    ),
    "a parent with a path of none over a reseller": (
        lambda: judge(
            PKI.delegate((middle := PKI.delegate((tight := PKI.provider(path_length=0)), RANGE, ca=True)), RANGE).pem,
            middle.pem,
            tight.pem,
        ),
        "chain_constraints",
    ),
    "no anchor": (lambda: judge(DELEGATE.pem, PROVIDER.pem, anchors=NO_ANCHORS), "chain_untrusted"),
    "the parent absent": (lambda: judge(DELEGATE.pem), "chain_untrusted"),
    "an expired parent": (
        lambda: judge(PKI.delegate((old := PKI.provider(opens=PKI.now - 9 * DAY, days=3)), RANGE).pem, old.pem),
        "certificate_expired",
    ),
    "a parent whose list lies elsewhere": (
        lambda: judge(PKI.delegate(REFERRING, RANGE).pem, REFERRING.pem),
        "tnauthlist_by_reference",
    ),
}


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_delegate_that_is_none_is_refused_with_437(make: Callable[[], Credential], reason: str) -> None:
    with pytest.raises(UnsupportedCredential) as raised:
        make()
    assert (raised.value.reason, raised.value.status) == (reason, 437)
