"""Facts of the attempt itself, which no check has to find: trunk.* and call.*.

Enters: an attempt. Leaves: the first facts of a call, by full name. Must not: ask anything else.
"""

from __future__ import annotations

from typing import Final

from sipguard.numbers.canonical import ANONYMOUS
from sipguard.screening.attempt import CallAttempt
from sipguard.screening.finding import FactSpec, FactValue
from sipguard.screening.trunk import KINDS

BASE_FACTS: Final = (
    FactSpec("trunk.name", "text", "trunk that the call came in by"),
    FactSpec("trunk.kind", "choice", "what kind of relation that trunk is", choices=KINDS),
    FactSpec("call.hour_utc", "number", "hour of the day at receipt, 0 to 23, UTC", "h", (), 0.0, 23.0),
    FactSpec("call.has_identity", "flag", "the INVITE carries an Identity header (RFC 8224 §4)"),
    FactSpec("call.priority", "text", "the Priority header in lower case, if there is one (RFC 3261 §20.26)"),
    FactSpec(
        "call.caller_source",
        "choice",
        "where the number that counts as caller comes from: P-Asserted-Identity if the trunk's is trusted",
        choices=("pai", "from"),
    ),
    FactSpec(
        "call.shown_is_asserted",
        "flag",
        "From has a number that stands in P-Asserted-Identity; absent unless both have one",
    ),
    FactSpec("call.anonymous", "flag", "From withholds the number (RFC 3323 §4.1.1.3)"),
)


def base_facts(attempt: CallAttempt) -> dict[str, FactValue]:
    """The facts in BASE_FACTS, each with its value; a new dict that findings may be added to."""
    trunk = attempt.trunk
    return {
        "trunk.name": trunk.name,
        "trunk.kind": trunk.kind,
        "call.hour_utc": int(attempt.received_at // 3600.0 % 24.0),
        "call.has_identity": attempt.identity != (),
        "call.priority": attempt.priority or None,
        "call.caller_source": attempt.caller_source,
        "call.shown_is_asserted": None if attempt.asserted is None else _shown_is_asserted(attempt),
        "call.anonymous": attempt.shown.form == ANONYMOUS,
    }


def _shown_is_asserted(attempt: CallAttempt) -> bool | None:
    """Whether the number shown is one of those asserted, None where none is shown."""
    shown, asserted = attempt.shown.tn, attempt.asserted
    if not shown or asserted is None:
        return None
    return shown == asserted.tn or any(shown == one.tn for one in attempt.asserted_also)
