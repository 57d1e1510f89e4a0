"""Is the caller who the Identity header says? (RFC 8224 §6.2, RFC 8588)

Enters: an attempt with its Identity values, validated certificates, lists of signers and of pairs. Leaves: a Finding
with `identity.*` facts, `lists.signer`, `lists.brand` and `rate.signer.*`, or Waiting for a certificate. What a token
claims becomes a fact only where its signature holds.
Must not: fetch, reject; a failed verification alone rejects nothing.
"""

from __future__ import annotations

from typing import Final

from sipguard.numbers.textset import folded
from sipguard.screening.attempt import CallAttempt
from sipguard.screening.finding import CLEAR, HIT, Context, FactSpec, FactValue, Finding, Waiting
from sipguard.screening.finding import FAILED as CHECK_FAILED
from sipguard.screening.lists import Lists
from sipguard.screening.shapes import specs, tell_signer
from sipguard.screening.shapesasked import SIGNER
from sipguard.screening.textlists import TextLists
from sipguard.screening.verification import described
from sipguard.screening.verification.diversion import unasked
from sipguard.screening.verification.evaluate import evaluate, needs_of
from sipguard.screening.verification.priority import RPH
from sipguard.screening.verification.replays import is_replay
from sipguard.screening.verification.report import told
from sipguard.screening.verification.result import (
    FAILED,
    NOT_FETCHED,
    PASSED,
    UNSUPPORTED,
    WAITING,
    Result,
    judged,
    passes,
)
from sipguard.screening.verification.rich import is_rich
from sipguard.screening.verification.settings import Settings
from sipguard.stir.errors import NO_IDENTITY_STATUS, InvalidIdentity
from sipguard.stir.identity import split
from sipguard.stir.profile import DEVIATIONS as CERTIFICATE_DEVIATIONS
from sipguard.stir.reasons import DEVIATIONS, REASONS

__all__ = ["COST", "FACTS", "Settings", "check"]

COST: Final = 9
NONE: Final = "none"  # no Identity at all
_STATUSES: Final = tuple(str(status) for status in sorted({status for status, _ in REASONS.values() if status}))

FACTS: Final[tuple[FactSpec, ...]] = (
    FactSpec(
        "identity.result",
        "choice",
        "what verification came to: a signature holds, none does, no Identity, or no type verified here",
        choices=(PASSED, FAILED, NONE, UNSUPPORTED),
    ),
    FactSpec("identity.reason", "choice", 'why, as a slug; "passed" where it passed', choices=tuple(REASONS)),
    FactSpec("identity.status", "number", "SIP status of a rejection for this; absent if passed", choices=_STATUSES),
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
    FactSpec("identity.orig_tn", "text", "number that the token that passed vouches for; absent where that is a URI"),
    FactSpec("identity.spc", "set", "service provider codes of the certificate that passed (RFC 8226 §9)"),
    FactSpec("identity.signer", "text", "organisation in the certificate that passed"),
    FactSpec("identity.delegate", "flag", "the certificate that passed is a delegate's (RFC 9060)"),
    FactSpec("identity.delegated_by", "text", "organisation of the provider that delegated; absent if none did"),
    FactSpec("identity.provider_spc", "set", "service provider codes of that provider"),
    FactSpec("identity.certificate_sha256", "text", "SHA-256 of the certificate that passed, hexadecimal"),
    FactSpec("identity.x5u", "text", "where the certificate lies, as the token judged says"),
    FactSpec("identity.x5u_host", "text", "host of it, lower case"),
    FactSpec("identity.deviations", "set", "where the token judged leaves the standard", choices=tuple(DEVIATIONS)),
    FactSpec(
        "identity.certificate_deviations",
        "set",
        "where the certificate of that token leaves the SHAKEN profile; absent where there was none to look at",
        choices=tuple(CERTIFICATE_DEVIATIONS),
    ),
    FactSpec("identity.count", "number", "how many Identity values there are"),
    FactSpec("identity.not_looked_at", "number", "how many of them beyond `max_headers`; absent where none"),
    FactSpec("identity.orig_ok", "flag", "the token judged names the caller (RFC 8224 §6.2.4)"),
    FactSpec("identity.dest_ok", "flag", "the token judged names the called party"),
    FactSpec(
        "identity.dest_source",
        "choice",
        "where that called party is; `to` alone: the call was sent on to another number (RFC 8224 §12.1.1)",
        choices=("to", "request_uri", "both"),
    ),
    FactSpec("identity.fresh", "flag", "the token judged is fresh (RFC 8224 §6.2 step 4)"),
    FactSpec("identity.date_differs", "flag", "Date is another time than its `iat`, by more than `freshness`"),
    FactSpec("identity.chain_ok", "flag", "its certificate is trusted; absent where there was none to look at"),
    FactSpec("identity.signature_ok", "flag", "its signature holds; absent where that was not looked at"),
    FactSpec("identity.replay", "flag", "its token came in another call before; absent where it did not pass"),
    FactSpec(
        "identity.reasons",
        "set",
        "why values did not pass, of all that did not; absent where all passed",
        choices=tuple(reason for reason in REASONS if reason != PASSED),
    ),
    FactSpec("identity.each", "set", "of several Identity values each: ppt, outcome, reason, host, steps, deviations"),
    FactSpec("identity.crl_stale", "flag", "the CRL that revocation is judged by is out of date; absent without one"),
    FactSpec("identity.trust_version", "text", "trust list and CRL in force; absent where none is configured"),
    FactSpec(
        "lists.signer",
        "set",
        "lists bound to signer that hold the origid, a service provider code or the organisation of the token judged,"
        " if its signature holds",
    ),
    FactSpec(
        "lists.brand",
        "set",
        "lists of pairs that hold the name of the caller in a token that passed (`identity.rcd_name`) with this callee;"
        " absent without such a name",
    ),
    FactSpec("identity.iat_age_s", "number", "age of the token judged, negative if it lies ahead", unit="s"),
    *described.FACTS,
    *specs(SIGNER),
)


def check(attempt: CallAttempt, settings: Settings, context: Context) -> Finding | Waiting:
    """Clear where one Identity value verifies (RFC 8224 §6.2.1), hit where none does, else Waiting."""
    if not attempt.trunk.verify:
        return _NOT_VERIFIED
    if not attempt.identity:
        return _MISSING
    certificates = context.certificates
    results = attempt.evaluated
    if results is None:
        results = evaluate(attempt, settings, certificates)
    attempt.evaluated = None  # at another time certificates may be there
    finding = _judged(attempt, settings, results, context)
    if isinstance(finding, Finding) and finding is not _MISSING:  # that one is everybody's
        stale = certificates.crl_stale(attempt.received_at)
        if stale is not None:
            finding.facts["identity.crl_stale"] = stale
        if certificates.trust_version:
            finding.facts["identity.trust_version"] = certificates.trust_version
        if len(results) == settings.max_headers:
            _count_all(finding.facts, attempt, settings.max_headers)
        if context.lists.brands or context.lists.overlay.sequence:
            _ask_by_name(finding.facts, attempt, context.lists)
    return finding


def _judged(attempt: CallAttempt, settings: Settings, results: list[Result], context: Context) -> Finding | Waiting:
    """The first that passed, else the certificates to wait for, else the one that came furthest."""
    for result in results:
        if passes(result):
            result.replayed = is_replay(result, attempt, context.replays, settings.freshness_s + settings.future_s)
            hops = unasked(result) if result.replayed and not context.late else []
            if hops:  # whether it was sent on depends on them
                return Waiting(*needs_of(hops, settings.budget_s))
            if not (result.replayed and settings.replay_fails):
                return _passed(result, results, attempt, context)
            result.outcome, result.reason, result.status = FAILED, "replayed", InvalidIdentity.status
    waiting = [one for one in results if one.outcome == WAITING and not _is_of_guard(one)]
    if waiting:
        if context.late:
            return _late(context.late, waiting, results, attempt)
        return Waiting(*needs_of(waiting, settings.budget_s))
    best = judged(results)  # by now none passes
    return _MISSING if best is None else _failed(best, results, attempt, context.lists.signer)


def _ask_by_name(facts: dict[str, FactValue], attempt: CallAttempt, lists: Lists) -> None:
    """Adds the lists of pairs that hold the verified name of the caller with the callee."""
    name = facts.get("identity.rcd_name")
    if isinstance(name, str):
        facts["lists.brand"] = lists.of_pair("", attempt.callee.tn, attempt.received_at, (folded(name),))


def _count_all(facts: dict[str, FactValue], attempt: CallAttempt, most: int) -> None:
    """Tells how many values there are, and that some were not looked at."""
    facts["identity.count"] = count = len(split(attempt.identity))
    if count > most:
        facts["identity.not_looked_at"] = count - most


def _is_of_guard(result: Result) -> bool:
    """Whether its token says nothing of the caller, and the guard has waited for it."""
    return result.passport is not None and result.passport.ppt == RPH


def _passed(result: Result, results: list[Result], attempt: CallAttempt, context: Context) -> Finding:
    passport, credential = result.passport, result.credential
    assert passport is not None and credential is not None
    facts: dict[str, FactValue] = {
        "identity.result": PASSED,
        "identity.reason": PASSED,
        "identity.orig_source": result.source,
        "identity.spc": credential.spc,
        "identity.signer": credential.organisation,
        "identity.delegate": credential.delegate,
        "identity.certificate_sha256": credential.sha256,
    }
    if passport.attest:
        facts["identity.attest"] = passport.attest
    if passport.origid:
        facts["identity.origid"] = passport.origid
    if result.tn:
        facts["identity.orig_tn"] = result.tn
    if credential.delegate:
        facts["identity.delegated_by"] = credential.provider
        facts["identity.provider_spc"] = credential.provider_spc
    if context.shapes.signer:
        tell_signer(facts, attempt, credential.spc, credential.organisation, context)
    _with_steps(facts, result, results, attempt.received_at, context.lists.signer)
    return Finding(CLEAR, PASSED, facts, _told(results, attempt))


def _with_steps(
    facts: dict[str, FactValue], result: Result, results: list[Result], received_at: float, signer: TextLists | None
) -> dict[str, FactValue]:
    """`facts` with what each step of the value judged came to, the lists its signer is on, a word on every value."""
    passport = result.passport
    facts["identity.count"] = len(results)
    if result.orig_ok is not None:
        facts["identity.orig_ok"] = result.orig_ok
    if result.dest_ok is not None:
        facts["identity.dest_ok"] = result.dest_ok
    if result.dest_source:
        facts["identity.dest_source"] = result.dest_source
    if result.fresh is not None:
        facts["identity.fresh"] = result.fresh
    if result.chain_ok is not None:
        facts["identity.chain_ok"] = result.chain_ok
    if result.signature_ok is not None:
        facts["identity.signature_ok"] = result.signature_ok
    if result.replayed is not None:
        facts["identity.replay"] = result.replayed
    if passport is not None:
        facts["identity.x5u"] = passport.x5u
        facts["identity.deviations"] = result.deviations
        facts["identity.iat_age_s"] = received_at - passport.iat
        if result.credential is not None:
            facts["identity.certificate_deviations"] = result.credential.warnings
        if result.host:
            facts["identity.x5u_host"] = result.host
        if result.date_differs is not None:
            facts["identity.date_differs"] = result.date_differs
    reasons = dict.fromkeys([one.reason for one in results if one.outcome != PASSED and one.reason])
    if reasons:
        facts["identity.reasons"] = tuple(reasons)
    if len(results) > 1:
        facts["identity.each"] = tuple([_in_short(one) for one in results])
    if signer is not None and result.signature_ok:
        facts["lists.signer"] = _listed(signer, result, received_at)
    if result.diversion is not None or result.outcome == FAILED:
        described.describe(facts, result)
    if len(results) > 1 or passport is None or passport.ppt != "shaken" or is_rich(passport):
        said: dict[str, FactValue] = {}
        described.describe_priority(said, results)
        described.describe_name(said, results)
        facts.update({name: value for name, value in said.items() if value is not None})
    return facts


def _listed(signer: TextLists, result: Result, at: float) -> tuple[str, ...]:
    """The lists that who signed the token judged is on."""
    passport, credential = result.passport, result.credential
    origid = passport.origid if passport is not None else ""
    if credential is None:
        return ()
    return signer.of((origid, credential.organisation, *credential.spc), "", at)


def _in_short(result: Result) -> str:
    """One value in a line: `ppt outcome reason host`, `-` for what is not known, then `orig+ dest- fresh+ chain+
    signature+` for the steps that were taken, then `deviations:tn_plus,...`, and `certificate:...` of its certificate.
    """
    passport = result.passport
    ppt = result.ppt or ("base" if passport is not None else "-")
    flags = (
        ("orig", result.orig_ok),
        ("dest", result.dest_ok),
        ("fresh", result.fresh),
        ("chain", result.chain_ok),
        ("signature", result.signature_ok),
    )
    steps = "".join([f" {name}{'+' if held else '-'}" for name, held in flags if held is not None])
    odd = f" deviations:{','.join(result.deviations)}" if result.deviations else ""
    if result.credential is not None and result.credential.warnings:
        odd += f" certificate:{','.join(result.credential.warnings)}"
    return f"{ppt} {result.outcome} {result.reason or '-'} {result.host or '-'}{steps}{odd}"


def _unverified(result: str, reason: str, status: int) -> dict[str, FactValue]:
    """What is known where no signature holds."""
    return {"identity.result": result, "identity.reason": reason, "identity.status": status}


def _failed(result: Result, results: list[Result], attempt: CallAttempt, signer: TextLists | None) -> Finding:
    if result.outcome == FAILED:
        outcome, reason, status = FAILED, result.reason, result.status
    else:  # of a type that is not verified here, or that says nothing of the caller
        outcome, reason, status = UNSUPPORTED, "unsupported_ppt", NO_IDENTITY_STATUS
    facts = _with_steps(_unverified(outcome, reason, status), result, results, attempt.received_at, signer)
    return Finding(HIT, reason, facts, _told(results, attempt))


def _late(why: str, waiting: list[Result], results: list[Result], attempt: CallAttempt) -> Finding:
    """What came does not do, and something did not come, for the reason `why`: nothing is said of the caller.

    The record says of each value what it came to.
    """
    for result in waiting:
        result.outcome, result.reason, result.status = FAILED, why, NOT_FETCHED
    facts: dict[str, FactValue] = {
        "identity.count": len(results),
        "identity.reasons": tuple(dict.fromkeys(one.reason for one in results if one.reason)),
        "identity.each": tuple([_in_short(one) for one in results]),
    }
    return Finding(CHECK_FAILED, why, facts, _told(results, attempt))


def _told(results: list[Result], attempt: CallAttempt) -> str:
    """Reason lines for the trunk that the call came by, where it wants them (RFC 9410)."""
    form = attempt.trunk.reason_stir
    return told(results, form) if form else ""


_MISSING: Final = Finding(HIT, "identity_missing", _unverified(NONE, "identity_missing", NO_IDENTITY_STATUS))
_NOT_VERIFIED: Final = Finding(HIT, "not_verified", _unverified(NONE, "not_verified", NO_IDENTITY_STATUS))
