"""Which calls a signature lifts above every rule, limit and overload: priority that was signed (RFC 8443, RFC 9027).

Enters: an attempt with Resource-Priority and Identity, what the operator honours, validated certificates. Leaves: the
facts that lift the call, the certificates that must be there first, or None.
Must not: be asked of calls without Resource-Priority, which no such token can speak of.
"""

from __future__ import annotations

from sipguard.screening import guard
from sipguard.screening.attempt import CallAttempt
from sipguard.screening.finding import FactValue, Waiting
from sipguard.screening.verification.evaluate import Settings, evaluate, needs_of
from sipguard.screening.verification.priority import RPH, r_values, signed_values
from sipguard.screening.verification.result import PASSED, WAITING
from sipguard.stir.certificate import CertificateStore


def signed_priority(
    attempt: CallAttempt, honoured: guard.Settings, verifying: Settings, certificates: CertificateStore
) -> dict[str, FactValue] | Waiting | None:
    """The facts of a token that holds and is honoured; or what it waits for, and the other values beside it."""
    namespaces = honoured.priority_namespaces
    if not attempt.identity or not attempt.trunk.verify or not _any_of(r_values(attempt.resource_priority), namespaces):
        return None
    waits = False
    results = evaluate(attempt, verifying, certificates)
    for result in results:
        passport = result.passport
        if passport is None or passport.ppt != RPH or result.outcome not in (PASSED, WAITING):
            continue
        if not _any_of(signed_values(passport), namespaces):
            continue
        if result.outcome == WAITING:
            waits = True
        elif result.credential is not None and _is_trusted(result.credential.spc, honoured.priority_signers):
            return {
                "identity.rph": signed_values(passport),
                "identity.sph": passport.claims.sph,
                "identity.signer": result.credential.organisation,
                "identity.spc": result.credential.spc,
            }
    if not waits:
        return None
    return Waiting(*needs_of([one for one in results if one.outcome == WAITING], verifying.budget_s))


def _any_of(values: frozenset[str] | tuple[str, ...], namespaces: frozenset[str]) -> bool:
    return any(value.partition(".")[0] in namespaces for value in values)


def _is_trusted(spc: tuple[str, ...], signers: frozenset[str]) -> bool:
    return not signers or not signers.isdisjoint(spc)
