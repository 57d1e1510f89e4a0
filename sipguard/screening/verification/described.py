"""Facts of tokens that say more than who calls: by which diversions a call came.

Enters: the Result that speaks for a call. Leaves: facts by full name; what a token claims only where it was proven.
Must not: judge; a call without such tokens has none of these facts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sipguard.screening.finding import FactSpec, FactValue
from sipguard.screening.verification.diversion import DIV, INCOMPLETE, UNCHECKED
from sipguard.screening.verification.priority import PSAP_CALLBACK, RPH, signed_values
from sipguard.screening.verification.result import PASSED, Result
from sipguard.screening.verification.rich import BROKEN, HELD, RCD, UNFETCHED, is_rich, rich_call_data
from sipguard.stir.reasons import REASONS

_FAILED: Final = "failed"
_INCOMPLETE: Final = "incomplete"
_UNCHECKED: Final = "unchecked"

FACTS: Final[tuple[FactSpec, ...]] = (
    FactSpec(
        "identity.div_result",
        "choice",
        "what the chain of div tokens behind the token judged came to (RFC 8946); absent where it needs none",
        choices=(PASSED, _FAILED, _INCOMPLETE, _UNCHECKED),
    ),
    FactSpec(
        "identity.div_reason", "choice", 'why, as a slug; "passed" where the chain passed', choices=tuple(REASONS)
    ),
    FactSpec("identity.div_hops", "number", "how many div tokens the chain has"),
    FactSpec("identity.div_numbers", "set", "who diverted, the last first; absent unless the chain passed"),
    FactSpec("identity.rph", "set", "r-values of Resource-Priority that a token signs which passed (RFC 8443)"),
    FactSpec(
        "identity.sph",
        "choice",
        "there where such a token signs that Priority (RFC 9027)",
        choices=(PSAP_CALLBACK,),
    ),
    FactSpec("identity.rph_signer", "text", "organisation in the certificate of that token"),
    FactSpec("identity.rph_spc", "set", "service provider codes of that certificate (RFC 8443 §3)"),
    FactSpec("identity.rcd_name", "text", "name of the caller in a token that passed (RFC 9795 `nam`), one line"),
    FactSpec("identity.rcd_reason", "text", "why they call, as such a token says (RFC 9795 `crn`), one line"),
    FactSpec(
        "identity.rcd_integrity",
        "choice",
        "whether `rcdi` holds for what stands in the token; what must be fetched is not checked (RFC 9795 §6)",
        choices=(HELD, BROKEN, UNFETCHED),
    ),
    FactSpec("identity.div_signers", "set", "organisations that signed for them, in the same order"),
)


def describe(facts: dict[str, FactValue], result: Result) -> None:
    """Adds to `facts` what `result`, the value judged, says beyond the caller."""
    if result.diversion is not None:
        _describe_diversion(facts, result.diversion.hops, result.diversion.reason)
    elif result.passport is not None and result.passport.ppt == DIV:
        _describe_diversion(facts, (), result.reason)


def describe_priority(facts: dict[str, FactValue], results: Iterable[Result]) -> None:
    """Adds what tokens sign of the priority of the call, whichever speaks of the caller."""
    for result in results:
        passport = result.passport
        if result.outcome == PASSED and passport is not None and passport.ppt == RPH:
            facts["identity.rph"] = signed_values(passport)
            facts["identity.sph"] = passport.claims.sph
            if result.credential is not None:
                facts["identity.rph_signer"] = result.credential.organisation
                facts["identity.rph_spc"] = result.credential.spc
            return


def describe_name(facts: dict[str, FactValue], results: Iterable[Result]) -> None:
    """Adds what tokens that passed call the caller: of the one in the SHAKEN token, else of one of type `rcd`."""
    named = [r for r in results if r.outcome == PASSED and r.passport is not None and is_rich(r.passport)]
    for result in sorted(named, key=_is_of_type_rcd):
        assert result.passport is not None
        facts.update(rich_call_data(result.passport))
        return


def _is_of_type_rcd(result: Result) -> bool:
    return result.passport is not None and result.passport.ppt == RCD


def _describe_diversion(facts: dict[str, FactValue], hops: tuple[Result, ...], reason: str) -> None:
    facts["identity.div_reason"] = reason or PASSED
    facts["identity.div_hops"] = len(hops)
    if reason:
        facts["identity.div_result"] = {INCOMPLETE: _INCOMPLETE, UNCHECKED: _UNCHECKED}.get(reason, _FAILED)
        return
    facts["identity.div_result"] = PASSED
    facts["identity.div_numbers"] = tuple([diverting(hop) for hop in hops])
    facts["identity.div_signers"] = tuple([signing(hop) for hop in hops])


def diverting(hop: Result) -> str:
    """Who diverted, as a `div` token says: digits, or a URI; "" where there is no such token."""
    passport = hop.passport
    return (passport.div_tn.lstrip("+") or passport.div_uri) if passport is not None else ""


def signing(hop: Result) -> str:
    """Whose certificate a `div` token was signed by, "" where it is not at hand."""
    credential = hop.credential
    return (credential.organisation or " ".join(credential.spc)) if credential is not None else ""
