"""Does a token speak of this caller and of this called party? (RFC 8224 §6.2.4, §8.1, §8.3, §8.5)

Enters: claims, the numbers and URIs of an attempt. Leaves: which of them the token names.
Must not: take the caller from the token; it always comes from signalling.

Numbers are compared in canonical form: those of the message by the rules of the trunk, without its prefixes for those
that nobody dialled, those of a claim by each of their readings (`canonical.readings`). The TN that a token vouches for
is the one that the message has. What is a number in the message is compared as a number only: a token for
`sip:12025550100@example.com` names that number or nobody, so that no certificate vouches for numbers by way of URIs.
"""

from __future__ import annotations

from typing import Final

from sipguard.numbers import canonical
from sipguard.numbers.rules import NumberRules
from sipguard.screening.attempt import CallAttempt, uri_in, uris_asserted
from sipguard.sip.uri import canonical_uri, user_of
from sipguard.stir.passport import Passport

FROM: Final = "from"
PAI: Final = "pai"
TO: Final = "to"
REQUEST_URI: Final = "request_uri"
BOTH: Final = "both"


def caller_named(passport: Passport, attempt: CallAttempt) -> tuple[str, str]:
    """(from | pai | both, TN) where the token names the caller in From or in P-Asserted-Identity, else ("", "").

    The TN is "" where the token names a URI that holds no number.
    """
    claimed, shown = passport.orig_tn, attempt.shown.tn
    asserted = attempt.asserted.tn if attempt.asserted is not None else ""
    if claimed and not attempt.asserted_also:
        if claimed == shown:
            return (BOTH if claimed == asserted else FROM), claimed
        if claimed == asserted:
            return PAI, claimed
    rules = attempt.trunk.read.bare
    if claimed:
        for tn in canonical.readings(claimed, rules):
            found = _number_named(tn, attempt)
            if found[0]:
                return found
        return "", ""
    number = number_in(passport.orig_uri, rules)
    return _number_named(number, attempt) if number else (_uri_named(passport.orig_uri, attempt), "")


def _number_named(tn: str, attempt: CallAttempt) -> tuple[str, str]:
    """As caller_named, for a TN in canonical form."""
    if not tn:
        return "", ""
    asserted = attempt.asserted
    in_pai = (asserted is not None and asserted.tn == tn) or any(one.tn == tn for one in attempt.asserted_also)
    source = _which(attempt.shown.tn == tn, FROM, in_pai, PAI)
    return (source, tn) if source else ("", "")


def _uri_named(uri: str, attempt: CallAttempt) -> str:
    """from | pai | both | "": where the caller is this URI, which holds no number."""
    if not uri:
        return ""
    wanted = canonical_uri(uri)
    rules = attempt.trunk.read.bare
    return _which(
        _is_uri(uri_in(attempt.from_value), wanted, rules),
        FROM,
        any(_is_uri(each, wanted, rules) for each in uris_asserted(attempt)),
        PAI,
    )


def called_named(passport: Passport, attempt: CallAttempt) -> str:
    """to | request_uri | both: where the called party is one that the token names, "" where it names neither."""
    to, callee = attempt.to.tn, attempt.callee.tn
    for tn in passport.dest_tns:
        if tn and tn == to == callee:
            return BOTH
    rules = attempt.trunk.read.bare
    named = {tn for claim in passport.dest_tns for tn in canonical.readings(claim, rules)}
    named.update(number_in(uri, rules) for uri in passport.dest_uris)
    in_to, in_request = to != "" and to in named, callee != "" and callee in named
    for uri in passport.dest_uris:
        wanted = canonical_uri(uri)
        in_to = in_to or _is_uri(uri_in(attempt.to_value), wanted, rules)
        in_request = in_request or _is_uri(attempt.request_uri, wanted, rules)
    return _which(in_to, TO, in_request, REQUEST_URI)


def _which(first: bool, first_name: str, second: bool, second_name: str) -> str:
    if first:
        return BOTH if second else first_name
    return second_name if second else ""


def number_in(uri: str, rules: NumberRules) -> str:
    """The complete TN that a URI holds, "" for none: then it is compared as a URI (RFC 8224 §8.1)."""
    number = canonical.read(user_of(uri), rules)
    return number.tn if number.form == canonical.E164 else ""


def _is_uri(uri: str, wanted: str, rules: NumberRules) -> bool:
    """Whether `uri` is `wanted`, which is in canonical form, and holds no number."""
    return uri != "" and not number_in(uri, rules) and canonical_uri(uri) == wanted
