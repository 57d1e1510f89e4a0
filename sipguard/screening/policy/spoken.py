"""A condition that somebody wrote as a sentence, in the words of the policy: `trunk.kind is not gateway and outside`.

Enters: a text in the place of a condition, a fact or a value; the names of facts and definitions. Leaves: how it is
written, without the outer braces; "" where nothing is certain. Must not: say the opposite of what was meant.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

COMPARISONS: Final = {">=": "at_least", "<=": "at_most", ">": "over", "<": "under"}
_NOT: Final = re.compile(r"(?:(?:!=?|<>)\s*|(?:(?:is\s+)?not|isn't|isnot|is_not)\s+)", re.IGNORECASE)
_IS: Final = re.compile(r"(?:(?:={1,3}|:)\s*|(?:is|in|equals|eq)\s+)", re.IGNORECASE)
_SIGN: Final = re.compile(r"(>=|<=|>|<)\s*")
_WORD: Final = re.compile(r"[\w.+*-]+$")


def denied(text: str) -> str:
    """What is denied by a text such as `not outside`, `!= gateway`, `<> gateway`; "" where nothing is."""
    found = _NOT.match(text.strip())
    return text.strip()[found.end() :].strip() if found is not None else ""


def same(text: str) -> str:
    """What a text such as `= dno`, `== dno`, `in dno` says; "" where it does not begin so."""
    found = _IS.match(text.strip())
    return _value(text.strip()[found.end() :].strip()) if found is not None else ""


def condition(text: str, facts: Collection[str], defined: Collection[str] = ()) -> str:
    """The text as a condition, in the form `FACT: VALUE`."""
    text = text.strip()
    one = _one(text, facts, defined)
    if one:
        return one
    for word, form in ((r"\s+(?:or|\|\|?)\s+", "any"), (r"\s+(?:and|&&?)\s+", "all")):
        said = re.split(word, text, flags=re.IGNORECASE)
        parts = [condition(part, facts, defined) for part in said] if len(said) > 1 else []
        if parts and all(parts):
            keys = {part.partition(":")[0] for part in parts}
            if form == "all" and len(keys) == len(parts):
                return ", ".join(parts)
            return f"{form}: [{', '.join(f'{{{part}}}' for part in parts)}]"
    return ""


def several(text: str) -> list[str]:
    """The words of `interconnect or gateway`, of `interconnect, gateway`; none where they are not several."""
    words = [word.strip() for word in re.split(r"\s*[,|]+\s*|\s+or\s+", text)]
    return words if len(words) > 1 and all(_WORD.match(word) for word in words) else []


def _one(text: str, facts: Collection[str], defined: Collection[str]) -> str:
    """A text that asks for one thing, or denies one."""
    if text in defined:
        return f"is: {text}"
    inner = denied(text)
    if inner:
        inner = condition(inner, facts, defined) if " and " not in inner and " or " not in inner else ""
        return f"not: {{{inner}}}" if inner else ""
    name = next((each for each in sorted(facts, key=len, reverse=True) if text.startswith(each)), "")
    rest = text[len(name) :]
    if not name or rest[:1].isalnum() or rest[:1] in ("", ".", "_"):
        return ""
    rest = rest.strip()
    denial = _NOT.match(rest)
    compared = _SIGN.match(rest)
    if denial is not None:
        value = _value(rest[denial.end() :])
        return f"not: {{{name}: {value}}}" if value else ""
    if compared is not None:
        bound = rest[compared.end() :]
        return f"{name}: {{{COMPARISONS[compared[1]]}: {bound}}}" if _WORD.match(bound) else ""
    same = _IS.match(rest)
    value = _value(rest[same.end() :] if same is not None else rest)
    return f"{name}: {value}" if value else ""


def _value(text: str) -> str:
    """A word, or a list of several; "" for what is more than that."""
    words = several(text)
    if words:
        return f"[{', '.join(words)}]"
    return text if _WORD.match(text) else ""
