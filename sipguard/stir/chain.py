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
from cryptography.hazmat.primitives.serialization import Encoding

from sipguard.stir.errors import UnsupportedCredential, in_short
from sipguard.stir.extensions import UNDERSTOOD, Extensions
from sipguard.stir.unreadable import UNREADABLE

EXTENSION_LIMIT: Final = 32  # of one certificate; real ones have a dozen at most
CHAIN_LIMIT: Final = 8  # certificates in one PEM file, and on one path
_SEEN_LIMIT: Final = 4096  # authorities and their signatures remembered; all STI-CAs of a country are some hundred
_COST_LIMIT: Final = 12  # of the signatures checked for one chain, whatever its certificates claim
_COSTS: Final = {"secp256r1": 1, "secp384r1": 4}  # of a signature by such a key; certificates between have no others
_ANCHOR_COST: Final = 4  # of any other key, which an anchor may have
_VERSION: Final = 0xA0  # the tag that a version has, where there is one
_EXTENSIONS: Final = 0xA3
_STRONG: Final = ("sha256", "sha384", "sha512")


class Link:
    """A certificate of a path, with its extensions and names read once. Names are DER: as objects they are dear."""

    __slots__ = ("certificate", "extensions", "issuer", "subject", "unknown")

    def __init__(self, certificate: x509.Certificate) -> None:
        self.certificate = certificate
        self.issuer, self.subject, count = outline_of(certificate)
        if count > EXTENSION_LIMIT:
            raise UnsupportedCredential("certificate_malformed", f"more than {EXTENSION_LIMIT} extensions")
        self.extensions = Extensions(certificate)
        self.unknown = ""  # a critical extension that is not understood
        for oid, extension in self.extensions.by_oid.items():
            if extension.critical and oid not in UNDERSTOOD:
                self.unknown = oid
                break


class Anchors:
    """An immutable set of trusted certificates, roots or intermediates; `revision` names its content."""

    __slots__ = ("_by_subject", "_links", "_members", "_revision")

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        self._members = dict.fromkeys(certificates)
        by_subject: dict[bytes, list[x509.Certificate]] = {}
        for one in self._members:
            by_subject.setdefault(outline_of(one)[1], []).append(one)
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

    def of_subject(self, subject: bytes) -> tuple[x509.Certificate, ...]:
        """Anchors of that name (DER); re-issues share one."""
        return self._by_subject.get(subject, ())


NO_ANCHORS: Final = Anchors(())


class Seen:
    """Authorities that came with certificates looked at before: each read once, each signature of one checked once."""

    __slots__ = ("_links", "_signed")

    def __init__(self) -> None:
        self._links: dict[bytes, Link] = {}  # by SHA-256
        self._signed: set[tuple[bytes, bytes]] = set()  # child, issuer

    def link(self, authority: x509.Certificate, key: bytes) -> Link:
        """It as a link of a path; `key` is its SHA-256. Raises what reading its extensions may raise."""
        found = self._links.get(key)
        if found is None:
            found = Link(authority)
            if found.extensions.ca:
                self._bounded()
                self._links[key] = found
        return found

    def require_signed(self, child: Candidate, issuer: Candidate) -> None:
        """As _require_signed; what held for an authority is remembered."""
        pair = (child.key, issuer.key)
        if pair not in self._signed:
            _require_signed(child.certificate, issuer.certificate)
            self._bounded()
            self._signed.add(pair)

    def _bounded(self) -> None:
        if len(self._links) + len(self._signed) >= _SEEN_LIMIT:
            self._links.clear()
            self._signed.clear()


class Candidate:
    """A certificate that may stand in a path, with all that is asked of it wherever it may stand, asked once.

    `why` and `detail` say why it stands nowhere, "" where it may; then `link` is there.
    """

    __slots__ = ("anchored", "certificate", "cost", "detail", "key", "link", "why")

    def __init__(self, certificate: x509.Certificate, anchored: bool) -> None:
        self.certificate = certificate
        self.anchored = anchored
        self.key = b""
        self.cost = 0
        self.link: Link | None = None
        self.why = self.detail = ""

    @property
    def ski(self) -> bytes:
        """Its key identifier, b"" where it has none that can be read."""
        return self.link.extensions.ski if self.link is not None else b""


class Walk:
    """The search, with a bound on what the signatures that it checks may cost. `unix_at` None looks past validity.

    Who serves a chain may be hostile, and it is judged between calls: a key of a kind that no authority of SHAKEN has
    is refused before it is used, what costs nothing is asked first, and nothing is read twice.
    """

    __slots__ = (
        "_above",
        "_anchors",
        "_asked",
        "_by_subject",
        "_cost",
        "_detail",
        "_pool",
        "_seen",
        "_unix_at",
        "_why",
    )

    def __init__(
        self, pool: Sequence[x509.Certificate], anchors: Anchors, unix_at: float | None, seen: Seen | None = None
    ) -> None:
        self._pool = pool
        self._by_subject: dict[bytes, list[Candidate]] | None = None  # of the pool, once it was asked for
        self._asked: dict[int, Candidate] = {}  # anchors that were asked about, by identity
        self._above: dict[int, list[Candidate]] = {}  # of each that was asked about, by identity
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
        first = Candidate(leaf.certificate, False)
        first.link = leaf
        found = self._climb([first])
        if found is None:
            raise UnsupportedCredential(self._why, self._detail)
        return [one.link for one in found if one.link is not None]

    def _climb(self, path: list[Candidate]) -> list[Candidate] | None:
        for candidate in self._candidates(path):
            if self._may_stand(candidate, path):
                longer = [*path, candidate]
                found = longer if candidate.anchored else self._climb(longer)
                if found is not None:
                    return found
        return None

    def _candidates(self, path: list[Candidate]) -> Iterator[Candidate]:
        """Anchors of the issuer's name first, then what came in the file and is not on the path yet.

        Of several of one name those with the key that is asked for come first; re-issues share name and key.
        """
        if len(path) > CHAIN_LIMIT:
            return
        end = path[-1]
        link = end.link
        assert link is not None
        above = self._above.get(id(end))
        if above is None:
            aki = link.extensions.aki
            anchors = [self._anchor(one) for one in self._anchors.of_subject(link.issuer)]
            above = self._in_order(anchors, aki) + self._in_order(self._of_subject(link.issuer), aki)
            self._above[id(end)] = above
        first = path[0].certificate
        yield from [one for one in above if one.anchored or not (one in path or one.certificate == first)]

    def _of_subject(self, name: bytes) -> list[Candidate]:
        """Those of the pool that have this name and are no anchors."""
        by_subject = self._by_subject
        if by_subject is None:
            by_subject = self._by_subject = {}
            for one in self._pool:
                named = by_subject.setdefault(outline_of(one)[1], [])
                if one not in self._anchors and all(each.certificate != one for each in named):
                    named.append(Candidate(one, False))
        return by_subject.get(name, [])

    def _in_order(self, ones: list[Candidate], aki: bytes) -> list[Candidate]:
        """Those with the key that is asked for first."""
        if len(ones) <= 1:
            return ones
        for one in ones:
            self._read(one)
        return sorted(ones, key=lambda one: one.ski != aki)

    def _anchor(self, certificate: x509.Certificate) -> Candidate:
        found = self._asked.get(id(certificate))
        if found is None:
            found = self._asked[id(certificate)] = Candidate(certificate, True)
        return found

    def _read(self, candidate: Candidate) -> None:
        """Asks what does not depend on where it stands; once."""
        if candidate.why or candidate.link is not None:
            return
        certificate = candidate.certificate
        try:
            candidate.cost = _cost_of(certificate, candidate.anchored)
            candidate.key = sha256(certificate.public_bytes(Encoding.DER)).digest()
            if candidate.anchored:
                link = self._anchors.link(certificate)
            else:
                link = self._seen.link(certificate, candidate.key)
            candidate.link = link
            _require_authority(link)
            _require_valid(certificate, self._unix_at)
        except UnsupportedCredential as error:
            candidate.why, candidate.detail = error.reason, error.detail
        except UNREADABLE as error:
            candidate.why, candidate.detail = "certificate_malformed", in_short(error)

    def _may_stand(self, candidate: Candidate, path: list[Candidate]) -> bool:
        """Whether `candidate` may stand above `path` and signed its end; else the reason is kept."""
        self._read(candidate)
        if candidate.why:
            self._why, self._detail = candidate.why, candidate.detail
            return False
        issuer, below = candidate.link, path[-1].link
        assert issuer is not None and below is not None
        try:
            _require_length(issuer, path[1:])
            self._cost += candidate.cost
            if self._cost > _COST_LIMIT:
                raise UnsupportedCredential("chain_too_long")
            if below.extensions.ca:
                self._seen.require_signed(path[-1], candidate)
            else:
                _require_signed(below.certificate, candidate.certificate)
            _require_scope(issuer, below)
        except UnsupportedCredential as error:
            self._why, self._detail = error.reason, error.detail
            return False
        return True


def _cost_of(issuer: x509.Certificate, anchored: bool) -> int:
    """What checking a signature by its key costs. Raises UnsupportedCredential where only an anchor may have such."""
    key = issuer.public_key()
    cost = _COSTS.get(key.curve.name) if isinstance(key, EllipticCurvePublicKey) else None
    if cost is not None:
        return cost
    if not anchored:
        raise UnsupportedCredential("key_unsupported", "an authority that is no anchor has a P-256 or P-384 key")
    return _ANCHOR_COST


def outline_of(certificate: x509.Certificate) -> tuple[bytes, bytes, int]:
    """Issuer and subject, each as the DER that stands in the certificate, and how many extensions (RFC 5280 §4.1).

    As objects all of them are dear, and a stranger says how many there are.
    """
    der = certificate.tbs_certificate_bytes
    at = _header(der, 0)[0]
    if der[at] == _VERSION:
        at = _header(der, at)[1]
    issuer = _header(der, _header(der, at)[1])[1]  # behind serial number and signature algorithm
    validity_at = _header(der, issuer)[1]
    subject = _header(der, validity_at)[1]
    behind = _header(der, subject)[1]
    at, count = _header(der, behind)[1], 0  # behind the public key
    while at < len(der):
        inside, end = _header(der, at)
        if der[at] == _EXTENSIONS:
            at, end = _header(der, inside)
            while at < end:
                at, count = _header(der, at)[1], count + 1
        at = end
    return der[issuer:validity_at], der[subject:behind], count


def _header(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at `at` begins, and where it ends; of DER that was read before."""
    length, begins = der[at + 1], at + 2
    if length > 127:
        begins += length & 127
        length = int.from_bytes(der[at + 2 : begins], "big")
    return begins, begins + length


def load_pem(octets: bytes) -> list[x509.Certificate]:
    """The certificates in PEM octets. Raises UnsupportedCredential("pem_malformed")."""
    try:
        return x509.load_pem_x509_certificates(octets)
    except UNREADABLE as error:
        raise UnsupportedCredential("pem_malformed", in_short(error)) from None


def validity(certificate: x509.Certificate) -> tuple[float, float]:
    """From when to when a certificate is valid, Unix seconds."""
    return certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()


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
    if link.unknown:
        raise UnsupportedCredential("extension_unsupported", link.unknown)


def _require_signed(child: x509.Certificate, issuer: x509.Certificate) -> None:
    """Raises where `issuer` did not sign `child`, or with a hash that collides."""
    try:
        chosen = child.signature_hash_algorithm
        child.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        raise UnsupportedCredential("chain_signature") from None
    if chosen is None or chosen.name not in _STRONG:
        raise UnsupportedCredential("chain_signature", chosen.name if chosen is not None else "no hash")


def _require_length(issuer: Link, below: Sequence[Candidate]) -> None:
    """Raises where `issuer` may not have so many intermediates below it (RFC 5280 §6.1.4 l and m)."""
    most = issuer.extensions.path_length
    if most is None:
        return
    issued_by_others = [one for one in below if one.link is not None and one.link.subject != one.link.issuer]
    if len(issued_by_others) > most:
        raise UnsupportedCredential("chain_constraints", "pathLenConstraint")


def _require_authority(issuer: Link) -> None:
    """Raises where `issuer` may not issue (RFC 5280 §6.1.4 k and n)."""
    extensions = issuer.extensions
    if not extensions.ca:
        raise UnsupportedCredential("chain_constraints", "the issuer is no authority")
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
