"""The PASSporT: from the token received to claims, and the test of its signature (RFC 8225, RFC 8588).

Enters: the token of an Identity header, a validated credential, the time. Leaves: a Passport, or an
error that says why not. The octets received are what is verified; claims are read leniently and every
departure from the standard is listed in `deviations`.
Must not: fetch, compare with the call, serialise JSON again (RFC 8225 §9 signs octets).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from binascii import Error as Base64Error
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeGuard

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256

from sipguard.stir.claims import (
    Claims,
    Header,
    Parties,
    Party,
    deterministic,
    form,
    read_claims,
    read_header,
    read_lenient,
)
from sipguard.stir.errors import (
    InvalidIdentity,
    StaleDate,
    UnsupportedCredential,
    UnsupportedPassport,
)
from sipguard.stir.identity import IdentityHeader, canonical_x5u
from sipguard.stir.jose import TO_BASE64, der_of, octets_of

if TYPE_CHECKING:
    from sipguard.stir.credential import Credential

HEADER_LIMIT: Final = 2 * 1024  # octets of JSON
CLAIMS_LIMIT: Final = 6 * 1024
DEPTH_LIMIT: Final = 6
NODES_LIMIT: Final = 256  # arrays and objects
ORIGID_LIMIT: Final = 128
TN_LIMIT: Final = 32  # characters: E.164 has 15 digits, and some are written with more around them
DEST_LIMIT: Final = 64  # parties called
_IAT_LIMIT: Final = 1 << 40  # beyond the year 36000; keeps the arithmetic in floats
TYPES: Final = ("", "shaken", "div", "rph", "rcd")  # ppt values whose claims are read here
_ES256: Final = ECDSA(SHA256())
_STRINGS: Final = re.compile(rb""""[^"\\]*+(?:\\.[^"\\]*+)*+"?""", re.DOTALL)  # of JSON, ended or not
_NO_BRACKETS: Final = bytes(octet for octet in range(256) if octet not in b"[]{}")
_UUID: Final = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
LEVELS: Final = ("A", "B", "C")  # of attestation (RFC 8588 §4)
_CANONICAL: Final = frozenset("0123456789#*")
_USUAL_LENGTH: Final = 11  # digits of a number of the NANP with its country code
_LONGEST: Final = 15  # digits of E.164
_HEADERS: Final = 1024  # kept as read: those of one signer are all alike
_SIGNATURE_LENGTH: Final = 86  # characters of base64url for the 64 octets of r || s (RFC 7518 §3.4)


class Passport:
    """One decoded PASSporT. Texts are "" where absent; numbers stand as received, without canonical form.

    `attest` and `origid` are "" where they are no level and no plain text; what stood there is in `claims`.
    """

    __slots__ = (
        "alg",
        "attest",
        "claims",  # Claims: all that were read
        "dest_tns",
        "dest_uris",
        "deviations",  # tuple[str, ...]: out of reasons.DEVIATIONS
        "div_tn",
        "div_uri",
        "iat",  # int, Unix seconds
        "info",  # x5u as it was signed
        "orig_tn",
        "orig_uri",
        "origid",
        "ppt",
        "signature",  # 64 octets, r || s
        "signing_input",  # the octets signed
        "typ",
        "x5u",  # in canonical form
    )

    def __init__(
        self,
        header: Header,
        x5u: str,
        claims: Claims,
        deviations: tuple[str, ...],
        signing_input: bytes,
        signature: bytes,
    ) -> None:
        orig, dest, div = claims.orig, claims.dest, claims.div
        self.alg = header.alg
        self.ppt = header.ppt
        self.typ = header.typ
        self.info = header.x5u
        self.x5u = x5u
        self.claims = claims
        self.attest = claims.attest if claims.attest in LEVELS else ""
        self.origid = claims.origid if is_plain(claims.origid) else ""
        self.iat = claims.iat
        self.orig_tn = orig.tn or ""
        self.orig_uri = orig.uri or ""
        self.dest_tns = tuple(dest.tn)
        self.dest_uris = tuple(dest.uri)
        self.div_tn = (div.tn or "") if div is not None else ""
        self.div_uri = (div.uri or "") if div is not None else ""
        self.deviations = deviations
        self.signing_input = signing_input
        self.signature = signature


def read(token: str) -> Passport:
    """The Passport in a full-form token.

    Raises InvalidIdentity, UnsupportedPassport (ppt) or UnsupportedCredential (alg).
    """
    try:
        octets = token.encode("ascii")
        head, body, tail = octets.translate(TO_BASE64).split(b".")
    except ValueError:
        raise InvalidIdentity("token_malformed", "not three parts") from None
    signature = _signature(tail)
    if not head and not body:
        raise InvalidIdentity("compact_not_allowed")
    header, x5u, deviations = _header(head)
    claims, found = _claims(_decoded(body))
    _require_claims(header, claims)
    deviations += tuple([each for each in found if each not in deviations]) + _deviations(header, claims)
    return Passport(header, x5u, claims, deviations, octets[: -_SIGNATURE_LENGTH - 1], signature)


def full_form(token: str, x5u: str, orig: Party, dest: Parties, iat: int) -> str:
    """A base token of compact form with the header and the claims that its signer left out (RFC 8225 §7, §9).

    Raises InvalidIdentity where no JSON can hold them.
    """
    try:
        header = deterministic(Header(alg="ES256", typ="passport", x5u=x5u))
        claims = deterministic(Claims(iat=iat, orig=orig, dest=dest))
    except UnicodeEncodeError:
        raise InvalidIdentity("claims_malformed", "half a surrogate pair") from None
    parts = [urlsafe_b64encode(part).rstrip(b"=").decode("ascii") for part in (header, claims)]
    return f"{parts[0]}.{parts[1]}.{token.rpartition('.')[2]}"


def read_signature(token: str) -> bytes:
    """The 64 octets of the signature in a token of compact form (RFC 8225 §7). Raises InvalidIdentity."""
    try:
        octets = token.encode("ascii").translate(TO_BASE64)
    except ValueError:
        raise InvalidIdentity("token_malformed", "not base64url") from None
    if octets[:2] != b".." or b"." in octets[2:]:
        raise InvalidIdentity("token_malformed", "not three parts")
    return _signature(octets[2:])


def require_agreement(header: IdentityHeader, passport: Passport) -> None:
    """Raises InvalidIdentity where parameters of the header and the token contradict (RFC 8224 §4.1)."""
    if header.info != passport.info:
        raise InvalidIdentity("info_mismatch")
    if header.alg != passport.alg:
        raise InvalidIdentity("alg_mismatch")
    if header.ppt and header.ppt != passport.ppt:
        raise InvalidIdentity("ppt_mismatch")


def freshness(iat: int, unix_at: float, window_s: float, future_s: float) -> float:
    """Age of `iat` in seconds, negative where it lies ahead. Raises StaleDate (RFC 8224 §6.2 step 4)."""
    age = unix_at - iat
    if age > window_s:
        raise StaleDate("iat_expired")
    if age < -future_s:
        raise StaleDate("iat_future")
    return age


def verify(passport: Passport, credential: Credential, unix_at: float) -> None:
    """Returns where `credential` signed the token and is valid at `unix_at` and at `iat`.

    Raises UnsupportedCredential (validity) or InvalidIdentity("signature") (RFC 8224 §6.2 steps 4 and 5).
    """
    opens, closes, iat = credential.not_before_at, credential.not_after_at, passport.iat
    if unix_at > closes or iat > closes:
        raise UnsupportedCredential("certificate_expired")
    if unix_at < opens or iat < opens:
        raise UnsupportedCredential("certificate_not_yet_valid")
    try:
        credential.key.verify(der_of(passport.signature), passport.signing_input, _ES256)
    except InvalidSignature:
        raise InvalidIdentity("signature") from None


def _signature(tail: bytes) -> bytes:
    if len(tail) != _SIGNATURE_LENGTH or tail[-1] not in b"AQgw":
        raise InvalidIdentity("signature_malformed", "not 64 octets")
    return _decoded(tail)


def _decoded(part: bytes) -> bytes:
    """The octets of one part, in the standard alphabet without padding."""
    try:
        return octets_of(part)
    except Base64Error as error:
        raise InvalidIdentity("token_malformed", str(error)) from None


@lru_cache(_HEADERS)
def _header(head: bytes) -> tuple[Header, str, tuple[str, ...]]:
    """The header in the first part of a token, its x5u in canonical form, and the deviations in it."""
    octets = _decoded(head)
    if len(octets) > HEADER_LIMIT:
        raise InvalidIdentity("header_too_large")
    _require_flat(octets)
    try:
        header = read_header(octets)
    except (msgspec.MsgspecError, ValueError):
        raise InvalidIdentity("header_malformed") from None
    if header.ppt not in TYPES:
        raise UnsupportedPassport("unsupported_ppt", header.ppt)
    if header.alg != "ES256":
        raise UnsupportedCredential("unsupported_alg", header.alg)
    if header.crit is not msgspec.UNSET:
        raise InvalidIdentity("crit_unsupported")
    if not header.x5u:
        raise InvalidIdentity("x5u_missing")
    typ = () if header.typ == "passport" else ("typ",)
    return header, canonical_x5u(header.x5u), typ + form(octets, header)


def _claims(octets: bytes) -> tuple[Claims, tuple[str, ...]]:
    """The claims, and the deviations that reading them took."""
    if len(octets) > CLAIMS_LIMIT:
        raise InvalidIdentity("claims_too_large")
    _require_flat(octets)
    try:
        claims = read_claims(octets)
    except (msgspec.MsgspecError, ValueError):
        return _lenient_claims(octets)
    return claims, form(octets, claims)


def _lenient_claims(octets: bytes) -> tuple[Claims, tuple[str, ...]]:
    try:
        found = read_lenient(octets)
    except (msgspec.MsgspecError, ValueError):
        raise InvalidIdentity("claims_malformed") from None
    deviations: list[str] = []
    tns, uris, iat = found.dest.tn, found.dest.uri, found.iat
    if isinstance(tns, str) or isinstance(uris, str):
        deviations.append("dest_string")
        tns = [tns] if isinstance(tns, str) else tns
        uris = [uris] if isinstance(uris, str) else uris
    if isinstance(iat, str) and iat.isascii() and iat.isdigit() and len(iat) < 16:
        deviations.append("iat_string")
        iat = int(iat)
    if not isinstance(iat, int) or isinstance(iat, bool):
        raise InvalidIdentity("iat_invalid")
    deviations += form(octets, None)
    dest = Parties(tn=tns, uri=uris)
    claims = Claims(
        iat,
        found.orig,
        dest,
        found.attest,
        found.origid,
        found.div,
        found.rph,
        found.sph,
        found.rcd,
        found.crn,
        found.rcdi,
    )
    return claims, tuple(deviations)


def _require_claims(header: Header, claims: Claims) -> None:
    """Raises InvalidIdentity where a claim that its type requires is missing or has no such value."""
    if not 0 <= claims.iat < _IAT_LIMIT:
        raise InvalidIdentity("iat_invalid")
    if bool(claims.orig.tn) == bool(claims.orig.uri):
        raise InvalidIdentity("orig_malformed", "one member, tn or uri (RFC 8225 §5.2.1)")
    if not claims.dest.tn and not claims.dest.uri:
        raise InvalidIdentity("dest_malformed", "neither tn nor uri")
    _require_numbers(claims)
    if header.ppt == "shaken" and claims.attest not in LEVELS:
        raise InvalidIdentity("attest_invalid")
    if claims.origid is not None and len(claims.origid) > ORIGID_LIMIT:
        raise InvalidIdentity("origid_invalid")
    if header.ppt == "div" and (claims.div is None or bool(claims.div.tn) == bool(claims.div.uri)):
        raise InvalidIdentity("div_malformed")
    if header.ppt == "rph":
        _require_priority(claims)


def _require_numbers(claims: Claims) -> None:
    """Raises InvalidIdentity where there are more parties, or longer numbers, than any call has."""
    tns = claims.dest.tn
    if len(tns) + len(claims.dest.uri) > DEST_LIMIT:
        raise InvalidIdentity("dest_too_many")
    own = claims.div.tn if claims.div is not None else None
    for tn in (claims.orig.tn, own, *tns):
        if tn is not None and len(tn) > TN_LIMIT:
            raise InvalidIdentity("tn_too_long")


def _require_priority(claims: Claims) -> None:
    """Raises InvalidIdentity where `rph` names no r-values, or `sph` is not what RFC 9027 §4 has."""
    auth = claims.rph.get("auth") if isinstance(claims.rph, dict) else None
    if not isinstance(auth, list) or not auth or not all(isinstance(each, str) and "." in each for each in auth):
        raise InvalidIdentity("rph_malformed")
    if claims.sph is None:
        return
    if claims.sph != "psap-callback" or not any(each.lower().startswith("esnet.") for each in auth):
        raise InvalidIdentity("sph_malformed", "psap-callback, beside esnet.x only")


def _deviations(header: Header, claims: Claims) -> tuple[str, ...]:
    """Where claims that could be read leave the standard all the same."""
    found: tuple[str, ...] = ()
    if not claims.origid:
        if header.ppt == "shaken":
            found = ("origid_missing",)
    elif not _is_uuid(claims.origid):
        found = ("origid_form",)
    if claims.attest is not None and claims.attest not in LEVELS:
        found += ("attest_form",)
    tns = claims.dest.tn.copy()
    if claims.orig.tn is not None:
        tns.append(claims.orig.tn)
    if claims.div is not None and claims.div.tn is not None:
        tns.append(claims.div.tn)
    for tn in tns:
        if len(tn) != _USUAL_LENGTH or tn[0] != "1" or not tn.isdigit() or not tn.isascii():
            return found + _of_numbers(tns)
    return found


def _is_uuid(origid: str) -> bool:
    """Whether it has the form that RFC 8588 §5 asks for, in letters of either case."""
    return _UUID.fullmatch(origid) is not None


def is_plain(origid: str | None) -> TypeGuard[str]:
    """Whether it can stand in a header and a record as it is: visible ASCII without spaces; many write no UUID."""
    return origid is not None and origid.isascii() and origid.isprintable() and " " not in origid


def _of_numbers(tns: list[str]) -> tuple[str, ...]:
    """Where numbers are not in canonical form (RFC 8224 §8.3): all that is wrong with any of them, in a fixed order."""
    odd = {what for tn in tns for what in _of_number(tn)}
    return tuple([what for what in ("tn_plus", "tn_form", "tn_dialled") if what in odd])


def _of_number(tn: str) -> list[str]:
    """What is wrong with one number. Whether its country code is missing only the call can tell: 4722123456 has one."""
    plus = tn[:1] == "+"
    found = ["tn_plus"] if plus else []
    bare = tn[1:] if plus else tn
    digits = "".join([char for char in bare if char in _CANONICAL])
    if not digits or len(digits) != len(bare) or len(digits) > _LONGEST:
        found.append("tn_form")
    if digits[:1] == "0":
        found.append("tn_dialled")
    return found


def _require_flat(octets: bytes) -> None:
    """Raises InvalidIdentity where JSON nests deeper than DEPTH_LIMIT; counts before it looks closer."""
    if octets.count(b"{") + octets.count(b"[") <= DEPTH_LIMIT:
        return
    bare = _STRINGS.sub(b"", octets).translate(None, _NO_BRACKETS)
    if bare.count(b"{") + bare.count(b"[") > NODES_LIMIT:
        raise InvalidIdentity("json_too_deep", f"more than {NODES_LIMIT} arrays and objects")
    depth = 0
    for octet in bare:
        if octet in b"{[":
            depth += 1
            if depth > DEPTH_LIMIT:
                raise InvalidIdentity("json_too_deep")
        elif octet in b"}]":
            depth -= 1
