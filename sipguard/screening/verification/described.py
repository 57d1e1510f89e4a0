"""Facts of tokens that say more than who calls: by which diversions a call came.

Enters: the Result that speaks for a call. Leaves: facts by full name; what a token claims only where it was proven.
Must not: judge; a call without such tokens has none of these facts.
"""

from __future__ import annotations

from typing import Final

from sipguard.screening.finding import FactSpec, FactValue
from sipguard.screening.verification.diversion import DIV, INCOMPLETE, UNCHECKED
from sipguard.screening.verification.result import PASSED, Result

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
    FactSpec("identity.div_reason", "text", 'why, as a slug; "passed" where the chain passed'),
    FactSpec("identity.div_hops", "number", "how many div tokens the chain has"),
    FactSpec("identity.div_numbers", "set", "who diverted, the last first; absent unless the chain passed"),
    FactSpec("identity.div_signers", "set", "organisations that signed for them, in the same order"),
)


def describe(facts: dict[str, FactValue], result: Result) -> None:
    """Adds to `facts` what `result`, the value judged, says beyond the caller."""
    if result.diversion is not None:
        _describe_diversion(facts, result.diversion.hops, result.diversion.reason)
    elif result.passport is not None and result.passport.ppt == DIV:
        _describe_diversion(facts, (), result.reason)


def _describe_diversion(facts: dict[str, FactValue], hops: tuple[Result, ...], reason: str) -> None:
    facts["identity.div_reason"] = reason or PASSED
    facts["identity.div_hops"] = len(hops)
    if reason:
        facts["identity.div_result"] = {INCOMPLETE: _INCOMPLETE, UNCHECKED: _UNCHECKED}.get(reason, _FAILED)
        return
    facts["identity.div_result"] = PASSED
    numbers: list[str] = []
    signers: list[str] = []
    for hop in hops:
        assert hop.passport is not None and hop.credential is not None
        numbers.append(hop.passport.div_tn.lstrip("+") or hop.passport.div_uri)
        signers.append(hop.credential.organisation or " ".join(hop.credential.spc))
    facts["identity.div_numbers"] = tuple(numbers)
    facts["identity.div_signers"] = tuple(signers)
