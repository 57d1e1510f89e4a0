"""What a certificate is, for a human or a program that reads one line about it.

Enters: octets of a file, trust anchors, the time. Leaves: the certificates in it with their places, and plain members
of a line about each. Must not: refuse what it can describe, or raise on garbage: a problem is a member of the line.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256 as sha256_of
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from sipguard.stir.chain import CHAIN_LIMIT, Anchors, Link, Seen, Walk, validity
from sipguard.stir.constraints import ClaimConstraints
from sipguard.stir.credential import organisation
from sipguard.stir.errors import UnsupportedCredential
from sipguard.stir.profile import deviations, kind_of
from sipguard.stir.unreadable import UNREADABLE

ANCHORED: Final = "anchored"
VALID: Final = "yes"
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_END: Final = b"-----END CERTIFICATE-----"
_REQUEST, _CRL = "a certificate request", "a CRL"
_LABEL: Final = re.compile(rb"-----BEGIN ((?!CERTIFICATE-----|EC PARAMETERS)[A-Z0-9 ]{3,40})-----")
_OTHERS: Final = {  # by how the label ends
    "PRIVATE KEY": "a private key",
    "PUBLIC KEY": "a public key",
    "CERTIFICATE REQUEST": _REQUEST,
    "X509 CRL": _CRL,
}

Member = str | int | bool | None | list[str] | list[list[str | int]] | list["Line"] | dict[str, list[str]]
Line = dict[str, Member]


def certificates_in(octets: bytes) -> Iterator[tuple[int, x509.Certificate | str]]:
    """Each certificate of a PEM or DER file with the line where it begins, or what is wrong there.

    A DER file is one certificate in line 1.
    """
    return ((line, found) for line, found, _ in fingerprinted(octets))


def fingerprinted(octets: bytes) -> Iterator[tuple[int, x509.Certificate | str, str]]:
    """As certificates_in, with the SHA-256 of each certificate in hex, or "" where none was read."""
    if octets[:1] == b"\x30" and _BEGIN not in octets:
        found_here, sha256 = _loaded(octets, der=True)
        if isinstance(found_here, str):
            found_here = other_than_certificates(octets) or found_here
        yield 1, found_here, sha256
        return
    at, line, found = 0, 1, False
    while (begin := octets.find(_BEGIN, at)) >= 0:
        found = True
        line += octets.count(b"\n", at, begin)
        end = octets.find(_END, begin)
        following = octets.find(_BEGIN, begin + len(_BEGIN))
        if end < 0 or 0 <= following < end:
            yield line, "BEGIN CERTIFICATE without its END", ""
            at = begin + len(_BEGIN)
            continue
        yield line, *_loaded(octets[begin : end + len(_END)], der=False)
        line += octets.count(b"\n", begin, end)
        at = end
    if not found:
        other = other_than_certificates(octets)
        yield 1, other or ("no certificate: neither PEM nor DER" if octets.strip() else "empty"), ""


def other_than_certificates(octets: bytes) -> str:
    """What a file holds that stands beside certificates and has none, "" where that is nothing known."""
    label = _LABEL.search(octets)
    if label is not None:
        name = label.group(1).decode("ascii")
        for ending, what in _OTHERS.items():
            if name.endswith(ending):
                return f"{what}, no certificate"
    if octets[:1] == b"\x30":
        for load, what in ((x509.load_der_x509_csr, _REQUEST), (x509.load_der_x509_crl, _CRL)):
            try:
                load(octets)
            except UNREADABLE:
                continue
            return f"{what}, no certificate"
    return ""


def around(certificates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The certificates of a file that may stand above others of it: as many as a chain may have."""
    return list(certificates) if len(certificates) <= CHAIN_LIMIT else []


def describe(
    certificate: x509.Certificate,
    beside: Sequence[x509.Certificate],
    anchors: Anchors,
    unix_at: float,
    seen: Seen | None = None,
    sha256: str = "",
) -> Line:
    """The members of the line about one certificate; `problem` where it cannot be read to its end.

    `beside` is what came in the same file. Without anchors the chain is followed within it. `seen` is what many
    certificates share, `sha256` the fingerprint where it is known.
    """
    line: Line = {"sha256": sha256 or certificate.fingerprint(SHA256()).hex()}
    try:
        _name(line, certificate, unix_at)
        path, why, known = _path(certificate, beside, anchors, unix_at, seen)
        _scope(line, path)
        line["authority"] = _named(path[-1].certificate.subject) if known else None
        line["chain"] = (why or ANCHORED) if len(anchors) else None
        line["deviations"] = list(deviations(path))
    except UnsupportedCredential as error:
        line["problem"] = str(error)
    except UNREADABLE as error:
        line["problem"] = f"certificate_malformed: {error}"
    return line


def _name(line: Line, certificate: x509.Certificate, unix_at: float) -> None:
    line["subject"] = certificate.subject.rfc4514_string()
    line["issuer"] = _named(certificate.issuer)
    line["serial"] = f"{certificate.serial_number:x}"
    line["not_before"] = _instant(certificate.not_valid_before_utc)
    line["not_after"] = _instant(certificate.not_valid_after_utc)
    opens, closes = validity(certificate)
    line["valid"] = "not yet" if unix_at < opens else "expired" if unix_at > closes else VALID
    line["key"] = _key(certificate)


@lru_cache(maxsize=1024)
def _named(authority: x509.Name) -> str:
    """The name of an authority, of which there are few."""
    return authority.rfc4514_string()


def _scope(line: Line, path: Sequence[Link]) -> None:
    """What the certificate may sign for, and who delegated that."""
    extensions = path[0].extensions
    scope = extensions.scope
    line["kind"] = kind_of(path[0], path[1] if len(path) > 1 else None)
    line["spc"] = list(scope.spcs) if scope is not None else []
    line["numbers"] = [[start, count] for start, count in scope.ranges] if scope is not None else []
    if extensions.constraints:
        line["constraints"] = [_constraint(one) for one in extensions.constraints]
    above = [link for link in path[1:] if link.extensions.scope is not None]
    if above:
        line["delegated_by"] = organisation(above[-1].certificate)


def _path(
    certificate: x509.Certificate,
    beside: Sequence[x509.Certificate],
    anchors: Anchors,
    unix_at: float,
    seen: Seen | None,
) -> tuple[list[Link], str, bool]:
    """As much as is known of the path upwards, why it would not be accepted at this time, whether it leads anywhere.

    Which authority a certificate chains to is told of expired ones too.
    """
    leaf = Link(certificate)
    opens, closes = validity(certificate)
    timely = "certificate_not_yet_valid" if unix_at < opens else "certificate_expired" if unix_at > closes else ""
    if certificate in anchors:
        return [leaf], timely, True
    trusted = anchors if len(anchors) else Anchors([one for one in beside if one != certificate])
    try:
        path = Walk(beside, trusted, None, seen).path(leaf)
        if not timely and any(not _holds(link.certificate, unix_at) for link in path):
            path = Walk(beside, trusted, unix_at, seen).path(leaf)  # another issue of the same authority may be valid
    except UnsupportedCredential as error:
        return [leaf], error.reason, False
    return path, timely, True


def _holds(certificate: x509.Certificate, unix_at: float) -> bool:
    opens, closes = validity(certificate)
    return opens <= unix_at <= closes


def _constraint(limit: ClaimConstraints) -> Line:
    """Constraints by the names that RFC 9118 §3 gives their members."""
    found: Line = {}
    if limit.required:
        found["mustInclude"] = list(limit.required)
    if limit.values:
        found["permittedValues"] = {claim: list(values) for claim, values in limit.values}
    if limit.excluded:
        found["mustExclude"] = list(limit.excluded)
    return found


def _loaded(octets: bytes, der: bool) -> tuple[x509.Certificate | str, str]:
    """A certificate with its fingerprint, or why it is none and "".

    Hashing what stands in the file is far cheaper than a fingerprint, for which the certificate is encoded again.
    """
    try:
        if der:
            return x509.load_der_x509_certificate(octets), sha256_of(octets).hexdigest()
        found = x509.load_pem_x509_certificate(octets)
    except UNREADABLE as error:
        return f"not a certificate: {error}", ""
    body = octets[len(_BEGIN) : -len(_END)]
    if b":" in body:  # headers (RFC 1421 §4.6) before the certificate
        return found, found.fingerprint(SHA256()).hex()
    return found, sha256_of(a2b_base64(body)).hexdigest()


def _instant(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat() + "Z"


def _key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, key.curve.name)
    return f"RSA-{key.key_size}" if isinstance(key, rsa.RSAPublicKey) else type(key).__name__


_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
