"""Does a token speak of this caller and of this called party? (RFC 8224 §6.2.4, §8.3, §8.5)

Enters: claims, the numbers of an attempt. Leaves: which of them the token names.
Must not: take the caller from the token; it always comes from signalling.
"""

from __future__ import annotations

from sipguard.numbers import canonical
from sipguard.screening.attempt import CallAttempt
from sipguard.sip.uri import host_of, user_of
from sipguard.stir.passport import Passport


def caller_named(passport: Passport, attempt: CallAttempt) -> tuple[str, str]:
    """(from | pai | both, TN) where the token names the number in From or in P-Asserted-Identity, else ("", "")."""
    claimed = passport.orig_tn
    if not claimed:
        return "", ""
    shown = attempt.shown.tn
    asserted = attempt.asserted.tn if attempt.asserted is not None else ""
    if claimed != shown and claimed != asserted:
        claimed = canonical.read(claimed, attempt.trunk.read.bare).tn
        if not claimed or (claimed != shown and claimed != asserted):
            return "", ""
    if claimed != shown:
        return "pai", claimed
    return "both" if claimed == asserted else "from", claimed


def names_called(passport: Passport, attempt: CallAttempt) -> bool:
    """Whether the token names the called party in To or in the Request-URI."""
    called = (attempt.to.tn, attempt.callee.tn)
    for tn in passport.dest_tns:
        if tn and tn in called:
            return True
    rules = attempt.trunk.read.bare
    for tn in passport.dest_tns:
        found = canonical.read(tn, rules).tn
        if found and found in called:
            return True
    if passport.dest_uris:
        wanted = _plain_uri(attempt.request_uri)
        return any(_plain_uri(uri) == wanted for uri in passport.dest_uris)
    return False


def _plain_uri(uri: str) -> str:
    """A URI without port, parameters and password, its host in lower case (RFC 8224 §8.5)."""
    host = host_of(uri)
    return f"{user_of(uri)}@{host.lower()}" if host else uri.lower()
