"""The search for a path from a certificate to a trust anchor (RFC 5280 §6.1, RFC 9060 §6).

Enters: a certificate, those that came with it, anchors, the time. Leaves: the path, or UnsupportedCredential with what
stood in the way of the nearest one. A walk of its own, because general verifiers want names and key usages of web
servers, which SHAKEN certificates do not have.
Must not: fetch, ask for revocation, know when it is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from sipguard.stir.errors import UnsupportedCredential, in_short
from sipguard.stir.extensions import UNDERSTOOD, Extensions
from sipguard.stir.unreadable import UNREADABLE

CHAIN_LIMIT: Final = 8  # certificates in one PEM file, and on one path
_SEEN_LIMIT: Final = 4096  # authorities and their signatures remembered; all STI-CAs of a country are some hundred
_COST_LIMIT: Final = 12  # of the signatures checked for one chain, whatever its certificates claim
_COSTS: Final = {"secp256r1": 1, "secp384r1": 4}  # of a signature by such a key; certificates between have no others
_ANCHOR_COST: Final = 4  # of any other key, which an anchor may have
_STRONG: Final = ("sha256", "sha384", "sha512")


class Link:
    """A certificate of a path, with its extensions read once."""

    __slots__ = ("certificate", "extensions")

    def __init__(self, certificate: x509.Certificate) -> None:
        self.certificate = certificate
        self.extensions = Extensions(certificate)


class Anchors:
    """An immutable set of trusted certificates, roots or intermediates; `revision` names its content."""

    __slots__ = ("_by_subject", "_links", "_members", "_revision")

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        self._members = dict.fromkeys(certificates)
        by_subject: dict[bytes, list[x509.Certificate]] = {}
        for one in self._members:
            by_subject.setdefault(one.subject.public_bytes(), []).append(one)
        self._by_subject = {subject: tuple(ones) for subject, ones in by_subject.items()}
        self._links: dict[x509.Certificate, Link] = {}  # those that were asked for
        self._revision = ""

    @classmethod
    def read(cls, files: Iterable[bytes]) -> Anchors:
        """Anchors out of the contents of PEM files. Raises UnsupportedCredential("pem_malformed")."""
        return cls([one for octets in files for one in load_pem(octets)])

    @property
    def revision(self) -> str:
        """Out of the fingerprints, which are dear: computed once it is asked for."""
        if not self._revision:
            prints = sorted(one.fingerprint(SHA256()) for one in self._members)
            self._revision = sha256(b"".join(prints)).hexdigest()[:16]
        return self._revision

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, certificate: x509.Certificate) -> bool:
        return certificate in self._members

    def __iter__(self) -> Iterator[x509.Certificate]:
        return (one for ones in self._by_subject.values() for one in ones)

    def joined(self, others: Anchors) -> Anchors:
        """These and others; the same object again where no other is among them."""
        more = [one for one in others if one not in self]
        return Anchors([*self, *more]) if more else self

    def link(self, anchor: x509.Certificate) -> Link:
        """One of these as a link of a path, read once. Raises what reading its extensions may raise."""
        found = self._links.get(anchor)
        if found is None:
            found = self._links[anchor] = Link(anchor)
        return found

    def of_subject(self, subject: x509.Name) -> tuple[x509.Certificate, ...]:
        """Anchors of that name; re-issues share one."""
        return self._by_subject.get(subject.public_bytes(), ())


NO_ANCHORS: Final = Anchors(())


class Seen:
    """Authorities that came with certificates looked at before: each read once, each signature of one checked once."""

    __slots__ = ("_links", "_signed")

    def __init__(self) -> None:
        self._links: dict[x509.Certificate, Link] = {}
        self._signed: set[tuple[x509.Certificate, x509.Certificate]] = set()  # child, issuer

    def link(self, authority: x509.Certificate) -> Link:
        """It as a link of a path. Raises what reading its extensions may raise."""
        found = self._links.get(authority)
        if found is None:
            found = Link(authority)
            if found.extensions.ca:
                self._bounded()
                self._links[authority] = found
        return found

    def require_signed(self, child: x509.Certificate, issuer: x509.Certificate) -> None:
        """As _require_signed; what held for an authority is remembered."""
        if (child, issuer) not in self._signed:
            _require_signed(child, issuer)
            self._bounded()
            self._signed.add((child, issuer))

    def _bounded(self) -> None:
        if len(self._links) + len(self._signed) >= _SEEN_LIMIT:
            self._links.clear()
            self._signed.clear()


class Walk:
    """The search, with a bound on what the signatures that it checks may cost. `unix_at` None looks past validity.

    Who serves a chain may be hostile, and it is judged between calls: a key of a kind that no authority of SHAKEN has
    is refused before it is used, and what costs nothing is asked first.
    """

    __slots__ = ("_above", "_anchors", "_by_subject", "_cost", "_detail", "_pool", "_seen", "_unix_at", "_why")

    def __init__(
        self, pool: Sequence[x509.Certificate], anchors: Anchors, unix_at: float | None, seen: Seen | None = None
    ) -> None:
        self._pool = pool
        self._by_subject: dict[x509.Name, list[x509.Certificate]] = {}  # of the pool, once it was asked for
        self._above: dict[x509.Certificate, list[tuple[x509.Certificate, bool]]] = {}  # of each that was asked about
        self._seen = seen if seen is not None else Seen()
        self._anchors = anchors
        self._unix_at = unix_at
        self._cost = 0
        self._why = "chain_untrusted"
        self._detail = ""

    def path(self, leaf: Link) -> list[Link]:
        """Leaf to anchor. Raises UnsupportedCredential with what stood in the way of the nearest path."""
        _require_valid(leaf.certificate, self._unix_at)
        _require_understood(leaf)
        found = self._climb([leaf])
        if found is None:
            raise UnsupportedCredential(self._why, self._detail)
        return found

    def _climb(self, path: list[Link]) -> list[Link] | None:
        for candidate, anchored in self._candidates(path):
            issuer = self._issuer(candidate, anchored, path)
            if issuer is not None:
                longer = [*path, issuer]
                found = longer if anchored else self._climb(longer)
                if found is not None:
                    return found
        return None

    def _candidates(self, path: list[Link]) -> Iterator[tuple[x509.Certificate, bool]]:
        """Anchors of the issuer's name first (True), then what came in the file and is not on the path yet.

        Of several of one name those with the key that is asked for come first; re-issues share name and key.
        """
        if len(path) > CHAIN_LIMIT:
            return
        link = path[-1]
        above = self._above.get(link.certificate)
        if above is None:  # names are dear to read and to compare
            name, aki = link.certificate.issuer, link.extensions.aki
            above = [(one, True) for one in _in_order(self._anchors.of_subject(name), aki)]
            above += [(one, False) for one in _in_order(self._of_subject(name), aki)]
            self._above[link.certificate] = above
        on_path = [one.certificate for one in path]
        yield from (each for each in above if each[1] or each[0] not in on_path)

    def _of_subject(self, name: x509.Name) -> Sequence[x509.Certificate]:
        """Those of the pool that have this name and are no anchors. A name is read once: it may be long."""
        if not self._by_subject:
            for one in self._pool:
                if one not in self._anchors:
                    self._by_subject.setdefault(one.subject, []).append(one)
        return self._by_subject.get(name, ())

    def _issuer(self, candidate: x509.Certificate, anchored: bool, path: list[Link]) -> Link | None:
        """The link of `candidate` if it may stand above `path` and signed its end; else the reason is kept."""
        try:
            cost = _cost_of(candidate, anchored)
            issuer = self._anchors.link(candidate) if anchored else self._seen.link(candidate)
            _require_authority(issuer, path[1:])
            _require_valid(candidate, self._unix_at)
            self._cost += cost
            if self._cost > _COST_LIMIT:
                raise UnsupportedCredential("chain_too_long")
            if path[-1].extensions.ca:
                self._seen.require_signed(path[-1].certificate, candidate)
            else:
                _require_signed(path[-1].certificate, candidate)
            _require_scope(issuer, path[-1])
        except UnsupportedCredential as error:
            self._why, self._detail = error.reason, error.detail
            return None
        except UNREADABLE as error:
            self._why, self._detail = "certificate_malformed", in_short(error)
            return None
        return issuer


def _in_order(ones: Sequence[x509.Certificate], aki: bytes) -> Sequence[x509.Certificate]:
    """Those with the key that is asked for first."""
    return ones if len(ones) <= 1 else sorted(ones, key=lambda one: _ski(one) != aki)


def _cost_of(issuer: x509.Certificate, anchored: bool) -> int:
    """What checking a signature by its key costs. Raises UnsupportedCredential where only an anchor may have such."""
    key = issuer.public_key()
    cost = _COSTS.get(key.curve.name) if isinstance(key, EllipticCurvePublicKey) else None
    if cost is not None:
        return cost
    if not anchored:
        raise UnsupportedCredential("key_unsupported", "an authority that is no anchor has a P-256 or P-384 key")
    return _ANCHOR_COST


def load_pem(octets: bytes) -> list[x509.Certificate]:
    """The certificates in PEM octets. Raises UnsupportedCredential("pem_malformed")."""
    try:
        return x509.load_pem_x509_certificates(octets)
    except UNREADABLE as error:
        raise UnsupportedCredential("pem_malformed", in_short(error)) from None


def validity(certificate: x509.Certificate) -> tuple[float, float]:
    """From when to when a certificate is valid, Unix seconds."""
    return certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()


def _ski(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except UNREADABLE:
        return b""


def _require_valid(certificate: x509.Certificate, unix_at: float | None) -> None:
    if unix_at is None:
        return
    opens, closes = validity(certificate)
    if unix_at < opens:
        raise UnsupportedCredential("certificate_not_yet_valid")
    if unix_at > closes:
        raise UnsupportedCredential("certificate_expired")


def _require_understood(link: Link) -> None:
    """Raises where a critical extension is unknown (RFC 5280 §4.2)."""
    for oid, extension in link.extensions.by_oid.items():
        if extension.critical and oid not in UNDERSTOOD:
            raise UnsupportedCredential("extension_unsupported", oid)


def _require_signed(child: x509.Certificate, issuer: x509.Certificate) -> None:
    """Raises where `issuer` did not sign `child`, or with a hash that collides."""
    try:
        chosen = child.signature_hash_algorithm
        child.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        raise UnsupportedCredential("chain_signature") from None
    if chosen is None or chosen.name not in _STRONG:
        raise UnsupportedCredential("chain_signature", chosen.name if chosen is not None else "no hash")


def _require_authority(issuer: Link, below: Sequence[Link]) -> None:
    """Raises where `issuer` may not issue with the intermediates `below` it (RFC 5280 §6.1.4 k to n)."""
    extensions = issuer.extensions
    if not extensions.ca:
        raise UnsupportedCredential("chain_constraints", "the issuer is no authority")
    issued_by_others = [one for one in below if one.certificate.subject != one.certificate.issuer]
    if extensions.path_length is not None and len(issued_by_others) > extensions.path_length:
        raise UnsupportedCredential("chain_constraints", "pathLenConstraint")
    if extensions.usage is not None and not extensions.usage.key_cert_sign:
        raise UnsupportedCredential("chain_constraints", "keyCertSign")
    _require_understood(issuer)


def _require_scope(issuer: Link, child: Link) -> None:
    """Raises where a delegate has more than its parent, or does not name it by its key (RFC 9060 §4, §7)."""
    scope, given = issuer.extensions.scope, child.extensions.scope
    if scope is None:
        if issuer.extensions.reference:
            raise UnsupportedCredential("tnauthlist_by_reference", "of the parent")
        return
    if given is None or not given.within(scope):
        raise UnsupportedCredential("delegate_scope")
    if not child.extensions.aki or child.extensions.aki != issuer.extensions.ski:
        raise UnsupportedCredential("delegate_key_id")
