"""What somebody meant who wrote a word of another language, or a value of another form.

Enters: a word or value that is none of ours. Leaves: ours, or a hint how to write it; "" where nothing is certain.
Must not: take it for ours by itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from sipguard.numbers.glob import Glob
from sipguard.screening.policy import spoken
from sipguard.screening.policy.errors import meant

_ACTION: Final = "write reject: BASIS, allow: true, redirect:, label: or tag:"
RULE_WORDS: Final = {  # key of a rule elsewhere -> ours
    "if": "when",
    "match": "when",
    "where": "when",
    "condition": "when",
    "conditions": "when",
    "id": "name",
    "rule": "name",
    "title": "name",
    "trunk": "on",
    "trunks": "on",
    "block": "reject",
    "deny": "reject",
    "drop": "reject",
    "accept": "allow",
    "pass": "allow",
    "tags": "tag",
    "expires": "until",
}
_RULE_HINTS: Final = {
    "then": f"{_ACTION} beside when",
    "action": _ACTION,
    "do": _ACTION,
    "else": "write a rule below it, or default: for calls that no rule ended",
    "priority": "rules are asked from the top: move it there",
    "order": "rules are asked from the top: move it there",
    "comment": "write it behind a #",
    "description": "write it behind a #",
    "enabled": "write mode: report, or take the rule out",
    "disabled": "write mode: report, or take the rule out",
    "report": "write mode: report",
    "log": "write mode: report",
    "unless": "write when: {not: {...}}",
    "route": "write redirect: {route: TRUNK}",
    "contact": "write redirect: {contact: sip:...}",
}
_CONDITION_HINTS: Final = {
    "and": "a map means and: write its facts beside each other, or all: [{...}, {...}]",
    "or": "write any: [{...}, {...}]",
    "none": "write not: {any: [{...}, {...}]}",
    "hour": 'write time: {zone: callee, inside: "08:00-21:00"}',
    "hours": 'write time: {zone: callee, inside: "08:00-21:00"}',
    "days": "write time: {zone: callee, days: [mon-fri]}",
}
_FACTS: Final = {  # what is asked of a party is asked by several facts
    "from": "lists.shown, number.shown.class",
    "to": "lists.callee, number.callee.class",
    "called": "lists.callee, number.callee.class",
    "pai": "lists.asserted, number.asserted.class",
    "caller": "lists.caller, number.caller.class, rate.caller.attempts_1m",
    "callee": "lists.callee, number.callee.class",
    "trunk": "trunk.name, trunk.kind",
}
_NUMBERS: Final = ("from.number", "to.number", "caller.number", "callee.number", "number", "from.user", "to.user")
_PARTS: Final = {  # parts of the names of facts elsewhere -> ours
    "from": "shown",
    "pai": "asserted",
    "to": "callee",
    "called": "callee",
    "calling": "caller",
    "diversion": "diverting",
    "type": "kind",
    "area_code": "npa",
}
_NOT_IS: Final = ("isnot", "is_not", "not_is", "isn't", "notis")
_COMPARISONS: Final = {
    ">": "over",
    "gt": "over",
    "above": "over",
    "more_than": "over",
    "greater_than": "over",
    ">=": "at_least",
    "gte": "at_least",
    "ge": "at_least",
    "min": "at_least",
    "<": "under",
    "lt": "under",
    "below": "under",
    "less_than": "under",
    "<=": "at_most",
    "lte": "at_most",
    "le": "at_most",
    "max": "at_most",
}
_EQUAL: Final = ("=", "==", "eq", "is", "equals")
_HOLDS: Final = (*_EQUAL, "any", "in", "contains")
NO_SUMMER: Final = {  # zones by letters are without summer time in zone files, or are not there -> what is meant
    "EST": "America/New_York",
    "EDT": "America/New_York",
    "CST": "America/Chicago",
    "CDT": "America/Chicago",
    "MST": "America/Denver, or America/Phoenix",
    "MDT": "America/Denver",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "AKST": "America/Anchorage",
    "HST": "Pacific/Honolulu",
}
ZONES: Final = {"called": "callee", "to": "callee", "from": "caller"}


def rule_key(word: str, known: Collection[str]) -> tuple[str, str]:
    """(the key that was meant, "" where that is not certain; hint) for a word that is no key of a rule."""
    lower = word.lower()
    begun = re.split(r"[\s:{]", word)[0]
    if begun != word and begun in known:
        if "\xa0" in word:
            return "", f"a no-break space stands behind {begun}: type a plain space"
        return "", f"{begun} has no colon: write {begun}: " + ("{...}" if "{" in word else "VALUE")
    ours = lower if lower in known else RULE_WORDS.get(lower, "")
    if ours:
        return ours, f"did you mean {ours}?"
    return "", _RULE_HINTS.get(lower) or meant(word, known)


def fact(
    word: str,
    beside: Mapping[str, object],
    facts: Mapping[str, Collection[str]],
    rule_keys: Collection[str],
    lists: Mapping[str, Collection[str]],
    defined: Collection[str],
) -> str:
    """A hint for a word that is no fact, in a map `beside`; `facts` with their choices."""
    wanted, lower = beside[word], word.lower()
    said = word if wanted is None else f"{word}: {wanted}" if isinstance(wanted, str | int | float) else ""
    if said and (written := spoken.condition(said, facts, defined) or (_with_value(word) if wanted is None else "")):
        colon = ", with a space after the colon" if wanted is None and ":" in word and " " not in word else ""
        return f"write {written}" + (colon if not written.endswith(colon) else "")
    if word in rule_keys:
        return f"{word} belongs to the rule: begin it in the column of when"
    if lower in _NOT_IS and isinstance(wanted, str):
        return f"write not: {{is: {wanted}}}"
    if spoken.denied(word) in facts:
        return f"write not: {{{spoken.denied(word)}: ...}}"
    if word in defined:
        return f"{word} is a definition; write " + (f"not: {{is: {word}}}" if wanted is False else f"is: {word}")
    if lower in _CONDITION_HINTS:
        return _CONDITION_HINTS[lower]
    if wanted is None and (left := _left_alone(word, beside, facts, lists)):
        return left
    if isinstance(wanted, dict):
        for below in wanted:
            if f"{word}.{below}" in facts:
                return f"write it as one key: {word}.{below}"
    if listed_so := _of_list(word, wanted, lists):
        return listed_so
    if lower in _FACTS:
        return f"facts of it are {_FACTS[lower]}"
    if lower in _NUMBERS:
        return "no fact holds the number itself: put it on a list, and ask lists.shown, lists.caller or lists.callee"
    if lower.startswith("number.") and lower.count(".") == 1 and lower not in ("number.class", "number.npa"):
        return "no fact holds the number itself: put it on a list, and ask lists.shown, lists.caller or lists.callee"
    if begun := [each for each in facts if each.startswith(f"{lower}.")]:
        return f"facts of it are {', '.join(begun[:4])}" + (" ..." if len(begun) > 4 else "")
    for parts in (lower.split("."),):
        ours = ".".join(_PARTS.get(part, part) if at or len(parts) == 1 else part for at, part in enumerate(parts))
        if ours == "lists.trunk":
            ours = "lists.upstream"
        if ours in facts:
            return f"did you mean {ours}?"
    ends = [each for each in facts if each.endswith(f".{lower}")]
    if 0 < len(ends) < 5:
        return f"did you mean {' or '.join(ends)}?"
    return meant(word, (*facts, "all", "any", "not", "is", "time")) or "docs/policy.md lists all facts"


def _left_alone(
    word: str, beside: Mapping[str, object], facts: Mapping[str, Collection[str]], lists: Mapping[str, Collection[str]]
) -> str:
    """A hint for a word without value, where it is one of the values of the key before: `trunk.kind: a, b`."""
    keys = list(beside)
    at = keys.index(word) - 1
    while at >= 0 and beside[keys[at]] is None:
        at -= 1
    if at < 0 or not isinstance(beside[keys[at]], str):
        return ""
    name, first = keys[at], beside[keys[at]]
    if word in facts.get(name, ()) or (name.startswith("lists.") and word in lists):
        rest = [key for key in keys[at + 1 :] if beside[key] is None]
        return f"write {name}: [{', '.join([str(first), *rest])}]"
    return ""


def _of_list(word: str, wanted: object, lists: Mapping[str, Collection[str]]) -> str:
    """A hint where the name of a list stands for a fact: `dno: true`, `lists.dno: true`, `lists: dno`."""
    name = word.removeprefix("lists.")
    if word == "lists" and isinstance(wanted, str):
        name = wanted
    if name not in lists:
        return ""
    asked = " or ".join(f"lists.{each}: {name}" for each in lists[name])
    return f"{name} is a list; write not: {{{asked}}}" if wanted is False else f"{name} is a list; write {asked}"


def condition(text: str, facts: Collection[str], defined: Collection[str]) -> str:
    """A hint for a text in the place of a condition: `lists.shown = dno`, or the name of a definition."""
    if text.lstrip().startswith("{"):
        return "take the quotes off"
    written = spoken.condition(text, facts, defined) or ("" if " " in text.strip(" ") else _with_value(text))
    return f"write {{{written}}}" if written else "such as {lists.shown: dno}"


def definition(name: str, defined: Collection[str]) -> str:
    """A hint for a name under `is` that is not defined."""
    inner = spoken.denied(name)
    if inner in defined:
        return f"write not: {{is: {inner}}}"
    words = spoken.several(name)
    if words and all(word in defined for word in words):
        return f"write is: [{', '.join(words)}]"
    return meant(name, defined) or f"write define: {{{name}: {{FACT: VALUE}}}}"


def comparison(word: str, known: Collection[str]) -> str:
    """A hint for a word that is no comparison."""
    ours = _COMPARISONS.get(word.lower())
    if ours:
        return f"write {ours}"
    if word.lower() in _EQUAL:
        return "write the number itself, without a map"
    if word.lower() in ("between", "range"):
        return "write {at_least: A, at_most: B}"
    return meant(word, known)


def number(text: str) -> str:
    """A hint for a text in the place of a number: `> 5`, `over 300`, `90%`, `"5"`, `5-9`, `5/min`."""
    stripped = text.strip()
    first, _, last = (part.strip() for part in stripped.partition("-"))
    if _is_number(first) and _is_number(last):
        return f"write {{at_least: {first}, at_most: {last}}}"
    first = stripped.partition("/")[0].strip()
    if first != stripped and _is_number(first):
        return f"write {{over: {first}}}; over which time stands in the name of the fact"
    for word in sorted((*_COMPARISONS, *_COMPARISONS.values()), key=len, reverse=True):
        if stripped.startswith(word):
            bound = stripped[len(word) :].strip(" :=")
            if _is_number(bound):
                return f"write {{{_COMPARISONS.get(word, word)}: {bound}}}"
    if stripped.endswith("%") and _is_number(stripped[:-1]):
        return f"write {float(stripped[:-1]) / 100:g}"
    return f"write {text} without quotes" if _is_number(stripped) else ""


def value(name: str, text: str, choices: Collection[str]) -> str:
    """A hint for a text that a fact never is: with a sign for not, or several in one."""
    inner = spoken.denied(text)
    if inner:
        words = spoken.several(inner)
        return f"write not: {{{name}: {_list_of(words) if words else inner}}}"
    if said := spoken.same(text):
        return f"write {name}: {said}"
    words = spoken.several(text)
    if words:
        return f"write a list: {_list_of(words)}"
    return meant(text, choices)


def ratio(bound: float) -> tuple[str, str]:
    """(what is wrong, hint) of a bound of a ratio that is a percentage; ("", "") where nothing is."""
    if not 1 < bound <= 100:
        return "", ""
    return f"a ratio is between 0 and 1, not {bound:g}", f"write {bound / 100:g}"


def compared(name: str, wanted: Mapping[object, object], kind: str) -> str:
    """A hint for a map in the place of a value: `{not: dno}`, `{in: [dno]}`, `{dno: true}`."""
    if len(wanted) == 1:
        ((key, value),) = wanted.items()
        said = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
        if key == "not" and not isinstance(value, dict):
            return f"write not: {{{name}: {said}}}"
        if str(key).lower() in _HOLDS and not isinstance(value, dict):
            return f"write {name}: {said}"
        if value is True or value is None:
            return f"write {name}: {key}"
    return f"write the value itself, as {name}: {kind}"


def listed(fact: str, word: str, lists: Mapping[str, Collection[str]]) -> tuple[str, str]:
    """(what is wrong with the name of a list that a fact of lists is asked for, hint); ("", "") where nothing is."""
    which = fact.removeprefix("lists.")
    which = "pair" if which == "brand" else which
    if word not in lists:
        if len(word) > 6 and word.lstrip("+").isdigit():
            return f"unknown list {word}", f"write the name of a list; sipguard lists add NAME {word} puts it on one"
        return f"unknown list {word}", value(fact, word, lists)
    if which in lists[word]:
        return "", ""
    bound = ", ".join(lists[word]) or "nothing"
    others = " or ".join(f"lists.{each}" for each in lists[word])
    if {"pair", "upstream", "signer"} & {which, *lists[word]}:  # never asked of one number
        return f"list {word} is not asked about {which}, but about {bound}", f"ask {others}"
    hint = f"ask {others}, or add {which} to lists.{word}.bind"
    return f"list {word} is not asked about {which}, but about {bound}", hint


def area_code(text: str) -> tuple[str, str] | None:
    """(what is wrong, hint) of a text that is no area code, or of a pattern that fits none; None where nothing is."""
    digits = "".join(each for each in text if each.isdigit() or each == "*").removeprefix("1")
    code = digits[:3] if digits[:3].isdigit() and len(digits) >= 3 else digits.rstrip("*")[:2] + "*"
    hint = f'write "{code}"' if len(code) > 1 else 'such as "202", or "20*"'
    if "*" in text:
        glob = Glob(text)
        if any(glob.fits(f"{number:03d}") for number in range(1000)):
            return None
        return f"no area code fits {text}, since each has three digits", hint
    if len(text) == 3 and text.isascii() and text.isdigit():
        return None
    return f"an area code has three digits, not {text}", hint


def _with_value(text: str) -> str:
    """`FACT: VALUE` of a text that says so in another way: with = or ==, with a comparison, without a space."""
    for sign in (">=", "<=", "!=", "==", "=", ">", "<", ":"):
        name, found, written = text.partition(sign)
        name, written = name.strip(), written.strip()
        if found and name and written:
            if sign in _COMPARISONS:
                return f"{name}: {{{_COMPARISONS[sign]}: {written}}}"
            if sign == "!=":
                return f"not: {{{name}: {written}}}"
            return f"{name}: {written}" + (", with a space after the colon" if sign == ":" else "")
    return ""


def _list_of(words: list[str]) -> str:
    return f"[{', '.join(words)}]"


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit() and text.isascii()
