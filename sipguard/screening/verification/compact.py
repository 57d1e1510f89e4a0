"""A base PASSporT in compact form: what was left out is put together from the call (RFC 8224 §4.1, RFC 8225 §7).

Enters: the header value, an attempt. Leaves: the Passport that was signed, once for each caller that it may speak of.
Must not: verify; whether a signature holds over what is put together says which of them it was.

Fingerprints of media (`mky`, RFC 8224 §4.1) are not put together: screening does not see bodies, and the signature of
such a token does not hold.
"""

from __future__ import annotations

from typing import Final

from sipguard.numbers.canonical import ANONYMOUS, Number
from sipguard.screening.attempt import CallAttempt, uri_in, uris_asserted
from sipguard.sip.date import instant_of
from sipguard.sip.uri import canonical_uri
from sipguard.stir.claims import Parties, Party
from sipguard.stir.errors import InvalidIdentity, UnsupportedCredential
from sipguard.stir.identity import ES256, IdentityHeader
from sipguard.stir.passport import Passport, full_form, read

COMPACT: Final = "compact_not_allowed"  # the reason that a token of this form has unless it is put together
MARK: Final = ".."  # what a token of this form begins with


def rebuilt(header: IdentityHeader, attempt: CallAttempt) -> list[Passport]:
    """The token for the caller in From, then for those in P-Asserted-Identity (RFC 8224 §8).

    Raises InvalidIdentity, where the call does not say all that it takes, or UnsupportedCredential (alg).
    """
    if header.alg != ES256:
        raise UnsupportedCredential("unsupported_alg", header.alg)
    iat = int(instant_of(attempt.date))
    if not iat:
        raise InvalidIdentity("date_missing")
    callers = _callers(attempt)
    if not callers:
        raise InvalidIdentity("orig_mismatch", "nobody calls")
    dest = attempt.to.tn
    uri = "" if dest else canonical_uri(uri_in(attempt.to_value))
    called = Parties(tn=[dest] if dest else [], uri=[uri] if uri else [])
    return [read(full_form(header.token, header.info, each, called, iat)) for each in callers]


def _callers(attempt: CallAttempt) -> list[Party]:
    """Whom the call may be from, each once."""
    found: dict[tuple[str, str], None] = {}
    if attempt.shown.form != ANONYMOUS:
        _add(found, attempt.shown, uri_in(attempt.from_value))
    for number in (attempt.asserted, *attempt.asserted_also[:1]):  # each costs a signature; RFC 3325 §9.1 has two
        if number is not None:
            _add(found, number, "")
    if attempt.asserted is None:
        for uri in uris_asserted(attempt)[:1]:
            _add(found, None, uri)
    return [Party(tn=tn or None, uri=uri or None) for tn, uri in found]


def _add(found: dict[tuple[str, str], None], number: Number | None, uri: str) -> None:
    if number is not None and number.tn:
        found[number.tn, ""] = None
    elif uri:
        found["", canonical_uri(uri)] = None
