"""What the signer is told of Identity values that failed, so that it mends them while the call goes on (RFC 9410).

Enters: the results of all values. Leaves: Reason header lines, one for each value that failed.
Must not: show in `compact` form what the caller's side did not need to see again, or write a character of a token
that could end the line or its quotes.
"""

from __future__ import annotations

from typing import Final

from sipguard.screening.verification.result import FAILED, Result
from sipguard.stir.errors import PHRASES

FULL: Final = "full"
COMPACT: Final = "compact"
FORMS: Final = (COMPACT, FULL)

SIGNATURE_LIMIT: Final = 512  # characters; a longer last part is no signature of any algorithm in use
_TOKEN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+/=")


def told(results: list[Result], form: str) -> str:
    """Reason lines for the values that failed, joined, "" for none; `form` is compact or full.

    Several values of one protocol are allowed (RFC 9366). A value of a type that is not verified here has not failed.
    """
    return "\r\n".join([_reason(result, form) for result in results if result.outcome == FAILED])


def _reason(result: Result, form: str) -> str:
    """`ppi` names the token: all of it, or `..signature`, which RFC 9410 recommends; left out where it is garbage."""
    token = result.value.partition(";")[0].strip()
    if form == COMPACT:
        signature = token.rpartition(".")[2]
        token = f"..{signature}" if len(signature) <= SIGNATURE_LIMIT else ""
    ppi = f';ppi="{token}"' if token.strip(".") and _TOKEN.issuperset(token) else ""
    return f'Reason: STIR;cause={result.status};text="{PHRASES[result.status]}"{ppi}'
