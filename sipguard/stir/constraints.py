"""Constraints on claims: what a certificate lets its holder put into a PASSporT (RFC 8226 §8, RFC 9118).

Enters: the DER octets of the extension; a PASSporT whose signature holds. Leaves: names and values; InvalidIdentity
(438) where a claim breaks them: a verifier treats such a PASSporT as invalid. Must not: look at anything but the claims
that were signed.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sipguard.stir.der import IA5, SEQUENCE, UTF8, elements, only
from sipguard.stir.errors import InvalidIdentity, UnsupportedCredential

if TYPE_CHECKING:
    from sipguard.stir.passport import Passport

OID: Final = "1.3.6.1.5.5.7.1.27"  # id-pe-JWTClaimConstraints
ENHANCED_OID: Final = "1.3.6.1.5.5.7.1.33"  # id-pe-eJWTClaimConstraints
_MALFORMED: Final = "constraints_malformed"
_REQUIRED, _VALUES, _EXCLUDED = 0xA0, 0xA1, 0xA2
_BASELINE: Final = frozenset(("iat", "orig", "dest"))  # in every PASSporT (RFC 8225 §5)


class ClaimConstraints:
    """Claims that must be there, values that claims may have, claims that must not be there."""

    __slots__ = ("excluded", "required", "values")

    def __init__(
        self,
        required: tuple[str, ...],
        values: tuple[tuple[str, tuple[str, ...]], ...],
        excluded: tuple[str, ...],
    ) -> None:
        self.required = required
        self.values = values
        self.excluded = excluded


def read(der: bytes, enhanced: bool) -> ClaimConstraints | None:
    """The constraints in `der`, None where they count as absent: one excludes iat, orig or dest (RFC 9118 §3).

    Raises UnsupportedCredential("constraints_malformed"): who may sign what is then not known.
    """
    parts = list(elements(only(der, SEQUENCE, _MALFORMED), _MALFORMED))
    tags = [tag for tag, _ in parts]
    allowed = (_REQUIRED, _VALUES, _EXCLUDED) if enhanced else (_REQUIRED, _VALUES)
    if not tags or tags != [tag for tag in allowed if tag in tags]:
        raise _malformed("members")
    found = dict(parts)
    required = _names(found[_REQUIRED]) if _REQUIRED in found else ()
    values = _permitted(found[_VALUES]) if _VALUES in found else ()
    excluded = _names(found[_EXCLUDED]) if _EXCLUDED in found else ()
    return None if _BASELINE.intersection(excluded) else ClaimConstraints(required, values, excluded)


def require_allowed(passport: Passport, limits: Iterable[ClaimConstraints]) -> None:
    """Raises InvalidIdentity where a claim breaks one of `limits`: constraint_missing, _value, _excluded."""
    claims = _claims(passport)
    for limit in limits:
        for name in limit.required:
            if name not in claims:
                raise InvalidIdentity("constraint_missing", name)
        for name, values in limit.values:
            if name in claims and not _listed(claims[name], values):
                raise InvalidIdentity("constraint_value", name)
        for name in limit.excluded:
            if name in claims:
                raise InvalidIdentity("constraint_excluded", name)


def _claims(passport: Passport) -> dict[str, Any]:
    """All claims as they were signed; a Passport keeps only those that every call needs."""
    payload = passport.signing_input.partition(b".")[2]
    try:
        found = msgspec.json.decode(urlsafe_b64decode(payload + b"=="))
    except (msgspec.MsgspecError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise InvalidIdentity("claims_malformed")
    return found


def _listed(claim: object, values: tuple[str, ...]) -> bool:
    """Whether a claim has one of the values: a text exactly, anything else as JSON (RFC 8225 §9)."""
    if isinstance(claim, str):
        return claim in values
    return _canonical(claim) in [_as_json(value) for value in values]


def _as_json(value: str) -> bytes:
    """A permitted value that is JSON in its canonical form, else as it stands."""
    try:
        return _canonical(msgspec.json.decode(value))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return value.encode()


def _canonical(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _permitted(octets: bytes) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = []
    for tag, value in elements(only(octets, SEQUENCE, _MALFORMED), _MALFORMED):
        parts = list(elements(value, _MALFORMED))
        if tag != SEQUENCE or [kind for kind, _ in parts] != [IA5, SEQUENCE]:
            raise _malformed("permittedValues")
        found.append((_text(*parts[0], IA5), _texts(parts[1][1], UTF8)))
    if not found:
        raise _malformed("permittedValues")
    return tuple(found)


def _names(octets: bytes) -> tuple[str, ...]:
    return _texts(only(octets, SEQUENCE, _MALFORMED), IA5)


def _texts(octets: bytes, kind: int) -> tuple[str, ...]:
    texts = tuple([_text(tag, value, kind) for tag, value in elements(octets, _MALFORMED)])
    if not texts:
        raise _malformed("an empty list")
    return texts


def _text(tag: int, value: bytes, kind: int) -> str:
    """A string of this kind; names are IA5String, values UTF8String."""
    if tag != kind:
        raise _malformed("another type of string")
    try:
        return value.decode("ascii" if kind == IA5 else "utf-8")
    except UnicodeDecodeError:
        raise _malformed("not a text") from None


def _malformed(what: str) -> UnsupportedCredential:
    return UnsupportedCredential("constraints_malformed", what)
