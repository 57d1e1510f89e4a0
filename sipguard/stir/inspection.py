"""What a certificate is, for a human or a program that reads one line about it.

Enters: octets of a file, a certificate, the time. Leaves: the certificates in it with their places, and plain members
of a line about each. Must not: refuse what it can describe, or raise on garbage: a problem is a member of the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from sipguard.stir.chain import Link
from sipguard.stir.errors import UnsupportedCredential
from sipguard.stir.extensions import UNREADABLE
from sipguard.stir.profile import deviations, kind_of

_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_END: Final = b"-----END CERTIFICATE-----"

Member = str | int | bool | None | list[str] | list[list[str | int]] | dict[str, "Member"]
Line = dict[str, Member]


def certificates_in(octets: bytes) -> Iterator[tuple[int, x509.Certificate | str]]:
    """Each certificate of a PEM or DER file with the line where it begins, or what is wrong there.

    A DER file is one certificate in line 1.
    """
    if octets[:1] == b"\x30" and _BEGIN not in octets:
        yield 1, _loaded(octets, der=True)
        return
    at, line, found = 0, 1, False
    while (begin := octets.find(_BEGIN, at)) >= 0:
        found = True
        line += octets.count(b"\n", at, begin)
        end = octets.find(_END, begin)
        following = octets.find(_BEGIN, begin + len(_BEGIN))
        if end < 0 or 0 <= following < end:
            yield line, "BEGIN CERTIFICATE without its END"
            at = begin + len(_BEGIN)
            continue
        yield line, _loaded(octets[begin : end + len(_END)], der=False)
        line += octets.count(b"\n", begin, end)
        at = end
    if not found:
        yield 1, "neither PEM nor DER" if octets.strip() else "empty"


def describe(certificate: x509.Certificate, unix_at: float) -> Line:
    """The members of the line about one certificate; `problem` where it cannot be read to its end."""
    line: Line = {"sha256": certificate.fingerprint(SHA256()).hex()}
    try:
        _fill(line, certificate, unix_at)
    except (*UNREADABLE, UnsupportedCredential) as error:
        line["problem"] = str(error) or type(error).__name__
    return line


def _fill(line: Line, certificate: x509.Certificate, unix_at: float) -> None:
    subject, issuer = certificate.subject, certificate.issuer
    line["subject"] = subject.rfc4514_string()
    line["issuer"] = issuer.rfc4514_string()
    line["serial"] = f"{certificate.serial_number:x}"
    opens, closes = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    line["not_before"], line["not_after"] = _instant(opens), _instant(closes)
    line["valid"] = _validity(opens.timestamp(), closes.timestamp(), unix_at)
    line["key"] = _key(certificate)
    link = Link(certificate)
    scope = link.extensions.scope
    line["kind"] = kind_of(link, None)
    line["spc"] = list(scope.spcs) if scope is not None else []
    line["numbers"] = [[start, count] for start, count in scope.ranges] if scope is not None else []
    line["deviations"] = list(deviations([link]))


def _loaded(octets: bytes, der: bool) -> x509.Certificate | str:
    try:
        return x509.load_der_x509_certificate(octets) if der else x509.load_pem_x509_certificate(octets)
    except UNREADABLE as error:
        return f"not a certificate: {error}"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _validity(opens: float, closes: float, unix_at: float) -> str:
    if unix_at < opens:
        return "not yet"
    return "expired" if unix_at > closes else "yes"


def _key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, key.curve.name)
    return f"RSA-{key.key_size}" if isinstance(key, rsa.RSAPublicKey) else type(key).__name__


_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
