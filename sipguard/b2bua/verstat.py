"""verstat: what is said of the numbers of a forwarded INVITE, and on which of them (3GPP TS 24.229 §7.2A.20).

Enters: a call whose verdict stands, its header lines as they would cross. Leaves: the same with verstat.
Must not: say of a number that it passed where the token names another; touch a digit.

Each number in P-Asserted-Identity gets one. From gets one where no number is asserted, and where the token names its
number and none that is asserted: readers look at P-Asserted-Identity first. An address without a number has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua.label import LEVELS
from sipguard.b2bua.privacy import ANONYMOUS
from sipguard.numbers.canonical import read
from sipguard.screening.verification.result import NOT_FETCHED
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.message import line_value
from sipguard.sip.uri import name_addr, split_outside, user_of

if TYPE_CHECKING:
    from sipguard.b2bua.setup import Setup
    from sipguard.screening.finding import FactValue

PASSED: Final = "TN-Validation-Passed"
FAILED: Final = "TN-Validation-Failed"
NONE: Final = "No-TN-Validation"
ASSERTED: Final = "p-asserted-identity"


def verstat_of(style: str, result: object, attest: object) -> str:
    """The verstat value in a trunk's spelling, "" where the trunk wants none.

    `style`: off | plain | suffix_all (-A, -B, -C) | suffix_bc (-B, -C only); `result` and `attest` are facts.
    """
    if style == "off":
        return ""
    if result == "passed":
        if attest in LEVELS and (style == "suffix_all" or (style == "suffix_bc" and attest != "A")):
            return f"{PASSED}-{attest}"
        return PASSED
    return FAILED if result == "failed" else NONE


def mark(setup: Setup, style: str, kept: list[str], shown: str, n: int) -> tuple[str, bool]:
    """Writes verstat into `kept` and sets that of `setup`: what is said of the number that readers take.

    `n` is the index of the first P-Asserted-Identity, -1 where there is none. Answers the From value, and whether the
    token that passed names whom readers take for the caller.
    """
    facts, attempt, label = setup.screening.facts, setup.attempt, setup.label
    passed = facts.get("identity.result") == "passed"
    of_named = of_others = verstat_of(style, facts.get("identity.result"), facts.get("identity.attest"))
    if not setup.call.trunk.verify or (setup.call.emergency and _is_unknown(facts)):
        of_named = of_others = ""
    if label is not None and label.verstat:
        of_named = of_others = label.verstat
    if passed and "passed" in of_named.lower():
        of_others = NONE
    named = str(facts.get("identity.orig_tn") or "") if passed else ""
    words = (named, of_named, of_others)
    in_from = "" if shown.startswith(ANONYMOUS) else attempt.shown.tn
    asserted = _asserted(setup, kept, n, words) if n >= 0 else ()
    if not asserted:
        setup.verstat = said = _word(in_from, words) if in_from else ""
    else:
        setup.verstat = _word(asserted[0], words)
        said = of_named if named and in_from == named and named not in asserted else ""
    if said:
        shown = with_verstat(shown, said)
    if not passed:
        return shown, False
    taken = asserted[0] if asserted else in_from
    if taken or named:
        return shown, taken == named
    return shown, _names_uri(facts.get("identity.orig_source"), n >= 0, shown)


def _is_unknown(facts: dict[str, FactValue]) -> bool:
    """Whether nobody has looked at the token, or nobody could, for want of its certificate."""
    return "identity.result" not in facts or facts.get("identity.status") == NOT_FETCHED


def _word(tn: str, words: tuple[str, str, str]) -> str:
    """What is said of a number; `words` are the number that the token names, the word on it, that on others."""
    named, of_named, of_others = words
    return of_named if tn == named else of_others


def _names_uri(source: object, is_asserted: bool, shown: str) -> bool:
    """Whether the URI that a token names is the one that readers take: asserted, else in From."""
    return source != "from" if is_asserted else source != "pai" and not shown.startswith(ANONYMOUS)


def _asserted(setup: Setup, kept: list[str], n: int, words: tuple[str, str, str]) -> tuple[str, ...]:
    """Writes its word to each number in P-Asserted-Identity; the numbers, in order."""
    attempt = setup.attempt
    name, _, value = kept[n].partition(":")
    if len(attempt.pai_values) == 1 and "," not in value and "\n" not in value:
        tn = attempt.asserted.tn if attempt.asserted is not None else ""
        said = _word(tn, words) if tn else ""
        if said:
            kept[n] = f"{name}: {with_verstat(value.strip(), said)}"
        return (tn,) if tn else ()
    numbers: list[str] = []
    for i in range(n, len(kept)):
        name = kept[i].partition(":")[0]
        if name.strip().lower() != ASSERTED:
            continue
        try:
            values = split_outside(line_value(kept[i]), ",")
        except MalformedMessage:
            continue
        for at, value in enumerate(values):
            tn = _number_in(setup, value)
            if tn:
                numbers.append(tn)
                said = _word(tn, words)
                values[at] = with_verstat(value, said) if said else value
        kept[i] = f"{name}: {', '.join(values)}"
    return tuple(numbers)


def _number_in(setup: Setup, address: str) -> str:
    """The canonical number in an address, "" where it has none."""
    try:
        return read(user_of(name_addr(address)[1]), setup.attempt.trunk.read.bare).tn
    except MalformedMessage:
        return ""


def with_verstat(address: str, verstat: str) -> str:
    """An address (name-addr or addr-spec) with `verstat` behind the last parameter of its number.

    An addr-spec gets brackets, without which every `;` would end its URI (RFC 3261 §20.10). What is no address, or has
    no number to say it of, stays.
    """
    try:
        display, uri, rest = name_addr(address)
    except MalformedMessage:
        return address
    scheme, _, after = uri.partition(":")
    scheme = scheme.lower()
    if scheme in ("sip", "sips"):
        user, at, _ = after.rpartition("@")
        if not at:
            return address
        end = len(scheme) + 1 + len(user.partition(":")[0])  # a password follows
    elif scheme == "tel":
        end = len(uri)
    else:
        return address
    marked = f"<{uri[:end]};verstat={verstat}{uri[end:]}>{rest}"
    return f"{display} {marked}" if display else marked
