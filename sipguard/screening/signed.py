"""Which calls a signature lifts above every rule, limit and overload: priority that was signed (RFC 8443, RFC 9027).

Enters: an attempt with Resource-Priority and Identity, what the operator honours, validated certificates. Leaves: the
facts that lift the call, a certificate that must be there first, or None.
Must not: be asked of calls without Resource-Priority, which no such token can speak of.
"""

from __future__ import annotations

from sipguard.screening import guard
from sipguard.screening.attempt import CallAttempt
from sipguard.screening.finding import FactValue, Need
from sipguard.screening.verification.evaluate import Settings, evaluate
from sipguard.screening.verification.priority import RPH, r_values, signed_values
from sipguard.screening.verification.result import PASSED, WAITING, Result
from sipguard.stir.certificate import CertificateStore


def signed_priority(
    attempt: CallAttempt, honoured: guard.Settings, verifying: Settings, certificates: CertificateStore
) -> dict[str, FactValue] | Need | None:
    """The facts of a token that holds and is honoured; or what it waits for."""
    namespaces = honoured.priority_namespaces
    if not attempt.identity or not attempt.trunk.verify or not _any_of(r_values(attempt.resource_priority), namespaces):
        return None
    waits: Result | None = None
    for result in evaluate(attempt, verifying, certificates):
        passport = result.passport
        if passport is None or passport.ppt != RPH or result.outcome not in (PASSED, WAITING):
            continue
        if not _any_of(signed_values(passport), namespaces):
            continue
        if result.outcome == WAITING:
            waits = waits or result
        elif result.credential is not None and _is_trusted(result.credential.spc, honoured.priority_signers):
            return {
                "identity.rph": signed_values(passport),
                "identity.sph": passport.claims.sph,
                "identity.signer": result.credential.organisation,
                "identity.spc": result.credential.spc,
            }
    return None if waits is None else _need(waits, verifying.budget_s)


def _any_of(values: frozenset[str] | tuple[str, ...], namespaces: frozenset[str]) -> bool:
    return any(value.partition(".")[0] in namespaces for value in values)


def _is_trusted(spc: tuple[str, ...], signers: frozenset[str]) -> bool:
    return not signers or not signers.isdisjoint(spc)


def _need(result: Result, budget_s: float) -> Need | None:
    """The certificate of the token, or of a hop that carries it here."""
    hop = result.diversion.waits if result.diversion is not None and result.credential is not None else None
    passport = (hop or result).passport
    return Need("certificate", passport.x5u, budget_s) if passport is not None else None
