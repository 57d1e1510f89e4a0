"""From the octets behind an x5u to a Credential that signatures may be checked with.

Enters: PEM or DER octets, trust anchors, the time. Leaves: a Credential, or UnsupportedCredential (SIP 437).
Must not: fetch, ask for revocation, know when it is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sipguard.stir.chain import CHAIN_LIMIT, NO_ANCHORS, Anchors, Link, Walk, load_pem, validity
from sipguard.stir.constraints import ClaimConstraints
from sipguard.stir.errors import UnsupportedCredential, in_short
from sipguard.stir.profile import deviations
from sipguard.stir.revocation import mark
from sipguard.stir.tnauthlist import TNAuthList
from sipguard.stir.unreadable import UNREADABLE

__all__ = ["CHAIN_LIMIT", "NO_ANCHORS", "PEM_LIMIT", "Anchors", "Credential", "read_chain", "validate"]

PEM_LIMIT: Final = 64 * 1024
DER_LIMIT: Final = 8 * 1024  # of all certificates in it; real ones have some 700 octets each
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_SEQUENCE: Final = b"\x30"  # what DER begins with


class Credential:
    """A validated signer: its key, what it may sign for, and until when.

    `not_before_at` and `not_after_at` are Unix seconds, the tightest of the chain including its anchor.
    """

    __slots__ = (
        "authority",  # TNAuthList
        "constraints",  # tuple[ClaimConstraints, ...]: what every claim must pass, mostly none
        "delegate",  # bool: issued by a certificate with a scope of its own (RFC 9060)
        "issuer",  # RFC 4514 text
        "key",  # EllipticCurvePublicKey on P-256
        "marks",  # tuple[bytes, ...]: leaf to anchor, what the CRL knows each by (revocation.mark)
        "not_after_at",
        "not_before_at",
        "organisation",  # O of the subject or ""
        "provider",  # O of who delegated first, the one who answers for the numbers, or ""
        "provider_spc",  # tuple[str, ...]: its service provider codes
        "sha256",  # of the leaf's DER, hex
        "spc",  # tuple[str, ...]: service provider codes
        "subject",  # RFC 4514 text
        "warnings",  # tuple[str, ...]: where the leaf leaves the SHAKEN profile
    )

    def __init__(
        self,
        path: Sequence[Link],
        key: ec.EllipticCurvePublicKey,
        authority: TNAuthList,
        warnings: tuple[str, ...],
    ) -> None:
        leaf = path[0].certificate
        self.key = key
        self.authority = authority
        self.spc = authority.spcs
        self.constraints: tuple[ClaimConstraints, ...] = tuple(
            [limit for link in path for limit in link.extensions.constraints]
        )
        self.subject = leaf.subject.rfc4514_string()
        self.organisation = organisation(leaf)
        self.issuer = leaf.issuer.rfc4514_string()
        self.sha256 = leaf.fingerprint(SHA256()).hex()
        self.marks = tuple([mark(one.certificate.issuer, one.certificate.serial_number) for one in path])
        windows = [validity(one.certificate) for one in path]
        self.not_before_at = max(opens for opens, _ in windows)
        self.not_after_at = min(closes for _, closes in windows)
        self.warnings = warnings
        self.delegate = False
        self.provider = ""
        self.provider_spc: tuple[str, ...] = ()
        for link in path[1:]:
            if link.extensions.scope is not None:
                self.delegate = True
                self.provider = organisation(link.certificate)
                self.provider_spc = link.extensions.scope.spcs


def organisation(certificate: x509.Certificate) -> str:
    """O of the subject, or ""."""
    names = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(names[0].value) if names else ""


def read_chain(octets: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file in its order, or that of a DER file.

    Raises UnsupportedCredential (limits, syntax). The standard has PEM (RFC 8226 §7); a file of DER is one certificate.
    """
    if len(octets) > PEM_LIMIT:
        raise UnsupportedCredential("pem_too_large")
    count = octets.count(_BEGIN)
    if count > CHAIN_LIMIT:
        raise UnsupportedCredential("chain_too_long")
    if count or octets[:1] != _SEQUENCE:
        chain = load_pem(octets)
    else:
        try:
            chain = [x509.load_der_x509_certificate(octets)]
        except UNREADABLE as error:
            raise UnsupportedCredential("pem_malformed", in_short(error)) from None
    if sum(len(one.public_bytes(Encoding.DER)) for one in chain) > DER_LIMIT:
        raise UnsupportedCredential("pem_too_large", f"certificates of more than {DER_LIMIT} octets")
    return chain


def validate(chain: Sequence[x509.Certificate], anchors: Anchors, unix_at: float) -> Credential:
    """The Credential of the chain's leaf at `unix_at`. Raises UnsupportedCredential with the reason.

    The leaf stands first; any order is tolerated, and the anchor itself may be absent.
    """
    try:
        leaf = _leaf(chain)
        key, authority = _key(leaf), _authority(leaf)
        path = Walk(chain, anchors, unix_at).path(leaf)
        found = deviations(path)
        warnings = (*found, *(() if leaf.certificate is chain[0] else ("chain_order",)))
        return Credential(path, key, authority, warnings)
    except UNREADABLE as error:
        raise UnsupportedCredential("certificate_malformed", in_short(error)) from None


def _leaf(chain: Sequence[x509.Certificate]) -> Link:
    """The first certificate that is not an authority's."""
    for one in chain:
        link = Link(one)
        if not link.extensions.ca:
            return link
    raise UnsupportedCredential("leaf_is_authority")


def _key(leaf: Link) -> ec.EllipticCurvePublicKey:
    key = leaf.certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UnsupportedCredential("key_unsupported", "ES256 takes a P-256 key")
    usage = leaf.extensions.usage
    if usage is not None and not usage.digital_signature:
        raise UnsupportedCredential("key_unsupported", "KeyUsage without digitalSignature")
    return key


def _authority(leaf: Link) -> TNAuthList:
    """The scope. A list that lies elsewhere is not fetched: what stands in the certificate counts, or nothing does."""
    scope = leaf.extensions.scope
    if scope is None:
        raise UnsupportedCredential("tnauthlist_by_reference" if leaf.extensions.reference else "tnauthlist_missing")
    return scope
