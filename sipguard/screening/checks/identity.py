"""Is the caller who the Identity header says? (RFC 8224 §6.2, RFC 8588)

Enters: an attempt with its Identity values, validated certificates. Leaves: a Finding with `identity.*`
facts, or Waiting for a certificate. What a token claims becomes a fact only where its signature holds.
Must not: fetch, reject; a failed verification alone rejects nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipguard.numbers import canonical
from sipguard.numbers.rules import NumberRules
from sipguard.screening.attempt import CallAttempt
from sipguard.screening.finding import CLEAR, HIT, Context, FactSpec, FactValue, Finding, Need, Waiting
from sipguard.sip.uri import host_of, user_of
from sipguard.stir import identity
from sipguard.stir.certificate import Credential
from sipguard.stir.errors import (
    NO_IDENTITY_STATUS,
    InvalidIdentity,
    StirError,
    UnsupportedCredential,
    UnsupportedPassport,
)
from sipguard.stir.passport import Passport, freshness, require_agreement, verify
from sipguard.stir.passport import read as read_passport

COST: Final = 9
PASSED: Final = "passed"
FAILED_RESULT: Final = "failed"
NONE: Final = "none"
UNSUPPORTED: Final = "unsupported"

FACTS: Final[tuple[FactSpec, ...]] = (
    FactSpec(
        "identity.result",
        "choice",
        "what verification came to: a signature holds, none does, no Identity, or no type verified here",
        choices=(PASSED, FAILED_RESULT, NONE, UNSUPPORTED),
    ),
    FactSpec("identity.reason", "text", 'why, as a slug; "passed" where it passed'),
    FactSpec("identity.status", "number", "SIP status of a rejection for this; absent if passed"),
    FactSpec(
        "identity.attest",
        "choice",
        "attestation of the token that passed (RFC 8588 §4)",
        choices=("A", "B", "C"),
    ),
    FactSpec("identity.origid", "text", "origination identifier of the token that passed (RFC 8588 §5)"),
    FactSpec(
        "identity.orig_source",
        "choice",
        "which caller the token that passed vouches for: From, P-Asserted-Identity or both",
        choices=("from", "pai", "both"),
    ),
    FactSpec("identity.spc", "set", "service provider codes of the certificate that passed (RFC 8226 §9)"),
    FactSpec("identity.signer", "text", "organisation in the certificate that passed"),
    FactSpec("identity.certificate_sha256", "text", "SHA-256 of the certificate that passed, hexadecimal"),
    FactSpec("identity.x5u", "text", "where the certificate lies, as the token judged says"),
    FactSpec("identity.x5u_host", "text", "host of it, lower case"),
    FactSpec("identity.deviations", "set", "where the token judged leaves the standard: iat_string, tn_plus"),
    FactSpec("identity.iat_age_s", "number", "age of the token judged, negative if it lies ahead", unit="s"),
)


@dataclass(frozen=True)
class Settings:
    """What counts as fresh, how long a call may wait for a certificate, and from where one may come."""

    freshness_s: float = 60.0  # RFC 8224 §6.2 step 4
    future_s: float = 5.0  # how far `iat` may lie ahead of our clock
    budget_s: float = 0.25  # on the call path; the fetch goes on behind it
    max_headers: int = 10  # Identity values looked at
    strict: bool = False  # deviations of the token fail it
    x5u_ports: tuple[int, ...] = (443, 8443)


class _Trial:
    """One Identity value on its way. `step` tells how far it came; the furthest one is reported."""

    __slots__ = ("host", "passport", "reason", "source", "status", "step", "unsupported")

    def __init__(self) -> None:
        self.passport: Passport | None = None
        self.host = ""
        self.source = ""
        self.reason = ""
        self.status = 0
        self.step = 0
        self.unsupported = False


def check(attempt: CallAttempt, settings: Settings, context: Context) -> Finding | Waiting:
    """Clear where one Identity value verifies (RFC 8224 §6.2.1), hit where none does, else Waiting."""
    if not attempt.trunk.verify:
        return _NOT_VERIFIED
    if not attempt.identity:
        return _MISSING
    wanted = ""
    judged: _Trial | None = None
    for value in identity.split(attempt.identity)[: settings.max_headers]:
        trial = _Trial()
        try:
            credential = _examine(trial, value, attempt, settings, context)
        except StirError as error:
            trial.reason, trial.status = error.reason, error.status
            if isinstance(error, UnsupportedPassport):
                trial.step, trial.unsupported = -1, True
            if judged is None or trial.step > judged.step:
                judged = trial
            continue
        passport = trial.passport
        if credential is not None and passport is not None:
            return _passed(trial, passport, credential, attempt.received_at)
        if not wanted and passport is not None:
            wanted = passport.x5u
    if wanted:
        return Waiting(Need("certificate", wanted, settings.budget_s))
    return _MISSING if judged is None else _failed(judged, attempt.received_at)


def _examine(
    trial: _Trial, value: str, attempt: CallAttempt, settings: Settings, context: Context
) -> Credential | None:
    """The credential that signed this value, None where it must be fetched. Raises StirError.

    The signature comes last: comparing numbers costs a fiftieth of it (RFC 8224 §6.2.4 allows the order).
    """
    header = identity.read(value)
    passport = trial.passport = read_passport(header.token)
    if passport.ppt == "div":
        raise UnsupportedPassport("unsupported_ppt", "div")
    trial.step = 1
    require_agreement(header, passport)
    trial.host = identity.check_x5u(passport.x5u, settings.x5u_ports)
    if settings.strict and passport.deviations:
        raise InvalidIdentity("deviations", " ".join(passport.deviations))
    trial.step = 2
    tn = _require_orig(trial, passport, attempt)
    _require_dest(passport, attempt)
    trial.step = 3
    received_at = attempt.received_at
    freshness(passport.iat, received_at, settings.freshness_s, settings.future_s)
    trial.step = 4
    found = context.certificates.get(passport.x5u, received_at)
    if found is None:
        return None
    if isinstance(found, StirError):
        raise type(found)(found.reason, found.detail)  # the kept one must not collect frames
    if not found.authority.covers(tn):
        raise UnsupportedCredential("out_of_scope", tn)
    trial.step = 5
    verify(passport, found, received_at)
    return found


def _require_orig(trial: _Trial, passport: Passport, attempt: CallAttempt) -> str:
    """The caller's TN, where the token names the one in From or in P-Asserted-Identity (RFC 8224 §6.2.4)."""
    claimed = passport.orig_tn
    shown = attempt.shown.tn
    asserted = attempt.asserted.tn if attempt.asserted is not None else ""
    if not claimed:
        raise InvalidIdentity("orig_mismatch", "the caller is no telephone number")
    if claimed != shown and claimed != asserted:
        claimed = canonical.read(claimed, attempt.trunk.read.bare).tn
        if not claimed or (claimed != shown and claimed != asserted):
            raise InvalidIdentity("orig_mismatch")
    if claimed != shown:
        trial.source = "pai"
    else:
        trial.source = "both" if claimed == asserted else "from"
    return claimed


def _require_dest(passport: Passport, attempt: CallAttempt) -> None:
    """Returns where the token names the called party in To or in the Request-URI (RFC 8224 §6.2.4)."""
    called = (attempt.to.tn, attempt.callee.tn)
    for tn in passport.dest_tns:
        if tn and tn in called:
            return
    rules: NumberRules = attempt.trunk.read.bare
    for tn in passport.dest_tns:
        found = canonical.read(tn, rules).tn
        if found and found in called:
            return
    if passport.dest_uris:
        wanted = _plain_uri(attempt.request_uri)
        if any(_plain_uri(uri) == wanted for uri in passport.dest_uris):
            return
    raise InvalidIdentity("dest_mismatch")


def _plain_uri(uri: str) -> str:
    """A URI without port, parameters and password, its host in lower case (RFC 8224 §8.5)."""
    host = host_of(uri)
    return f"{user_of(uri)}@{host.lower()}" if host else uri.lower()


def _passed(trial: _Trial, passport: Passport, credential: Credential, received_at: float) -> Finding:
    facts: dict[str, FactValue] = {
        "identity.result": PASSED,
        "identity.reason": PASSED,
        "identity.status": None,
        "identity.attest": passport.attest or None,
        "identity.origid": passport.origid or None,
        "identity.orig_source": trial.source,
        "identity.spc": credential.spc,
        "identity.signer": credential.organisation,
        "identity.certificate_sha256": credential.sha256,
        "identity.x5u": passport.x5u,
        "identity.x5u_host": trial.host,
        "identity.deviations": passport.deviations,
        "identity.iat_age_s": received_at - passport.iat,
    }
    return Finding(CLEAR, PASSED, facts)


def _unverified(result: str, reason: str, status: int) -> dict[str, FactValue]:
    """All facts, those that only a signature can vouch for absent."""
    facts: dict[str, FactValue] = dict.fromkeys(spec.name for spec in FACTS)
    facts["identity.result"] = result
    facts["identity.reason"] = reason
    facts["identity.status"] = status
    return facts


def _failed(trial: _Trial, received_at: float) -> Finding:
    result = UNSUPPORTED if trial.unsupported else FAILED_RESULT
    facts = _unverified(result, trial.reason, trial.status)
    passport = trial.passport
    if passport is not None:
        facts["identity.x5u"] = passport.x5u
        facts["identity.x5u_host"] = trial.host or None
        facts["identity.deviations"] = passport.deviations
        facts["identity.iat_age_s"] = received_at - passport.iat
    return Finding(HIT, trial.reason, facts)


_MISSING: Final = Finding(HIT, "identity_missing", _unverified(NONE, "identity_missing", NO_IDENTITY_STATUS))
_NOT_VERIFIED: Final = Finding(HIT, "not_verified", _unverified(NONE, "not_verified", NO_IDENTITY_STATUS))
