"""The emergency calls that peers of a trunk place: every way in which one may be written.

Enters: a trunk, the emergency numbers of the configuration. Leaves: Forms. Must not: ask how the product reads them;
what a form must come to is said here once more, from the standards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sipguard.proof.sample import sample
from sipguard.screening.guard import Settings
from sipguard.screening.trunk import Trunk

CODES: Final = ("911", "112", "988")
LIFELINE: Final = "18002738255"  # what 988 is routed to
SERVICES: Final = ("urn:service:sos", "URN:service:sos.fire", "urn:service:sos.police.x", "urn:service:sos?a")
CALLER: Final = "+12025550101"
CALLEE: Final = "+12125550123"
LONGEST_CODE: Final = 6  # digits; more are a number
PSAPS_MOST: Final = 50  # numbers of PSAPs that are each called from; all are asked of one set
_NANP: Final = re.compile("1[0-9]{10}")


@dataclass(frozen=True, slots=True)
class Form:
    """One way of placing an emergency call.

    `uri`: the Request-URI, {host} for our address. `headers`: further lines. `wants`: what the next hop must see:
    `code` digits that are these and no others, `number` digits that end so, `uri` this very Request-URI.
    """

    name: str
    uri: str
    wants: str
    what: str
    caller: str = CALLER
    headers: tuple[str, ...] = ()


class Forms:
    """The forms of one trunk, and what could not be written."""

    def __init__(self, trunk: Trunk, emergency: Settings) -> None:
        self.left_out: list[str] = []
        self._trunk = trunk
        self._emergency = emergency
        self.all: tuple[Form, ...] = tuple(self._written())

    def _written(self) -> Iterator[Form]:
        prefixes = self._prefixes()
        codes = [*CODES, *sorted(each for each in self._emergency.numbers if len(each) <= LONGEST_CODE)]
        for code in dict.fromkeys(codes):
            yield from _code(code, prefixes)
        numbers = [LIFELINE, *sorted(each for each in self._emergency.numbers if len(each) > LONGEST_CODE)]
        for number in dict.fromkeys(numbers):
            yield from _number(number, prefixes, self._trunk.read.default_cc)
        for uri in SERVICES:
            yield Form(uri, uri, "uri", uri)
        yield from self._called_back()

    def _prefixes(self) -> tuple[str, ...]:
        """What peers of the trunk may dial before a number: its prefixes, one by one and both."""
        rules = self._trunk.read
        tech = sample(rules.tech_prefix) if rules.tech_prefix else ""
        if rules.tech_prefix and not tech:
            self.left_out.append(
                f"{self._trunk.name}: no prefix was found that tech_prefix {rules.tech_prefix} matches"
            )
        found = [tech, rules.strip_prefix]
        if tech and rules.strip_prefix and rules.strip_prefix[0] != "+":
            found.append(tech + rules.strip_prefix)
        return tuple(each for each in found if each)

    def _called_back(self) -> Iterator[Form]:
        """Those who answer 911 call back: by their numbers, and by their mark where the trunk's are trusted."""
        callers = sorted(self._emergency.psap_callers)
        if len(callers) > PSAPS_MOST:
            self.left_out.append(f"of {len(callers)} numbers of PSAPs, {PSAPS_MOST} were called from")
            callers = callers[:: len(callers) // PSAPS_MOST + 1]
        for n, callee in enumerate(_callees(self._trunk)):
            for tn in callers if n == 0 else callers[:1]:
                lines = (f"P-Asserted-Identity: <sip:+{tn}@{{host}}>",) if self._trunk.trust_pai else ()
                yield Form(f"PSAP +{tn} calls {callee}", _sip(callee), "number", _national(callee), f"+{tn}", lines)
            if self._trunk.emergency_marks_trusted:
                for mark in ("psap-callback", "emergency"):
                    yield Form(
                        f"Priority: {mark} to {callee}",
                        _sip(callee),
                        "number",
                        _national(callee),
                        headers=(f"Priority: {mark}",),
                    )


def _code(code: str, prefixes: Sequence[str]) -> Iterator[Form]:
    """A service code as it is dialled: alone, with signs between, as a global number, as tel:, behind a prefix."""
    written: Iterable[str] = (code, "-".join(code), f"+{code}", f"{code};phone-context=+1")
    for user in written:
        yield Form(user, _sip(user), "code", code)
    for uri in (f"tel:{code}", f"tel:{code};phone-context=+1", f"sips:{code}@{{host}}"):
        yield Form(uri.partition("@")[0], uri, "code", code)
    for prefix in prefixes:
        user = f"{prefix}{code}".replace("#", "%23")
        yield Form(f"{prefix}{code}", _sip(user), "code", code)


def _number(number: str, prefixes: Sequence[str], default_cc: str) -> Iterator[Form]:
    """A whole number as it is dialled; where the trunk has prefixes, behind them."""
    wants = _national(f"+{number}")
    if prefixes:
        written = [f"{prefix}{number}" for prefix in prefixes if prefix[0] != "+"]
    elif default_cc == "1" and _NANP.fullmatch(number):
        written = [f"+{number}", number, number[1:]]
    else:
        written = [f"+{number}"]
    for user in written:
        yield Form(user, _sip(user.replace("#", "%23")), "number", wants)
    if not prefixes:
        yield Form(f"tel:+{number}", f"tel:+{number}", "number", wants)


def _callees(trunk: Trunk) -> list[str]:
    """A number for each route of the trunk, so that those who call back are led by each."""
    found = {CALLEE: None}
    for route in trunk.routes:
        for prefix in route.prefixes[:1]:
            found[f"+{(prefix + '2125550123')[: max(11, len(prefix))]}"] = None
    return list(found)


def _sip(user: str) -> str:
    return f"sip:{user}@{{host}}"


def _national(number: str) -> str:
    """The digits that remain of a number, however a next hop has it written."""
    digits = number.lstrip("+")
    return digits[1:] if _NANP.fullmatch(digits) else digits
