"""Signed priority: what an `rph` token, and `sph` in it, say of a call (RFC 8443, RFC 9027).

Enters: an attempt and the token of type `rph`. Leaves: whether it speaks of this call's Resource-Priority and
Priority, and the r-values it signs. Must not: judge the signature, decide what the call gains by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sipguard.screening.attempt import CallAttempt
from sipguard.stir.errors import InvalidIdentity
from sipguard.stir.passport import Passport

RPH: Final = "rph"
PSAP_CALLBACK: Final = "psap-callback"


def r_values(values: Iterable[str]) -> frozenset[str]:
    """The r-values in Resource-Priority headers, in lower case (RFC 4412 §3.1)."""
    return frozenset(each.strip().lower() for value in values for each in value.split(",") if each.strip())


def signed_values(passport: Passport) -> tuple[str, ...]:
    """The r-values that an `rph` token signs, in lower case and in its order."""
    return tuple([each.lower() for each in passport.claims.rph["auth"]])


def require_priority(passport: Passport, attempt: CallAttempt) -> None:
    """Raises InvalidIdentity where the token signs what the call does not say (RFC 8443 §3, RFC 9027 §4)."""
    if not r_values(attempt.resource_priority).issuperset(signed_values(passport)):
        raise InvalidIdentity("rph_mismatch")
    if passport.claims.sph is not None and attempt.priority != PSAP_CALLBACK:
        raise InvalidIdentity("sph_mismatch")
