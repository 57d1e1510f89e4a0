"""What somebody meant who wrote a word of another language, or a value of another form.

Enters: a word or value that is none of ours. Leaves: ours, or a hint how to write it; "" where nothing is certain.
Must not: take it for ours by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sipguard.numbers.glob import Glob
from sipguard.screening.policy.errors import meant

_ACTION: Final = "write reject: BASIS, allow: true, redirect:, label: or tag:"
RULE_WORDS: Final = {  # key of a rule elsewhere -> ours
    "if": "when",
    "match": "when",
    "where": "when",
    "condition": "when",
    "conditions": "when",
    "id": "name",
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
ZONES: Final = {"called": "callee", "to": "callee", "from": "caller", "local": "callee"}


def rule_key(word: str, known: Collection[str]) -> tuple[str, str]:
    """(the key that was meant, "" where that is not certain; hint) for a word that is no key of a rule."""
    lower = word.lower()
    ours = lower if lower in known else RULE_WORDS.get(lower, "")
    if ours:
        return ours, f"did you mean {ours}?"
    return "", _RULE_HINTS.get(lower) or meant(word, known)


def fact(word: str, wanted: object, known: Collection[str], rule_keys: Collection[str]) -> str:
    """A hint for a word that is no fact."""
    if wanted is None and (written := _with_value(word)):
        return f"write {written}"
    if word in rule_keys:
        return f"{word} belongs to the rule: begin it in the column of when"
    if word.lower() in _CONDITION_HINTS:
        return _CONDITION_HINTS[word.lower()]
    if isinstance(wanted, dict):
        for below in wanted:
            if f"{word}.{below}" in known:
                return f"write it as one key: {word}.{below}"
    if word.lower() in _FACTS:
        return f"facts of it are {_FACTS[word.lower()]}"
    return meant(word, known)


def condition(text: str, defined: Collection[str]) -> str:
    """A hint for a text in the place of a condition: `lists.shown = dno`, or the name of a definition."""
    if text in defined:
        return f"write {{is: {text}}}"
    if text.lstrip().startswith("{"):
        return "take the quotes off"
    written = _with_value(text)
    return f"write {{{written}}}" if written else "such as {lists.shown: dno}"


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
    """A hint for a text in the place of a number: `> 5`, `over 300`, `90%`, `"5"`."""
    stripped = text.strip()
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
    for sign in ("!=", "!", "not "):
        if text.startswith(sign):
            return f"write not: {{{name}: {text[len(sign) :].strip()}}}"
    words = [word.strip() for word in text.replace("|", ",").split(",")]
    if len(words) > 1:
        return f"write a list: [{', '.join(words)}]"
    return meant(text, choices)


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
    if "pair" in (which, *lists[word]) or {"upstream", "signer"} & {which, *lists[word]}:  # never asked of one number
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


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit() and text.isascii()
