"""Where a certificate leaves the SHAKEN profile without being wrong (ATIS-1000080, as facts A6.2 has it).

Enters: a path, or as much of it as is known. Leaves: slugs, kept as warnings with the credential and shown by
`sipguard certs inspect`. Must not: refuse; real certificates deviate and are trusted all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sipguard.stir import constraints, tnauthlist
from sipguard.stir.chain import Link
from sipguard.stir.extensions import (
    AKI,
    BASIC_CONSTRAINTS,
    CRL_POINTS,
    KEY_USAGE,
    POLICIES,
    SKI,
    Extensions,
)

LEAF: Final = "leaf"  # signs PASSporTs
DELEGATE: Final = "delegate"  # issued by a certificate with a scope of its own (RFC 9060 §4)
INTERMEDIATE: Final = "intermediate"
ROOT: Final = "root"  # names itself as its issuer
KINDS: Final = (LEAF, DELEGATE, INTERMEDIATE, ROOT)

DEVIATIONS: Final = {
    "aki_mismatch": "the authority key identifier is not the subject key identifier of the issuer",
    "aki_missing": "no authority key identifier",
    "authority_key": "an authority above has another key than P-256 or P-384",
    "basic_constraints_missing": "no BasicConstraints",
    "chain_order": "the signer does not stand first in its file",
    "constraints_both": "both kinds of constraints on claims (RFC 9118 §6); both are enforced",
    "constraints_ignored": "constraints that exclude iat, orig or dest, and so count as absent (RFC 9118 §3)",
    "constraints_on_authority": "constraints on claims in an authority's certificate (RFC 8226 §8); enforced below it",
    "crl_issuer_missing": "the CRL distribution point does not name the issuer of the CRL",
    "crl_missing": "no CRL distribution point",
    "crl_points": "more than one CRL distribution point, or one without an HTTP URL",
    "crl_unexpected": "a root with a CRL distribution point",
    "extension_unexpected": "an extension that the profile does not have",
    "key": "the key is not on P-256, or for an authority on P-384",
    "key_usage": "KeyUsage is not digitalSignature alone, or for an authority lacks keyCertSign",
    "key_usage_missing": "no KeyUsage",
    "not_critical": "BasicConstraints or KeyUsage is not critical",
    "not_one_spc": "the TNAuthList is not one service provider code alone; a delegate's may be otherwise",
    "policies_foreign": "no certificate policy of SHAKEN (2.16.840.1.114569.1.1)",
    "policies_missing": "no certificate policies",
    "serial_short": "a serial number shorter than 64 bits",
    "signature_algorithm": "not signed with ECDSA and SHA-256, SHA-384 or SHA-512",
    "ski_missing": "no subject key identifier",
    "spc_format": "the service provider code is not of digits and capital letters",
    "spc_untagged": "the service provider code lacks its tag in the TNAuthList (RFC 8226 §9)",
    "subject_incomplete": "the subject lacks C, O or CN",
    "subject_name": "CN is not `SHAKEN` and the code, or for authorities lacks SHAKEN, for roots SHAKEN and ROOT",
    "tnauthlist_missing": "a signer without TNAuthList",
    "tnauthlist_reference": "a TNAuthList lies elsewhere (RFC 8226 §10.1); it is not fetched",
    "tnauthlist_string": "a string in the TNAuthList is not an IA5String",
}

_PROFILE: Final = frozenset((tnauthlist.OID, SKI, KEY_USAGE, BASIC_CONSTRAINTS, CRL_POINTS, POLICIES, AKI))
_OF_DELEGATES: Final = frozenset((constraints.OID, constraints.ENHANCED_OID))
_MISSING: Final = (
    (SKI, "ski_missing"),
    (AKI, "aki_missing"),
    (KEY_USAGE, "key_usage_missing"),
    (BASIC_CONSTRAINTS, "basic_constraints_missing"),
    (CRL_POINTS, "crl_missing"),
    (POLICIES, "policies_missing"),
)
_NOT_IN_ROOTS: Final = (AKI, CRL_POINTS)
_POLICIES_OF_SHAKEN: Final = "2.16.840.1.114569.1.1."
_REQUIRED_NAMES: Final = frozenset((NameOID.COUNTRY_NAME, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME))
_SERIAL_BITS: Final = 56  # a random number of 64 bits has fewer once in 256 times
_EC_SIGNATURES: Final = "1.2.840.10045.4.3."  # ecdsa-with-SHA2, below it 1 to 4 (RFC 5758 §3.2)


def kind_of(link: Link, issuer: Link | None) -> str:
    """What a certificate is, as far as its issuer is known."""
    certificate = link.certificate
    if link.extensions.ca and certificate.subject == certificate.issuer:
        return ROOT
    if issuer is not None and issuer.extensions.scope is not None:
        return DELEGATE
    return INTERMEDIATE if link.extensions.ca else LEAF


def deviations(path: Sequence[Link]) -> tuple[str, ...]:
    """Slugs of all deviations of the first certificate of `path`, which may end below its anchor, in a fixed order."""
    link, issuer = path[0], path[1] if len(path) > 1 else None
    kind, extensions = kind_of(link, issuer), link.extensions
    found = [
        slug for oid, slug in _MISSING if oid not in extensions.by_oid and not (kind == ROOT and oid in _NOT_IN_ROOTS)
    ]
    found += _unexpected(kind, extensions)
    found += _usage(extensions)
    found += _subject(link, kind)
    found += _scope(kind, extensions)
    found += _crl(kind, extensions)
    found += _policies(extensions)
    found += _signature(link.certificate, extensions.ca)
    found += _constraints(extensions)
    if issuer is not None and extensions.aki and extensions.aki != issuer.extensions.ski:
        found.append("aki_mismatch")
    if any(not _is_usual(one.certificate, authority=True) for one in path[1:]):
        found.append("authority_key")
    return tuple(found)


def _unexpected(kind: str, extensions: Extensions) -> Iterator[str]:
    allowed = _PROFILE | _OF_DELEGATES if kind == DELEGATE else _PROFILE
    if not allowed.issuperset(extensions.by_oid):
        yield "extension_unexpected"
    for oid in (KEY_USAGE, BASIC_CONSTRAINTS):
        if oid in extensions.by_oid and not extensions.by_oid[oid].critical:
            yield "not_critical"
            return


def _usage(extensions: Extensions) -> Iterator[str]:
    usage = extensions.usage
    if usage is None:
        return
    others = (usage.content_commitment, usage.key_encipherment, usage.data_encipherment, usage.key_agreement)
    as_leaf = usage.digital_signature and not (usage.key_cert_sign or usage.crl_sign or any(others))
    if not (usage.key_cert_sign if extensions.ca else as_leaf):
        yield "key_usage"


def _subject(link: Link, kind: str) -> Iterator[str]:
    names: dict[x509.ObjectIdentifier, str] = {}
    for one in link.certificate.subject:
        names.setdefault(one.oid, str(one.value))
    if not names.keys() >= _REQUIRED_NAMES and kind != ROOT:
        yield "subject_incomplete"
    if NameOID.COMMON_NAME not in names:
        return
    common, scope = names[NameOID.COMMON_NAME], link.extensions.scope
    if kind == LEAF:
        codes = scope.spcs if scope is not None else ()
        as_wanted = common in [f"SHAKEN {spc}" for spc in codes] if codes else common.startswith("SHAKEN ")
    else:
        as_wanted = "SHAKEN" in common and (kind != ROOT or "ROOT" in common.upper())
    if not as_wanted:
        yield "subject_name"


def _scope(kind: str, extensions: Extensions) -> Iterator[str]:
    scope = extensions.scope
    if extensions.reference:
        yield "tnauthlist_reference"
    if scope is None:
        if not extensions.ca:
            yield "tnauthlist_missing"
        return
    yield from scope.deviations
    if kind == LEAF and (len(scope.spcs) != 1 or scope.ranges):
        yield "not_one_spc"
    if any(spc != spc.upper() for spc in scope.spcs):
        yield "spc_format"


def _crl(kind: str, extensions: Extensions) -> Iterator[str]:
    found = extensions.by_oid.get(CRL_POINTS)
    points = found.value if found is not None else None
    if not isinstance(points, x509.CRLDistributionPoints):
        return
    if kind == ROOT:
        yield "crl_unexpected"
        return
    if len(points) != 1 or not any(_is_http(name) for name in points[0].full_name or ()):
        yield "crl_points"
    elif not points[0].crl_issuer:
        yield "crl_issuer_missing"


def _is_http(name: x509.GeneralName) -> bool:
    return isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith(("http://", "https://"))


def _policies(extensions: Extensions) -> Iterator[str]:
    found = extensions.by_oid.get(POLICIES)
    policies = found.value if found is not None else None
    if isinstance(policies, x509.CertificatePolicies) and not any(
        one.policy_identifier.dotted_string.startswith(_POLICIES_OF_SHAKEN) for one in policies
    ):
        yield "policies_foreign"


def _signature(certificate: x509.Certificate, authority: bool) -> Iterator[str]:
    if certificate.serial_number.bit_length() < _SERIAL_BITS:
        yield "serial_short"
    if not certificate.signature_algorithm_oid.dotted_string.startswith(_EC_SIGNATURES):
        yield "signature_algorithm"
    if not _is_usual(certificate, authority):
        yield "key"


def _constraints(extensions: Extensions) -> Iterator[str]:
    if len(extensions.constraints) > 1:
        yield "constraints_both"
    if extensions.constraints_ignored:
        yield "constraints_ignored"
    if extensions.constraints and extensions.ca:
        yield "constraints_on_authority"


def _is_usual(certificate: x509.Certificate, authority: bool) -> bool:
    key = certificate.public_key()
    curves = ("secp256r1", "secp384r1") if authority else ("secp256r1",)
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in curves
