"""Which calls a signature lifts above every rule, limit and overload: priority that was signed (RFC 8443, RFC 9027).

Enters: an attempt with Resource-Priority and Identity, what the operator honours, validated certificates. Leaves: the
facts that lift the call, the certificates that must be there first, or None; with the attempt what all values came to,
which the check `identity` needs next.
Must not: be asked of calls without Resource-Priority, which no such token can speak of.

A token lifts the one call that it was signed for. Therefore it must name whom the Request-URI calls, since that is
where the call goes, and the number that counts as the caller's on this trunk; a delegate cannot sign it; and once a
call with it was answered it lifts none any more, not even under the same Call-ID. Before that it may come again as
often as `replays` bears, as in retries of a call that failed.
"""

from __future__ import annotations

from sipguard.screening import guard
from sipguard.screening.attempt import CallAttempt
from sipguard.screening.finding import Context, FactValue, Waiting
from sipguard.screening.verification.evaluate import evaluate, needs_of
from sipguard.screening.verification.parties import BOTH, REQUEST_URI
from sipguard.screening.verification.priority import RPH, r_values, signed_values
from sipguard.screening.verification.replays import note
from sipguard.screening.verification.result import PASSED, WAITING, Result
from sipguard.screening.verification.settings import Settings
from sipguard.stir.credential import Credential


def signed_priority(
    attempt: CallAttempt, honoured: guard.Settings, verifying: Settings, context: Context
) -> dict[str, FactValue] | Waiting | None:
    """The facts of a token that holds and is honoured; or what it waits for, and the other values beside it."""
    namespaces = honoured.priority_namespaces
    if not attempt.identity or not attempt.trunk.verify or not _any_of(r_values(attempt.resource_priority), namespaces):
        return None
    waits = False
    results = attempt.evaluated = evaluate(attempt, verifying, context.certificates)
    for result in results:
        passport = result.passport
        if passport is None or passport.ppt != RPH or result.outcome not in (PASSED, WAITING):
            continue
        if not _any_of(signed_values(passport), namespaces) or not _is_of_this_call(result, attempt):
            continue
        if result.outcome == WAITING:
            waits = True
        elif (
            result.credential is not None
            and _may_sign(result.credential, honoured.priority_signers)
            and not note(passport, attempt, context.replays, verifying.freshness_s + verifying.future_s)
        ):
            return {
                "identity.rph": signed_values(passport),
                "identity.sph": passport.claims.sph,
                "identity.rph_signer": result.credential.organisation,
                "identity.rph_spc": result.credential.spc,
            }
    if not waits:
        return None
    return Waiting(*needs_of([one for one in results if one.outcome == WAITING], verifying.budget_s))


def _any_of(values: frozenset[str] | tuple[str, ...], namespaces: frozenset[str]) -> bool:
    return any(value.partition(".")[0] in namespaces for value in values)


def _is_of_this_call(result: Result, attempt: CallAttempt) -> bool:
    """Whether its token names where the call goes, and who counts as its caller, by number where there is one."""
    called = result.dest_source in (REQUEST_URI, BOTH)
    return called and result.tn == attempt.caller.tn and result.source in (attempt.caller_source, BOTH)


def _may_sign(credential: Credential, signers: frozenset[str]) -> bool:
    """Whether priority is for its holder to sign. What was delegated is authority over numbers (RFC 9060 §4)."""
    return not credential.delegate and (not signers or not signers.isdisjoint(credential.spc))
