"""The list of authorities that the policy administrator approves (STI-PA, facts A6.3).

Enters: octets of a PEM bundle, or of a JWS whose payload has `trustList`, an array of certificates; the certificates
that may have signed it. Leaves: a TrustList, or TrustError. A JWS is read in compact and in flattened form (RFC 7515
§7), also as the member `caList` that the administrator's API answers with.
Must not: fetch, know the time, use a JWS whose signature was not checked, trust a key that the JWS itself names.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from sipguard.stir.errors import TrustError, in_short
from sipguard.stir.jose import TO_BASE64, der_of, octets_of
from sipguard.stir.unreadable import UNREADABLE

LIST_LIMIT: Final = 4 * 1024 * 1024  # octets; a country has some tens of authorities
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_UNREADABLE: Final = (*UNREADABLE, msgspec.MsgspecError)
_ES256: Final = ec.ECDSA(SHA256())


@dataclass(frozen=True, slots=True, eq=False)
class TrustList:
    """A list that may be used. `certificates` are DER, each once."""

    certificates: tuple[bytes, ...] = ()
    version: str = ""  # as the list says, else the beginning of a digest of its certificates
    sequence: int | None = None  # its version where that is a number: it only grows
    expires_at: float | None = None  # Unix seconds, where it says so
    unreadable: int = 0  # members that are no certificates
    signed: bool = False

    @property
    def pem(self) -> bytes:
        """The certificates as a PEM bundle."""
        loaded = (x509.load_der_x509_certificate(one) for one in self.certificates)
        return b"".join(one.public_bytes(Encoding.PEM) for one in loaded)


def read_trust_list(octets: bytes, signers: Iterable[x509.Certificate], unix_at: float) -> TrustList:
    """The list in `octets`. Raises TrustError.

    With `signers` it must be a JWS that one of them signed; without, it must be plain PEM, since whoever names a JWS
    wants it checked.
    """
    if len(octets) > LIST_LIMIT:
        raise TrustError("list_too_large")
    if not octets.strip():
        raise TrustError("list_empty", "the file is empty")
    signers = list(signers)
    if not signers:
        return _of_pem(octets)
    payload = _verified(_compact(octets), signers, unix_at)
    try:
        claims = msgspec.json.decode(payload)
    except _UNREADABLE as error:
        raise TrustError("list_malformed", in_short(error)) from None
    if not isinstance(claims, dict) or not isinstance(claims.get("trustList"), list):
        raise TrustError("list_malformed", "no array trustList")
    return _of_claims(claims)


def require_newer(found: TrustList, before: TrustList) -> None:
    """Raises TrustError where a list is older than the one in force: somebody plays an old one again."""
    if found.sequence is not None and before.sequence is not None and found.sequence < before.sequence:
        raise TrustError("list_older", f"its version is {found.version}, in force is {before.version}")


def require_like(found: TrustList, before: TrustList, largest_loss: float) -> None:
    """Raises TrustError where more than this share (0 to 1) of the certificates before is missing in `found`.

    An authority loses its place now and then; half of them at once is a mistake, or worse.
    """
    kept = len(set(before.certificates) & set(found.certificates))
    lost = len(before.certificates) - kept
    if before.certificates and lost > largest_loss * len(before.certificates):
        raise TrustError("list_shrunk", f"{lost} of {len(before.certificates)} authorities are missing")


def _of_pem(octets: bytes) -> TrustList:
    if _BEGIN not in octets:
        raise TrustError("list_not_pem", "a JWS needs the certificate that signs it")
    try:
        found = [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(octets)]
    except _UNREADABLE as error:
        raise TrustError("list_malformed", in_short(error)) from None
    return _made(found, {}, 0, signed=False)


def _of_claims(claims: dict[str, Any]) -> TrustList:
    """The list of a verified payload. One member that is no certificate does not cost the others."""
    found, unreadable = [], 0
    for member in claims["trustList"]:
        try:
            found.append(_certificate(member).public_bytes(Encoding.DER))
        except _UNREADABLE:
            unreadable += 1
    return _made(found, claims, unreadable, signed=True)


def _made(found: list[bytes], claims: dict[str, Any], unreadable: int, signed: bool) -> TrustList:
    certificates = tuple(dict.fromkeys(found))
    if not certificates:
        raise TrustError("list_empty", f"{unreadable} of its members are no certificates" if unreadable else "")
    sequence = next((_integer(claims[name]) for name in ("sequence", "version") if name in claims), None)
    version = str(sequence) if sequence is not None else sha256(b"".join(sorted(certificates))).hexdigest()[:16]
    expires_at = next((_integer(claims[name]) for name in ("exp", "expires") if name in claims), None)
    return TrustList(
        certificates, version, sequence, float(expires_at) if expires_at is not None else None, unreadable, signed
    )


def _integer(value: object) -> int | None:
    """A number as JSON has it, or in digits; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1 << 53:
        return int(value)
    return None


def _certificate(member: object) -> x509.Certificate:
    """A member of the array: PEM, or the base64 of DER. Raises ValueError and its like."""
    if not isinstance(member, str):
        raise ValueError("no text")
    octets = member.encode("ascii")
    if _BEGIN in octets:
        return x509.load_pem_x509_certificate(octets)
    return x509.load_der_x509_certificate(a2b_base64(b"".join(octets.split()), strict_mode=True))


# ------------------------------------------------------------------------------------------ JWS


def _compact(octets: bytes) -> bytes:
    """The compact form of what is a JWS in any form: compact, flattened, or the member caList of an answer."""
    octets = octets.strip()
    if octets[:1] not in (b"{", b'"'):
        return octets
    try:
        found = msgspec.json.decode(octets)
    except _UNREADABLE as error:
        raise TrustError("list_malformed", in_short(error)) from None
    if isinstance(found, dict) and "caList" in found:
        found = found["caList"]
    if isinstance(found, dict):
        parts = [found.get(name) for name in ("protected", "payload", "signature")]
        if "header" in found or not all(isinstance(part, str) for part in parts):
            raise TrustError("jws_malformed", "no flattened JWS with a protected header alone (RFC 7515 §7.2.2)")
        found = ".".join(map(str, parts))
    if not isinstance(found, str) or not found.isascii():
        raise TrustError("jws_malformed", "neither a text nor an object")
    return found.encode("ascii")


def _verified(compact: bytes, signers: list[x509.Certificate], unix_at: float) -> bytes:
    """The payload of a compact JWS that one of `signers` signed with ES256. Raises TrustError."""
    try:
        head, body, tail = compact.translate(TO_BASE64).split(b".")
        header, payload, signature = (octets_of(part) for part in (head, body, tail))
    except (Base64Error, ValueError) as error:
        raise TrustError("jws_malformed", in_short(error)) from None
    _require_es256(header)
    if len(signature) != 64:
        raise TrustError("jws_signature", "not 64 octets (RFC 7518 §3.4)")
    der = der_of(signature)
    why = TrustError("jws_signature")
    for one in signers:
        if not _signed(one, der, compact[: compact.rindex(b".")]):
            continue
        if unix_at <= one.not_valid_after_utc.timestamp():
            return payload
        why = TrustError("issuer_expired", one.subject.rfc4514_string())
    raise why


def _signed(by: x509.Certificate, der: bytes, octets: bytes) -> bool:
    try:
        key = by.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            return False
        key.verify(der, octets, _ES256)
    except (InvalidSignature, *_UNREADABLE):
        return False
    return True


def _require_es256(octets: bytes) -> None:
    try:
        header = msgspec.json.decode(octets)
    except _UNREADABLE as error:
        raise TrustError("jws_malformed", in_short(error)) from None
    if not isinstance(header, dict) or "crit" in header or header.get("b64", True) is not True:
        raise TrustError("jws_malformed", "its header asks for something unknown")
    if header.get("alg") != "ES256":
        raise TrustError("jws_algorithm", f"{header.get('alg')!r:.40}, not ES256")
