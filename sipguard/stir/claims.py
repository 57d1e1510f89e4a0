"""The JSON of a PASSporT, decoded straight into its claims (RFC 8225 §4, §5).

Enters: JSON octets. Leaves: header and claims. Must not: judge them; `passport` does. It stands apart from
`passport` because msgspec builds these classes from their annotations, which a compiled module does not keep.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec


class Header(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """The JOSE header (RFC 8225 §4)."""

    alg: str = ""
    ppt: str = ""
    typ: str = ""
    x5u: str = ""
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Party(msgspec.Struct, gc=False, omit_defaults=True):
    """One number or URI (§5.2.1)."""

    tn: str | None = None
    uri: str | None = None


class Parties(msgspec.Struct, gc=False, omit_defaults=True):
    """Numbers and URIs (§5.2.1)."""

    tn: list[str] = []
    uri: list[str] = []


class Claims(msgspec.Struct, gc=False, omit_defaults=True):
    """The claims as the standard has them."""

    iat: int
    orig: Party
    dest: Parties
    attest: str | None = None
    origid: str | None = None
    div: Party | None = None
    rph: Any = None  # RFC 8443
    sph: Any = None  # RFC 9027
    rcd: Any = None  # RFC 9795; these three are judged where they are asked for, and never fail another claim
    crn: Any = None
    rcdi: Any = None


class LenientParties(msgspec.Struct, gc=False):
    """Numbers and URIs, as arrays or alone."""

    tn: list[str] | str = []
    uri: list[str] | str = []


class LenientClaims(msgspec.Struct, gc=False):
    """The claims as they have been seen: `iat` a string, `dest.tn` no array."""

    orig: Party
    dest: LenientParties
    iat: Any = None
    attest: str | None = None
    origid: str | None = None
    div: Party | None = None
    rph: Any = None
    sph: Any = None
    rcd: Any = None
    crn: Any = None
    rcdi: Any = None


_IN_ORDER: Final[tuple[str, ...]] = ()
_IN_DISORDER: Final = ("json_form",)
_PARTIES: Final = {"orig": {"tn", "uri"}, "dest": {"tn", "uri"}, "div": {"tn", "uri", "hi"}}  # RFC 8225, RFC 8946


def form(octets: bytes, read: Header | Claims | None) -> tuple[str, ...]:
    """Deviations of JSON that was read: json_form where it does not stand as RFC 8225 §9 has it, which is with sorted
    members, none twice, no spaces, no needless escapes; party_members where a party has members that nobody defined.

    `read` is what these octets were read as: nearly always it has all that stands in them, which is told at once.
    """
    if read is not None and _sorted(read) == octets:
        return _IN_ORDER
    try:
        found = _any(octets)
        ordered = _IN_ORDER if _sorted(found) == octets else _IN_DISORDER
    except (msgspec.MsgspecError, ValueError, OverflowError):  # a number that no float holds, in a claim not read
        return _IN_DISORDER
    return (*ordered, "party_members") if not isinstance(read, Header) and _has_unknown_party(found) else ordered


def _has_unknown_party(claims: dict[str, Any]) -> bool:
    """Whether `orig`, `dest` or `div` has a member besides those of the standards; `orig` has but one (§5.2.1)."""
    for name, known in _PARTIES.items():
        party = claims.get(name)
        if isinstance(party, dict) and (not known.issuperset(party) or (name == "orig" and len(party) > 1)):
            return True
    return False


def serialized(value: object) -> bytes:
    """A JSON value in the form that RFC 8225 §9 has it."""
    return _sorted(value)


def deterministic(what: Header | Claims) -> bytes:
    """The JSON that is signed (RFC 8225 §9)."""
    return _sorted(what)


_any: Final = msgspec.json.Decoder().decode
_sorted: Final = msgspec.json.Encoder(order="sorted").encode
read_header: Final = msgspec.json.Decoder(Header).decode
read_claims: Final = msgspec.json.Decoder(Claims).decode
read_lenient: Final = msgspec.json.Decoder(LenientClaims).decode
