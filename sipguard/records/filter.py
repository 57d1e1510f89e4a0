"""What somebody looks for among the calls.

Enters: numbers, instants and names as people write them. Leaves: a Filter of canonical values.
Must not: know how it is looked for.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from math import isfinite
from typing import Final

from sipguard.b2bua.frames import DISPOSITIONS
from sipguard.numbers.canonical import read
from sipguard.numbers.rules import READ_AS_NANP, NumberRules
from sipguard.records.errors import BadFilter
from sipguard.screening.policy.errors import meant
from sipguard.screening.policy.model import BASES

MAX_LIMIT: Final = 100_000
UP: Final = "up"  # asked for as a disposition: calls that have not ended
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


@dataclass(frozen=True)
class Filter:
    """Calls that agree with all that is set; newest first. `after <= at < before`, Unix seconds.

    `number` is found as caller, callee or shown number. Raises BadFilter for a disposition or basis that is none.
    """

    number: str = ""
    caller: str = ""
    callee: str = ""
    after: float | None = None
    before: float | None = None
    action: str = ""
    rule: str = ""
    basis: str = ""
    trunk: str = ""
    disposition: str = ""
    emergency: bool = False  # only emergency calls
    call_id: str = ""  # of either leg; that of B is known when the call has ended
    limit: int = 50

    def __post_init__(self) -> None:
        if not 0 < self.limit <= MAX_LIMIT:
            raise BadFilter(f"limit: {self.limit} is not between 1 and {MAX_LIMIT}")
        _one_of("disposition", self.disposition, (*DISPOSITIONS, UP))
        _one_of("basis", self.basis, BASES)


def _one_of(what: str, value: str, known: Collection[str]) -> None:
    """Raises BadFilter for a value that no call can have."""
    if value and value not in known:
        raise BadFilter(f"{what}: there is no {value!r}; {meant(value, known) or 'known are ' + ', '.join(known)}")


def number(text: str, rules: NumberRules = READ_AS_NANP) -> str:
    """The TN in `text`, in any form: +12025550101, (202) 555-0101, a tel: or sip: URI. Raises BadFilter."""
    user = text.strip().replace(" ", "")
    scheme, colon, rest = user.partition(":")
    if colon and scheme.lower() in ("sip", "sips", "tel"):
        user = rest.partition("@")[0]
    tn = read(user, rules).tn
    if not tn:
        raise BadFilter(f"number: {text!r} holds no telephone number")
    return tn


def _finite(at: float) -> float:
    """`at`. Raises ValueError where it is none."""
    if not isfinite(at):
        raise ValueError(at)
    return at


def instant(text: str, now_at: float, zone: tzinfo = UTC, late: bool = False) -> float:
    """Unix seconds of `text`: a span back from `now_at` (90s, 15m, 2h, 7d, 1w), Unix seconds with `@` before
    them, or an ISO 8601 date or time, in `zone` where it names none. Raises BadFilter.

    A time that comes twice, when clocks are set back, is the first one, or with `late` the second; one that never
    comes, when they are set forward, is refused.
    """
    word = text.strip()
    try:
        if word.startswith("@"):
            return _finite(float(word[1:]))
        if word and word[-1] in _UNITS:
            return _finite(now_at - float(word[:-1]) * _UNITS[word[-1]])
        moment = datetime.fromisoformat(word)
        if moment.tzinfo is not None:
            return moment.timestamp()
        local = moment.replace(tzinfo=zone, fold=late)
        if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment:
            return local.timestamp()
    except (ValueError, OverflowError) as error:
        raise BadFilter(f"time: {text!r} is no span (2h) and no date (2026-03-01T10:00)") from error
    raise BadFilter(f"time: {text!r} never came in {zone}: clocks were set forward over it")
