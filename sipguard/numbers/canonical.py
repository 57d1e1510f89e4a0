"""The canonical form of a telephone number, and what kind of number it is.

Enters: the user part of a sip: or tel: URI as received. Leaves: a Number with its TN (digits without
`+`) and its form. Must not: raise on anything from the wire, or guess a number where there is none.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from sipguard.numbers.dialling import BY_COUNTRY, ELSEWHERE
from sipguard.numbers.rules import READ_AS_NANP, NumberRules

E164: Final = "e164"  # complete, with its country code
SHORT: Final = "short"  # service code (911, 988) or 7-digit local number: not convertible (RFC 8224 §8.3)
UNKNOWN: Final = "unknown"  # digits, * or # that are no complete number
NONE: Final = "none"  # nothing there
ANONYMOUS: Final = "anonymous"  # the caller withheld the number (RFC 3323 §4.1.1.3)
ALPHA: Final = "alpha"  # a name
URN: Final = "urn"  # urn:service:...

CLASSES: Final = (
    "ok",
    "invalid_format",
    "invalid_npa",
    "n11",
    "fictional_555",
    "unassigned_npa",
    "tollfree",
    "premium_900",
    "international",
    "short",
    "anonymous",
    "alpha",
)

IMPOSSIBLE: Final = frozenset({"invalid_format", "invalid_npa", "n11"})  # classes that nobody's number has

SHORT_CODES: Final = frozenset(f"{n}11" for n in range(2, 10)) | {"112", "933", "988"}
_WITHHELD: Final = frozenset({"anonymous", "unavailable", "restricted"})
_WRITTEN: Final = frozenset("+0123456789*#().- ")  # what a written number may consist of
_DROPPED: Final = str.maketrans("", "", "+().- ")  # RFC 8224 §8.3, RFC 3966 §3 visual-separator


def _npa_class(npa: str) -> str:
    """Class that an area code alone settles, "" where the rest of the number settles it (NANPA rules)."""
    if npa[0] in "01" or npa[1] == "9":
        return "invalid_npa"
    if npa[1:] == "11":
        return "n11"
    if npa[:2] in ("37", "96") or npa in _RESERVED_TOLL_FREE:
        return "invalid_npa"
    if npa in _TOLL_FREE:
        return "tollfree"
    return "premium_900" if npa == "900" else ""


_TOLL_FREE: Final = frozenset({"800", "833", "844", "855", "866", "877", "888"})
_RESERVED_TOLL_FREE: Final = frozenset({"822", "889"} | {f"88{n}" for n in range(8)})
NON_GEOGRAPHIC: Final = frozenset({"456", "600", "622", "700", "710"} | {f"5{n}{n}" for n in "02346789"})
# of other countries that share country code 1; the territories of the United States are not among them
_NPAS_ABROAD: Final = frozenset(
    {"242", "246", "264", "268", "284", "345", "441", "473", "649", "658", "664", "721", "758", "767", "784"}
    | {"809", "829", "849", "868", "869", "876"}
)
_NPA_CLASS: Final = {f"{n:03d}": _npa_class(f"{n:03d}") for n in range(1000)}
_NPA_VALID: Final = frozenset(npa for npa, found in _NPA_CLASS.items() if found not in ("invalid_npa", "n11"))


class Number:
    """A number as read: `tn` canonical digits ("" if none), `form`, `raw` the user part as received."""

    __slots__ = ("form", "raw", "tn")

    def __init__(self, tn: str, form: str, raw: str) -> None:
        self.tn = tn
        self.form = form
        self.raw = raw

    def __repr__(self) -> str:
        return f"Number({self.tn!r}, {self.form!r}, {self.raw!r})"


def read(user: str, rules: NumberRules = READ_AS_NANP) -> Number:
    """The number in `user`, the user part of a sip: or tel: URI with its parameters. Never raises.

    RFC 8224 §8.3, RFC 3966 §5.1.5 (phone-context), RFC 3261 §19.1.1 (user parameters, %-escapes).
    """
    text, parameters = user, ""
    if ";" in user:
        text, _, parameters = user.partition(";")
    if rules.plain and text.isascii():
        if text[:1] == "+":
            tn = text[1:]
            if tn.isdigit() and tn[0] != "0":
                return Number(tn, E164, user)
        elif text.isdigit() and (not parameters or "context" not in parameters.lower()):
            tn, form = _national(text, rules)
            return Number(tn, form, user)
    tn, form = _read_written(text, parameters, rules)
    return Number(tn, form, user)


def _read_written(text: str, parameters: str, rules: NumberRules) -> tuple[str, str]:
    """TN and form of a user part that is not simply digits."""
    if "%" in text:
        text, semicolon, escaped = unquote(text).partition(";")
        if semicolon:  # parameters whose first semicolon was escaped with them
            parameters = f"{escaped};{parameters}"
    text = text.strip()
    if not text:
        return "", NONE
    if rules.pattern is not None:
        text = _without_tech_prefix(text, rules.pattern)
    if not _WRITTEN.issuperset(text):
        lower = text.lower()
        if lower in _WITHHELD:
            return "", ANONYMOUS
        return "", URN if lower.startswith("urn:") else ALPHA
    tn = text.translate(_DROPPED)
    if not tn:
        return "", ALPHA
    is_global = text[0] == "+" and tn[0] != "0"  # no country code begins with 0: a dialled number got the +
    if rules.strip_prefix:
        tn, is_global = _without_strip_prefix(tn, is_global, rules)
    if not is_global and parameters:
        tn, is_global = _in_context(tn, parameters)
    if not is_global:
        return _national(tn, rules)
    return (tn, E164) if tn.isdigit() else (tn, UNKNOWN)


def _without_tech_prefix(text: str, pattern: re.Pattern[str]) -> str:
    """`text` without what the trunk's pattern matches at its front. A service code is never cut."""
    if text.translate(_DROPPED) in SHORT_CODES:
        return text
    found = pattern.match(text)
    return text if found is None or found.end() == len(text) else text[found.end() :]


def _without_strip_prefix(tn: str, is_global: bool, rules: NumberRules) -> tuple[str, bool]:
    """`tn` without the trunk's prefix; one written with `+` is taken off global numbers only.

    A service code is never cut, nor a number whose rest would be none: with prefix 9, 9911 is 911 and
    9175550100 stays.
    """
    prefix = rules.strip_prefix
    if is_global != (prefix[0] == "+") or tn in SHORT_CODES:
        return tn, is_global
    digits = prefix.lstrip("+")
    left = tn[len(digits) :]
    if tn.startswith(digits) and _national(left, rules)[1] != UNKNOWN:
        return left, False
    return tn, is_global


def _in_context(tn: str, parameters: str) -> tuple[str, bool]:
    """A local number put into its phone-context, if that is a global prefix (RFC 3966 §5.1.5)."""
    if tn in SHORT_CODES:
        return tn, False
    for piece in parameters.split(";"):
        name, _, value = piece.partition("=")
        if name.strip().lower() == "phone-context":
            value = unquote(value).strip()
            context = value.translate(_DROPPED)
            if value[:1] != "+" or not (context.isascii() and context.isdigit()):
                return tn, False  # a domain name says nothing about digits
            if context == "1":  # of the NANP; written with the 1 or without
                return _national(tn, READ_AS_NANP)[0], len(tn) >= 10
            return context + tn, True
    return tn, False


def _national(tn: str, rules: NumberRules) -> tuple[str, str]:
    """TN and form of dialled digits without `+`, as dialled in the country of `rules.default_cc`."""
    if rules.default_cc != "1":
        return _elsewhere(tn, rules)
    n = len(tn)
    if n == 11 and tn[0] == "1":
        return (tn, E164) if tn.isdigit() else (tn, UNKNOWN)
    if n == 10 and tn[:3] in _NPA_VALID:
        return ("1" + tn, E164) if tn.isdigit() else (tn, UNKNOWN)
    if not tn.isdigit():
        return tn, UNKNOWN
    if n > 6 and tn.startswith("011"):  # three digits are no number abroad: 011911 is not 911
        return tn[3:], E164
    if n == 7:
        return ("1" + rules.local_npa + tn, E164) if rules.local_npa else (tn, SHORT)
    return (tn, SHORT) if tn in SHORT_CODES else (tn, UNKNOWN)


def _elsewhere(tn: str, rules: NumberRules) -> tuple[str, str]:
    """The same outside the NANP: as `dialling` has it for the country, or with 0, and 00 for abroad (ITU-T E.164)."""
    if not tn.isdigit():
        return tn, UNKNOWN
    n, cc = len(tn), rules.default_cc
    if n == 3:
        return tn, SHORT
    way = BY_COUNTRY.get(cc, ELSEWHERE)
    if tn.startswith(way.abroad):  # three digits are no number abroad: 00112 is not 112
        rest = tn[len(way.abroad) :]
        return (rest, E164) if len(rest) > 3 and rest[0] != "0" else (tn, UNKNOWN)
    if way.trunk and tn.startswith(way.trunk):
        return cc + tn[len(way.trunk) :], E164
    if tn[0] == "0":
        return (cc + tn, E164) if way.keeps_zero and 6 <= n <= 11 else (tn, UNKNOWN)
    if way.shortest <= n <= way.longest:
        return cc + tn, E164
    return (tn, E164) if tn.startswith(cc) and n >= 9 else (tn, UNKNOWN)


def readings(claim: str, rules: NumberRules = READ_AS_NANP) -> tuple[str, ...]:
    """Every TN that the `tn` of a claim may mean, the one that the standard has first; () for none.

    A claim holds canonical digits: with their country code, without `+` (RFC 8225 §5.2.1, RFC 8224 §8.3). Some sign
    what was dialled all the same, without the 1 above all; so the same digits read by `rules` come second. Ten digits
    may be of either kind: 4722123456 is +47 22 12 34 56 or +1 472-212-3456.
    """
    dialled = read(claim, rules).tn
    if not dialled or claim[0] == "+":
        return (dialled,) if dialled else ()
    digits = claim.translate(_DROPPED)
    if digits != dialled and len(digits) > 7 and digits[0] != "0" and digits.isascii() and digits.isdigit():
        return digits, dialled
    return (dialled,)


def same(a: str, b: str) -> bool:
    """Whether two numbers, canonical or as written, are one (RFC 8224 §8.3: compared in canonical form)."""
    if a == b:
        return a != ""
    tn = read(a).tn
    return tn != "" and tn == read(b).tn


def classify(number: Number) -> str:
    """The class of a number, one of CLASSES; "" where there is no number to class (form none or urn).

    Not `unassigned_npa`, which only a numbering plan tells.
    `invalid_format` also stands for digits that are no complete number. NANPA numbering rules, ITU-T E.164.
    """
    form, tn = number.form, number.tn
    if form == E164:
        if tn[0] != "1":
            return "international" if 7 <= len(tn) <= 15 and tn[0] != "0" else "invalid_format"
        return _nanp_class(tn[1:]) if len(tn) == 11 else "invalid_format"
    if form == UNKNOWN:
        return _nanp_class(tn) if len(tn) == 10 and tn.isdigit() else "invalid_format"
    return form if form in (SHORT, ANONYMOUS, ALPHA) else ""


def goes_abroad(number: Number, own_cc: str) -> bool:
    """Whether a complete number is one of another country than that of code `own_cc`, or a premium one of our own.

    By the first digits alone. Within country code 1 the Caribbean is abroad, and 900 premium.
    """
    tn = number.tn
    if number.form != E164 or not tn:
        return False
    if not tn.startswith(own_cc):
        return True
    return own_cc == "1" and (tn[1:4] in _NPAS_ABROAD or tn[1:4] == "900")


def _nanp_class(national: str) -> str:
    """The class of ten digits NPA NXX XXXX."""
    npa = national[:3]
    found = _NPA_CLASS[npa]
    if found == "invalid_npa" or found == "n11":
        return found
    if national[3] in "01":
        return "invalid_format"
    if found:
        return found
    if national[4] == "1" and national[5] == "1":
        return "ok" if npa in NON_GEOGRAPHIC else "n11"
    return "fictional_555" if national[3:8] == "55501" else "ok"


def npa_of(number: Number) -> str:
    """Area code of a complete NANP number, "" for any other."""
    tn = number.tn
    return tn[1:4] if number.form == E164 and len(tn) == 11 and tn[0] == "1" else ""


def show(tn: str, form: str = E164) -> str:
    """A TN for people: `+1 202-555-0100`, `+442079460000`; what is not E.164 stays as dialled."""
    if form != E164 or not tn.isdigit() or len(tn) < 8:
        return tn
    if len(tn) == 11 and tn[0] == "1":
        return f"+1 {tn[1:4]}-{tn[4:7]}-{tn[7:]}"
    return "+" + tn


def mask(tn: str) -> str:
    """A TN for logs: at most the first six digits (after the 1 of a NANP number), never the last four.

    Codes of up to three digits (911) belong to nobody and stay.
    """
    if len(tn) <= 3:
        return tn
    shown = min(7 if len(tn) == 11 and tn[0] == "1" else 6, len(tn) - 4)
    return tn[:shown] + "*" * (len(tn) - shown)
