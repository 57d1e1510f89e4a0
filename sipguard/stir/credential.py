"""From the PEM octets behind an x5u to a Credential that signatures may be checked with.

Enters: PEM octets, trust anchors, the time. Leaves: a Credential, or UnsupportedCredential (SIP 437).
A walk of its own, because general verifiers want names and key usages of web servers, which SHAKEN
certificates do not have (RFC 5280 §6.1, RFC 8226, ATIS-1000080).
Must not: fetch, ask for revocation, know when it is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from sipguard.stir import tnauthlist
from sipguard.stir.errors import UnsupportedCredential
from sipguard.stir.profile import deviations
from sipguard.stir.revocation import mark
from sipguard.stir.tnauthlist import TNAuthList

PEM_LIMIT: Final = 64 * 1024
CHAIN_LIMIT: Final = 8  # certificates in one PEM file
_SIGNATURES_LIMIT: Final = 16  # signatures checked for one chain, whatever its certificates claim
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_TNAUTHLIST: Final = x509.ObjectIdentifier(tnauthlist.OID)
# Claim constraints (RFC 8226 §8, RFC 9118) narrow what a certificate may sign; not enforced, so not accepted.
_REFUSED: Final = ("1.3.6.1.5.5.7.1.27", "1.3.6.1.5.5.7.1.33")
_UNDERSTOOD: Final = frozenset(  # extensions that may be critical
    (tnauthlist.OID, "2.5.29.14", "2.5.29.15", "2.5.29.19", "2.5.29.31", "2.5.29.32", "2.5.29.35")
)
# What reading a certificate may raise where its octets are not what they should be.
UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, OverflowError)


class Credential:
    """A validated signer: its key, what it may sign for, and until when.

    `not_before_at` and `not_after_at` are Unix seconds, the tightest of the chain including its anchor.
    """

    __slots__ = (
        "authority",  # TNAuthList
        "issuer",  # RFC 4514 text
        "key",  # EllipticCurvePublicKey on P-256
        "marks",  # tuple[bytes, ...]: leaf to anchor, what the CRL knows each by (revocation.mark)
        "not_after_at",
        "not_before_at",
        "organisation",  # O of the subject or ""
        "sha256",  # of the leaf's DER, hex
        "spc",  # tuple[str, ...]: service provider codes
        "subject",  # RFC 4514 text
        "warnings",  # tuple[str, ...]: where the leaf leaves the SHAKEN profile
    )

    def __init__(
        self,
        path: Sequence[x509.Certificate],
        key: ec.EllipticCurvePublicKey,
        authority: TNAuthList,
        warnings: tuple[str, ...],
    ) -> None:
        leaf = path[0]
        names = leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        self.key = key
        self.authority = authority
        self.spc = authority.spcs
        self.subject = leaf.subject.rfc4514_string()
        self.organisation = str(names[0].value) if names else ""
        self.issuer = leaf.issuer.rfc4514_string()
        self.sha256 = leaf.fingerprint(SHA256()).hex()
        self.marks = tuple([mark(one.issuer, one.serial_number) for one in path])
        self.not_before_at, self.not_after_at = _window(path)
        self.warnings = warnings


class Anchors:
    """An immutable set of trusted certificates, roots or intermediates; `revision` names its content."""

    __slots__ = ("_by_subject", "_fingerprints", "revision")

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        by_print = {one.fingerprint(SHA256()): one for one in certificates}
        by_subject: dict[bytes, list[x509.Certificate]] = {}
        for one in by_print.values():
            by_subject.setdefault(one.subject.public_bytes(), []).append(one)
        self._by_subject = {subject: tuple(ones) for subject, ones in by_subject.items()}
        self._fingerprints = frozenset(by_print)
        self.revision = sha256(b"".join(sorted(by_print))).hexdigest()[:16]

    @classmethod
    def read(cls, files: Iterable[bytes]) -> Anchors:
        """Anchors out of the contents of PEM files. Raises UnsupportedCredential("pem_malformed")."""
        return cls([one for octets in files for one in _load(octets)])

    def __len__(self) -> int:
        return len(self._fingerprints)

    def __contains__(self, certificate: x509.Certificate) -> bool:
        return certificate.fingerprint(SHA256()) in self._fingerprints

    def __iter__(self) -> Iterator[x509.Certificate]:
        return (one for ones in self._by_subject.values() for one in ones)

    def joined(self, others: Anchors) -> Anchors:
        """These and others; the same object again where no other is among them."""
        more = [one for one in others if one not in self]
        return Anchors([*self, *more]) if more else self

    def of_subject(self, subject: x509.Name) -> tuple[x509.Certificate, ...]:
        """Anchors of that name; re-issues share one."""
        return self._by_subject.get(subject.public_bytes(), ())


NO_ANCHORS: Final = Anchors(())


def read_chain(octets: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file, in its order. Raises UnsupportedCredential (limits, syntax)."""
    if len(octets) > PEM_LIMIT:
        raise UnsupportedCredential("pem_too_large")
    if octets.count(_BEGIN) > CHAIN_LIMIT:
        raise UnsupportedCredential("chain_too_long")
    return _load(octets)


def validate(chain: Sequence[x509.Certificate], anchors: Anchors, unix_at: float) -> Credential:
    """The Credential of the chain's leaf at `unix_at`. Raises UnsupportedCredential with the reason.

    The leaf stands first; any order is tolerated, and the anchor itself may be absent.
    """
    try:
        leaf = _leaf(chain)
        key, authority = _key(leaf), _authority(leaf)
        path = _Walk(chain, anchors, unix_at).path(leaf)
        warnings = (*deviations(leaf, path), *(() if leaf is chain[0] else ("chain_order",)))
        return Credential(path, key, authority, warnings)
    except UNREADABLE as error:
        raise UnsupportedCredential("certificate_malformed", str(error)) from None


class _Walk:
    """The search for a path from a leaf to an anchor, with a bound on the signatures it may check."""

    __slots__ = ("_anchors", "_pool", "_signatures", "_unix_at", "_why")

    def __init__(self, pool: Sequence[x509.Certificate], anchors: Anchors, unix_at: float) -> None:
        self._pool = pool
        self._anchors = anchors
        self._unix_at = unix_at
        self._signatures = _SIGNATURES_LIMIT
        self._why = "chain_untrusted"

    def path(self, leaf: x509.Certificate) -> list[x509.Certificate]:
        """Leaf to anchor. Raises UnsupportedCredential with what stood in the way of the nearest path."""
        _require_valid(leaf, self._unix_at)
        _require_understood(leaf)
        found = self._climb([leaf])
        if found is None:
            raise UnsupportedCredential(self._why)
        return found

    def _climb(self, path: list[x509.Certificate]) -> list[x509.Certificate] | None:
        for issuer in self._candidates(path):
            if self._issued(issuer, path):
                longer = [*path, issuer]
                found = longer if issuer in self._anchors else self._climb(longer)
                if found is not None:
                    return found
        return None

    def _candidates(self, path: list[x509.Certificate]) -> Iterator[x509.Certificate]:
        """Anchors of the issuer's name first, then what came in the file and is not on the path yet."""
        if len(path) > CHAIN_LIMIT:
            return
        name = path[-1].issuer
        yield from self._anchors.of_subject(name)
        for one in self._pool:
            if one.subject == name and one not in path and one not in self._anchors:
                yield one

    def _issued(self, issuer: x509.Certificate, path: list[x509.Certificate]) -> bool:
        """Whether `issuer` may stand above `path` and signed its end; what failed is kept as the reason."""
        if self._signatures == 0:
            self._why = "chain_too_long"
            return False
        self._signatures -= 1
        try:
            path[-1].verify_directly_issued_by(issuer)
        except (InvalidSignature, *UNREADABLE):
            self._why = "chain_signature"
            return False
        try:
            _require_authority(issuer, [one for one in path[1:] if one.subject != one.issuer])
            _require_valid(issuer, self._unix_at)
        except UnsupportedCredential as error:
            self._why = error.reason
            return False
        return True


def _load(octets: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(octets)
    except UNREADABLE as error:
        raise UnsupportedCredential("pem_malformed", str(error)) from None


def _leaf(chain: Sequence[x509.Certificate]) -> x509.Certificate:
    """The first certificate that is not an authority's."""
    for one in chain:
        constraints = _constraints(one)
        if constraints is None or not constraints.ca:
            return one
    raise UnsupportedCredential("leaf_is_authority")


def _constraints(certificate: x509.Certificate) -> x509.BasicConstraints | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return None


def _key(leaf: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UnsupportedCredential("key_unsupported", "ES256 takes a P-256 key")
    return key


def _authority(leaf: x509.Certificate) -> TNAuthList:
    try:
        extension = leaf.extensions.get_extension_for_oid(_TNAUTHLIST)
    except x509.ExtensionNotFound:
        raise UnsupportedCredential("tnauthlist_missing") from None
    return tnauthlist.read(extension.value.public_bytes())


def _require_valid(certificate: x509.Certificate, unix_at: float) -> None:
    opens, closes = _validity(certificate)
    if unix_at < opens:
        raise UnsupportedCredential("certificate_not_yet_valid")
    if unix_at > closes:
        raise UnsupportedCredential("certificate_expired")


def _require_understood(certificate: x509.Certificate) -> None:
    """Raises where a critical extension is unknown (RFC 5280 §4.2), or claim constraints are set."""
    for extension in certificate.extensions:
        oid = extension.oid.dotted_string
        if oid in _REFUSED or (extension.critical and oid not in _UNDERSTOOD):
            raise UnsupportedCredential("extension_unsupported", oid)


def _require_authority(issuer: x509.Certificate, below: Sequence[x509.Certificate]) -> None:
    """Raises where `issuer` may not issue with the intermediates `below` it (RFC 5280 §6.1.4 k to n)."""
    constraints = _constraints(issuer)
    if constraints is None or not constraints.ca:
        raise UnsupportedCredential("chain_constraints", "the issuer is no authority")
    if constraints.path_length is not None and len(below) > constraints.path_length:
        raise UnsupportedCredential("chain_constraints", "pathLenConstraint")
    _require_understood(issuer)
    for extension in issuer.extensions:
        if isinstance(extension.value, x509.KeyUsage) and not extension.value.key_cert_sign:
            raise UnsupportedCredential("chain_constraints", "keyCertSign")
        if extension.oid == _TNAUTHLIST:  # an authority with a scope issues delegates (RFC 9060)
            raise UnsupportedCredential("delegate_unsupported")


def _validity(certificate: x509.Certificate) -> tuple[float, float]:
    return certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()


def _window(path: Sequence[x509.Certificate]) -> tuple[float, float]:
    """The time at which all of `path` is valid."""
    windows = [_validity(one) for one in path]
    return max(opens for opens, _ in windows), min(closes for _, closes in windows)
