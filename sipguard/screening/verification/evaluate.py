"""All Identity values of a call, one after the other (RFC 8224 §6.2, RFC 8588).

Enters: an attempt, settings, validated certificates. Leaves: a Result for each value, in order.
Must not: fetch, decide about the call, ask for a certificate for a token that cannot pass anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sipguard.numbers import canonical
from sipguard.screening.attempt import CallAttempt
from sipguard.screening.finding import Need
from sipguard.screening.verification.compact import COMPACT, MARK, rebuilt
from sipguard.screening.verification.diversion import DIV, link
from sipguard.screening.verification.parties import called_named, caller_named
from sipguard.screening.verification.priority import RPH, require_priority
from sipguard.screening.verification.proof import prove
from sipguard.screening.verification.result import FAILED, PASSED, UNSUPPORTED, WAITING, Result
from sipguard.screening.verification.settings import Settings
from sipguard.sip.date import instant_of
from sipguard.stir import identity
from sipguard.stir.certificate import CertificateStore
from sipguard.stir.errors import (
    InvalidIdentity,
    StaleDate,
    StirError,
    UnsupportedPassport,
)
from sipguard.stir.passport import TYPES, Passport, freshness, require_agreement
from sipguard.stir.passport import read as read_passport

_NATIONAL: Final = ("tn_national",)
_IN_A_LIST: Final = ("comma_list",)


def evaluate(attempt: CallAttempt, settings: Settings, certificates: CertificateStore) -> list[Result]:
    """A Result for each Identity value, up to `max_headers`; WAITING where a certificate must be fetched.

    All are read before the first is judged, since `div` tokens refer to others (RFC 8946 §4.2).
    """
    values = identity.split(attempt.identity)
    results = [Result(value) for value in values[: settings.max_headers]]
    if tuple(values) != attempt.identity:
        for result in results:
            if result.value not in attempt.identity:
                result.deviations = _IN_A_LIST
    diverted = False
    for result in results:
        try:
            diverted |= _read(result, attempt, settings).ppt == DIV
        except StirError as error:
            result.reason, result.status = error.reason, error.status
            if isinstance(error, UnsupportedPassport):
                result.outcome, result.step = UNSUPPORTED, -1
    if diverted:
        link(results, attempt, settings.freshness_s, settings.future_s, certificates)
    for result in results:
        if not result.reason and result.passport is not None and result.passport.ppt != DIV:
            _judge(result, result.passport, attempt, settings, certificates)
            if result.outcome == FAILED and result.value.lstrip().startswith(MARK):
                results[results.index(result)] = _asserted(result, attempt, settings, certificates)
    return results


def needs_of(waiting: Iterable[Result], budget_s: float) -> list[Need]:
    """The certificates that these wait for, each once."""
    missing = [one.passport.x5u for one in waiting if one.passport is not None and one.credential is None]
    return [Need("certificate", url, budget_s) for url in dict.fromkeys(missing)]


def _read(result: Result, attempt: CallAttempt, settings: Settings) -> Passport:
    """What the value says, before the call is looked at. Raises StirError."""
    header = identity.read(result.value)
    result.ppt = header.ppt
    try:
        passport = result.passport = read_passport(header.token)
    except InvalidIdentity as error:
        if error.reason != COMPACT or header.ppt in TYPES[1:]:
            raise
        if header.ppt:
            raise UnsupportedPassport("unsupported_ppt", header.ppt) from None
        passport = result.passport = rebuilt(header, attempt)[0]
    result.deviations += passport.deviations
    if passport.ppt != header.ppt and not header.ppt:
        result.ppt = passport.ppt
        result.deviations += ("ppt_missing",)
    if attempt.dates_differ:
        result.deviations += ("date_repeated",)
    result.step = 1
    require_agreement(header, passport)
    result.host = identity.check_x5u(passport.x5u, settings.x5u_ports)
    if settings.strict and result.deviations:
        raise InvalidIdentity("deviations", " ".join(result.deviations))
    result.step = 2
    return passport


def _judge(
    result: Result, passport: Passport, attempt: CallAttempt, settings: Settings, certificates: CertificateStore
) -> None:
    """Holds a token against the call, then proves its signature.

    The signature comes last: comparing numbers costs a fiftieth of it (RFC 8224 §6.2.4 allows the order). A token
    that fails before is looked at further only where its certificate is at hand.
    """
    tn = _compare(result, passport, attempt, settings)
    if passport.ppt == RPH:
        tn = ""  # its signer has authority over priority, not over the number (RFC 8443 §3): an SPC it must have
        if not result.reason:
            try:
                require_priority(passport, attempt)
            except InvalidIdentity as error:
                result.reason, result.status = error.reason, error.status
    found = certificates.get(passport.x5u, attempt.received_at)
    if found is None:
        if not result.reason:
            result.outcome = WAITING
        return
    prove(result, passport, found, tn, attempt.received_at)
    if result.signature_ok is False:
        certificates.doubt(passport.x5u, attempt.received_at)
    if result.diversion is not None and result.outcome == PASSED and result.diversion.waits is not None:
        result.outcome, result.reason = WAITING, ""


def _asserted(result: Result, attempt: CallAttempt, settings: Settings, certificates: CertificateStore) -> Result:
    """A token of compact form as it comes out for a caller in P-Asserted-Identity, if it passes for one."""
    for passport in rebuilt(identity.read(result.value), attempt)[1:]:
        other = Result(result.value)
        other.passport, other.host, other.step, other.diversion = passport, result.host, 2, result.diversion
        _judge(other, passport, attempt, settings, certificates)
        if other.outcome == PASSED:
            return other
    return result


def _compare(result: Result, passport: Passport, attempt: CallAttempt, settings: Settings) -> str:
    """Holds the claims against the call; the TN that the token vouches for.

    The first of orig, dest and iat that does not fit becomes the reason of `result`.
    """
    result.source, tn = caller_named(passport, attempt)
    result.tn = tn
    result.orig_ok = result.source != ""
    result.dest_source = called_named(passport, attempt)
    result.dest_ok = result.dest_source != ""
    window_s = settings.freshness_s
    if result.diversion is not None and not result.diversion.reason:
        result.dest_ok = True
        window_s = max(window_s, attempt.trunk.diverted_within_s)
    try:
        freshness(passport.iat, attempt.received_at, window_s, settings.future_s)
        result.fresh = True
    except StaleDate as error:
        result.fresh = False
        result.reason, result.status = error.reason, error.status
    if attempt.date:
        at = instant_of(attempt.date)
        result.date_differs = at != 0.0 and abs(at - passport.iat) > settings.freshness_s
    if _lacks_code(passport, tn, attempt):
        result.deviations += _NATIONAL
        if settings.strict and not result.reason:
            result.reason, result.status = "deviations", InvalidIdentity.status
    if not result.orig_ok:
        result.reason, result.status = "orig_mismatch", InvalidIdentity.status
    elif not result.dest_ok:
        result.reason, result.status = "dest_mismatch", InvalidIdentity.status
    else:
        result.step = 4 if result.fresh else 3
    return tn


def _lacks_code(passport: Passport, tn: str, attempt: CallAttempt) -> bool:
    """Whether caller (`tn`, as the token names it) or called party fit only by a country code added to the claim."""
    if tn and passport.orig_tn != tn and _is_national(passport.orig_tn, tn, attempt):
        return True
    for called in passport.dest_tns:
        if called != attempt.callee.tn and called != attempt.to.tn:
            for one in (attempt.callee.tn, attempt.to.tn):
                if one and _is_national(called, one, attempt):
                    return True
    return False


def _is_national(claim: str, tn: str, attempt: CallAttempt) -> bool:
    """Whether a claim is read as `tn`, which begins with digits that the claim has not; one that was dialled has 0."""
    if claim[:1] in ("", "+", "0"):
        return False
    digits = "".join([char for char in claim if char.isdigit()])
    return len(digits) < len(tn) and tn.endswith(digits) and tn in canonical.readings(claim, attempt.trunk.read.bare)
